"""The time of a model, and the time of a dataset, that stand for the structural relaxation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from glassml.data import Dataset
from glassml.errors import InputError
from glassml.export import Manifest
from glassml.physics import column_of

__all__ = ["relaxation_time_of", "trained_relaxation_time"]

# The labels nearest to tau_alpha stand for it if their time is within this factor of it.
_FURTHEST = 2.0


def relaxation_time_of(
    dataset: Dataset, asked: float | None = None, *, by_name: bool = True
) -> float:
    """The time [time] of the labels that are used.

    Args:
        dataset: labelled configurations.
        asked: the time that the user wants; None: the only one, or the one nearest to the
            tau_alpha that the dataset knows, within a factor of two.
        by_name: whether the user could ask for a time of this dataset alone; for messages.

    Raises:
        InputError: there are no labels at ``asked``; or it is None, and it is not clear which
            labels stand for tau_alpha.
    """
    tau = dataset.description.get("equilibration", {}).get("tau_alpha")
    if tau is None:
        tau = dataset[0].provenance.get("tau_alpha")
    return _chosen(str(dataset.path), dataset.common_times().tolist(), tau, asked, by_name)


def trained_relaxation_time(
    name: str, manifest: Manifest, by_checksum: Mapping[str, float], asked: float | None = None
) -> float:
    """The time [time] of the model's predictions that are used.

    Args:
        name: of the model's file, for messages.
        manifest: the model's.
        by_checksum: checksum of a dataset -> the time used of its labels, for a model that was
            trained on that dataset.
        asked: the time that the user wants; None: the only one, that of the data the model was
            trained on, or the one nearest to the tau_alpha it was trained at.

    Raises:
        InputError: as for `relaxation_time_of`.
    """
    for file in manifest.training.data_files if asked is None else ():
        column = column_of(by_checksum.get(file.sha256, math.nan), manifest.times)
        if column is not None:
            return manifest.times[column]
    return _chosen(name, list(manifest.times), manifest.training.tau_alpha, asked)


def _chosen(
    name: str, times: Sequence[float], tau: Any, asked: float | None, by_name: bool = True
) -> float:
    shown = ", ".join(f"{t:g}" for t in times)
    if asked is not None:
        column = column_of(asked, times)
        if column is None:
            raise InputError(f"time: {name}: expected one of {shown}; found {asked:g}")
        return times[column]
    if len(times) == 1:
        return times[0]
    if isinstance(tau, int | float) and tau > 0:
        nearest = min(times, key=lambda t: abs(math.log(t / tau)))
        if abs(math.log(nearest / tau)) <= math.log(_FURTHEST):
            return nearest
        known = f"tau_alpha = {tau:g}, which is not near any of these"
    else:
        known = "nothing that says which is tau_alpha"
    whose = f"{name.rpartition('/')[2]}=" if by_name else ""
    raise InputError(
        f"time: {name}: expected a choice among the times {shown}; found {known}. Choose one, such "
        f"as --time {whose}{times[-1]:g}"
    )

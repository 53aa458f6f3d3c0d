"""The DeepMind data set: 3D Kob-Andersen at constant pressure, one pickle per configuration.

V. Bapst et al., Nat. Phys. 16, 448 (2020). A dict with ``positions`` [N, 3], ``types`` (0 = A,
1 = B), ``box`` [3], ``time`` (all times of the simulation), ``time_indices`` (those of the labels),
and ``targets`` (the labels at each of these times) or ``trajectory_target_positions`` (for each of
these times a list of unwrapped positions [N, 3], one per run). At these times the intermediate
scattering function reaches .9, .8, ..., .1 and 1/e. So they differ between configurations, and the
last one is out of order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from glassml.data.configuration import Configuration
from glassml.data.readers.base import (
    Fields,
    ReadOptions,
    check_wrapped,
    label_times,
    run_averages,
    source_provenance,
    species_of_codes,
)
from glassml.data.readers.unpickle import load_arrays, plain_number
from glassml.errors import InputError

__all__ = ["read_deepmind", "recognises_deepmind"]

_SUFFIXES = (".pickle", ".pkl")


def recognises_deepmind(path: Path) -> bool:
    """Whether a file has the suffix of a pickle; its contents are checked on reading."""
    return path.suffix in _SUFFIXES


def read_deepmind(path: Path, options: ReadOptions) -> Iterator[Configuration]:
    """Read one DeepMind file; times are in ascending order.

    Times in ``options`` are nominal times of the labels, in this order. With them, configurations
    with slightly different times can share a dataset.

    Raises:
        InputError: the file is damaged, contains more than numpy arrays or breaks one of the
            format's conventions.
    """
    content = load_arrays(path)
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: expected a dict; found {type(content).__name__}")
    fields = Fields(path, content)
    positions = fields.array("positions", None, 3)
    box = fields.array("box", 3)
    check_wrapped(fields, "positions", positions, box)
    all_times = fields.array("time", None)
    indices = fields.array("time_indices", None, integer=True)
    if len(indices) == 0 or indices.min() < 0 or indices.max() >= len(all_times):
        raise fields.error("time_indices", f"indices below {len(all_times)}", f"{indices.tolist()}")
    species, species_names = species_of_codes(fields, "types", len(positions), options.species)
    order = np.argsort(all_times[indices], kind="stable")
    times = label_times(fields, all_times[indices][order], options.times, len(order))
    # The scattering function may reach two levels in the same frame.
    times, different = np.unique(times, return_index=True)
    order = order[different]
    runs = _runs(fields, len(positions), len(indices))
    averages = _averages(fields, positions, box, runs) if len(runs) == len(indices) else {}
    if fields.get("targets") is not None:
        averages["propensity"] = fields.array("targets", len(indices), len(positions)).T
    propensity = averages.pop("propensity")
    complete = options.final_positions and len(runs) == len(indices)
    yield Configuration(
        positions=positions,
        cell=np.diag(box),
        species=species,
        species_names=species_names,
        times=times,
        propensity=propensity[:, order],
        n_runs=len(runs[0]) if runs else None,
        statistics={name: average[:, order] for name, average in averages.items()},
        final_positions=np.stack(runs, axis=1)[:, order] if complete else None,
        length_unit=options.length_unit or "lj",
        name=path.stem,
        provenance=_provenance(fields, options),
    )


def _runs(fields: Fields, n_particles: int, n_times: int) -> list[np.ndarray]:
    """The runs [R, N, 3] at each time for which the file has them, in its own order.

    A file with ``targets`` may have them for the first times only.
    """
    trajectories = "trajectory_target_positions"
    at_times = fields.get(trajectories, [])
    if not isinstance(at_times, list) or not all(isinstance(runs, list) for runs in at_times):
        raise fields.error(trajectories, "a list of runs for each time", "other objects")
    if len(at_times) != n_times and fields.get("targets") is None:
        raise fields.error(
            trajectories, f"{n_times} lists, as many as time_indices", f"{len(at_times)}"
        )
    n_runs = len(at_times[0]) if at_times else None
    if n_runs == 0:
        raise fields.error(trajectories, "at least one run", "none")
    return [
        fields.checked(f"{trajectories}[{index}]", runs, n_runs, n_particles, 3)
        for index, runs in enumerate(at_times)
    ]


def _averages(
    fields: Fields, positions: np.ndarray, box: np.ndarray, runs_at_times: list[np.ndarray]
) -> dict[str, np.ndarray]:
    """Averages [N, T, ...] over the runs, in the order of the file."""
    at_times = [
        run_averages(fields, f"trajectory_target_positions[{index}]", positions, runs, box)
        for index, runs in enumerate(runs_at_times)
    ]
    return {name: np.stack([at[name] for at in at_times], axis=1) for name in at_times[0]}


def _provenance(fields: Fields, options: ReadOptions) -> dict[str, str | int | float]:
    provenance = source_provenance(fields.path, "deepmind") | {
        "citation": "V. Bapst et al., Nat. Phys. 16, 448 (2020)",
        "system": "Kob-Andersen 80:20",
    }
    metadata = fields.get("metadata", {})
    for key in ("temperature", "pressure"):
        number = plain_number(metadata.get(key)) if isinstance(metadata, Mapping) else None
        if number is not None:
            provenance[key] = number
    if options.times is not None:
        provenance["times"] = "nominal, given on conversion"
    return provenance

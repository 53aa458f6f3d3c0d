"""The models of several runs as one committee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glassml.errors import ConfigError, ModelFileError
from glassml.models import Committee
from glassml.training.checkpoint import load_trained_model

__all__ = ["committee_provenance", "load_trained_committee"]


def load_trained_committee(
    paths: Sequence[str | Path], weights: Sequence[float] | None = None
) -> tuple[Committee, dict[str, Any]]:
    """The models of several runs as one, and how they came about, for the manifest.

    Args:
        paths: run folders (of which the best epoch is taken) or checkpoints.
        weights: see `Committee`.

    Raises:
        ModelFileError: see `load_trained_model`, or a run is given twice.
        ConfigError: the models do not fit together.
    """
    trained = [load_trained_model(path) for path in paths]
    files = [run.path.resolve() for run in trained]
    for k, file in enumerate(files):
        if file in files[:k]:
            raise ModelFileError(
                f"{paths[k]}: is given twice, and its copy would count as agreement; to give a "
                "run more weight, use weights (--weights)"
            )
    try:
        committee = Committee([run.model for run in trained], weights)
    except ConfigError as error:
        listed = ", ".join(f"{k} {path}" for k, path in enumerate(paths, 1))
        raise ConfigError(f"{error} (members: {listed})") from None
    return committee.eval(), committee_provenance([run.provenance for run in trained])


def committee_provenance(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The provenance of a committee: what all members share once, then what each has of its own.

    Args:
        members: provenance of each, in plain values.

    Returns:
        The entries that are equal in all, and ``members`` with a dict of the others for each. The
        ``metrics`` always stay with the members: they are none of the committee.
    """
    shared = {
        key: value
        for key, value in members[0].items()
        if key != "metrics" and all(key in m and m[key] == value for m in members)
    }
    own = [{key: value for key, value in m.items() if key not in shared} for m in members]
    return {**shared, "members": own}

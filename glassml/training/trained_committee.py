"""The models of several runs as one committee."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glassml.errors import ConfigError, ModelFileError
from glassml.models import Committee
from glassml.provenance import TrainingRecord
from glassml.training.checkpoint import load_trained_model

__all__ = ["load_trained_committee"]


def load_trained_committee(
    paths: Sequence[str | Path], weights: Sequence[float] | None = None
) -> tuple[Committee, TrainingRecord]:
    """The models of several runs as one committee, and its training record.

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
    return committee.eval(), TrainingRecord(members=tuple(run.record for run in trained))

"""Trained models as one committee."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glassml.errors import ConfigError, ModelFileError
from glassml.export.archive import model_path, read_manifest
from glassml.export.restore import restored_model
from glassml.models import Committee, GlassModel
from glassml.provenance import TrainingRecord

__all__ = ["is_model_file", "load_trained_committee"]


def is_model_file(path: str | Path) -> bool:
    """Whether a path is a model file rather than a run folder or a checkpoint."""
    return Path(path).suffix == ".pt" and Path(path).is_file()


def load_trained_committee(
    paths: Sequence[str | Path], weights: Sequence[float] | None = None
) -> tuple[Committee, TrainingRecord]:
    """Trained models as one committee, and its training record.

    Args:
        paths: run folders (of which the best epoch is taken), checkpoints, or files of models that
            are exported as they are, such as a refitted `structural`.
        weights: see `Committee`.

    Raises:
        ModelFileError: see `load_trained_model` and `restored_model`, or a model is given twice.
        ConfigError: the models do not fit together.
    """
    members = [_member(path) for path in paths]
    files = [file.resolve() for _, _, file in members]
    for k, file in enumerate(files):
        if file in files[:k]:
            raise ModelFileError(
                f"members: expected each run once, as a copy would count as agreement; found "
                f"{paths[k]} twice. To give a member more weight, use weights (--weights)"
            )
    try:
        committee = Committee([model for model, _, _ in members], weights)
    except ConfigError as error:
        listed = ", ".join(f"{k} {path}" for k, path in enumerate(paths, 1))
        raise ConfigError(f"{error} (members: {listed})") from None
    return committee.eval(), TrainingRecord(members=tuple(record for _, record, _ in members))


def _member(path: str | Path) -> tuple[GlassModel, TrainingRecord, Path]:
    """A model, the record of its training, and the file that it comes from."""
    from glassml.training import load_trained_model  # Lightning: only here is it needed

    if is_model_file(path):
        return restored_model(path), read_manifest(path).training, model_path(path)
    trained = load_trained_model(path)
    return trained.model, trained.record, trained.path

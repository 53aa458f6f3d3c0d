"""A training that begins with the parameters of another model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glassml.errors import ConfigError
from glassml.models import GlassModel
from glassml.provenance import NetworkRecord
from glassml.training.checkpoint import load_trained_model

__all__ = ["start_from"]

# Hyperparameters that may differ: they are about learning, or are compared by themselves.
_MAY_DIFFER = {"times", "dropout", "batchnorm_momentum"}


def start_from(path: Path, model: GlassModel) -> NetworkRecord:
    """Copy parameters, means and scales of a trained model into a new one.

    Before the first step the new model predicts what the trained one does, for data with other
    means and scales too.

    Args:
        path: run folder or checkpoint.
        model: the new model.

    Returns:
        What the parameters come from, for the record.

    Raises:
        ConfigError: the trained model is another one.
        ModelFileError: there is no checkpoint, or it is damaged.
    """
    trained = load_trained_model(path)
    before = trained.model
    for what, expected, found in _compared(model, before):
        if expected != found:
            raise ConfigError(
                f"training.start_from: {path}: {what}: expected {expected}, as in the model of "
                f"this configuration; found {found}"
            )
    model.load_state_dict(before.state_dict())
    return NetworkRecord(
        file=trained.path.name,
        n_parameters=sum(p.numel() for p in before.parameters()),
        times=before.times,
        training=trained.record,
    )


def _compared(model: GlassModel, before: GlassModel) -> list[tuple[str, Any, Any]]:
    """What must be the same in both: its name, the new value, that of the trained model."""
    facts: list[tuple[str, Any, Any]] = [("model", model.name, before.name)]
    facts.append(("positions", model.positions, before.positions))
    facts.append(("number of times", model.n_times, before.n_times))
    if model.name == before.name:
        names = [name for name in model.hyperparameters if name not in _MAY_DIFFER]
        new, old = model.hyperparameters, before.hyperparameters
        facts += [(f"model.{name}", _plain(new[name]), _plain(old[name])) for name in names]
    return facts


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value

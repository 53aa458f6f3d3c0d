"""A training that begins with the parameters of another model."""

from __future__ import annotations

from pathlib import Path

import torch

from glassml.errors import ConfigError
from glassml.models import GlassModel
from glassml.provenance import NetworkRecord
from glassml.training.checkpoint import load_trained_model

__all__ = ["start_from"]

# What the new data decide, not the model that was trained before.
_OF_THE_DATA = ("label_mean", "label_scale", "scalar_mean", "scalar_scale", "bond_scale")


def start_from(path: Path, model: GlassModel) -> NetworkRecord:
    """Copy the parameters of a trained model into a new one.

    Means and scales of labels and scalars stay those of the new model.

    Args:
        path: run folder or checkpoint.
        model: the new model.

    Returns:
        What the parameters come from, for the record.

    Raises:
        ConfigError: the trained model is of another kind or size.
        ModelFileError: there is no checkpoint, or it is damaged.
    """
    trained = load_trained_model(path)
    before = trained.model
    if before.name != model.name:
        raise ConfigError(
            f"training.start_from: {path}: expected a {model.name}, as model.name says; found a "
            f"{before.name}"
        )
    if before.species != model.species:
        raise ConfigError(
            f"training.start_from: {path}: expected a model of the species "
            f"{', '.join(model.species)}, as in the data; found {', '.join(before.species)}"
        )
    old, new = before.state_dict(), model.state_dict()
    kept = {name: value for name, value in new.items() if name not in _OF_THE_DATA}
    for name, value in kept.items():
        if name not in old or old[name].shape != value.shape:
            found = "nothing" if name not in old else f"the shape {list(old[name].shape)}"
            raise ConfigError(
                f"training.start_from: {path}: {name}: expected the shape {list(value.shape)}, as "
                f"in the model of this configuration; found {found}. Give the same "
                "hyperparameters and as many times"
            )
    with torch.no_grad():
        for name, value in kept.items():
            value.copy_(old[name])
    return NetworkRecord(
        file=trained.path.name,
        n_parameters=sum(p.numel() for p in before.parameters()),
        times=before.times,
        training=trained.record,
    )

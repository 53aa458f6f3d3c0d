"""The units in which a model sees labels and scalars while it learns."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from glassml.errors import ConfigError
from glassml.models import GlassModel
from glassml.training.statistics import Statistics
from glassml.training.train_config import TrainConfig, TrainingConfig

__all__ = ["set_scales"]


@runtime_checkable
class _Standardising(Protocol):
    """A model that keeps means and scales, so that it takes and predicts physical units."""

    def set_label_scale(self, mean: Tensor, scale: Tensor) -> None: ...

    def set_scalar_scale(self, mean: Tensor, scale: Tensor) -> None: ...


@runtime_checkable
class _Bonded(Protocol):
    """A model that also predicts how neighbours move apart."""

    def bond_displacement(self, edges: Tensor) -> Tensor: ...

    def set_bond_scale(self, scale: Tensor) -> None: ...


def set_scales(
    config: TrainConfig, model: GlassModel, statistics: Statistics
) -> tuple[Tensor, Tensor]:
    """Give a new model the means and scales of its data, if the configuration asks for it.

    Returns:
        The units of errors in the loss: of the propensity [S, T], of bond displacements [T]
        [length].

    Raises:
        ConfigError: the model cannot do what the configuration asks for.
    """
    scale = torch.ones_like(statistics.scale)
    if config.training.standardise:
        scale = statistics.scale
        _standardising(model, "standardise").set_label_scale(statistics.mean, statistics.scale)
    if config.training.standardise_scalars and config.data.scalars:
        _standardising(model, "standardise_scalars").set_scalar_scale(
            statistics.scalar_mean, statistics.scalar_scale
        )
    return scale, _bond_scale(config.training, model, statistics)


def _bond_scale(training: TrainingConfig, model: GlassModel, statistics: Statistics) -> Tensor:
    """The unit [T] of errors of bond displacements [length], which the model gets to know."""
    one = torch.ones(len(model.times))
    if not training.bond_weight:
        return one
    if not isinstance(model, _Bonded):
        raise ConfigError(
            f"training.bond_weight: expected 0 for {model.name}, which predicts nothing for edges; "
            f"found {training.bond_weight:g}"
        )
    if not training.standardise or statistics.bond_scale is None:
        return one
    model.set_bond_scale(statistics.bond_scale)
    return statistics.bond_scale


def _standardising(model: GlassModel, setting: str) -> _Standardising:
    if not isinstance(model, _Standardising):
        raise ConfigError(
            f"training.{setting}: expected false for {model.name}, which cannot rescale; found true"
        )
    return model

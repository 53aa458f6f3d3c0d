"""Stages: parts of a training that follow each other, with settings of their own."""

from __future__ import annotations

from typing import Any

from glassml.models.lengths import scaled_to
from glassml.training.loss_config import LossConfig, SpatialConfig
from glassml.training.train_config import TrainingConfig

__all__ = ["epochs_before", "stage_of", "stages_of", "with_loss_lengths"]

# Of the Kob-Andersen liquid in three dimensions, as published [sigma].
_DISTANCES, _WIDTH = (2.0, 4.0, 6.0), 1.0


def stages_of(training: TrainingConfig) -> list[TrainingConfig]:
    """The settings of each stage; of a training without stages its own."""
    if not training.stages:
        return [training]
    result = []
    for stage in training.stages:
        given = stage.model_dump(exclude_none=True, exclude={"lr"})
        changes: dict[str, Any] = {name: getattr(stage, name) for name in given}
        if stage.lr is not None:
            changes["optimiser"] = training.optimiser.model_copy(update={"lr": stage.lr})
        result.append(training.model_copy(update={**changes, "stages": ()}))
    return result


def stage_of(checkpoint: dict[str, Any] | None) -> int:
    """Number of the stage in which a checkpoint was written, from 0."""
    return int(checkpoint["glassml"].get("stage", 0)) if checkpoint else 0


def epochs_before(checkpoint: dict[str, Any]) -> int:
    """Number of epochs before the stage of a checkpoint."""
    return int(checkpoint["glassml"].get("epochs_before", 0))


def with_loss_lengths(training: TrainingConfig, spacing: float) -> TrainingConfig:
    """The settings with the lengths that losses leave open, for this material.

    Args:
        training: all stages.
        spacing: mean distance between neighbouring particles [length].
    """

    def completed(loss: LossConfig | None) -> LossConfig | None:
        if loss is None or loss.spatial is None:
            return loss
        given: SpatialConfig = loss.spatial
        lengths = {
            "distances": given.distances or tuple(scaled_to(spacing, r) for r in _DISTANCES),
            "width": given.width or scaled_to(spacing, _WIDTH),
        }
        return loss.model_copy(update={"spatial": given.model_copy(update=lengths)})

    stages = tuple(
        stage.model_copy(update={"loss": completed(stage.loss)}) for stage in training.stages
    )
    return training.model_copy(update={"loss": completed(training.loss), "stages": stages})

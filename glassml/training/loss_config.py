"""Settings of a training run that are about what is minimised, and about its stages."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator

from glassml.training.optimisation_config import EarlyStoppingConfig, ScheduleConfig, Section

__all__ = [
    "LossConfig",
    "Monitor",
    "SpatialConfig",
    "StageConfig",
    "check_epochs_of_stages",
    "with_epochs_of_stages",
]

#: Validation quantities that can decide which epoch is the best.
Monitor = Literal["pearson_mean", "pearson_all", "loss", "bond_pearson", "bond_loss"]


class SpatialConfig(Section):
    """What a loss adds for spatial correlations and variance, after Jung et al. (2023).

    ``weight`` times the sum over distances r of |C(r) - C_true(r)|, over the difference of C_true
    between the first and the last distance, plus ``variance_weight`` times the relative error of
    the variance. C(r) is the correlation of mobility at a distance.
    """

    weight: NonNegativeFloat = Field(
        default=0.5, description="weight of the errors of the correlations [-]"
    )
    variance_weight: NonNegativeFloat = Field(
        default=1.0, description="weight of the relative error of the variance [-]"
    )
    distances: tuple[PositiveFloat, ...] | None = Field(
        default=None,
        description="increasing distances r of thermal positions [length], two or more; null: 2, 4 "
        "and 6 in the Kob-Andersen liquid, as published, scaled with the mean spacing in others. "
        "Published in two dimensions: [2, 5, 8]",
    )
    width: PositiveFloat | None = Field(
        default=None,
        description="width w [length] of the weights exp(-(r_ij - r)^2 / 2 w^2); null: 1 in the "
        "Kob-Andersen liquid, scaled in the same way",
    )
    threshold: PositiveFloat | None = Field(
        default=None,
        description="propensity [length] above which particles are mobile; null: the mean label of "
        "each species and time. Published at T = 0.44, t = 4120: 0.44 sigma",
    )
    sharpness: PositiveFloat | None = Field(
        default=None,
        description="slope k [1 / length] of the mobility (tanh(k (m - threshold)) + 1) / 2; "
        "null: 4 over the standard deviation of the labels of each species and time. Published at "
        "T = 0.44, t = 4120: 20 / sigma, which is 3.8 of these",
    )

    @field_validator("distances")
    @classmethod
    def _increasing(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and (len(value) < 2 or list(value) != sorted(set(value))):
            raise ValueError("expected two or more increasing distances")
        return value


class LossConfig(Section):
    """What is minimised: errors of single particles, and terms for all of them together."""

    name: Literal["squared", "absolute"] = Field(
        default="squared",
        description="`squared` errors, or `absolute` ones, which outliers affect less (published "
        "for `glassmlp`); both in units of the standard deviation with `training.standardise`",
    )
    spatial: SpatialConfig | None = Field(
        default=None,
        description="null, or a section, which may be empty (`{}`): also learn how mobility is "
        "correlated in space, and its variance",
    )


class StageConfig(Section):
    """One of several parts of a training; what it leaves open is as in the section ``training``."""

    epochs: PositiveInt = Field(description="passes over the training data; at most")
    lr: PositiveFloat | None = Field(
        default=None, description="initial learning rate; null: `training.optimiser.lr`"
    )
    schedule: ScheduleConfig | None = Field(
        default=None, description="how the learning rate falls; null: `training.schedule`"
    )
    loss: LossConfig | None = Field(
        default=None, description="what is minimised; null: `training.loss`"
    )
    early_stopping: EarlyStoppingConfig | None = Field(
        default=None, description="when to begin the next stage; null: `training.early_stopping`"
    )
    monitor: Monitor | None = Field(
        default=None,
        description="quantity that decides with which epoch the next stage begins; null: "
        "`training.monitor`",
    )


def with_epochs_of_stages(training: Any) -> Any:
    """The section ``training`` of a file, with the epochs of its stages together if none are given.

    What is wrong with a stage, its fields say.
    """
    stages = training.get("stages") if isinstance(training, dict) else None
    if not isinstance(stages, list | tuple) or not stages or "epochs" in training:
        return training
    each = [s.get("epochs") if isinstance(s, dict) else getattr(s, "epochs", None) for s in stages]
    return {**training, "epochs": sum(n for n in each if isinstance(n, int)) or 1}


def check_epochs_of_stages(stages: tuple[StageConfig, ...], epochs: int | None) -> None:
    """Refuse a number of epochs other than that of all stages together.

    Raises:
        ValueError: it is another.
    """
    if stages and epochs not in (None, sum(stage.epochs for stage in stages)):
        raise ValueError(
            f"expected stages of {epochs} epochs together, as training.epochs says (which needs "
            "not be given)"
        )

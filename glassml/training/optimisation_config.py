"""Settings of a training run that are about its steps: optimiser, learning rate, early stopping."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

__all__ = ["EarlyStoppingConfig", "OptimiserConfig", "ScheduleConfig", "Section"]


class Section(BaseModel):
    """A section of a configuration file; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class OptimiserConfig(Section):
    """Adam (Kingma and Ba 2015), or with decoupled weight decay AdamW."""

    name: Literal["adam", "adamw"] = Field(default="adam", description="`adam` or `adamw`")
    lr: PositiveFloat = Field(default=1e-2, description="initial learning rate")
    betas: tuple[
        Annotated[float, Field(ge=0, lt=1)],
        Annotated[float, Field(ge=0, lt=1)],
    ] = Field(
        default=(0.9, 0.999),
        description="decay rates of the two moments; the first version of the paper had "
        "[0.95, 0.999]",
    )
    weight_decay: NonNegativeFloat = Field(default=1e-7, description="L2 penalty [-]")


class ScheduleConfig(Section):
    """The learning rate: multiplied by ``gamma`` at every milestone, or falling as a cosine."""

    name: Literal["steps", "cosine"] = Field(
        default="cosine",
        description="`cosine`: rises within the first epoch, then falls along half a cosine to 0 "
        "in the last; `steps`: constant between milestones, the default if `milestones` or `gamma` "
        "is given",
    )
    milestones: tuple[PositiveInt, ...] = Field(
        default=(50, 75, 90),
        description="epochs at which the learning rate changes; [] for none. The paper has "
        "several without naming them",
    )
    gamma: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="factor of the learning rate at every milestone"
    )

    @model_validator(mode="before")
    @classmethod
    def _steps_if_there_are_milestones(cls, value: Any) -> Any:
        if isinstance(value, dict) and "name" not in value and {"milestones", "gamma"} & set(value):
            return {**value, "name": "steps"}
        return value

    @field_validator("milestones")
    @classmethod
    def _increasing(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("expected increasing epochs")
        return value


class EarlyStoppingConfig(Section):
    """Stop once the monitored quantity has not improved for some epochs."""

    patience: PositiveInt = Field(description="epochs without improvement before the run stops")
    min_delta: NonNegativeFloat = Field(
        default=0.0, description="smallest change that counts as an improvement"
    )

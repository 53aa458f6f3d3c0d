"""One score: how well predictions agree with labels, and what its error bar means."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = ["ErrorKind", "Score", "Statistic"]

Statistic = Literal["pearson", "spearman", "r2"]

# Over what the error bar is a standard deviation (or, where it says so, a standard error).
ErrorKind = Literal[
    "bootstrap over configurations",
    "standard error over configurations",
    "standard deviation over seeds",
    "standard deviation over folds",
    "standard deviation over draws",
    "unspecified",  # of files that were written before this was noted
]

# JSON has no NaN: what is not defined is null there.
_Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]


class Score(BaseModel):
    """A coefficient between predictions and labels of the particles of one species at one time.

    Attributes:
        species: name of the species.
        time: time of the labels [time].
        statistic: which coefficient.
        kind: "all" (particles of all configurations pooled) or "mean" (within each configuration,
            then averaged over configurations).
        value: the coefficient [-], NaN if it is not defined.
        error: its error bar [-], None if there is none.
        error_kind: what the error bar is; None if and only if there is none.
        configurations: number of configurations behind it, None if that is not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")

    species: str
    time: float
    statistic: Statistic = "pearson"
    kind: Literal["all", "mean"]
    value: _Number
    error: float | None = Field(default=None, ge=0)
    error_kind: ErrorKind | None = None
    configurations: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _fits_together(self) -> Score:
        if (self.error is None) != (self.error_kind is None):
            raise ValueError(
                f"error_kind: expected one with an error and none without; found "
                f"{self.error_kind!r} with {self.error!r}"
            )
        if self.value > 1:
            raise ValueError(f"value: expected at most 1; found {self.value}")
        return self

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "-"
        return f"{self.value:.3f}" + ("" if self.error is None else f" ± {self.error:.3f}")

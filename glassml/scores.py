"""One score: how well predictions agree with labels, and what its error bar means."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from glassml.physics import column_of

__all__ = [
    "KINDS",
    "SCORE_COLUMNS",
    "STATISTICS",
    "ErrorKind",
    "Kind",
    "Score",
    "Statistic",
    "concise",
    "error_bar",
    "error_kinds",
    "find_score",
]

#: The coefficients.
Statistic = Literal["pearson", "spearman", "r2"]
#: Particles of all configurations pooled, or within each configuration and then averaged.
Kind = Literal["all", "mean"]

#: The kinds of error bars.
ErrorKind = Literal[
    "bootstrap over configurations",
    "standard error over configurations",
    "standard deviation over seeds",
    "standard deviation over folds",
    "standard deviation over draws",
    "unspecified",  # from files that did not record it yet
]

#: The coefficients, in the order of tables.
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)

#: Each kind of coefficient with its description for people.
KINDS: dict[Kind, str] = {"all": "all particles pooled", "mean": "mean over configurations"}

# JSON has no NaN: undefined values are null there.
_Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]

_ROUNDING = 1e-9  # excess over 1 of a coefficient that rounding may cause


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
        error_kind: kind of the error bar; None if and only if there is none.
        configurations: number of configurations behind it, None if unknown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")

    species: str
    time: float
    statistic: Statistic = "pearson"
    kind: Kind
    value: _Number
    error: float | None = Field(default=None, ge=0)
    error_kind: ErrorKind | None = None
    configurations: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _fits_together(self) -> Score:
        if (self.error is None) != (self.error_kind is None):
            raise ValueError(
                f"error_kind: expected a kind if there is an error, and none otherwise; found "
                f"{self.error_kind!r} with the error {self.error!r}"
            )
        if self.value > 1 + _ROUNDING:
            raise ValueError(f"value: expected at most 1; found {self.value}")
        return self

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "-"
        return f"{self.value:.3f}" + ("" if self.error is None else f" ± {self.error:.3f}")

    def concise(self) -> str:
        """As text with the error bar in units of the last digit: 0.467(12) is 0.467 ± 0.012."""
        return concise(self.value, math.nan if self.error is None else self.error)


#: The columns of a table of scores.
SCORE_COLUMNS = tuple(Score.model_fields)


def concise(value: float, error: float) -> str:
    """A coefficient with its error bar in units of the last digit; without one if it is NaN.

    Error bars have at most two digits, so that tables have room for them.

    Args:
        value: the coefficient [-].
        error: its error bar [-].
    """
    if math.isnan(value):
        return "-"
    if math.isnan(error):
        return f"{value:.3f}"
    decimals = next((d for d in (3, 2) if error * 10**d < 99.5), 1)
    return f"{value:.{decimals}f}({error * 10**decimals:.0f})"


def error_bar(error: float, kind: ErrorKind) -> dict[str, Any]:
    """The two fields of a `Score` that state its error bar; none if the error is NaN.

    Args:
        error: the error bar [-].
        kind: what it is.
    """
    return {} if math.isnan(error) else {"error": error, "error_kind": kind}


def error_kinds(scores: Iterable[Score]) -> str:
    """What the error bars of some scores are, for captions; empty if there are no error bars."""
    return "; ".join(dict.fromkeys(s.error_kind for s in scores if s.error_kind is not None))


def find_score(
    scores: Iterable[Score], species: str, time: float, statistic: Statistic, kind: Kind
) -> Score | None:
    """The score with these properties at a time, None if there is none.

    Args:
        scores: where to look.
        species: name of the species.
        time: the time, which may differ by rounding [time].
        statistic: which coefficient.
        kind: of particles pooled, or averaged over configurations.
    """
    alike = [s for s in scores if (s.species, s.statistic, s.kind) == (species, statistic, kind)]
    column = column_of(time, [score.time for score in alike])
    return None if column is None else alike[column]

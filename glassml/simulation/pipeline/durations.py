"""Durations in settings: times, or multiples of the relaxation time."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainSerializer

__all__ = ["Duration", "DurationField", "duration"]

_TAU = re.compile(r"\s*([-+.0-9eE]+)\s*(?:\*\s*)?tau_alpha\s*")


class Duration(NamedTuple):
    """A time [time], or a multiple [-] of the relaxation time tau_alpha.

    Attributes:
        value: the number.
        in_tau: whether it is a multiple of tau_alpha.
    """

    value: float
    in_tau: bool = False

    def time(self, tau_alpha: float | None) -> float:
        """The duration [time], given tau_alpha [time] at the temperature in question."""
        if not self.in_tau:
            return self.value
        if tau_alpha is None:
            raise ValueError("a duration in units of tau_alpha, which is not known")
        return self.value * tau_alpha

    def __str__(self) -> str:
        return f"{self.value:g} tau_alpha" if self.in_tau else f"{self.value:g}"


def duration(value: Any) -> Duration:
    """A duration of a configuration file: a number, or a text such as "5 tau_alpha".

    Raises:
        ValueError: it is neither, or not positive.
    """
    if isinstance(value, Duration):
        return value
    match = _TAU.fullmatch(value) if isinstance(value, str) else None
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(match.group(1) if match else value)
    except (TypeError, ValueError):
        number = math.nan
    if not (0 < number < math.inf):
        raise ValueError('expected a positive time, or a multiple such as "5 tau_alpha"')
    return Duration(number, match is not None)


def _plain_duration(value: Duration) -> float | str:
    return str(value) if value.in_tau else value.value


DurationField = Annotated[
    Duration, BeforeValidator(duration), PlainSerializer(_plain_duration, when_used="json")
]

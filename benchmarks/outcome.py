"""What a benchmark gives: measured values, figures to reach, and results to be checked."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure

from glassml.errors import GlassMLError

__all__ = [
    "CheckError",
    "Comparison",
    "Figure",
    "Outcome",
    "Series",
    "Size",
    "SkippedError",
    "ratios",
]

Size = Literal["tiny", "full"]


class CheckError(GlassMLError):
    """What was measured computed something wrong, so its speed means nothing."""


class SkippedError(GlassMLError):
    """This machine lacks what the benchmark measures on."""


@dataclass(frozen=True)
class Series:
    """Repeated measurements of one quantity.

    Attributes:
        name: what was measured.
        unit: of the values.
        values: one per repetition, in the order in which they were measured.
    """

    name: str
    unit: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.name}: expected at least one value")

    @property
    def median(self) -> float:
        """The median of the repetitions."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The smallest value."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest value."""
        return max(self.values)


@dataclass(frozen=True)
class Figure:
    """A figure that the project wants to reach, with its measurement.

    Attributes:
        series: the measured figure, one value a pair of runs.
        reach: the value to reach.
        better: whether "higher" or "lower" is better.
        go_for: the value beyond, if one is named.
    """

    series: Series
    reach: float
    better: Literal["higher", "lower"]
    go_for: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the median is as good as ``reach``."""
        sign = 1 if self.better == "higher" else -1
        return sign * self.series.median >= sign * self.reach


@dataclass(frozen=True, eq=False)
class Comparison:
    """A result of the measured code beside the expected one.

    Attributes:
        name: what is compared.
        found: what the measured code gave.
        expected: the reference, same shape.
        tolerance: largest difference allowed, relative to the largest absolute reference value.
    """

    name: str
    found: np.ndarray
    expected: np.ndarray
    tolerance: float

    @property
    def error(self) -> float:
        """Largest difference relative to the largest absolute reference value; NaN counts."""
        if self.found.shape != self.expected.shape:
            return float("inf")
        found, expected = (np.asarray(a, dtype=np.float64) for a in (self.found, self.expected))
        return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))

    def verify(self) -> None:
        """Raise unless found and expected agree.

        Raises:
            CheckError: they differ, or the reference is so uniform that it shows nothing.
        """
        if not np.std(self.expected) > 1e-3 * np.max(np.abs(self.expected)):
            raise CheckError(f"{self.name}: the reference values do not differ from each other")
        if not self.error <= self.tolerance:  # written so that NaN fails
            raise CheckError(
                f"{self.name}: expected agreement within {self.tolerance:.1e} of the largest "
                f"value; found a difference of {self.error:.1e}"
            )


@dataclass(frozen=True)
class Outcome:
    """All results of one benchmark.

    Attributes:
        title: what was measured on what.
        series: the measurements.
        comparisons: results of the measured code, to be verified before anything is reported.
        figures: the figures to reach among what was measured.
        notes: what a reader must know to understand the values.
        picture: of values that no table can show.
    """

    title: str
    series: Sequence[Series]
    comparisons: Sequence[Comparison]
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = field(default=())
    picture: MatplotlibFigure | None = None

    def verify(self) -> None:
        """Verify every comparison.

        Raises:
            CheckError: one fails, or there is none.
        """
        if not self.comparisons:
            raise CheckError(f"{self.title}: nothing was checked")
        for comparison in self.comparisons:
            comparison.verify()


def ratios(name: str, above: Series, below: Series, unit: str = "x", scale: float = 1.0) -> Series:
    """The ratio of each pair of runs, times ``scale``."""
    pairs = zip(above.values, below.values, strict=True)
    return Series(name, unit, tuple(scale * a / b for a, b in pairs))

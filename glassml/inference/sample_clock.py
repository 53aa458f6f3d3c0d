"""When samples of a window are due: the last ones before each evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from glassml.errors import InputError

__all__ = ["SampleClock"]


@dataclass(frozen=True)
class SampleClock:
    """Which of the calls, frames or steps, numbered from 0, are samples of a window.

    Evaluations are at ``every``, 2 ``every``, ... Each of them has a window of ``samples`` samples,
    ``interval`` numbers apart, the last of which is the evaluation itself.

    Attributes:
        samples: number of samples of a window.
        every: numbers from one evaluation to the next.
        interval: numbers from one sample to the next.

    Raises:
        InputError: a number is not positive, or windows overlap.
    """

    samples: int
    every: int
    interval: int = 1

    def __post_init__(self) -> None:
        for name in ("samples", "every", "interval"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected a positive number; found {getattr(self, name)}")
        if self.length > self.every:
            apart = "" if self.interval == 1 else f", {self.interval} apart,"
            raise InputError(
                f"every: expected {self.length} or more, as a window of {self.samples} "
                f"samples{apart} must fit between two evaluations; found {self.every}. Evaluate "
                "less often, or average over fewer samples"
            )

    @property
    def length(self) -> int:
        """How many numbers there are from the first to the last sample of a window, with both."""
        return self.interval * (self.samples - 1) + 1

    def is_sample(self, number: int) -> bool:
        """Whether a sample is due."""
        remaining = -number % self.every
        return number > 0 and remaining < self.length and remaining % self.interval == 0

    def is_first(self, number: int) -> bool:
        """Whether the first sample of a window is due."""
        return number > 0 and -number % self.every == self.length - 1

    def is_evaluation(self, number: int) -> bool:
        """Whether an evaluation is due, after the last sample of its window."""
        return number > 0 and number % self.every == 0

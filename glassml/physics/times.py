"""When two times are the same time.

Times pass through text: printed with six significant digits, typed on a command line, written to
CSV. Two times are therefore the same if they differ by no more than the rounding of such a text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["TOLERANCE", "column_of", "same_time", "same_times"]

# Relative. Rounding to six significant digits changes a number by up to 5e-6; the times of a
# dataset are much further apart.
TOLERANCE = 1e-5


def same_time(one: float, other: float) -> bool:
    """Whether two times are the same, but for rounding.

    Args:
        one: a time [time].
        other: another one [time].
    """
    return math.isclose(one, other, rel_tol=TOLERANCE)


def same_times(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> bool:
    """Whether two lists of times are the same, one by one, but for rounding.

    Args:
        one: [T] [time].
        other: another list [time], of any length.
    """
    return len(one) == len(other) and all(map(same_time, one, other))


def column_of(time: float, times: Sequence[float] | np.ndarray) -> int | None:
    """The index of a time in a list, the nearest one; None if it is not there.

    Args:
        time: the time [time].
        times: the list [T] [time].
    """
    if not len(times):
        return None
    nearest = int(np.argmin(np.abs(np.asarray(times) - time)))
    return nearest if same_time(float(times[nearest]), time) else None

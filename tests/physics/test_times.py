"""Times that differ by the rounding of a printed number are the same; others are not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from glassml.physics import column_of, same_time, same_times


@pytest.mark.parametrize("time", [0.1 + 0.2, 16.502345, 4120.044, 1234567.8, 1e-9 / 3])
def test_a_printed_time_is_recognised(time: float) -> None:
    assert same_time(float(f"{time:g}"), time)
    assert column_of(float(f"{time:g}"), [time / 2, time, 2 * time]) == 1


def test_other_times_are_told_apart() -> None:
    assert not same_time(1.0, 1.0001)
    assert not same_time(0.0, 1e-12)
    assert not same_time(math.nan, math.nan)
    assert column_of(3.0, np.array([1.0, 2.0, 4.0])) is None
    assert column_of(math.nan, [1.0]) is None


def test_the_nearest_of_close_times_is_found() -> None:
    """100000 and 100001 differ by no more than the rounding of a printed time."""
    assert column_of(100001.0, [100000.0, 100001.0]) == 1
    assert column_of(1.0, []) is None


def test_lists_of_times() -> None:
    times = np.array([0.3, 4.0])
    assert same_times(times, (0.1 + 0.2, 4.0))
    assert not same_times(times, (0.3, 4.001))
    assert not same_times(times, (0.3,))
    assert not same_times(times, (4.0, 0.3))

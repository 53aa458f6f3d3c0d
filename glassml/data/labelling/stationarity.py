"""Whether a trajectory is in equilibrium, as labels in both directions of time need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

__all__ = ["drift_warnings"]

_SIGNIFICANT = 1e-3  # probability of so large a difference by chance
_FEWEST = 3  # independent values in each half


def drift_warnings(quantities: Mapping[str, Sequence[float]]) -> list[str]:
    """Compare the first and the second half of a trajectory.

    This is Welch's test of the difference of two means, with the number of independent values in
    each half: labels of neighbouring configurations overlap, and structures relax slowly.

    Args:
        quantities: name -> value of each labelled configuration, in order of time.

    Returns:
        A warning for each quantity whose means differ by more than chance explains.
    """
    warnings = []
    for name, values in quantities.items():
        half = len(values) // 2
        parts = [np.array(values[:half]), np.array(values[-half:])]
        if half < _FEWEST or min(np.ptp(part) for part in parts) == 0:
            continue
        means = [float(part.mean()) for part in parts]
        scatter = [_without_trend(part) for part in parts]
        numbers = np.array([_independent(part) for part in scatter])
        if numbers.min() < _FEWEST:
            continue
        squares = np.array([part.var(ddof=2) for part in scatter]) / numbers  # of the error bars
        degrees = squares.sum() ** 2 / (squares**2 / (numbers - 1)).sum()
        distance = abs(means[0] - means[1]) / np.sqrt(squares.sum())
        if 2 * stats.t.sf(distance, degrees) < _SIGNIFICANT:
            one, other = (
                f"{mean:.4g} ± {np.sqrt(square):.1g}"
                for mean, square in zip(means, squares, strict=True)
            )
            warnings.append(
                f"The system seems to age: {name} is {one} in the first half of the labelled "
                f"configurations and {other} in the second. Labels from a trajectory need "
                "equilibrium: leave out its beginning (--start)"
            )
    return warnings


def _without_trend(values: np.ndarray) -> np.ndarray:
    """Deviations [n] from a straight line: the trend of a system that ages is no scatter."""
    steps = np.arange(len(values)) - (len(values) - 1) / 2
    slope = steps @ values / (steps @ steps)
    return np.asarray(values - values.mean() - slope * steps)


def _independent(deviation: np.ndarray) -> float:
    """How many independent values a series is worth: n / (1 + 2 sum of its autocorrelations).

    The sum ends at the first autocorrelation that is not positive.
    """
    n = len(deviation)
    total = 1.0
    for lag in range(1, n - 1):
        correlation = float(deviation[:-lag] @ deviation[lag:] / (deviation @ deviation))
        if correlation <= 0:
            break
        total += 2 * correlation
    return max(n / total, 1.0)

"""Beyond correlation: calibration, distributions, and errors against predicted spreads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = [
    "Calibration",
    "SpreadAgreement",
    "calibration",
    "overlap_coefficient",
    "spread_agreement",
]


@dataclass(frozen=True)
class Calibration:
    """True propensity of particles with similar predictions, bin by bin.

    Attributes:
        predicted: mean prediction in each bin [n_bins] [length].
        true: mean label [n_bins] [length].
        spread: standard deviation of the labels [n_bins] [length].
        count: particles [n_bins].
    """

    predicted: np.ndarray
    true: np.ndarray
    spread: np.ndarray
    count: np.ndarray


@dataclass(frozen=True)
class SpreadAgreement:
    """How well a predicted spread agrees with the size of the errors.

    Attributes:
        spread: mean predicted spread in each bin [n_bins] [length].
        error: root mean square error in each bin [n_bins] [length].
        count: particles [n_bins].
        pearson: Pearson coefficient of the absolute error with the spread [-], NaN if undefined.
        spearman: Spearman coefficient [-].
    """

    spread: np.ndarray
    error: np.ndarray
    count: np.ndarray
    pearson: float
    spearman: float


def calibration(predictions: np.ndarray, labels: np.ndarray, n_bins: int = 12) -> Calibration:
    """Labels against predictions, in bins of equally many particles.

    Args:
        predictions: [n] [length].
        labels: [n] [length].
        n_bins: number of bins; at most as many as there are particles.
    """
    parts = _equal_parts(predictions, n_bins)
    return Calibration(
        predicted=np.array([predictions[part].mean() for part in parts]),
        true=np.array([labels[part].mean() for part in parts]),
        spread=np.array([labels[part].std() for part in parts]),
        count=np.array([len(part) for part in parts]),
    )


def overlap_coefficient(predictions: np.ndarray, labels: np.ndarray, n_bins: int = 60) -> float:
    """Overlap of the distributions of predictions and of labels, from 0 to 1.

    The integral of min(p, q) over the two densities p and q: histograms with the same bins, of
    equal width, from the smallest to the largest value of both. The distribution of a model that
    regresses to the mean is too narrow.

    Args:
        predictions: [n] [length].
        labels: [n] [length].
        n_bins: number of bins.
    """
    both = np.concatenate([predictions, labels])
    limits = (both.min(), both.max())
    parts = [np.histogram(values, n_bins, limits)[0] for values in (predictions, labels)]
    one, other = (part / part.sum() for part in parts)
    return float(np.minimum(one, other).sum())


def spread_agreement(
    spread: np.ndarray, predictions: np.ndarray, labels: np.ndarray, n_bins: int = 10
) -> SpreadAgreement:
    """Errors against the spread that the model predicts, in bins of equally many particles.

    Args:
        spread: predicted standard deviations [n] [length].
        predictions: [n] [length].
        labels: [n] [length].
        n_bins: number of bins; at most as many as there are particles.
    """
    error = np.abs(predictions - labels)
    parts = _equal_parts(spread, n_bins)
    defined = len(error) > 1 and np.ptp(error) > 0 and np.ptp(spread) > 0
    return SpreadAgreement(
        spread=np.array([spread[part].mean() for part in parts]),
        error=np.array([np.sqrt(np.mean(error[part] ** 2)) for part in parts]),
        count=np.array([len(part) for part in parts]),
        pearson=float(stats.pearsonr(spread, error).statistic) if defined else np.nan,
        spearman=float(stats.spearmanr(spread, error).statistic) if defined else np.nan,
    )


def _equal_parts(values: np.ndarray, n_bins: int) -> list[np.ndarray]:
    """Indices of the particles in ascending order of a value, in parts of equal size."""
    order = np.argsort(values, kind="stable")
    return np.array_split(order, min(n_bins, len(order)))

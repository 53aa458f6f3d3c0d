"""Agreement between predicted and true propensity, in the measures of the field.

``all`` pools the particles of one species over all configurations; ``mean`` is the coefficient
within each configuration, averaged over configurations. The two rank models differently, since
only the first rewards telling mobile configurations from slow ones. A coefficient that is not
defined (fewer than two particles, or all values equal) is NaN, and averages leave it out. If some
numbers are not finite, the coefficient is NaN too, but then it makes every average NaN that it
enters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

__all__ = [
    "coefficients",
    "pearson_all",
    "pearson_each",
    "pearson_mean",
    "r2_all",
    "r2_mean",
    "spearman_all",
    "spearman_mean",
]

Arrays = Sequence[np.ndarray]


def pearson_all(predictions: Arrays, labels: Arrays, species: Arrays, n_species: int) -> np.ndarray:
    """Pearson coefficients of all particles pooled: [n_species, T].

    Args:
        predictions: for each configuration [N, T] [length].
        labels: for each configuration [N, T] [length].
        species: for each configuration int [N].
        n_species: number of species.
    """
    return _all("pearson", predictions, labels, species, n_species)


def pearson_mean(
    predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ndarray:
    """Pearson coefficients within each configuration, averaged: [n_species, T].

    Args:
        predictions: for each configuration [N, T] [length].
        labels: for each configuration [N, T] [length].
        species: for each configuration int [N].
        n_species: number of species.
    """
    return _mean("pearson", predictions, labels, species, n_species)


def pearson_each(
    predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ma.MaskedArray:
    """Pearson coefficients within each configuration: [C, n_species, T], masked if not defined.

    Args:
        predictions: for each configuration [N, T] [length].
        labels: for each configuration [N, T] [length].
        species: for each configuration int [N].
        n_species: number of species.
    """
    return _each("pearson", predictions, labels, species, n_species)


def spearman_all(
    predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ndarray:
    """Spearman rank coefficients of all particles pooled: [n_species, T].

    Args:
        predictions: for each configuration [N, T] [length].
        labels: for each configuration [N, T] [length].
        species: for each configuration int [N].
        n_species: number of species.
    """
    return _all("spearman", predictions, labels, species, n_species)


def spearman_mean(
    predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ndarray:
    """Spearman rank coefficients within each configuration, averaged: [n_species, T].

    Args:
        predictions: for each configuration [N, T] [length].
        labels: for each configuration [N, T] [length].
        species: for each configuration int [N].
        n_species: number of species.
    """
    return _mean("spearman", predictions, labels, species, n_species)


def r2_all(predictions: Arrays, labels: Arrays, species: Arrays, n_species: int) -> np.ndarray:
    """R2 of all particles pooled: [n_species, T].

    One minus the mean square error over the variance of the labels: 1 is perfect, 0 is what the
    mean of the labels achieves. Unlike the correlations it is sensitive to scale and offset.

    Args:
        predictions: for each configuration [N, T] [length].
        labels: for each configuration [N, T] [length].
        species: for each configuration int [N].
        n_species: number of species.
    """
    return _all("r2", predictions, labels, species, n_species)


def r2_mean(predictions: Arrays, labels: Arrays, species: Arrays, n_species: int) -> np.ndarray:
    """R2 within each configuration (against its own mean label), averaged: [n_species, T].

    Args:
        predictions: for each configuration [N, T] [length].
        labels: for each configuration [N, T] [length].
        species: for each configuration int [N].
        n_species: number of species.
    """
    return _mean("r2", predictions, labels, species, n_species)


def coefficients(
    statistic: str, x: np.ndarray, y: np.ndarray, species: np.ndarray, n_species: int
) -> np.ma.MaskedArray:
    """Coefficients of one set of particles, masked where they are not defined.

    Args:
        statistic: "pearson", "spearman" or "r2".
        x: predictions [N, T] [length].
        y: labels [N, T] [length].
        species: [N].
        n_species: number of species.

    Returns:
        [n_species, T] [-].
    """
    result = np.ma.masked_all((n_species, x.shape[1]))
    for s in range(n_species):
        mine = species == s
        if mine.sum() < 2:
            continue
        for t in range(x.shape[1]):
            a, b = x[mine, t].astype(np.float64), y[mine, t].astype(np.float64)
            if not (np.isfinite(a).all() and np.isfinite(b).all()):
                result[s, t] = np.nan
            elif np.ptp(b) and (np.ptp(a) or statistic == "r2"):
                result[s, t] = _STATISTICS[statistic](a, b)
    return result


def _all(
    statistic: str, predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ndarray:
    x, y, s = np.concatenate(predictions), np.concatenate(labels), np.concatenate(species)
    return coefficients(statistic, x, y, s, n_species).filled(np.nan)


def _mean(
    statistic: str, predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ndarray:
    return _each(statistic, predictions, labels, species, n_species).mean(axis=0).filled(np.nan)


def _each(
    statistic: str, predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ma.MaskedArray:
    return np.ma.stack(
        [
            coefficients(statistic, x, y, s, n_species)
            for x, y, s in zip(predictions, labels, species, strict=True)
        ]
    )


def _r2(predictions: np.ndarray, labels: np.ndarray) -> float:
    return float(1 - np.mean((labels - predictions) ** 2) / np.var(labels))


_STATISTICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "pearson": lambda a, b: float(stats.pearsonr(a, b).statistic),
    "spearman": lambda a, b: float(stats.spearmanr(a, b).statistic),
    "r2": _r2,
}

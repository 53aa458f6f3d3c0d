"""Correlation of predicted with true propensity, as the field reports it.

``all`` pools the particles of one species over all configurations; ``mean`` is the coefficient
within each configuration, averaged over configurations. The two rank models differently, since
only the first one rewards telling mobile configurations from slow ones. A coefficient that is not
defined (fewer than two particles, or all values equal) is NaN and left out of averages. One of
numbers that are not finite is NaN too, but counts: so is every average that it is part of.

Arguments of all functions: ``predictions`` and ``labels`` hold one array [N, T] [length] a
configuration, ``species`` one int array [N] a configuration; results are [n_species, T].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

__all__ = ["pearson_all", "pearson_mean", "spearman_all", "spearman_mean"]

Arrays = Sequence[np.ndarray]


def pearson_all(predictions: Arrays, labels: Arrays, species: Arrays, n_species: int) -> np.ndarray:
    """Pearson coefficients of all particles pooled: [n_species, T]."""
    return _all(stats.pearsonr, predictions, labels, species, n_species)


def pearson_mean(
    predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ndarray:
    """Pearson coefficients within each configuration, averaged: [n_species, T]."""
    return _mean(stats.pearsonr, predictions, labels, species, n_species)


def spearman_all(
    predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ndarray:
    """Spearman rank coefficients of all particles pooled: [n_species, T]."""
    return _all(stats.spearmanr, predictions, labels, species, n_species)


def spearman_mean(
    predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ndarray:
    """Spearman rank coefficients within each configuration, averaged: [n_species, T]."""
    return _mean(stats.spearmanr, predictions, labels, species, n_species)


def _all(
    statistic: Callable, predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ndarray:
    x, y, s = np.concatenate(predictions), np.concatenate(labels), np.concatenate(species)
    return _per_species(statistic, x, y, s, n_species).filled(np.nan)


def _mean(
    statistic: Callable, predictions: Arrays, labels: Arrays, species: Arrays, n_species: int
) -> np.ndarray:
    each = np.ma.stack(
        [
            _per_species(statistic, x, y, s, n_species)
            for x, y, s in zip(predictions, labels, species, strict=True)
        ]
    )
    return each.mean(axis=0).filled(np.nan)


def _per_species(
    statistic: Callable, x: np.ndarray, y: np.ndarray, species: np.ndarray, n_species: int
) -> np.ma.MaskedArray:
    """Coefficients [n_species, T], masked where they are not defined."""
    result = np.ma.masked_all((n_species, x.shape[1]))
    for s in range(n_species):
        mine = species == s
        if mine.sum() < 2:
            continue
        for t in range(x.shape[1]):
            a, b = x[mine, t].astype(np.float64), y[mine, t].astype(np.float64)
            if not (np.isfinite(a).all() and np.isfinite(b).all()):
                result[s, t] = np.nan
            elif np.ptp(a) and np.ptp(b):
                result[s, t] = statistic(a, b).statistic
    return result

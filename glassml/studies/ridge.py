"""Ridge regression in closed form, from sums over particles alone.

The sums of configurations can be added, so a fit to any choice of configurations, and its
correlation with the labels of any others, can be computed without the particles.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["PENALTIES", "LinearFit", "RidgeMoments", "choose_penalty", "fit", "pearson"]

# Penalties that are tried, in units of the variance of a descriptor; half a decade apart.
PENALTIES = np.logspace(-6, 2, 17)

# A column whose spread is below this fraction of its mean is constant up to rounding in float32.
_CONSTANT = 1e-5


@dataclass(frozen=True)
class RidgeMoments:
    """Means and centred sums of n particles with descriptors x [D] and labels y [T].

    Attributes:
        n: number of particles, or the sum of their weights.
        x: [D], mean of the descriptors.
        y: [T], mean of the labels.
        xx: [D, D], sum of (x - mean)(x - mean).
        xy: [D, T], sum of (x - mean)(y - mean).
        yy: [T], sum of (y - mean)^2.
    """

    n: float
    x: np.ndarray
    y: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray) -> RidgeMoments:
        """The moments of particles with descriptors [n, D] and labels [n, T]."""
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        n = len(x)
        mean_x, mean_y = (v.sum(axis=0) / max(n, 1) for v in (x, y))
        x, y = x - mean_x, y - mean_y
        return cls(n, mean_x, mean_y, x.T @ x, x.T @ y, (y * y).sum(axis=0))

    @classmethod
    def total(cls, parts: Sequence[RidgeMoments]) -> RidgeMoments:
        """The moments of all particles of one or more parts."""
        return functools.reduce(operator.add, parts)

    def weighted(self, weight: float) -> RidgeMoments:
        """The same particles, each counted ``weight`` times [-]."""
        sums = (weight * v for v in (self.xx, self.xy, self.yy))
        return RidgeMoments(weight * self.n, self.x, self.y, *sums)

    def __add__(self, other: RidgeMoments) -> RidgeMoments:
        n = self.n + other.n
        if n == 0:
            return self
        part, reduced = other.n / n, self.n * other.n / n
        dx, dy = other.x - self.x, other.y - self.y
        return RidgeMoments(
            n,
            self.x + part * dx,
            self.y + part * dy,
            self.xx + other.xx + reduced * np.outer(dx, dx),
            self.xy + other.xy + reduced * np.outer(dx, dy),
            self.yy + other.yy + reduced * dy * dy,
        )


@dataclass(frozen=True)
class LinearFit:
    """y = bias + weight x: weight [T, D], bias [T]."""

    weight: np.ndarray
    bias: np.ndarray


def fit(moments: RidgeMoments, penalties: np.ndarray) -> list[LinearFit]:
    """Ridge regression, one fit per penalty.

    The weights minimise (mean squared error) + penalty * (sum over columns of (w_d s_d)^2), with
    s_d the standard deviation of column d; the bias is free. Columns without spread get weight 0.
    A. E. Hoerl and R. W. Kennard, Technometrics 12, 55 (1970).

    Args:
        moments: moments of the particles to fit.
        penalties: [P] or [P, T], dimensionless and positive.
    """
    variance = np.diag(moments.xx) / moments.n
    spread = np.sqrt(variance)
    varies = spread > _CONSTANT * np.abs(moments.x)
    inverse = np.where(varies, 1 / np.where(varies, spread, 1.0), 0.0)
    correlation = moments.xx / moments.n * np.outer(inverse, inverse)
    values, vectors = np.linalg.eigh(correlation)
    projected = vectors.T @ (moments.xy / moments.n * inverse[:, None])  # [D, T]
    fits = []
    for penalty in np.asarray(penalties, np.float64):
        shrunk = projected / (np.maximum(values, 0.0)[:, None] + penalty)
        weight = (inverse[:, None] * (vectors @ shrunk)).T
        fits.append(LinearFit(weight, moments.y - weight @ moments.x))
    return fits


def squared_error(moments: RidgeMoments, fitted: LinearFit) -> np.ndarray:
    """Sum over the particles of (y - bias - weight x)^2: [T]."""
    offset = moments.y - fitted.bias - fitted.weight @ moments.x
    predicted = _squares(moments, fitted)
    both = np.einsum("td,dt->t", fitted.weight, moments.xy)
    return moments.yy - 2 * both + predicted + moments.n * offset**2


def choose_penalty(
    folds: Sequence[RidgeMoments],
    penalties: np.ndarray = PENALTIES,
    fitted: Sequence[RidgeMoments] | None = None,
) -> tuple[np.ndarray, list[LinearFit]]:
    """The penalty with the smallest squared error when each fold in turn is left out of the fit.

    Args:
        folds: two or more sets of particles, usually one per configuration.
        penalties: [P], the penalties that are tried.
        fitted: for each fold, the moments to fit to in its place, such as the same particles with
            weights and further data; None: the folds as they are.

    Returns:
        The penalty of each label [T], and for each fold the fit to all others with that penalty.
    """
    trials = [
        fit(RidgeMoments.total(others), penalties) for others in _all_but_one(fitted or folds)
    ]
    errors = sum(
        np.stack([squared_error(left_out, trial) for trial in fits])
        for left_out, fits in zip(folds, trials, strict=True)
    )
    best = np.argmin(errors, axis=0)
    labels = np.arange(len(best))
    chosen = [
        LinearFit(
            np.stack([f.weight for f in fits])[best, labels],
            np.stack([f.bias for f in fits])[best, labels],
        )
        for fits in trials
    ]
    return penalties[best], chosen


def pearson(
    parts: Sequence[RidgeMoments], fits: Sequence[LinearFit]
) -> tuple[np.ndarray, np.ndarray]:
    """Pearson coefficients ``all`` and ``mean`` [T] between fits and labels.

    They are defined as in `glassml.analysis.correlation`, but computed from sums: pooled over the
    particles of all parts, and averaged over those parts for which the coefficient is defined.

    Args:
        parts: usually one per configuration.
        fits: for each part, the fit that predicts its labels.
    """
    n = np.array([[m.n] for m in parts], np.float64)
    y, yy = np.stack([m.y for m in parts]), np.stack([m.yy for m in parts])
    p = np.stack([f.bias + f.weight @ m.x for m, f in zip(parts, fits, strict=True)])
    pp = np.stack([_squares(m, f) for m, f in zip(parts, fits, strict=True)])
    py = np.stack([np.einsum("td,dt->t", f.weight, m.xy) for m, f in zip(parts, fits, strict=True)])
    with np.errstate(invalid="ignore", divide="ignore"):
        within = _without_rounding(py / np.sqrt(pp * yy))
        within[~np.isfinite(within) | (n < 2)] = np.nan
        dp, dy = p - (n * p).sum(axis=0) / n.sum(), y - (n * y).sum(axis=0) / n.sum()
        squares = (pp + n * dp**2).sum(axis=0) * (yy + n * dy**2).sum(axis=0)
        pooled = _without_rounding((py + n * dp * dy).sum(axis=0) / np.sqrt(squares))
    defined = np.isfinite(within)
    mean = np.where(defined, within, 0.0).sum(axis=0) / np.where(
        defined.any(axis=0), defined.sum(axis=0), np.nan
    )
    return pooled, mean


def _squares(moments: RidgeMoments, fitted: LinearFit) -> np.ndarray:
    """Sum over the particles of (weight (x - mean))^2: [T]."""
    return np.einsum("td,td->t", fitted.weight @ moments.xx, fitted.weight)


def _without_rounding(coefficients: np.ndarray) -> np.ndarray:
    """Rounding takes a perfect correlation beyond 1 if the spread is small against the mean."""
    clipped = np.clip(coefficients, -1.0, 1.0)
    return np.where(np.isfinite(coefficients), clipped, coefficients)


def _all_but_one(folds: Sequence[RidgeMoments]) -> list[list[RidgeMoments]]:
    return [[*folds[:k], *folds[k + 1 :]] for k in range(len(folds))]

"""Four-point functions of the propensity: how far, and how strongly, mobility is correlated.

Each particle's propensity m is turned into a number c between 0 (slow) and 1 (mobile), as in
GlassBench (G. Jung et al., doi:10.5281/zenodo.10118191)::

    c_i(t) = (tanh(8.8 (m_i(t) / m_0 - 1)) + 1) / 2    with m_0 = 0.44 sigma

GlassBench writes s (m - m_0) with s = 20 / sigma, which is the same for its m_0. Divided by m_0,
lengths have no unit, so the definition holds for every material.

Let Q(t) be the mean of c over the N particles of a configuration, and < > the mean over
configurations. Then chi_4(t) = N (<Q^2> - <Q>^2). G_4(r, t) is the correlation of c - <c> of two
particles at distance r. It is normalised like g(r): G_4 / g is the mean product of c - <c> over all
pairs at that distance. A particle is not paired with itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glassml.errors import InputError
from glassml.physics.cells import dimension_of, extent, largest_distance, plane_of, shells
from glassml.physics.neighbours import find_neighbours

__all__ = ["THRESHOLD", "FourPoint", "PairSums", "chi4", "mobility"]

STEEPNESS = 8.8  # of the step from slow to mobile, times the threshold [-]
THRESHOLD = 0.44


def mobility(propensity: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """The number c between 0 (slow) and 1 (mobile).

    Args:
        propensity: [...] [length].
        threshold: m_0, at which c is 1/2 [length].

    Returns:
        [...] [-].
    """
    above = np.asarray(propensity, np.float64) - threshold
    return (np.tanh(STEEPNESS / threshold * above) + 1) / 2


def chi4(means: np.ndarray, counts: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """N (<Q^2> - <Q>^2), with N the mean number of particles.

    The variance is that of the given configurations, as in the definition. For C independent
    configurations its mean is (C - 1) / C of the ensemble's variance.

    Args:
        means: Q of each configuration, [C, ...] [-].
        counts: N of each configuration, [C].
        weights: [B, C], how often each configuration counts in each of B resamples.

    Returns:
        [...] [-], or [B, ...] with weights.
    """
    if weights is None:
        return np.asarray(np.mean(counts) * np.var(means, axis=0))
    parts = weights / weights.sum(axis=1, keepdims=True)
    first = np.tensordot(parts, means, axes=1)
    # From differences to the common mean: a difference of two large squares would lose digits.
    centred = means - means.mean(axis=0)
    variance = np.tensordot(parts, centred**2, axes=1) - np.tensordot(parts, centred, axes=1) ** 2
    number = (parts @ counts).reshape(-1, *(1,) * (first.ndim - 1))
    return np.asarray(number * variance)


@dataclass(frozen=True)
class FourPoint:
    """G_4 of K columns of values.

    Attributes:
        r: centres of the bins [n_bins] [length].
        values: G_4 [n_bins, K] [-].
        errors: standard deviation over resamples [n_bins, K] [-], NaN for one configuration.
        pair_distribution: g(r) of the same particles [n_bins] [-].
    """

    r: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    pair_distribution: np.ndarray


class PairSums:
    """Sums over pairs that make up G_4, collected configuration by configuration.

    Args:
        r_max: the largest distance that is counted [length].
        n_bins: number of equal bins from 0 to r_max.

    Raises:
        InputError: a number is not positive.
    """

    def __init__(self, r_max: float, n_bins: int = 50) -> None:
        if not r_max > 0 or n_bins < 1:
            raise InputError(f"G4: expected r_max > 0 and n_bins >= 1; found {r_max} and {n_bins}")
        self.r_max = r_max
        self.n_bins = n_bins
        self._sums: list[np.ndarray] = []
        self._ideal: list[np.ndarray] = []
        self._totals: list[np.ndarray] = []
        self._counts: list[int] = []

    def add(
        self,
        positions: np.ndarray,
        cell: np.ndarray,
        pbc: Sequence[bool],
        chosen: np.ndarray,
        values: np.ndarray,
    ) -> None:
        """Add the pairs of some particles of a periodic configuration.

        Args:
            positions: [N, 3] [length], of all particles: they tell whether the system is flat.
            cell: [3, 3] [length], the lattice vectors as rows.
            pbc: [3], whether each lattice direction is periodic.
            chosen: bool [N], the n particles that count.
            values: c of these particles, K columns: [n, K] [-].

        Raises:
            InputError: the system is not periodic, or a height of the cell is below 2 r_max.
        """
        plane = plane_of(positions, cell, pbc)
        limit = largest_distance(cell, pbc, plane)
        # A margin for rounding: r_max is often the limit of another configuration.
        if limit is None or self.r_max > limit * (1 + 1e-6):
            raise InputError(
                "G4: expected a periodic cell with heights of at least "
                f"{2 * self.r_max:g} (2 r_max); found "
                + ("an open system" if limit is None else f"{2 * limit:g}")
            )
        i, j, vector = find_neighbours(positions[chosen], cell, pbc, self.r_max)
        once = i < j
        i, j, distance = i[once], j[once], np.linalg.norm(vector[once], axis=1)
        # r_max itself belongs to no bin, but rounding could put it into one after the last.
        bins = np.minimum((distance / self.r_max * self.n_bins).astype(int), self.n_bins - 1)
        self._sums.append(self._pair_sums(bins, values, i, j))
        n = len(values)
        edges = np.linspace(0, self.r_max, self.n_bins + 1)
        self._ideal.append(n * (n - 1) / extent(cell, plane) * shells(edges, dimension_of(plane)))
        self._totals.append(values.sum(axis=0))
        self._counts.append(n)

    def result(self, weights: np.ndarray | None = None) -> FourPoint:
        """G_4, averaged over all configurations that were added.

        Args:
            weights: [B, C], how often each configuration counts in each of B resamples; the errors
                are taken from these. None: no errors.

        Raises:
            InputError: no configuration was added.
        """
        if not self._counts:
            raise InputError("G4: expected configurations; found none")
        n = len(self._counts)
        values, pairs = self._mean(np.ones((1, n)))
        errors = np.full(values[0].shape, np.nan)
        if weights is not None and n > 1:
            errors = np.std(self._mean(weights)[0], axis=0)
        r = self.r_max * (np.arange(self.n_bins) + 0.5) / self.n_bins
        return FourPoint(r, values[0], errors, pairs[0])

    def _pair_sums(
        self, bins: np.ndarray, values: np.ndarray, i: np.ndarray, j: np.ndarray
    ) -> np.ndarray:
        """Sums [3, n_bins, K] over ordered pairs of c_i c_j, of c_i + c_j and of 1.

        <c> is subtracted later: it is known only when all configurations have been added.
        """
        sums = np.empty((3, self.n_bins, values.shape[1]))
        for k, column in enumerate(values.T):
            one, other = column[i], column[j]
            sums[0, :, k] = np.bincount(bins, one * other, self.n_bins)
            sums[1, :, k] = np.bincount(bins, one + other, self.n_bins)
        sums[2] = np.bincount(bins, minlength=self.n_bins)[:, None]
        return 2 * sums

    def _mean(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """G_4 [B, n_bins, K] and g(r) [B, n_bins] of B resamples, by weights [B, C]."""
        products, sums, pairs = np.moveaxis(
            np.tensordot(weights, np.stack(self._sums), axes=1), 1, 0
        )
        ideal = weights @ np.stack(self._ideal)
        mean = (weights @ np.stack(self._totals)) / (weights @ np.array(self._counts))[:, None]
        mean = mean[:, None, :]
        correlation = products - mean * sums + mean**2 * pairs
        return correlation / ideal[:, :, None], pairs[:, :, 0] / ideal

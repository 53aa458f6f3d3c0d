"""Four-point functions of the propensity: how far, and how strongly, mobility is correlated.

Each particle's propensity m is turned into a number c between 0 (slow) and 1 (mobile), as in
GlassBench (G. Jung et al., doi:10.5281/zenodo.10118191)::

    c_i(t) = (tanh(s (m_i(t) - m_0)) + 1) / 2    with s = 20 / sigma and m_0 = 0.44 sigma

With Q(t) the mean of c over the N particles of a configuration, and < > the mean over
configurations: chi_4(t) = N (<Q^2> - <Q>^2). G_4(r, t) is the correlation of c - <c> of two
particles at distance r; it is counted like g(r), so that their quotient is the mean product of
c - <c> over pairs at that distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassml.data import Configuration
from glassml.errors import InputError
from glassml.graph.neighbours import find_edges

__all__ = ["FourPoint", "PairSums", "chi4", "largest_distance", "mobility"]

STEEPNESS = 20.0
THRESHOLD = 0.44


def mobility(
    propensity: np.ndarray, threshold: float = THRESHOLD, steepness: float = STEEPNESS
) -> np.ndarray:
    """The number c between 0 (slow) and 1 (mobile).

    Args:
        propensity: [...] [length].
        threshold: m_0, at which c is 1/2 [length].
        steepness: s [1 / length].

    Returns:
        [...] [-].
    """
    return (np.tanh(steepness * (np.asarray(propensity, np.float64) - threshold)) + 1) / 2


def chi4(means: np.ndarray, counts: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """N (<Q^2> - <Q>^2), with N the mean number of particles.

    The variance is that of the given configurations, as the definition says; of C independent
    ones it is smaller than that of the ensemble by the factor (C - 1) / C.

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
    # Of differences to the mean of all: the difference of two large squares would lose digits.
    centred = means - means.mean(axis=0)
    variance = np.tensordot(parts, centred**2, axes=1) - np.tensordot(parts, centred, axes=1) ** 2
    number = (parts @ counts).reshape(-1, *(1,) * (first.ndim - 1))
    return np.asarray(number * variance)


def largest_distance(configuration: Configuration) -> float | None:
    """Half of the smallest height of the cell [length]: to there each pair has one image.

    None if the system is not periodic in all directions in which it extends, since the edge of a
    cluster leaves its mark on every distance.
    """
    across = configuration.plane
    directions = [k for k in range(3) if k != across]
    if not all(configuration.pbc[k] for k in directions):
        return None
    heights = 1 / np.linalg.norm(np.linalg.inv(configuration.cell), axis=0)
    return float(heights[directions].min() / 2)


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
    """Collects, configuration by configuration, the sums over pairs that make up G_4.

    Args:
        r_max: [length]. Distances are counted up to there.
        n_bins: equal bins from 0 to r_max.
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

    def add(self, configuration: Configuration, chosen: np.ndarray, values: np.ndarray) -> None:
        """Add the pairs of some particles of a periodic configuration.

        Args:
            configuration: N particles, in three dimensions or in a plane.
            chosen: bool [N], the n particles that count.
            values: c of those, [n, K] [-].

        Raises:
            InputError: the configuration is not periodic, or smaller than twice r_max.
        """
        limit = largest_distance(configuration)
        # A margin for rounding: r_max is usually this limit of another configuration.
        if limit is None or self.r_max > limit * (1 + 1e-6):
            raise InputError(
                f"{configuration.name}: G4: expected a periodic cell with heights of at least "
                f"{2 * self.r_max:g} (2 r_max); found "
                + ("an open system" if limit is None else f"{2 * limit:g}")
            )
        i, j, distance = self._pairs(configuration, chosen)
        # r_max itself belongs to no bin, which rounding could otherwise make the last one plus 1.
        where = np.minimum((distance / self.r_max * self.n_bins).astype(int), self.n_bins - 1)
        self._sums.append(self._pair_sums(where, values, i, j))
        n = len(values)
        edges = np.linspace(0, self.r_max, self.n_bins + 1)
        if configuration.plane is None:
            shells = 4 / 3 * np.pi * np.diff(edges**3)
        else:
            shells = np.pi * np.diff(edges**2)
        extent = configuration.n_particles / configuration.number_density
        self._ideal.append(n * (n - 1) / extent * shells)
        self._totals.append(values.sum(axis=0))
        self._counts.append(n)

    def result(self, weights: np.ndarray | None = None) -> FourPoint:
        """G_4 of all configurations that were added.

        Args:
            weights: [B, C], how often each configuration counts in each of B resamples, for the
                errors; None: no errors.
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

    def _pairs(
        self, configuration: Configuration, chosen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each pair once: two indices among the chosen particles, and the distance [length]."""
        part = Configuration(
            positions=configuration.positions[chosen],
            cell=configuration.cell,
            species=configuration.species[chosen],
            species_names=configuration.species_names,
            pbc=configuration.pbc,
            length_unit=configuration.length_unit,
            name=configuration.name,
        )
        sender, receiver, vector = find_edges(part, self.r_max)
        once = sender < receiver
        return sender[once], receiver[once], np.linalg.norm(vector[once], axis=1)

    def _pair_sums(
        self, where: np.ndarray, values: np.ndarray, i: np.ndarray, j: np.ndarray
    ) -> np.ndarray:
        """Sums [3, n_bins, K] over ordered pairs of c_i c_j, of c_i + c_j and of 1.

        <c> is known only when all configurations have been seen; it is subtracted then.
        """
        sums = np.empty((3, self.n_bins, values.shape[1]))
        for k, column in enumerate(values.T):
            one, other = column[i], column[j]
            sums[0, :, k] = np.bincount(where, one * other, self.n_bins)
            sums[1, :, k] = np.bincount(where, one + other, self.n_bins)
        sums[2] = np.bincount(where, minlength=self.n_bins)[:, None]
        return 2 * sums

    def _mean(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """G_4 [B, n_bins, K] and g(r) [B, n_bins] with each configuration counted so often."""
        products, sums, pairs = np.moveaxis(
            np.tensordot(weights, np.stack(self._sums), axes=1), 1, 0
        )
        ideal = weights @ np.stack(self._ideal)
        mean = (weights @ np.stack(self._totals)) / (weights @ np.array(self._counts))[:, None]
        mean = mean[:, None, :]
        correlation = products - mean * sums + mean**2 * pairs
        return correlation / ideal[:, :, None], pairs[:, :, 0] / ideal

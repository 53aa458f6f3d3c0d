"""How large the particles of each species are, from how near they come to one another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import linprog

from glassml.physics.cells import dimension_of, extent, plane_of, shells
from glassml.physics.neighbours import find_neighbours

__all__ = ["effective_diameters"]

# Contacts are sought up to this many mean distances between particles. The first shell of a dense
# liquid lies near 1.1 of them, and that of its largest species seldom beyond 1.5.
_REACH = 1.6
_BINS = 80
_SMOOTHING = 2.0  # bins; the pairs of a rare species are few
_FEWEST = 10  # pairs up to the peak; the maximum of fewer lies anywhere
_SMALLEST = 0.1  # radius, in mean distances
_ENOUGH = 30_000  # particles: of a larger system, a part of about this size is looked at


def effective_diameters(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: Sequence[bool],
    species: np.ndarray,
    n_species: int,
) -> np.ndarray:
    """The largest diameters at which particles at their usual distances do not overlap.

    The radii R_a maximise the sum of R_a over all particles, with R_a + R_b <= r_ab for each pair
    of species, where r_ab is the position of the first peak of the partial g_ab(r). For additive
    particles these are their radii. The Kob-Andersen mixture is not additive: there the diameter
    of B follows from how near B comes to A, since B particles seldom touch.

    Args:
        positions: [N, 3] [length].
        cell: [3, 3] [length], the lattice vectors as rows.
        pbc: [3], whether each lattice direction is periodic.
        species: int [N], index of each particle's species.
        n_species: number of species; some may have no particles.

    Returns:
        [n_species] [length]. A species that touches no other gets the mean distance between
        particles.
    """
    plane = plane_of(positions, cell, pbc)
    spacing = float((len(positions) / extent(cell, plane)) ** (-1 / dimension_of(plane)))
    edges = np.linspace(0.0, _REACH, _BINS + 1) * spacing
    number = np.bincount(species, minlength=n_species)
    if len(positions) > _ENOUGH:
        part = (_ENOUGH / len(positions)) ** (1 / dimension_of(plane))
        fractions = (positions @ np.linalg.inv(cell)) % 1.0
        chosen = (fractions[:, np.arange(3) != plane] < part).all(axis=1)
        positions, species, pbc = fractions[chosen] @ cell, species[chosen], (False,) * 3
    sender, receiver, vector = find_neighbours(positions, cell, pbc, edges[-1])
    bins = np.minimum((np.linalg.norm(vector, axis=1) / edges[1]).astype(int), _BINS - 1)
    pair = np.sort(np.stack([species[sender], species[receiver]]), axis=0)
    counts = np.zeros((n_species, n_species, _BINS))
    np.add.at(counts, (pair[0], pair[1], bins), 0.5)  # each pair is listed in both orders
    sums, largest = [], []
    for a, b in itertools.combinations_with_replacement(range(n_species), 2):
        found = _contact(edges, counts[a, b], dimension_of(plane))
        if found is not None:
            sums.append(np.eye(n_species)[a] + np.eye(n_species)[b])
            largest.append(found / spacing)
    touching = np.sum(sums, axis=0) > 0 if sums else np.zeros(n_species, bool)
    bounds = [(_SMALLEST, _REACH / 2) if found else (0.5, 0.5) for found in touching]
    solution = linprog(-number, np.array(sums) if sums else None, largest or None, bounds=bounds)
    # No solution: peaks of a few chance pairs that lie closer than any particles touch.
    return 2 * spacing * (solution.x if solution.success else np.full(n_species, 0.5))


def _contact(edges: np.ndarray, counts: np.ndarray, dimension: int) -> float | None:
    """Position of the first peak [length]; None if these particles do not touch."""
    g = gaussian_filter1d(counts / shells(edges, dimension), _SMOOTHING, mode="nearest")
    top = int(np.argmax(g))
    if top >= len(g) - 2 or counts[: top + 1].sum() < _FEWEST:
        return None
    return float((edges[top] + edges[top + 1]) / 2)

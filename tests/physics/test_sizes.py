"""Effective diameters: of crystals, of additive spheres, and where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from glassml.physics import effective_diameters, find_neighbours

PERIODIC = (True, True, True)


def test_spheres_of_a_crystal_touch():
    copper = bulk("Cu", "fcc", a=3.61, cubic=True) * (4, 4, 4)
    species = np.zeros(len(copper), dtype=int)
    (found,) = effective_diameters(copper.positions, copper.cell.array, PERIODIC, species, 1)
    # Neighbours at a / sqrt(2); bins are 0.02 mean distances of 2.3 angstrom wide.
    assert found == pytest.approx(3.61 / np.sqrt(2), abs=0.05)


def touching_spheres(diameters: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, ...]:
    """Dense disordered spheres: overlaps of a random start are pushed apart, step by step.

    Returns:
        Positions, cell and species.
    """
    rng = np.random.default_rng(seed)
    species = rng.permutation(np.arange(n) % len(diameters))
    sizes = diameters[species]
    length = (np.sum(np.pi / 6 * sizes**3) / 0.6) ** (1 / 3)
    cell, positions = np.eye(3) * length, rng.uniform(0, length, (n, 3))
    for _ in range(300):
        i, j, vector = find_neighbours(positions, cell, PERIODIC, sizes.max())
        distance = np.linalg.norm(vector, axis=1)
        overlap = np.maximum((sizes[i] + sizes[j]) / 2 - distance, 0)
        push = vector / distance[:, None] * (0.3 * overlap)[:, None]
        np.add.at(positions, i, push)
    return positions, cell, species


def test_additive_spheres_have_their_diameters():
    """Three sizes at a packing fraction of 0.6, at which spheres have many contacts."""
    expected = np.array([1.0, 1.2, 1.4])
    positions, cell, species = touching_spheres(expected, 900, seed=0)
    found = effective_diameters(positions, cell, PERIODIC, species, 3)
    # Contacts spread over a few hundredths, and so do the smoothed bins.
    np.testing.assert_allclose(found, expected, atol=0.06)
    # A part of a larger system is enough, and a species without particles has some size.
    twice = np.concatenate(
        [positions + shift for shift in np.array(list(np.ndindex(4, 4, 4))) @ cell]
    )
    large = effective_diameters(twice, 4 * cell, PERIODIC, np.tile(species, 64), 4)
    np.testing.assert_allclose(large[:3], found, atol=0.06)
    assert 0.5 < large[3] < 1.5


def test_discs_in_a_plane():
    """A triangular lattice of unit distance, in two dimensions."""
    cell = np.array([[12.0, 0, 0], [6.0, 6 * np.sqrt(3), 0], [0, 0, 1.0]])
    sites = np.stack(np.meshgrid(*[np.arange(12)] * 2, indexing="ij"), -1).reshape(-1, 2) / 12
    positions = np.pad(sites, ((0, 0), (0, 1))) @ cell
    species = np.zeros(len(positions), dtype=int)
    (found,) = effective_diameters(positions, cell, (True, True, False), species, 1)
    assert found == pytest.approx(1.0, abs=0.02)


def test_single_particles_are_as_large_as_their_distance():
    found = effective_diameters(np.ones((1, 3)), np.eye(3) * 2, PERIODIC, np.zeros(1, int), 2)
    np.testing.assert_allclose(found, [2.0, 2.0])

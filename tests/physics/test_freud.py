"""Neighbours, g(r) and G4 against freud, an independent implementation.

freud (V. Ramasubramani et al., Comput. Phys. Commun. 254, 107275 (2020)) works in single precision.
So a pair whose distance is near an edge of a bin may fall into the other bin there. The tests check
first that no pair is that near an edge; then all counts are the same, and curves agree to 1e-5,
some roundings of float32.
"""

from __future__ import annotations

import freud
import numpy as np
import pytest
from systems import liquid

from glassml.data import Configuration
from glassml.physics import PairSums, find_neighbours, largest_distance, pair_distribution

BINS = 16
FLOAT32 = {"rtol": 1e-5, "atol": 1e-5}
EDGE = 1e-5  # the least distance to an edge of a bin; coordinates of order 10 are rounded to 1e-6


def flat(n: int, seed: int) -> Configuration:
    """Particles in a sheared plane, z = 0."""
    rng = np.random.default_rng(seed)
    cell = np.array([[11.0, 0, 0], [2.0, 12.0, 0], [0, 0, 1.0]])
    fractions = rng.random((n, 3)) * [1, 1, 0]
    return Configuration(
        positions=fractions @ cell,
        cell=cell,
        species=(rng.random(n) < 0.3).astype(int),
        species_names=("A", "B"),
        pbc=(True, True, False),
    )


SYSTEMS = {
    "cube": liquid(100, seed=8),
    "triclinic": liquid(100, seed=6, triclinic=True),
    "flat": flat(150, seed=0),
}
each_system = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)


def box_of(system: Configuration) -> freud.box.Box:
    """In freud, lattice vectors are columns, and a plane has no third one."""
    matrix = system.cell.T.copy()
    if system.dimension == 2:
        matrix[2, 2] = 0
    return freud.box.Box.from_matrix(matrix, dimensions=system.dimension)


def reach_of(system: Configuration) -> float:
    """Nearly half of the smallest height: freud counts one image of each pair."""
    limit = largest_distance(system.cell, system.pbc, system.plane)
    assert limit is not None
    return 0.95 * limit


def check_bins(system: Configuration, r_max: float) -> None:
    """No pair is so near an edge of a bin that rounding could move it."""
    vector = find_neighbours(system.positions, system.cell, system.pbc, 1.01 * r_max).vector
    distance = np.linalg.norm(vector, axis=1)
    edges = np.linspace(0, r_max, BINS + 1)
    assert np.abs(distance[:, None] - edges).min() > EDGE


@each_system
def test_neighbour_lists(system: Configuration) -> None:
    r_max = reach_of(system)
    box = box_of(system)
    query = freud.locality.AABBQuery(box, box.wrap(system.positions))
    theirs = query.query(query.points, {"r_max": r_max, "exclude_ii": True}).toNeighborList()
    ours = find_neighbours(system.positions, system.cell, system.pbc, r_max)
    assert len(ours.sender) == len(theirs.distances) > 1000
    by_pair = np.lexsort((ours.sender, ours.receiver))
    by_theirs = np.lexsort((theirs.point_indices, theirs.query_point_indices))
    np.testing.assert_array_equal(ours.receiver[by_pair], theirs.query_point_indices[by_theirs])
    np.testing.assert_array_equal(ours.sender[by_pair], theirs.point_indices[by_theirs])
    # Vectors point from the receiver to the sender in both.
    np.testing.assert_allclose(ours.vector[by_pair], theirs.vectors[by_theirs], **FLOAT32)


@each_system
@pytest.mark.parametrize(("a", "b"), [("A", "A"), ("A", "B"), ("B", "B")])
def test_pair_distribution(system: Configuration, a: str, b: str) -> None:
    """Freud divides by N^2 pairs; of equal species, ours are N (N - 1) and g tends to 1."""
    r_max = reach_of(system)
    check_bins(system, r_max)
    of_a, of_b = system.of_species(a), system.of_species(b)
    r, g = pair_distribution(
        system.positions, system.cell, system.pbc, of_a, of_b, r_max, n_bins=BINS
    )
    theirs = freud.density.RDF(BINS, r_max)
    box = box_of(system)
    points = box.wrap(system.positions)
    if a == b:
        theirs.compute((box, points[of_a]))
        factor = of_a.sum() / (of_a.sum() - 1)
    else:
        theirs.compute((box, points[of_b]), query_points=points[of_a])
        factor = 1.0
    np.testing.assert_allclose(r, theirs.bin_centers, **FLOAT32)
    np.testing.assert_allclose(g, factor * theirs.rdf, **FLOAT32)
    assert g.max() > 1


@each_system
def test_g4_is_a_correlation_function_times_g(system: Configuration) -> None:
    """Freud's CorrelationFunction is the mean of s_i s_j over the pairs in a bin.

    With s = c - <c>, that is G4 / g. A particle is not paired with itself in either.
    """
    r_max = reach_of(system)
    check_bins(system, r_max)
    everyone = np.ones(system.n_particles, dtype=bool)
    c = np.random.default_rng(0).random(system.n_particles)
    sums = PairSums(r_max, BINS)
    sums.add(system.positions, system.cell, system.pbc, everyone, c[:, None])
    ours = sums.result()
    box = box_of(system)
    points = box.wrap(system.positions)
    theirs = freud.density.CorrelationFunction(BINS, r_max)
    theirs.compute((box, points), values=c - c.mean())
    full = ours.pair_distribution > 0
    assert full.sum() > BINS / 2
    np.testing.assert_allclose(
        ours.values[full, 0] / ours.pair_distribution[full],
        theirs.correlation.real[full],
        **FLOAT32,
    )
    np.testing.assert_array_equal(ours.values[~full, 0], 0)

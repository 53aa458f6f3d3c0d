"""The neighbour search against a direct search, and its order against the back end's."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from matscipy.neighbours import neighbour_list
from systems import liquid

from glassml.errors import InputError
from glassml.physics import find_neighbours

PERIODIC = (True, True, True)


def direct_search(positions: np.ndarray, cell: np.ndarray, pbc: tuple, cutoff: float) -> list:
    """All (receiver, sender, vector) within two shells of images, sorted."""
    images = [(-2, -1, 0, 1, 2) if periodic else (0,) for periodic in pbc]
    shifts = np.array(list(product(*images)))
    vectors = positions[None, :, None] - positions[:, None, None] + (shifts @ cell)
    r = np.linalg.norm(vectors, axis=3)
    i, j, s = np.nonzero((r < cutoff) & (r > 0))
    return sorted((a, b, *vectors[a, b, c]) for a, b, c in zip(i, j, s, strict=True))


@pytest.mark.parametrize("pbc", [PERIODIC, (True, False, True), (False, False, False)])
@pytest.mark.parametrize("triclinic", [False, True])
@pytest.mark.parametrize("n", [5, 40])  # with 5 particles the cutoff is longer than the box
def test_pairs_equal_a_direct_search(n: int, triclinic: bool, pbc: tuple) -> None:
    system = liquid(n, triclinic=triclinic, seed=7)
    sender, receiver, vector = find_neighbours(system.positions, system.cell, pbc, 2.0)
    expected = direct_search(system.positions, system.cell, pbc, 2.0)
    assert len(expected) > n
    found = sorted((i, j, *v) for i, j, v in zip(receiver, sender, vector, strict=True))
    assert [pair[:2] for pair in found] == [pair[:2] for pair in expected]
    # 1e-14: rounding of coordinates of order 1 to 10.
    np.testing.assert_allclose(
        [pair[2:] for pair in found], [pair[2:] for pair in expected], rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("triclinic", [False, True])
@pytest.mark.parametrize("cutoff", [0.7, 1.5, 3.3])
def test_edges_are_those_of_the_back_end_to_the_last_bit(cutoff: float, triclinic: bool) -> None:
    """Results of earlier runs can be repeated only if no order and no rounding changes.

    Lengths are divided by a power of two before the search. That must change nothing.
    """
    system = liquid(300, triclinic=triclinic, seed=1)
    found = find_neighbours(system.positions, system.cell, system.pbc, cutoff)
    receiver, sender, vector = neighbour_list(
        "ijD", cutoff=cutoff, positions=system.positions, cell=system.cell, pbc=PERIODIC
    )
    np.testing.assert_array_equal(found.sender, sender)
    np.testing.assert_array_equal(found.receiver, receiver)
    np.testing.assert_array_equal(found.vector, vector)
    assert np.all(np.diff(found.receiver) >= 0)


@pytest.mark.parametrize("unit", [1e-10, 1e-8, 1e4])
def test_pairs_do_not_depend_on_the_unit_of_length(unit: float) -> None:
    """In metres the volume of a box is 1e-27, which the back end takes for zero."""
    system = liquid(40)
    plain = find_neighbours(system.positions, system.cell, system.pbc, 2.0)
    scaled = find_neighbours(system.positions * unit, system.cell * unit, system.pbc, 2.0 * unit)
    np.testing.assert_array_equal(scaled.sender, plain.sender)
    np.testing.assert_array_equal(scaled.receiver, plain.receiver)
    np.testing.assert_allclose(scaled.vector / unit, plain.vector, rtol=1e-12, atol=1e-12)


def test_no_pair() -> None:
    found = find_neighbours(np.array([[0.0, 0, 0], [5, 5, 5]]), 20 * np.eye(3), PERIODIC, 2.0)
    assert [part.shape for part in found] == [(0,), (0,), (0, 3)]


@pytest.mark.parametrize("cutoff", [0.0, -1.0, np.nan])
def test_nonsense_cutoff_is_refused(cutoff: float) -> None:
    with pytest.raises(InputError, match=f"cutoff: expected a positive length; found {cutoff}"):
        find_neighbours(np.zeros((1, 3)), np.eye(3), PERIODIC, cutoff)


def test_positions_far_away_are_damage() -> None:
    """Wrapping them would take seconds, and leave no digits."""
    positions = np.array([[0.0, 0, 0], [1, 1e20, 1]])
    with pytest.raises(
        InputError, match=r"within 1e\+06 boxes of the origin; found one .* 1\.0e\+19"
    ):
        find_neighbours(positions, 10 * np.eye(3), PERIODIC, 2.0)
    assert len(find_neighbours(positions, 10 * np.eye(3), (True, False, True), 2.0).sender) == 0

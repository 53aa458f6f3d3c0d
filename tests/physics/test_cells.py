"""Planes, volumes and the largest distance of cells."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.physics.cells import dimension_of, extent, largest_distance, plane_of, shells

TRICLINIC = np.array([[4.0, 0, 0], [1, 5, 0], [-2, 1, 6]])
POINTS = np.random.default_rng(0).random((20, 3))


@pytest.mark.parametrize("across", [0, 1, 2])
def test_a_plane_is_found_in_any_cell(across: int) -> None:
    fractions = POINTS.copy()
    fractions[:, across] = 0.3
    pbc = np.arange(3) != across
    assert plane_of(fractions @ TRICLINIC, TRICLINIC, pbc) == across
    assert dimension_of(across) == 2
    assert plane_of(fractions @ TRICLINIC, TRICLINIC, (True, True, True)) is None
    assert plane_of(fractions[:1] @ TRICLINIC, TRICLINIC, pbc) is None


def test_three_dimensions() -> None:
    assert plane_of(POINTS @ TRICLINIC, TRICLINIC, (True, True, False)) is None
    assert dimension_of(None) == 3
    fractions = np.pad(POINTS[:, :1], [(0, 0), (0, 2)])  # a line is no plane
    assert plane_of(fractions @ TRICLINIC, TRICLINIC, (True, False, False)) is None


def test_extent() -> None:
    assert extent(TRICLINIC) == pytest.approx(120.0)
    assert extent(-TRICLINIC) == pytest.approx(120.0)
    assert extent(TRICLINIC, plane=2) == pytest.approx(20.0)


def test_largest_distance_is_half_of_the_smallest_height() -> None:
    assert largest_distance(np.diag([4.0, 5, 6]), (True, True, True)) == pytest.approx(2.0)
    # The height over the first two vectors is 6, over the others volume / area.
    heights = [120 / np.linalg.norm(np.cross(TRICLINIC[1], TRICLINIC[2])), 120 / 24.04163056]
    found = largest_distance(TRICLINIC, (True, True, True))
    assert found == pytest.approx(min(6.0, *heights) / 2)
    assert largest_distance(np.diag([4.0, 5, 0.1]), (True, True, False), 2) == pytest.approx(2.0)
    assert largest_distance(TRICLINIC, (True, True, False)) is None


def test_shells_add_up() -> None:
    edges = np.linspace(0, 2, 9)
    assert shells(edges, 3).sum() == pytest.approx(32 / 3 * np.pi)
    assert shells(edges, 2).sum() == pytest.approx(4 * np.pi)

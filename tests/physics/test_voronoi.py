"""Radical Voronoi cells: crystals, scipy's Voronoi cells, LAMMPS, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull, Voronoi
from systems import liquid, rotation

from glassml.errors import InputError
from glassml.physics import voronoi_surface

PERIODIC = (True, True, True)
# Surfaces of order 5, from coordinates of order 10 and their squares.
ROUNDING = {"rtol": 0, "atol": 1e-10}
SITES = np.stack(np.meshgrid(*[np.arange(3.0)] * 3, indexing="ij"), -1).reshape(-1, 3)


def cells_of(positions: np.ndarray, cell: np.ndarray) -> list[float]:
    """Surfaces of scipy's Voronoi cells, of the particles with all images around them."""
    dimension = positions.shape[1]
    shifts = np.stack(np.meshgrid(*[[0, -1, 1]] * dimension, indexing="ij"), -1)
    points = [positions + shift @ cell for shift in shifts.reshape(-1, dimension)]
    found = Voronoi(np.concatenate(points))
    regions = [found.regions[found.point_region[i]] for i in range(len(positions))]
    # In two dimensions scipy calls the perimeter of a hull its area.
    return [ConvexHull(found.vertices[region]).area for region in regions]


def repeated(basis: list[list[float]]) -> np.ndarray:
    return np.concatenate([SITES + shift for shift in basis])


@pytest.mark.parametrize(
    ("basis", "surface"),
    [
        ([[0, 0, 0]], 6.0),  # a cube
        # A truncated octahedron of edge sqrt(2) / 4: (6 + 12 sqrt(3)) of its squares.
        ([[0, 0, 0], [0.5, 0.5, 0.5]], (6 + 12 * 3**0.5) / 8),
        # A rhombic dodecahedron: 12 faces with the diagonals 1/2 and 1/sqrt(2).
        ([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], 12 * 2**0.5 / 8),
    ],
    ids=["sc", "bcc", "fcc"],
)
def test_crystals(basis: list[list[float]], surface: float) -> None:
    """Many vertices coincide there, which no liquid has."""
    positions = repeated(basis)
    found = voronoi_surface(positions, 3 * np.eye(3), PERIODIC, np.full(len(positions), 0.3))
    np.testing.assert_allclose(found, surface, **ROUNDING)


def test_two_sizes_in_rock_salt() -> None:
    """The plane between two sizes is at d/2 + (R_a^2 - R_b^2) / 2 d: cubes of 1.2 and 0.8."""
    sites = np.stack(np.meshgrid(*[np.arange(4.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    layers = sites[:, 0].astype(int) % 2
    radii = np.where(layers == 0, 0.5, (0.5**2 - 0.2) ** 0.5)
    found = voronoi_surface(sites, 4 * np.eye(3), PERIODIC, radii)
    thick = np.where(layers == 0, 1.2, 0.8)  # along x; 1 along the others
    np.testing.assert_allclose(found, 2 + 4 * thick, **ROUNDING)


@pytest.mark.parametrize("triclinic", [False, True])
def test_equal_radii_give_voronoi_cells(triclinic: bool) -> None:
    system = liquid(60, seed=3, triclinic=triclinic)
    found = voronoi_surface(system.positions, system.cell, PERIODIC, np.full(60, 0.4))
    np.testing.assert_allclose(found, cells_of(system.positions, system.cell), **ROUNDING)


def plain_surface(points: np.ndarray, radii: np.ndarray, i: int) -> float:
    """Surface of one cell, from all corners of all planes between particles: slow and plain."""
    away = points - points[i]
    distance = np.linalg.norm(away, axis=1)
    near = np.argsort(distance)[1:40]
    normal = away[near] / distance[near, None]
    offset = distance[near] / 2 + (radii[i] ** 2 - radii[near] ** 2) / (2 * distance[near])
    corners = []
    for a in range(39):
        for b in range(a):
            for c in range(b):
                m = normal[[a, b, c]]
                if abs(np.linalg.det(m)) > 1e-9:
                    x = np.linalg.solve(m, offset[[a, b, c]])
                    if (normal @ x <= offset + 1e-9).all():
                        corners.append(x)
    return ConvexHull(corners).area


def test_sizes_against_planes() -> None:
    system = liquid(60, seed=5)
    radii = np.random.default_rng(1).uniform(0.3, 0.6, 60)
    found = voronoi_surface(system.positions, system.cell, PERIODIC, radii)
    shifts = np.stack(np.meshgrid(*[[0, -1, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    points = np.concatenate([system.positions + shift @ system.cell for shift in shifts])
    for i in (0, 17):
        expected = plain_surface(points, np.tile(radii, 27), i)
        # Corners that coincide up to 1e-9 count as one.
        np.testing.assert_allclose(found[i], expected, rtol=0, atol=1e-7)
    assert np.std(found) > 0.1


def plane(n: int = 50) -> tuple[np.ndarray, np.ndarray]:
    positions = np.c_[np.random.default_rng(2).uniform(0, 7, (n, 2)), np.zeros(n)]
    return positions, np.diag([7.0, 7.0, 1.0])


def test_perimeters_in_a_plane() -> None:
    positions, cell = plane()
    found = voronoi_surface(positions, cell, (True, True, False), np.full(50, 0.5))
    expected = cells_of(positions[:, :2], cell[:2, :2])
    np.testing.assert_allclose(found, expected, **ROUNDING)
    turn = rotation(3)
    turned = voronoi_surface(positions @ turn.T, cell @ turn.T, (True, True, False), np.ones(50))
    np.testing.assert_allclose(turned, found, **ROUNDING)


def test_box_images_and_order_do_not_matter() -> None:
    system = liquid(60, seed=7, triclinic=True)
    radii = np.where(system.species == 0, 0.5, 0.44)
    expected = voronoi_surface(system.positions, system.cell, PERIODIC, radii)
    order = np.random.default_rng(0).permutation(60)
    turn = rotation(1)
    moved = system.positions + np.random.default_rng(1).integers(-3, 3, (60, 3)) @ system.cell + 0.7
    found = voronoi_surface(moved[order] @ turn.T, system.cell @ turn.T, PERIODIC, radii[order])
    np.testing.assert_allclose(found, expected[order], **ROUNDING)
    # Two boxes side by side, and all lengths three times as large.
    twice = np.concatenate([system.positions, system.positions + system.cell[0]])
    cell = system.cell * np.array([[2], [1], [1]])
    found = voronoi_surface(3 * twice, 3 * cell, PERIODIC, 3 * np.tile(radii, 2))
    np.testing.assert_allclose(found, 9 * np.tile(expected, 2), rtol=1e-9)


def test_few_particles_with_large_holes() -> None:
    """Cells reach farther than the first margin of images; one particle alone has a cube."""
    np.testing.assert_allclose(
        voronoi_surface(np.ones((1, 3)), 5 * np.eye(3), PERIODIC, [0.5]), 150
    )
    drop = np.random.default_rng(4).uniform(0, 3, (27, 3))
    found = voronoi_surface(drop, 30 * np.eye(3), PERIODIC, np.zeros(27))
    np.testing.assert_allclose(found, cells_of(drop, 30 * np.eye(3)), rtol=1e-8)


def test_a_hidden_particle_has_no_cell() -> None:
    """Beside one of radius 3, a point at distance 0.5 is nearest to nothing."""
    pair = np.array([[5.0, 5, 5], [5.5, 5, 5]])
    found = voronoi_surface(pair, 10 * np.eye(3), PERIODIC, np.array([3.0, 0.0]))
    np.testing.assert_allclose(found, [600.0, 0.0], **ROUNDING)


def test_what_cannot_be_done_is_said() -> None:
    system = liquid(30)
    with pytest.raises(
        InputError, match=r"pbc: expected periodic boundaries.*\(True, True, False\)"
    ):
        voronoi_surface(system.positions, system.cell, (True, True, False), np.ones(30))
    for radii in (np.ones(3), np.full(30, np.nan), -np.ones(30)):
        with pytest.raises(InputError, match="radii: expected a finite number"):
            voronoi_surface(system.positions, system.cell, PERIODIC, radii)

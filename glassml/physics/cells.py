"""Cells: their volume, the plane of a two-dimensional system, the reach of its distances.

A two-dimensional system is a plane of particles in three dimensions. The plane is spanned by two
lattice vectors, and the third direction is not periodic.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["dimension_of", "extent", "flat_directions", "largest_distance", "plane_of", "shells"]

_FLAT = 1e-9  # of the lattice vector across the plane; `fix glassml` has the same limit


def flat_directions(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Across which lattice directions all particles lie in one plane.

    Args:
        positions: [N, 3] [length].
        cell: [3, 3] [length], the lattice vectors as rows.

    Returns:
        bool [3].
    """
    return np.asarray(np.ptp(positions @ np.linalg.inv(cell), axis=0) < _FLAT)


def plane_of(positions: np.ndarray, cell: np.ndarray, pbc: Sequence[bool]) -> int | None:
    """The lattice direction that leads out of the plane of a two-dimensional system.

    Args:
        positions: [N, 3] [length].
        cell: [3, 3] [length], the lattice vectors as rows.
        pbc: [3], whether each lattice direction is periodic.

    Returns:
        0, 1 or 2; None for a three-dimensional system. A periodic direction does not count, and a
        single particle has no plane.
    """
    flat = np.flatnonzero(flat_directions(positions, cell) & ~np.asarray(pbc))
    return int(flat[0]) if len(flat) == 1 and len(positions) > 1 else None


def dimension_of(plane: int | None) -> int:
    """2 for a system in a plane (see `plane_of`), else 3."""
    return 3 if plane is None else 2


def extent(cell: np.ndarray, plane: int | None = None) -> float:
    """Volume of the cell [length^3], or its area [length^2] for a two-dimensional system.

    Args:
        cell: [3, 3] [length], the lattice vectors as rows.
        plane: as `plane_of` gives it.
    """
    if plane is None:
        return float(abs(np.linalg.det(cell)))
    one, other = np.delete(cell, plane, axis=0)
    return float(np.linalg.norm(np.cross(one, other)))


def largest_distance(
    cell: np.ndarray, pbc: Sequence[bool], plane: int | None = None
) -> float | None:
    """Half of the smallest height of the cell [length]: below it, a pair has at most one image.

    Args:
        cell: [3, 3] [length], the lattice vectors as rows.
        pbc: [3], whether each lattice direction is periodic.
        plane: as `plane_of` gives it.

    Returns:
        None if the system is not periodic in every direction in which it extends, because the
        surface of a cluster affects all distances.
    """
    directions = [k for k in range(3) if k != plane]
    if not all(pbc[k] for k in directions):
        return None
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    return float(heights[directions].min() / 2)


def shells(edges: np.ndarray, dimension: int) -> np.ndarray:
    """Volumes [length^3] of spherical shells, or areas [length^2] of rings in two dimensions.

    Args:
        edges: [n + 1] [length], the radii between which the shells lie.
        dimension: 3 or 2.

    Returns:
        [n].
    """
    if dimension == 2:
        return np.asarray(np.pi * np.diff(edges**2))
    return np.asarray(4 / 3 * np.pi * np.diff(edges**3))

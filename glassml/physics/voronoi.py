"""Radical Voronoi cells: the space that is nearest to each particle, if particles have sizes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
from scipy.spatial import ConvexHull

from glassml.errors import InputError
from glassml.physics.cells import plane_of

__all__ = ["voronoi_surface"]

_FIRST_MARGIN = 2.5  # of images around the box, in mean spacings; enough for most liquids


def voronoi_surface(
    positions: np.ndarray, cell: np.ndarray, pbc: Sequence[bool], radii: np.ndarray
) -> np.ndarray:
    """Surface of the radical Voronoi cell of each particle; in two dimensions its perimeter.

    The cell of particle i holds the points x with (x - x_i)^2 - R_i^2 smaller than that of every
    other particle (B. J. Gellatly and J. L. Finney, J. Non-Cryst. Solids 50, 313 (1982)). With
    equal radii it is the Voronoi cell. LAMMPS gives the same numbers by `compute voronoi/atom` with
    the keywords *radius* and *surface*.

    The cells are those of the convex hull of the points (x, x^2 - R^2), for particles and as many
    periodic images as the cells depend on (F. Aurenhammer, SIAM J. Comput. 16, 78 (1987)).

    Args:
        positions: float64 [N, 3] [length], wrapped into the cell or not.
        cell: float64 [3, 3] [length], the lattice vectors as rows.
        pbc: [3], whether each lattice direction is periodic.
        radii: float64 [N] [length].

    Returns:
        float64 [N] [length^2], in two dimensions [length]; 0 for a particle so small that nothing
        is nearest to it.

    Raises:
        InputError: a direction in which the system extends is not periodic, or a radius is negative
            or not finite.
    """
    plane = plane_of(positions, cell, pbc)
    directions = [k for k in range(3) if k != plane]
    if not all(pbc[k] for k in directions):
        raise InputError(
            "pbc: expected periodic boundaries, as outer Voronoi cells have no end; found "
            f"{tuple(map(bool, pbc))}"
        )
    radii = np.asarray(radii, dtype=np.float64)
    if radii.shape != (len(positions),) or not (np.isfinite(radii) & (radii >= 0)).all():
        raise InputError("radii: expected a finite number that is not negative per particle")
    fractions = (positions @ np.linalg.inv(cell))[:, directions] % 1.0
    # Coordinates in the plane; in three dimensions a rotated frame.
    lattice = np.asarray(np.linalg.qr(cell[directions].T).R).T
    spacing = (abs(np.linalg.det(lattice)) / len(positions)) ** (1 / len(lattice))
    # Every point is within half of this distance of an image of the largest particle, so no cell
    # depends on anything farther away.
    farthest = float(np.linalg.norm(lattice, axis=1).sum())
    margin = min(_FIRST_MARGIN * spacing, farthest)
    while True:
        surface, needed = _surface(fractions, lattice, radii, margin)
        if needed <= margin or margin == farthest:
            return surface
        # Outer cells without all of their neighbours are too large, and so is the margin for them.
        margin = min(1.01 * needed, 1.5 * margin, farthest)


def _surface(
    fractions: np.ndarray, lattice: np.ndarray, radii: np.ndarray, margin: float
) -> tuple[np.ndarray, float]:
    """Surfaces [N] with images in a margin [length], and the margin that they depend on."""
    n, dimension = fractions.shape
    points, owner = _with_images(fractions, lattice, margin)
    weights = radii[owner] ** 2
    middle = lattice.sum(axis=0) / 2  # near the origin, squares lose fewer digits
    points = points - middle
    lifted = np.c_[points, (points**2).sum(axis=1) - weights]
    hull = ConvexHull(lifted)
    below = hull.equations[:, dimension] < 0
    simplices, normals = hull.simplices[below], hull.equations[below]
    vertices = -normals[:, :dimension] / (2 * normals[:, dimension : dimension + 1])
    own = (simplices < n).any(axis=1)  # the particles come before their images
    simplices, vertices = simplices[own], vertices[own]
    sizes = _faces(points, simplices, vertices, n)
    # Of a vertex, nothing may change within the reach of its particles with the largest radius.
    power = ((vertices - points[simplices[:, 0]]) ** 2).sum(axis=1) - weights[simplices[:, 0]]
    reach = np.sqrt(np.maximum(power + weights.max(), 0.0))
    inverse = np.linalg.inv(lattice)
    heights = 1 / np.linalg.norm(inverse, axis=0)
    place = (vertices + middle) @ inverse * heights
    outside = np.maximum(-place, place - heights).max(axis=1)
    return sizes, float((outside + reach).max())


def _with_images(
    fractions: np.ndarray, lattice: np.ndarray, margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """Particles, then their images in a margin around the box: [n_all, d], and whose they are."""
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    reach = margin / heights
    counts = np.ceil(reach).astype(int)
    parts, owners = [fractions], [np.arange(len(fractions))]
    for shift in product(*(range(-count, count + 1) for count in counts)):
        if any(shift):
            moved = fractions + np.array(shift)
            near = ((moved >= -reach) & (moved < 1 + reach)).all(axis=1)
            parts.append(moved[near])
            owners.append(np.flatnonzero(near))
    return np.concatenate(parts) @ lattice, np.concatenate(owners)


def _faces(points: np.ndarray, simplices: np.ndarray, vertices: np.ndarray, n: int) -> np.ndarray:
    """Surfaces [n] of the first n cells: each face lies between two particles of an edge.

    The corners of a face are the vertices of all simplices around the edge, in the order of their
    angles. In two dimensions there are two of them.
    """
    pairs = np.array(list(combinations(range(simplices.shape[1]), 2)))
    edges = np.sort(simplices[:, pairs].reshape(-1, 2), axis=1)
    corner = np.repeat(np.arange(len(simplices)), len(pairs))
    own = edges[:, 0] < n
    edges, corner = edges[own], corner[own]
    _, edge, count = np.unique(
        edges[:, 0] * len(points) + edges[:, 1], return_inverse=True, return_counts=True
    )
    order = np.argsort(edge, kind="stable")
    edges, at, edge = edges[order], vertices[corner[order]], edge[order]
    first = np.cumsum(count) - count
    at = at - (np.add.reduceat(at, first) / count[:, None])[edge]  # from the middle of the face
    if points.shape[1] == 3:
        axis = points[edges[:, 1]] - points[edges[:, 0]]
        at = at[_around(axis, at, edge)]
    following = np.arange(len(at)) + 1
    following[first + count - 1] = first
    if points.shape[1] == 3:
        # Twice the area of the triangles from the middle to two corners that follow each other.
        size = np.linalg.norm(np.add.reduceat(np.cross(at, at[following]), first), axis=1) / 2
    else:
        size = np.linalg.norm(at[following] - at, axis=1)[first]
    ends = edges[first]
    total = np.bincount(ends[:, 0], size, minlength=n)
    second = ends[:, 1] < n
    return total + np.bincount(ends[second, 1], size[second], minlength=n)


def _around(axis: np.ndarray, at: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """The order in which the corners of each face follow each other around its axis."""
    one = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis), axis=1)])
    other = np.cross(axis, one) / np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2((at * other).sum(axis=1), (at * one).sum(axis=1))
    return np.lexsort((angle, edge))

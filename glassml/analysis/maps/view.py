"""What a map shows of a configuration: a slab of it, or the mean along a direction."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from glassml.data import Configuration
from glassml.errors import InputError
from glassml.physics import effective_diameters

__all__ = ["Plane", "Slab", "View", "means_along", "particle_diameters", "plane_of_view", "slab"]

# Scalars that say how large each particle is, and how many of them make a diameter.
_SIZES = {"diameter": 1.0, "radius": 2.0}

_PIXELS = 120  # of a projection, along its longer edge
_WIDTH = 0.5  # of the Gaussian that a projection is smoothed by, in mean distances


@dataclass(frozen=True)
class View:
    """The direction of view, and what is seen.

    Attributes:
        axis: the lattice direction of view: 0, 1 or 2. Two-dimensional systems are seen from above.
        position: where the middle of the slab is, as a fraction of the box.
        thickness: of the slab [length]; None: the mean distance between particles, which shows
            about one layer.
        projection: show means along the direction of view, not particles: of a slab if
            ``thickness`` is given, else of the whole box.

    Raises:
        InputError: a number is out of range.
    """

    axis: int = 2
    position: float = 0.5
    thickness: float | None = None
    projection: bool = False

    def __post_init__(self) -> None:
        if self.axis not in (0, 1, 2):
            raise InputError(f"axis: expected 0, 1 or 2; found {self.axis}")
        if not 0 <= self.position <= 1:
            raise InputError(
                f"position: expected a fraction of the box, from 0 to 1; found {self.position:g}"
            )
        if self.thickness is not None and not self.thickness > 0:
            raise InputError(f"thickness: expected a positive length; found {self.thickness:g}")


@dataclass(frozen=True)
class Plane:
    """The plane of a map, and where particles are in it.

    Attributes:
        edges: the two edges of the box [2, 2] [length]; the first lies along the horizontal axis.
        fractions: [N, 2] of the edges, from 0 to 1 in periodic directions.
        depth: distance of each particle from the middle of the slab along its normal [N] [length].
        periodic: [2], whether each edge is periodic.
        names: of the two axes.
    """

    edges: np.ndarray
    fractions: np.ndarray
    depth: np.ndarray
    periodic: tuple[bool, bool]
    names: tuple[str, str]


@dataclass(frozen=True)
class Slab:
    """The particles of a slab as discs, the highest last.

    Attributes:
        particles: [n], index of the particle of each disc; images beyond the edges are discs too.
        places: [n, 2] [length].
    """

    particles: np.ndarray
    places: np.ndarray


def plane_of_view(configuration: Configuration, view: View) -> Plane:
    """The plane of a map of this configuration."""
    flat = configuration.plane
    axis = view.axis if flat is None else flat
    one, two = (k for k in range(3) if k != axis)
    order = [one, two, axis]
    cell, pbc = configuration.cell[order], np.array(configuration.pbc)[order]
    fractions = configuration.positions @ np.linalg.inv(cell)
    fractions[:, pbc] %= 1.0
    # Without periodic images, a box may lie anywhere around its particles.
    middle = (fractions.min(axis=0) + fractions.max(axis=0)) / 2
    outside = ~pbc & ((fractions.min(axis=0) < 0) | (fractions.max(axis=0) > 1))
    fractions[:, outside] += 0.5 - middle[outside]
    normal = np.cross(cell[0], cell[1])
    height = abs(cell[2] @ normal) / np.linalg.norm(normal)
    depth = (fractions[:, 2] - view.position) * height
    if pbc[2]:
        depth -= np.round(depth / height) * height
    if flat is not None:
        depth[:] = 0.0  # all particles lie in one plane
    along = cell[0] / np.linalg.norm(cell[0])
    across = cell[1] - (cell[1] @ along) * along
    across /= np.linalg.norm(across)
    basis = np.stack([along, across], axis=1)
    # Places in the plane: a leaning third vector shifts those above and below the middle.
    shift = (depth / height)[:, None] * (cell[2] @ basis) @ np.linalg.inv(cell[:2] @ basis)
    return Plane(
        edges=cell[:2] @ basis,
        fractions=fractions[:, :2] + shift,
        depth=depth,
        periodic=(bool(pbc[0]), bool(pbc[1])),
        names=(_axis_name(along, "along", one), _axis_name(across, "across", one)),
    )


def slab(plane: Plane, thickness: float, diameters: np.ndarray) -> Slab:
    """The particles of a slab, with the images of those that overlap an edge of the box.

    Args:
        plane: as `plane_of_view` gives it.
        thickness: of the slab [length].
        diameters: of each particle [N] [length].
    """
    chosen = np.flatnonzero(np.abs(plane.depth) <= thickness / 2)
    chosen = chosen[np.argsort(plane.depth[chosen], kind="stable")]
    fractions = plane.fractions[chosen]
    periodic = np.array(plane.periodic)
    fractions[:, periodic] %= 1.0
    shifts = np.array(list(itertools.product(*((-1, 0, 1) if p else (0,) for p in periodic))))
    fractions = (fractions[:, None, :] + shifts).reshape(-1, 2)
    particle = np.repeat(chosen, len(shifts))
    largest = diameters[chosen].max(initial=0.0)
    heights = abs(np.linalg.det(plane.edges)) / np.linalg.norm(plane.edges[::-1], axis=1)
    margin = np.where(periodic, largest / 2 / heights, np.inf)
    near = ((fractions >= -margin) & (fractions <= 1 + margin)).all(axis=1)
    return Slab(particle[near], fractions[near] @ plane.edges)


def means_along(
    plane: Plane, values: np.ndarray, chosen: np.ndarray, thickness: float | None, spacing: float
) -> np.ndarray:
    """The mean of a value along the direction of view, at the pixels of a map.

    Each particle counts with a Gaussian of half a mean distance, so that pixels between particles
    have a value too.

    Args:
        plane: as `plane_of_view` gives it.
        values: of each particle [N]; particles where it is NaN do not count.
        chosen: bool [N], which particles count.
        thickness: of the slab that counts [length]; None: the whole box.
        spacing: mean distance between particles [length].

    Returns:
        [rows, columns], along the second and the first edge of the box; NaN where no particle is
        near.
    """
    use = chosen & np.isfinite(values)
    if thickness is not None:
        use &= np.abs(plane.depth) <= thickness / 2
    fractions = plane.fractions[use]
    periodic = np.array(plane.periodic)
    fractions[:, periodic] %= 1.0
    lengths = np.linalg.norm(plane.edges, axis=1)
    pixels = np.maximum(np.round(_PIXELS * lengths / lengths.max()).astype(int), 1)
    grid: dict[str, Any] = {"bins": pixels.tolist(), "range": [(0, 1), (0, 1)]}
    x, y = fractions[:, 0], fractions[:, 1]
    sums, _, _ = np.histogram2d(x, y, weights=values[use], **grid)
    counts, _, _ = np.histogram2d(x, y, **grid)
    smooth: dict[str, Any] = {
        "sigma": _WIDTH * spacing * pixels / lengths,
        "mode": ["wrap" if p else "constant" for p in periodic],
        "truncate": 4.0,
    }
    weights = gaussian_filter(counts, **smooth)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = gaussian_filter(sums, **smooth) / weights
    return np.asarray(np.where(weights > 1e-12, means, np.nan).T)


def particle_diameters(
    configuration: Configuration, of_species: Sequence[float] | np.ndarray | None = None
) -> np.ndarray:
    """How large each particle is drawn [N] [length], in every map.

    Args:
        configuration: N particles.
        of_species: diameter of each species [length]; None: from how near they come to one another
            (`glassml.physics.effective_diameters`). Where a scalar ``diameter`` or ``radius`` says
            how large particles are, that counts.
    """
    for name, factor in _SIZES.items():
        if name in configuration.scalars:
            return factor * configuration.scalars[name]
    if of_species is None:
        of_species = effective_diameters(
            configuration.positions,
            configuration.cell,
            configuration.pbc,
            configuration.species,
            len(configuration.species_names),
        )
    return np.asarray(of_species)[configuration.species]


def _axis_name(direction: np.ndarray, otherwise: str, vector: int) -> str:
    """The name of the coordinate along a direction, or where it points in a slanted box."""
    for name, component in zip("xyz", direction, strict=True):
        if component > 1 - 1e-9:
            return name
    return f"{otherwise} $\\mathbf{{{'abc'[vector]}}}$"

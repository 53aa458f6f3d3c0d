"""What one frame of a map shows: small, so that a movie can hold all of its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glassml.analysis.maps.view import (
    View,
    means_along,
    particle_diameters,
    plane_of_view,
    slab,
)
from glassml.data import Configuration
from glassml.errors import InputError

__all__ = ["Limits", "Panel", "Scales", "Scene", "joint_limits", "make_scene"]

_LOWEST, _HIGHEST = 2, 98  # percentiles at the ends of a colour bar
_MOST_SCALES = 4  # of species; more colour bars would leave no room for the map

# (quantity, name of the scale) -> values at the ends of the colour bar.
Limits = Mapping[tuple[str, str], tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One of the maps of a figure.

    Attributes:
        title: heading.
        values: of each particle [N]; NaN: unknown, which is drawn grey.
        quantity: what the values are, for the colour bar. Panels with the same quantity have the
            same scale, that of the first.
        signed: the values are differences: their scale is centred at 0.
        unit: how the unit of the values is written; "" if they have none, or it is unknown.
    """

    title: str
    values: np.ndarray
    quantity: str = "propensity"
    signed: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Scales:
    """Which species share a colour scale.

    Attributes:
        names: of the scales: one per species, or one for all where there are many species.
        of_species: [S], index of each species' scale.
    """

    names: tuple[str, ...]
    of_species: np.ndarray

    @classmethod
    def of(cls, species_names: Sequence[str]) -> Scales:
        """One scale for each of up to four species, one for all of more."""
        n = len(species_names)
        if n > _MOST_SCALES:
            return cls((f"all {n} species",), np.zeros(n, dtype=int))
        return cls(tuple(species_names), np.arange(n))


@dataclass(frozen=True)
class Scene:
    """A frame, ready to be drawn.

    Attributes:
        title: of the frame.
        edges: of the box in the plane [2, 2] [length].
        axis_names: of the two directions.
        places: [n, 2] [length], of the discs; none of a projection.
        diameters: [n] [length], of the discs.
        scale: [n], index of the scale of each disc.
        values: for each panel [n], or for a projection one map [rows, columns] per scale.
        limits: values at the ends of the colour bars that suit this frame.
        sizes: mean diameter of the particles of each scale [length]; NaN if there are none.
    """

    title: str
    edges: np.ndarray
    axis_names: tuple[str, str]
    places: np.ndarray
    diameters: np.ndarray
    scale: np.ndarray
    values: tuple[np.ndarray, ...]
    limits: Limits
    sizes: np.ndarray


def make_scene(
    configuration: Configuration,
    panels: Sequence[Panel],
    view: View,
    *,
    title: str = "",
    species_diameters: np.ndarray | None = None,
) -> Scene:
    """Choose what is seen of a configuration.

    Args:
        configuration: N particles.
        panels: the maps.
        view: what is seen.
        title: of the frame.
        species_diameters: as in `particle_diameters`.

    Raises:
        InputError: values that are not one per particle, or of which none is known.
    """
    _check(configuration, panels)
    scales = Scales.of(configuration.species_names)
    diameters = particle_diameters(configuration, species_diameters)
    plane, spacing = plane_of_view(configuration, view), configuration.spacing
    kinds = scales.of_species[configuration.species]
    sizes = [
        diameters[kinds == s].mean() if (kinds == s).any() else np.nan
        for s in range(len(scales.names))
    ]
    if view.projection:
        discs, places = np.empty(0, dtype=int), np.empty((0, 2))
        values = tuple(
            np.stack(
                [
                    means_along(plane, panel.values, kinds == s, view.thickness, spacing)
                    for s in range(len(scales.names))
                ]
            )
            for panel in panels
        )
        limits = _limits(panels, values, np.arange(len(scales.names))[:, None, None], scales)
    else:
        thickness = spacing if view.thickness is None else view.thickness
        seen = slab(plane, thickness, diameters)
        discs, places = seen.particles, seen.places
        values = tuple(panel.values[discs] for panel in panels)
        limits = _limits(panels, [panel.values for panel in panels], kinds, scales)
    return Scene(
        title=title,
        edges=plane.edges,
        axis_names=plane.names,
        places=places,
        diameters=diameters[discs],
        scale=kinds[discs],
        values=values,
        limits=limits,
        sizes=np.array(sizes),
    )


def _check(configuration: Configuration, panels: Sequence[Panel]) -> None:
    for panel in panels:
        if panel.values.shape != (configuration.n_particles,):
            raise InputError(
                f"values: {panel.title}: expected {configuration.n_particles} numbers, one per "
                f"particle; found an array of shape {panel.values.shape}"
            )
        if not np.isfinite(panel.values).any():
            raise InputError(
                f"values: {panel.title}: expected a finite number for some particle; found none"
            )


def joint_limits(scenes: Sequence[Scene]) -> Limits:
    """Limits for all frames of a movie: the medians of those of the frames.

    A few frames that are unlike the others, such as those before the first prediction, which are
    zero, then do not count.
    """
    names = dict.fromkeys(name for scene in scenes for name in scene.limits)
    found = {}
    for name in names:
        low, high = np.median([s.limits[name] for s in scenes if name in s.limits], axis=0)
        found[name] = (float(low), float(high))
    return found


def _limits(
    panels: Sequence[Panel], values: Sequence[np.ndarray], kinds: np.ndarray, scales: Scales
) -> Limits:
    """The inner 96 per cent of the values of each scale; of differences, symmetric about 0."""
    limits: dict[tuple[str, str], tuple[float, float]] = {}
    for panel, shown in zip(panels, values, strict=True):
        for s, name in enumerate(scales.names):
            mine = shown[np.broadcast_to(kinds == s, shown.shape) & np.isfinite(shown)]
            if not len(mine) or (panel.quantity, name) in limits:
                continue
            if panel.signed:
                high = float(np.percentile(np.abs(mine), _HIGHEST)) or 1.0
                limits[panel.quantity, name] = (-high, high)
                continue
            low, high = (float(x) for x in np.percentile(mine, (_LOWEST, _HIGHEST)))
            if low == high:  # one colour for all
                low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
            limits[panel.quantity, name] = (low, high)
    return limits

"""Surfaces of radical Voronoi cells in inherent structures, and the radii that they are for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from glassml.data import Configuration
from glassml.errors import InputError
from glassml.physics import voronoi_surface
from glassml.simulation.system import DIAMETER, System

__all__ = ["SURFACE", "checked_radii", "species_radii", "with_surface"]

#: The scalar of configurations that holds the surfaces.
SURFACE = "inherent_voronoi_surface"

# Half of sigma_aa, as published for the Kob-Andersen mixtures (G. Jung, G. Biroli and L. Berthier).
_RADII = {
    "kob-andersen": (0.5, 0.44),
    "kob-andersen-2d": (0.5, 0.44, 0.47),
    "wahnstrom": (0.5, 5 / 12),
}


def species_radii(system: System) -> tuple[float, ...]:
    """The radii of a system's species [length] in radical Voronoi cells.

    Of a built-in mixture half of sigma_aa. For other liquids all are 0: without a stated size, all
    particles count as equal, and the cells are plain Voronoi cells. Only differences of R^2 matter.
    """
    known = _RADII.get(system.name, ())
    n_species = len(system.species_names)
    return known if len(known) == n_species else (0.0,) * n_species


def checked_radii(given: Sequence[float] | None, system: System) -> tuple[float, ...]:
    """The given radii of the species [length], or those of `species_radii`.

    Raises:
        InputError: there is not one for each species, or one is negative or not finite.
    """
    if given is None:
        return species_radii(system)
    names = ", ".join(system.species_names)
    if len(given) != len(system.species_names) or not all(0 <= r < math.inf for r in given):
        raise InputError(
            f"radii: expected a radius for each species ({names}), none negative; found "
            f"{', '.join(f'{r:g}' for r in given) or 'none'}"
        )
    return tuple(map(float, given))


def with_surface(configuration: Configuration, radii: Sequence[float]) -> Configuration:
    """The configuration with the scalar `SURFACE` of its inherent structure.

    Args:
        configuration: with ``structures["inherent"]``. If it has diameters, half of these are the
            radii of its particles.
        radii: of the species otherwise [length].
    """
    of_particles = np.array(radii, dtype=np.float64)[configuration.species]
    if DIAMETER in configuration.scalars:
        of_particles = configuration.scalars[DIAMETER] / 2
    surface = voronoi_surface(
        configuration.structures["inherent"], configuration.cell, configuration.pbc, of_particles
    )
    return replace(configuration, scalars={**configuration.scalars, SURFACE: surface})

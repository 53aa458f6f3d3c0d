"""Physics of particle systems: neighbours, pair and four-point functions, relaxation, propensity.

The functions here take arrays: positions [N, 3], a cell [3, 3] and which directions are periodic.
They know neither files nor models.
"""

from __future__ import annotations

from glassml.physics.averaging import AveragedPositions, PositionAverage
from glassml.physics.cells import largest_distance
from glassml.physics.four_point import FourPoint, PairSums, chi4, mobility
from glassml.physics.neighbours import Neighbours, find_neighbours
from glassml.physics.pairs import first_peak, pair_distribution
from glassml.physics.propensity import isoconfigurational_averages, label_trust, noise_ceiling
from glassml.physics.rearrangements import HopFunction, Jumps, Rearrangements
from glassml.physics.relative_motion import bond_displacement
from glassml.physics.relaxation import (
    ballistic_displacement,
    relaxation_time,
    self_intermediate_scattering,
)
from glassml.physics.sizes import effective_diameters
from glassml.physics.times import column_of, same_time, same_times
from glassml.physics.voronoi import voronoi_surface

__all__ = [
    "AveragedPositions",
    "FourPoint",
    "HopFunction",
    "Jumps",
    "Neighbours",
    "PairSums",
    "PositionAverage",
    "Rearrangements",
    "ballistic_displacement",
    "bond_displacement",
    "chi4",
    "column_of",
    "effective_diameters",
    "find_neighbours",
    "first_peak",
    "isoconfigurational_averages",
    "label_trust",
    "largest_distance",
    "mobility",
    "noise_ceiling",
    "pair_distribution",
    "relaxation_time",
    "same_time",
    "same_times",
    "self_intermediate_scattering",
    "voronoi_surface",
]

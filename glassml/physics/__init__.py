"""Physics of particle systems: pair and four-point functions, relaxation."""

from __future__ import annotations

from glassml.physics.four_point import PairSums, chi4, largest_distance, mobility
from glassml.physics.observables import (
    ballistic_displacement,
    first_peak,
    pair_distribution,
    relaxation_time,
    self_intermediate_scattering,
)

__all__ = [
    "PairSums",
    "ballistic_displacement",
    "chi4",
    "first_peak",
    "largest_distance",
    "mobility",
    "pair_distribution",
    "relaxation_time",
    "self_intermediate_scattering",
]

"""Softness from a trajectory: rearrangements, hyperplanes between soft and hard, how good they are.

S. S. Schoenholz et al., Nat. Phys. 12, 469 (2016).
"""

from __future__ import annotations

from glassml.studies.softness.evaluation import (
    Chance,
    SoftnessTable,
    SpeciesSoftness,
    softness_tables,
)
from glassml.studies.softness.options import SoftnessOptions
from glassml.studies.softness.pictures import softness_figure
from glassml.studies.softness.training import train_softness

__all__ = [
    "Chance",
    "SoftnessOptions",
    "SoftnessTable",
    "SpeciesSoftness",
    "softness_figure",
    "softness_tables",
    "train_softness",
]

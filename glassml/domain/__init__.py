"""The domain of a model: what its training data were like, and whether another system is like them.

A model of one liquid at one temperature gives numbers for any other, and they look no worse. So its
file records density, composition, temperature and local structure of its training data, and every
engine compares what it is used on.
"""

from __future__ import annotations

from glassml.domain.checks import DomainWatch, Outside, check_neighbours, outside
from glassml.domain.measuring import (
    Measured,
    domain_of,
    label_range,
    labels_at,
    mean_spacing,
    measured,
)
from glassml.domain.record import Domain, shown_range, united
from glassml.domain.structure import SHELLS, LocalStructure, local_structure

__all__ = [
    "SHELLS",
    "Domain",
    "DomainWatch",
    "LocalStructure",
    "Measured",
    "Outside",
    "check_neighbours",
    "domain_of",
    "label_range",
    "labels_at",
    "local_structure",
    "mean_spacing",
    "measured",
    "outside",
    "shown_range",
    "united",
]

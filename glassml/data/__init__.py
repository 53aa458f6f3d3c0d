"""Configurations, the files they are read from, and the dataset they are kept in."""

from __future__ import annotations

from glassml.data.atoms import atoms_from_configuration, configuration_from_atoms
from glassml.data.configuration import LENGTH_UNITS, Configuration
from glassml.data.conversion import convert, find_inputs
from glassml.data.dataset import Dataset, DatasetWriter
from glassml.data.readers import FORMATS, Frames, ReadOptions, open_frames, read_configurations
from glassml.data.species import SpeciesMap
from glassml.data.summary import DatasetSummary, LabelStatistics

__all__ = [
    "FORMATS",
    "LENGTH_UNITS",
    "Configuration",
    "Dataset",
    "DatasetSummary",
    "DatasetWriter",
    "Frames",
    "LabelStatistics",
    "ReadOptions",
    "SpeciesMap",
    "atoms_from_configuration",
    "configuration_from_atoms",
    "convert",
    "find_inputs",
    "open_frames",
    "read_configurations",
]

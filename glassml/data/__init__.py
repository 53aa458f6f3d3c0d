"""Configurations, the files they are read from, and the dataset they are kept in."""

from __future__ import annotations

from glassml.data.atoms import (
    atoms_from_configuration,
    configuration_from_atoms,
    name_species,
)
from glassml.data.configuration import REVERSED_FROM, Configuration
from glassml.data.conversion import convert, find_inputs
from glassml.data.dataset import Dataset, DatasetWriter
from glassml.data.labelling import Clock, LabelledTrajectory, LabelOptions, label_trajectory
from glassml.data.model_view import POSITIONS, THERMAL, shift_names, view_of
from glassml.data.readers import (
    FORMATS,
    Frames,
    ReadOptions,
    open_frames,
    periodic_directions,
    read_configurations,
)
from glassml.data.rearranging import (
    merge_datasets,
    parts_by_key,
    parts_by_size,
    split_dataset,
)
from glassml.data.reversal import reverse_dataset, reversed_runs
from glassml.data.shipped import dataset_path, shipped_names, shipped_path
from glassml.data.species import SpeciesMap
from glassml.data.summary import DatasetSummary, LabelStatistics, summarise
from glassml.data.units_of_data import units_of
from glassml.data.validation import Complaint, complaints
from glassml.data.windows import (
    AVERAGE,
    WINDOW_SCALARS,
    Window,
    number_of_windows,
    reads_window,
    window_needed,
    window_of,
    with_windows,
    without_windows,
)

__all__ = [
    "AVERAGE",
    "FORMATS",
    "POSITIONS",
    "REVERSED_FROM",
    "THERMAL",
    "WINDOW_SCALARS",
    "Clock",
    "Complaint",
    "Configuration",
    "Dataset",
    "DatasetSummary",
    "DatasetWriter",
    "Frames",
    "LabelOptions",
    "LabelStatistics",
    "LabelledTrajectory",
    "ReadOptions",
    "SpeciesMap",
    "Window",
    "atoms_from_configuration",
    "complaints",
    "configuration_from_atoms",
    "convert",
    "dataset_path",
    "find_inputs",
    "label_trajectory",
    "merge_datasets",
    "name_species",
    "number_of_windows",
    "open_frames",
    "parts_by_key",
    "parts_by_size",
    "periodic_directions",
    "read_configurations",
    "reads_window",
    "reverse_dataset",
    "reversed_runs",
    "shift_names",
    "shipped_names",
    "shipped_path",
    "split_dataset",
    "summarise",
    "units_of",
    "view_of",
    "window_needed",
    "window_of",
    "with_windows",
    "without_windows",
]

"""Where a model comes from: the record of its training, which its file and checkpoints carry."""

from __future__ import annotations

from glassml.provenance.accuracy import Accuracy
from glassml.provenance.accuracy_file import read_accuracy
from glassml.provenance.migration import migrated_training
from glassml.provenance.origin import Origins
from glassml.provenance.parts import (
    DataFile,
    Hyperplane,
    ImportedWeights,
    KnownConfiguration,
    Part,
    ReversedRuns,
    RidgeFit,
    Side,
    SplitSettings,
    WeightFile,
)
from glassml.provenance.problems import first_problem
from glassml.provenance.record import NetworkRecord, TrainingRecord

__all__ = [
    "Accuracy",
    "DataFile",
    "Hyperplane",
    "ImportedWeights",
    "KnownConfiguration",
    "NetworkRecord",
    "Origins",
    "Part",
    "ReversedRuns",
    "RidgeFit",
    "Side",
    "SplitSettings",
    "TrainingRecord",
    "WeightFile",
    "first_problem",
    "migrated_training",
    "read_accuracy",
]

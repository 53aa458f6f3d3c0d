"""What predictions are worth: correlation with the labels, and pictures."""

from __future__ import annotations

from glassml.analysis.correlation import (
    pearson_all,
    pearson_mean,
    spearman_all,
    spearman_mean,
)
from glassml.analysis.evaluation import Evaluation, Score, evaluate, table
from glassml.analysis.pictures import slice_picture, thermo_picture
from glassml.analysis.simulated import simulation_picture

__all__ = [
    "Evaluation",
    "Score",
    "evaluate",
    "pearson_all",
    "pearson_mean",
    "simulation_picture",
    "slice_picture",
    "spearman_all",
    "spearman_mean",
    "table",
    "thermo_picture",
]

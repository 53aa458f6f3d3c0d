"""What predictions are worth: agreement with the labels, four-point functions, and pictures."""

from __future__ import annotations

from glassml.analysis.comparison import Comparison, compare
from glassml.analysis.correlation import (
    pearson_all,
    pearson_mean,
    r2_all,
    r2_mean,
    spearman_all,
    spearman_mean,
)
from glassml.analysis.evaluation import Evaluation, Score, evaluate, table
from glassml.analysis.four_point_curves import FourPointCollector, FourPointCurves
from glassml.analysis.pictures import slice_picture, thermo_picture
from glassml.analysis.predictions import (
    FilePredictions,
    ModelPredictions,
    StoredPredictions,
    open_sources,
    stored_predictions,
)
from glassml.analysis.published import PublishedCurves, published
from glassml.analysis.report import ReportOptions, write_report
from glassml.analysis.simulation_picture import simulation_picture

__all__ = [
    "Comparison",
    "Evaluation",
    "FilePredictions",
    "FourPointCollector",
    "FourPointCurves",
    "ModelPredictions",
    "PublishedCurves",
    "ReportOptions",
    "Score",
    "StoredPredictions",
    "compare",
    "evaluate",
    "open_sources",
    "pearson_all",
    "pearson_mean",
    "published",
    "r2_all",
    "r2_mean",
    "simulation_picture",
    "slice_picture",
    "spearman_all",
    "spearman_mean",
    "stored_predictions",
    "table",
    "thermo_picture",
    "write_report",
]

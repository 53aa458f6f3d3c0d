"""How well predictions agree with labels: scores, four-point functions, figures and reports."""

from __future__ import annotations

from glassml.analysis.comparison import Comparison, Evaluation, compare
from glassml.analysis.correlation import (
    pearson_all,
    pearson_mean,
    r2_all,
    r2_mean,
    spearman_all,
    spearman_mean,
)
from glassml.analysis.evaluation_table import evaluation_table
from glassml.analysis.four_point_curves import FourPointCollector, FourPointCurves
from glassml.analysis.pictures import slice_figure, slices_figure, thermo_figure
from glassml.analysis.predictions import (
    FilePredictions,
    ModelPredictions,
    StoredPredictions,
    open_sources,
    stored_predictions,
)
from glassml.analysis.published import PublishedCurves, published
from glassml.analysis.report import ReportOptions, write_report
from glassml.analysis.simulation_picture import simulation_figure

__all__ = [
    "Comparison",
    "Evaluation",
    "FilePredictions",
    "FourPointCollector",
    "FourPointCurves",
    "ModelPredictions",
    "PublishedCurves",
    "ReportOptions",
    "StoredPredictions",
    "compare",
    "evaluation_table",
    "open_sources",
    "pearson_all",
    "pearson_mean",
    "published",
    "r2_all",
    "r2_mean",
    "simulation_figure",
    "slice_figure",
    "slices_figure",
    "spearman_all",
    "spearman_mean",
    "stored_predictions",
    "thermo_figure",
    "write_report",
]

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
from glassml.analysis.maps import (
    MapFrame,
    MapFrames,
    MapInput,
    Panel,
    View,
    map_figure,
    write_movie,
)
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
from glassml.analysis.thermo_picture import thermo_figure

__all__ = [
    "Comparison",
    "Evaluation",
    "FilePredictions",
    "FourPointCollector",
    "FourPointCurves",
    "MapFrame",
    "MapFrames",
    "MapInput",
    "ModelPredictions",
    "Panel",
    "PublishedCurves",
    "ReportOptions",
    "StoredPredictions",
    "View",
    "compare",
    "evaluation_table",
    "map_figure",
    "open_sources",
    "pearson_all",
    "pearson_mean",
    "published",
    "r2_all",
    "r2_mean",
    "simulation_figure",
    "spearman_all",
    "spearman_mean",
    "stored_predictions",
    "thermo_figure",
    "write_movie",
    "write_report",
]

"""Numbers that say how well predictions agree with labels, with error bars."""

from __future__ import annotations

from glassml.analysis.metrics.agreement import (
    Calibration,
    SpreadAgreement,
    calibration,
    overlap_coefficient,
    spread_agreement,
)
from glassml.analysis.metrics.bootstrap import mean_errors, pooled_errors, resampled_counts
from glassml.analysis.metrics.scores import METRICS, Score, averaged_scores, scores

__all__ = [
    "METRICS",
    "Calibration",
    "Score",
    "SpreadAgreement",
    "averaged_scores",
    "calibration",
    "mean_errors",
    "overlap_coefficient",
    "pooled_errors",
    "resampled_counts",
    "scores",
    "spread_agreement",
]

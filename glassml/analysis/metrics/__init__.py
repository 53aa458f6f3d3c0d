"""Measures of how well predictions agree with labels, with error bars."""

from __future__ import annotations

from glassml.analysis.metrics.agreement import (
    Calibration,
    SpreadAgreement,
    calibration,
    overlap_coefficient,
    spread_agreement,
)
from glassml.analysis.metrics.attenuation import (
    Corrected,
    averaged_corrected,
    corrected_pearson,
)
from glassml.analysis.metrics.bootstrap import mean_errors, pooled_errors, resampled_counts
from glassml.analysis.metrics.coefficients import (
    Sample,
    averaged_samples,
    averaged_scores,
    pearson_scores,
    samples,
    scores,
)

__all__ = [
    "Calibration",
    "Corrected",
    "Sample",
    "SpreadAgreement",
    "averaged_corrected",
    "averaged_samples",
    "averaged_scores",
    "calibration",
    "corrected_pearson",
    "mean_errors",
    "overlap_coefficient",
    "pearson_scores",
    "pooled_errors",
    "resampled_counts",
    "samples",
    "scores",
    "spread_agreement",
]

"""ASE: the calculator and prediction on files; see the package ``glassml_ase``."""

from __future__ import annotations

from glassml_ase import (
    Frames,
    GlassMLCalculator,
    ModelInputs,
    PredictionReport,
    ScalarSource,
    open_frames,
    predict_file,
)

__all__ = [
    "Frames",
    "GlassMLCalculator",
    "ModelInputs",
    "PredictionReport",
    "ScalarSource",
    "open_frames",
    "predict_file",
]

"""The ASE side of glassml: a calculator that observes, and prediction on files of configurations.

Imported by users as ``glassml.calculators``.
"""

from __future__ import annotations

from glassml_ase.calculator import GlassMLCalculator
from glassml_ase.frames import Frames, open_frames
from glassml_ase.inputs import ModelInputs, ScalarSource
from glassml_ase.offline import PredictionReport, predict_file

__all__ = [
    "Frames",
    "GlassMLCalculator",
    "ModelInputs",
    "PredictionReport",
    "ScalarSource",
    "open_frames",
    "predict_file",
]

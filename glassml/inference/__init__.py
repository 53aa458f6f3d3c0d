"""Running an exported model in Python: prediction, its inputs, windows, whole files, cards."""

from __future__ import annotations

from glassml.inference.extxyz import write_frame
from glassml.inference.file_prediction import PredictionReport, annotate_atoms, predict_file
from glassml.inference.frame_averages import FrameAverages
from glassml.inference.model_cards import (
    CARD_SECTIONS,
    ModelSummary,
    card_facts,
    facts_in,
    shipped_models,
    summary_of,
    window_facts,
    write_card,
)
from glassml.inference.model_inputs import ModelInputs, ScalarSource
from glassml.inference.predictor import EdgePrediction, Predictor
from glassml.inference.sample_clock import SampleClock
from glassml.inference.smoothing import Smoothing
from glassml.inference.untrained import (
    check_settings,
    descriptors_for_frames,
    save_untrained,
    usual_spacing,
)
from glassml.inference.windowed import PositionWindow, window_note

__all__ = [
    "CARD_SECTIONS",
    "EdgePrediction",
    "FrameAverages",
    "ModelInputs",
    "ModelSummary",
    "PositionWindow",
    "PredictionReport",
    "Predictor",
    "SampleClock",
    "ScalarSource",
    "Smoothing",
    "annotate_atoms",
    "card_facts",
    "check_settings",
    "descriptors_for_frames",
    "facts_in",
    "predict_file",
    "save_untrained",
    "shipped_models",
    "summary_of",
    "usual_spacing",
    "window_facts",
    "window_note",
    "write_card",
    "write_frame",
]

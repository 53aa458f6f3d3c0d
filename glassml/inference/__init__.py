"""Running an exported model in Python: prediction, its inputs, whole files, model cards."""

from __future__ import annotations

from glassml.inference.extxyz import write_frame
from glassml.inference.file_prediction import PredictionReport, annotate_atoms, predict_file
from glassml.inference.model_cards import (
    CARD_SECTIONS,
    ModelSummary,
    card_facts,
    facts_in,
    shipped_models,
    summary_of,
    write_card,
)
from glassml.inference.model_inputs import ModelInputs, ScalarSource
from glassml.inference.predictor import Predictor

__all__ = [
    "CARD_SECTIONS",
    "ModelInputs",
    "ModelSummary",
    "PredictionReport",
    "Predictor",
    "ScalarSource",
    "annotate_atoms",
    "card_facts",
    "facts_in",
    "predict_file",
    "shipped_models",
    "summary_of",
    "write_card",
    "write_frame",
]

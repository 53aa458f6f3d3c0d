"""The exported model: one TorchScript file with a manifest, and how Python runs it."""

from __future__ import annotations

from glassml.export.accuracy import Accuracy, Coefficient, accuracy_of, read_accuracy
from glassml.export.archive import (
    load_module,
    model_path,
    read_manifest,
    save_model,
)
from glassml.export.cards import (
    CARD_SECTIONS,
    ModelSummary,
    card_facts,
    facts_in,
    shipped_models,
    summary_of,
    write_card,
)
from glassml.export.decoder import check_decoder, replace_decoder
from glassml.export.extxyz import write_frame
from glassml.export.inputs import ModelInputs, ScalarSource
from glassml.export.manifest import (
    FORMAT_VERSION,
    Manifest,
    OutputEntry,
    RadialTableEntry,
    ScalarEntry,
)
from glassml.export.offline import PredictionReport, annotate_atoms, predict_file
from glassml.export.predictor import Predictor
from glassml.export.restore import restored_model
from glassml.export.scripting import script_model

__all__ = [
    "CARD_SECTIONS",
    "FORMAT_VERSION",
    "Accuracy",
    "Coefficient",
    "Manifest",
    "ModelInputs",
    "ModelSummary",
    "OutputEntry",
    "PredictionReport",
    "Predictor",
    "RadialTableEntry",
    "ScalarEntry",
    "ScalarSource",
    "accuracy_of",
    "annotate_atoms",
    "card_facts",
    "check_decoder",
    "facts_in",
    "load_module",
    "model_path",
    "predict_file",
    "read_accuracy",
    "read_manifest",
    "replace_decoder",
    "restored_model",
    "save_model",
    "script_model",
    "shipped_models",
    "summary_of",
    "write_card",
    "write_frame",
]

"""The exported model: one TorchScript file with a manifest."""

from __future__ import annotations

from glassml.export.accuracy import Accuracy, Coefficient, accuracy_of, read_accuracy
from glassml.export.archive import (
    load_module,
    model_path,
    read_manifest,
    save_model,
)
from glassml.export.decoder import check_decoder, replace_decoder
from glassml.export.manifest import (
    FORMAT_VERSION,
    Manifest,
    OutputEntry,
    RadialTableEntry,
    ScalarEntry,
)
from glassml.export.restore import restored_model
from glassml.export.scripting import script_model

__all__ = [
    "FORMAT_VERSION",
    "Accuracy",
    "Coefficient",
    "Manifest",
    "OutputEntry",
    "RadialTableEntry",
    "ScalarEntry",
    "accuracy_of",
    "check_decoder",
    "load_module",
    "model_path",
    "read_accuracy",
    "read_manifest",
    "replace_decoder",
    "restored_model",
    "save_model",
    "script_model",
]

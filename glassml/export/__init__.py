"""The exported model: one TorchScript file with a manifest, and how Python runs it."""

from __future__ import annotations

from glassml.export.archive import load_module, read_manifest, save_model, script_model
from glassml.export.manifest import FORMAT_VERSION, Manifest, OutputEntry, ScalarEntry
from glassml.export.predictor import Predictor

__all__ = [
    "FORMAT_VERSION",
    "Manifest",
    "OutputEntry",
    "Predictor",
    "ScalarEntry",
    "load_module",
    "read_manifest",
    "save_model",
    "script_model",
]

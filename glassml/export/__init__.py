"""The exported model: one TorchScript file with a manifest."""

from __future__ import annotations

from glassml.export.archive import (
    load_module,
    model_path,
    read_manifest,
    rewrite_manifest,
    save_model,
)
from glassml.export.decoder import check_decoder, replace_decoder
from glassml.export.manifest import (
    FORMAT_VERSION,
    FORMAT_VERSIONS_READ,
    Manifest,
    OutputEntry,
    RadialTableEntry,
    ScalarEntry,
)
from glassml.export.restore import restored_model
from glassml.export.scripting import script_model
from glassml.export.trained_committee import is_model_file, load_trained_committee

__all__ = [
    "FORMAT_VERSION",
    "FORMAT_VERSIONS_READ",
    "Manifest",
    "OutputEntry",
    "RadialTableEntry",
    "ScalarEntry",
    "check_decoder",
    "is_model_file",
    "load_module",
    "load_trained_committee",
    "model_path",
    "read_manifest",
    "replace_decoder",
    "restored_model",
    "rewrite_manifest",
    "save_model",
    "script_model",
]

"""Models with weights that the code of their authors trained, read without running code."""

from __future__ import annotations

from glassml.importing.registry import FORMATS, Imported, imported
from glassml.importing.weights import Weights

__all__ = ["FORMATS", "Imported", "Weights", "imported"]

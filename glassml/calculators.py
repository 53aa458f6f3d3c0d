"""The ASE calculator; see the package ``glassml_ase``."""

from __future__ import annotations

from glassml_ase import GlassMLCalculator

__all__ = ["GlassMLCalculator"]

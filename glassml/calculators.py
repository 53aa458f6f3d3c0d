"""The ASE calculator and observer; see the package ``glassml_ase``."""

from __future__ import annotations

from glassml_ase import GlassMLCalculator, PropensityObserver

__all__ = ["GlassMLCalculator", "PropensityObserver"]

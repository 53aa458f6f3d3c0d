"""The ASE side of glassml: a calculator and an observer that predict while atoms move.

Imported by users as ``glassml.calculators``.
"""

from __future__ import annotations

from glassml_ase.calculator import GlassMLCalculator
from glassml_ase.observer import PropensityObserver

__all__ = ["GlassMLCalculator", "PropensityObserver"]

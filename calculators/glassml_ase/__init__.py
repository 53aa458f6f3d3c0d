"""The ASE side of glassml: a calculator that predicts while another one moves the particles.

Imported by users as ``glassml.calculators``.
"""

from __future__ import annotations

from glassml_ase.calculator import GlassMLCalculator

__all__ = ["GlassMLCalculator"]

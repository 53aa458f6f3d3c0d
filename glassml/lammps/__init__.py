"""LAMMPS and Python in one process: arrays by name, `fix glassml`, and models without a plugin.

Importing this package imports neither LAMMPS' own Python module nor torch: each is imported where
it is needed.
"""

from __future__ import annotations

from glassml.lammps.fix_values import FixValues
from glassml.lammps.module import load_lammps_library, open_lammps
from glassml.lammps.predictor import LammpsPredictor
from glassml.lammps.system import LammpsSystem, attach

__all__ = [
    "FixValues",
    "LammpsPredictor",
    "LammpsSystem",
    "attach",
    "load_lammps_library",
    "open_lammps",
]

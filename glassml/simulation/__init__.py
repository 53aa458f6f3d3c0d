"""Simulations: LAMMPS driven from Python."""

from __future__ import annotations

from glassml.simulation.lammps import (
    LammpsInstallation,
    LammpsRun,
    find_lammps,
    load_lammps_library,
    read_thermo,
    run_lammps,
)

__all__ = [
    "LammpsInstallation",
    "LammpsRun",
    "find_lammps",
    "load_lammps_library",
    "read_thermo",
    "run_lammps",
]

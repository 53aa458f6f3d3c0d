"""Simulations: LAMMPS driven from Python."""

from __future__ import annotations

from glassml.simulation.inherent import quench, quench_commands
from glassml.simulation.lammps import (
    LammpsInstallation,
    LammpsRun,
    find_lammps,
    load_lammps_library,
    read_thermo,
    run_lammps,
)
from glassml.simulation.systems import (
    SYSTEMS,
    TRUNCATIONS,
    System,
    from_include,
    kob_andersen,
    system_named,
    wahnstrom,
)

__all__ = [
    "SYSTEMS",
    "TRUNCATIONS",
    "LammpsInstallation",
    "LammpsRun",
    "System",
    "find_lammps",
    "from_include",
    "kob_andersen",
    "load_lammps_library",
    "quench",
    "quench_commands",
    "read_thermo",
    "run_lammps",
    "system_named",
    "wahnstrom",
]

"""Simulations: LAMMPS driven from Python."""

from __future__ import annotations

from glassml.simulation.average_file import AverageReport, average_file
from glassml.simulation.cage import cage_commands, cage_structure
from glassml.simulation.inherent import quench, quench_commands
from glassml.simulation.lammps import (
    LammpsInstallation,
    LammpsRun,
    find_lammps,
    read_thermo,
    run_lammps,
)
from glassml.simulation.quench_file import QuenchReport, quench_file
from glassml.simulation.short_runs import ShortRun, average_positions
from glassml.simulation.systems import (
    SYSTEMS,
    TRUNCATIONS,
    System,
    from_include,
    kob_andersen,
    kob_andersen_2d,
    system_named,
    wahnstrom,
)

__all__ = [
    "SYSTEMS",
    "TRUNCATIONS",
    "AverageReport",
    "LammpsInstallation",
    "LammpsRun",
    "QuenchReport",
    "ShortRun",
    "System",
    "average_file",
    "average_positions",
    "cage_commands",
    "cage_structure",
    "find_lammps",
    "from_include",
    "kob_andersen",
    "kob_andersen_2d",
    "quench",
    "quench_commands",
    "quench_file",
    "read_thermo",
    "run_lammps",
    "system_named",
    "wahnstrom",
]

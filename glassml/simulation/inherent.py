"""Inherent structures: the local minimum of the potential energy below a configuration."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from glassml.data import Configuration
from glassml.errors import InputError, SimulationError
from glassml.simulation import scales
from glassml.simulation.cell_surfaces import checked_radii, with_surface
from glassml.simulation.exchange import (
    dump_commands,
    read_snapshot,
    start_commands,
    write_data,
)
from glassml.simulation.lammps import find_lammps, run_lammps
from glassml.simulation.system import System

__all__ = ["MAX_ITERATIONS", "quench", "quench_commands"]

MAX_ITERATIONS = 100_000


def quench_commands(
    system: System,
    force_tolerance: float,
    max_iterations: int = MAX_ITERATIONS,
) -> str:
    """LAMMPS commands that bring the current state to its inherent structure.

    Velocities play no part. FIRE (Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006); in LAMMPS as
    of Guenole et al., Comput. Mater. Sci. 175, 109584 (2020)) stops where the largest force on any
    particle is below the tolerance; the energy plays no part.

    Args:
        system: the system; FIRE starts with its timestep.
        force_tolerance: [energy / length].
        max_iterations: largest number of iterations. LAMMPS stops there without an error, so the
            forces must be checked.
    """
    return (
        f"{system.plane_commands}min_style fire\n"
        # At LAMMPS' own limit of 10 timesteps Lennard-Jones liquids are at the edge of stability,
        # and take five times as many iterations.
        "min_modify norm max tmax 5\n"
        f"timestep {system.timestep!r}\n"
        # Every iteration takes one evaluation of the forces, but restarts of FIRE take another.
        f"minimize 0.0 {force_tolerance!r} {max_iterations} {10 * max_iterations}\n"
    )


def quench(
    configuration: Configuration,
    system: System,
    *,
    force_tolerance: float | None = None,
    max_iterations: int = MAX_ITERATIONS,
    voronoi: bool = False,
    radii: Sequence[float] | None = None,
) -> Configuration:
    """Find the inherent structure of a configuration, and the energies before and after.

    Args:
        configuration: N particles, periodic in all directions of the system.
        system: their interactions.
        force_tolerance: the largest force that may be left on any particle [energy / length].
            Default: see `glassml.simulation.scales.force_tolerance`; 1e-8 for Lennard-Jones
            liquids.
        max_iterations: largest number of iterations of FIRE.
        voronoi: add the scalar ``inherent_voronoi_surface`` [N] [length^2] too, the surface of each
            particle's radical Voronoi cell (see `glassml.physics.voronoi_surface`).
        radii: of the species, for these cells [length]. Default: half of sigma_aa in the built-in
            mixtures, equal ones in other liquids. Particles with diameters have half of these.

    Returns:
        The configuration with ``structures["inherent"]`` [N, 3] [length] (not wrapped: the
        differences from ``positions`` are the displacements of the particles), and the
        scalars ``potential_energy`` and ``inherent_energy`` [N] [energy], half of the sum of
        V(r_ij) over all j, as LAMMPS' compute pe/atom gives it. ``provenance`` gets
        ``quench_system``, ``quench_largest_force``, ``quench_force_tolerance``,
        ``quench_iterations`` and ``quench_lammps``.

    Raises:
        InputError: an argument is wrong, or the configuration does not fit the system.
        SimulationError: LAMMPS fails or does not converge; names the configuration.
    """
    if force_tolerance is None:
        force_tolerance = scales.force_tolerance(system, configuration.number_density)
    _check(force_tolerance, max_iterations)
    cells = checked_radii(radii, system) if voronoi else None
    path, before, after, iterations = _run(configuration, system, force_tolerance, max_iterations)
    largest = float(np.linalg.norm(_vectors(after, "fx", "fy", "fz"), axis=1).max())
    if not largest <= force_tolerance:
        raise SimulationError(
            f"{configuration.name}: quench: expected no force above {force_tolerance:g}; found "
            f"{largest:.3g} after {iterations} iterations of FIRE. Allow more iterations or a "
            "larger force; a potential whose forces jump at the cutoff may have no such minimum"
        )
    done = replace(
        configuration,
        structures={**configuration.structures, "inherent": configuration.positions + path},
        scalars={
            **configuration.scalars,
            "potential_energy": before["c_glassml_pe"],
            "inherent_energy": after["c_glassml_pe"],
        },
        provenance={
            **configuration.provenance,
            "quench_system": system.name,
            "quench_force_tolerance": force_tolerance,
            "quench_largest_force": largest,
            "quench_iterations": iterations,
            "quench_lammps": find_lammps().version,
        },
    )
    return done if cells is None else with_surface(done, cells)


_Columns = dict[str, np.ndarray]


def _run(
    configuration: Configuration, system: System, force_tolerance: float, max_iterations: int
) -> tuple[np.ndarray, _Columns, _Columns, int]:
    """Displacements [N, 3], the snapshots before and after, and the number of iterations."""
    with tempfile.TemporaryDirectory(prefix="glassml-quench-") as name:
        folder = Path(name)
        frame = write_data(folder / "start.data", configuration, system)
        script = (
            start_commands(system, "start.data")
            + "compute glassml_pe all pe/atom\n"
            + dump_commands("thermal", "thermal.dump", "xu yu zu c_glassml_pe")
            + quench_commands(system, force_tolerance, max_iterations)
            + 'print "$(step)" file iterations.txt\n'
            + dump_commands("inherent", "inherent.dump", "xu yu zu fx fy fz c_glassml_pe")
        )
        try:
            run_lammps(script, cwd=folder, env={"OMP_NUM_THREADS": "1"}, plugin=False)
            before = read_snapshot(folder / "thermal.dump")
            after = read_snapshot(folder / "inherent.dump")
        except SimulationError as error:
            raise SimulationError(f"{configuration.name}: quench: {error}") from None
        iterations = int((folder / "iterations.txt").read_text(encoding="utf-8"))
    path = _vectors(after, "xu", "yu", "zu") - _vectors(before, "xu", "yu", "zu")
    return frame.from_lammps(path), before, after, iterations


def _check(force_tolerance: float, max_iterations: int) -> None:
    if not force_tolerance > 0:
        raise InputError(f"force_tolerance: expected a positive force; found {force_tolerance}")
    if max_iterations < 1:
        raise InputError(f"max_iterations: expected a positive number; found {max_iterations}")


def _vectors(columns: _Columns, *names: str) -> np.ndarray:
    return np.stack([columns[name] for name in names], axis=1)

"""Cage centres: mean positions of particles as long as none of them rearranges.

Alkemade, Smallenburg and Filion, J. Chem. Phys. 158, 134512 (2023), define the cage state of a
configuration as its particles' average positions while rearrangements are forbidden, and sample it
by Monte Carlo. Here molecular dynamics with a Langevin thermostat samples the same kind of
restricted ensemble: each particle moves freely within a sphere around its initial position and is
driven back by a stiff spring once it is outside. This constraint is our own choice: the radius is a
parameter, and the results need not agree exactly with the published cage states.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from glassml.data import Configuration
from glassml.errors import InputError, SimulationError
from glassml.physics.units import UNIT_STYLES
from glassml.simulation.exchange import read_snapshot, start_commands, write_data
from glassml.simulation.lammps import find_lammps, run_lammps
from glassml.simulation.scales import cage_radius
from glassml.simulation.system import System

__all__ = ["CAGE_STEPS", "cage_commands", "cage_structure"]

CAGE_STEPS = 20_000

_DAMPING = 100  # of the thermostat, in timesteps
_SAMPLE = 5  # timesteps between two samples of the positions
_WALL = 0.2  # frequency of the wall's spring times the timestep, for the lightest particles


_COMMANDS = """\
compute glassml_cage all displace/atom
variable glassml_out atom &
  "(c_glassml_cage[4]>{radius!r})*(1-{radius!r}/(c_glassml_cage[4]+(c_glassml_cage[4]==0)))"
variable glassml_fx atom -{stiffness!r}*v_glassml_out*c_glassml_cage[1]
variable glassml_fy atom -{stiffness!r}*v_glassml_out*c_glassml_cage[2]
variable glassml_fz atom -{stiffness!r}*v_glassml_out*c_glassml_cage[3]
velocity all create {temperature!r} {seed} dist gaussian loop geom
fix glassml_wall all addforce v_glassml_fx v_glassml_fy v_glassml_fz
fix glassml_bath all langevin {temperature!r} {temperature!r} {damping!r} {seed}
fix glassml_move all nve
{plane}run {equilibration}
"""

_HALF = """\
reset_timestep 0
fix glassml_mean all ave/atom {sample} {count} {steps} &
  c_glassml_cage[1] c_glassml_cage[2] c_glassml_cage[3]
run {steps}
write_dump all custom {file} id &
  f_glassml_mean[1] f_glassml_mean[2] f_glassml_mean[3] &
  modify sort id format float %.17g
unfix glassml_mean
"""


def cage_commands(
    system: System,
    temperature: float,
    *,
    seed: int,
    radius: float,
    n_steps: int = CAGE_STEPS,
) -> str:
    """LAMMPS commands that average positions, starting from the current ones.

    They write the mean displacements over the first and the second half of the run to the files
    ``cage_1.dump`` and ``cage_2.dump``, after ``n_steps / 10`` steps to forget the start.

    Args:
        system: the system; its timestep and masses are used.
        temperature: [temperature].
        seed: seed of velocities and thermostat, positive.
        radius: radius of the sphere around its initial position in which a particle is free
            [length].
        n_steps: timesteps over which positions are averaged.

    Raises:
        InputError: an argument is out of range.
    """
    _check(temperature, radius, n_steps, seed)
    half = max(n_steps // 2 // _SAMPLE, 1) * _SAMPLE
    kinetic = UNIT_STYLES[system.units].kinetic
    stiffness = min(system.masses) * (_WALL / system.timestep) ** 2 * kinetic
    start = _COMMANDS.format(
        radius=float(radius),
        stiffness=stiffness,
        temperature=float(temperature),
        damping=_DAMPING * system.timestep,
        seed=seed,
        plane=system.plane_commands,
        equilibration=max(n_steps // 10, 1),
    )
    halves = (
        _HALF.format(sample=_SAMPLE, count=half // _SAMPLE, steps=half, file=f"cage_{part}.dump")
        for part in (1, 2)
    )
    return start + "".join(halves)


def cage_structure(
    configuration: Configuration,
    system: System,
    temperature: float,
    *,
    seed: int,
    radius: float | None = None,
    n_steps: int = CAGE_STEPS,
) -> Configuration:
    """Find the cage centres of a configuration.

    Args:
        configuration: N particles, periodic in all directions of the system.
        system: their interactions.
        temperature: see `cage_commands`.
        seed: see `cage_commands`.
        radius: see `cage_commands`. Default: see `glassml.simulation.scales.cage_radius`; 0.4 at
            the density of the Kob-Andersen liquid.
        n_steps: see `cage_commands`.

    Returns:
        The configuration with ``structures["cage"]`` [N, 3] [length], not wrapped. ``provenance``
        gets ``cage_system``, ``cage_temperature``, ``cage_radius``, ``cage_steps``, ``cage_seed``,
        ``cage_lammps`` and ``cage_error``: the statistical error of a centre [length], root mean
        square over particles, from the difference of the two halves of the run.

    Raises:
        InputError: an argument is out of range, or the configuration does not fit the system.
        SimulationError: LAMMPS fails; names the configuration.
    """
    if radius is None:
        radius = cage_radius(configuration.number_density, configuration.dimension)
    commands = cage_commands(system, temperature, seed=seed, radius=radius, n_steps=n_steps)
    with tempfile.TemporaryDirectory(prefix="glassml-cage-") as name:
        folder = Path(name)
        frame = write_data(folder / "start.data", configuration, system)
        try:
            script = start_commands(system, "start.data") + commands
            run_lammps(script, cwd=folder, env={"OMP_NUM_THREADS": "1"}, plugin=False)
            halves = [_mean_displacement(folder / f"cage_{part}.dump") for part in (1, 2)]
        except SimulationError as error:
            raise SimulationError(f"{configuration.name}: cage: {error}") from None
    centre = frame.from_lammps((halves[0] + halves[1]) / 2)
    # Half the difference of two independent means is as large as the error of their average.
    uncertainty = float(np.sqrt(np.square(halves[0] - halves[1]).sum(axis=1).mean()) / 2)
    return replace(
        configuration,
        structures={**configuration.structures, "cage": configuration.positions + centre},
        provenance={
            **configuration.provenance,
            "cage_system": system.name,
            "cage_temperature": temperature,
            "cage_radius": radius,
            "cage_steps": n_steps,
            "cage_seed": seed,
            "cage_error": uncertainty,
            "cage_lammps": find_lammps().version,
        },
    )


def _mean_displacement(path: Path) -> np.ndarray:
    columns = read_snapshot(path)
    return np.stack([columns[f"f_glassml_mean[{axis}]"] for axis in (1, 2, 3)], axis=1)


def _check(temperature: float, radius: float, n_steps: int, seed: int) -> None:
    for name, value in (("temperature", temperature), ("radius", radius)):
        if not value > 0:
            raise InputError(f"cage: {name}: expected a positive number; found {value}")
    if n_steps < 2 * _SAMPLE:
        raise InputError(f"cage: n_steps: expected at least {2 * _SAMPLE}; found {n_steps}")
    if not 0 < seed < 900_000_000:  # the limit of LAMMPS' generators
        raise InputError(f"cage: seed: expected a number from 1 to 899999999; found {seed}")

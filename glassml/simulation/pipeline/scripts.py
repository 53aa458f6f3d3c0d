"""The LAMMPS input scripts of every kind of task.

A script reads its state from a restart file, so it starts from exactly the same state whether or
not the run was interrupted before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from glassml.simulation.cage import cage_commands
from glassml.simulation.exchange import dump_commands
from glassml.simulation.inherent import quench_commands
from glassml.simulation.pipeline.liquid import Liquid
from glassml.simulation.pipeline.simulate_config import CageConfig
from glassml.simulation.short_runs import sample_commands

__all__ = [
    "cage_script",
    "create_script",
    "dynamics_script",
    "ensemble_script",
    "given_script",
    "short_run_script",
    "steps_file",
    "structure_script",
]

_FORMAT = "sort id format float %.17g"


def create_script(liquid: Liquid, name: str, seed: int) -> str:
    """Make a state that can be melted from a data file of particles on a lattice."""
    return (
        _head(f"{name}: bring particles apart, give them velocities", liquid)
        + f"read_data {name}.data\n"
        + _interactions(liquid)
        + f"{liquid.system.plane_commands}minimize 1.0e-4 0.0 1000 10000\n"
        f"velocity all create {liquid.melt_temperature!r} {seed} mom yes rot no dist gaussian\n"
        f"write_restart {name}.restart\n"
    )


def given_script(liquid: Liquid, name: str, velocities: tuple[float, int] | None = None) -> str:
    """Read a given configuration, and compute its energy.

    Args:
        liquid: what is simulated.
        name: name of the task; the data file has this name.
        velocities: temperature and seed of new velocities; None: no velocities.
    """
    drawn = ""
    if velocities is not None:
        temperature, seed = velocities
        drawn = f"velocity all create {temperature!r} {seed} mom yes rot no dist gaussian\n"
    return (
        _head(f"{name}: a given configuration", liquid)
        + f"read_data {name}.data\n"
        + _interactions(liquid)
        + _thermo(1)
        + f"{drawn}run 0\nwrite_restart {name}.restart\n"
    )


def dynamics_script(
    liquid: Liquid,
    name: str,
    start: str,
    steps: int,
    temperatures: tuple[float, float],
    thermo: int,
    frames: Sequence[int] | None = None,
) -> str:
    """A piece of a trajectory at a constant or linearly changing temperature.

    Args:
        liquid: what is simulated.
        name: name of the task; the names of its files begin with it.
        start: restart file to begin from.
        steps: number of time steps.
        temperatures: at the beginning and at the end.
        thermo: time steps between lines of thermo output.
        frames: steps at which positions are written, 0 included; None: no positions.
    """
    low, high = temperatures
    what = f"at T = {low:g}" if low == high else f"from T = {low:g} to {high:g}"
    return (
        _head(f"{name}: {steps} steps {what}", liquid)
        + _restart(start)
        + _interactions(liquid)
        + _integrate(liquid, temperatures)
        + _thermo(thermo)
        + ("" if frames is None else _frames(name, frames))
        + f"run {steps}\nwrite_restart {name}.restart\n"
    )


def structure_script(liquid: Liquid, name: str, start: str) -> str:
    """Positions and energies of a configuration, and of its inherent structure."""
    script = (
        _head(f"{name}: positions and energies", liquid)
        + _restart(start)
        + "set group all image 0 0 0\n"
        + _interactions(liquid)
        + "compute energy all pe/atom\n"
        + dump_commands("thermal", f"{name}.thermal.dump", "type xu yu zu c_energy")
    )
    if liquid.config.quench is None:
        return script
    return (
        script
        + quench_commands(liquid.system, liquid.force_tolerance)
        + dump_commands("inherent", f"{name}.inherent.dump", "xu yu zu fx fy fz c_energy")
    )


def cage_script(
    liquid: Liquid, name: str, start: str, temperature: float, seed: int, cage: CageConfig
) -> str:
    """Mean displacements of particles that are confined to their cages, in two halves."""
    commands = cage_commands(
        replace(liquid.system, timestep=liquid.timestep),
        temperature,
        seed=seed,
        radius=liquid.cage_radius,
        n_steps=cage.steps,
    )
    return (
        _head(f"{name}: cage centres at T = {temperature:g}", liquid)
        + _restart(start)
        + "set group all image 0 0 0\n"
        + _interactions(liquid)
        + commands
        + "".join(f"shell mv cage_{half}.dump {name}.{half}.dump\n" for half in (1, 2))
    )


def short_run_script(
    liquid: Liquid,
    name: str,
    start: str,
    kinetic_temperature: float,
    seed: int,
    every: int,
    steps: int,
) -> str:
    """A run of constant energy from a configuration, with samples for averages.

    Args:
        liquid: what is simulated.
        name: of the task.
        start: restart file with the configuration.
        kinetic_temperature: see `ensemble_script`.
        seed: seed of the velocities.
        every: time steps between two samples.
        steps: number of time steps.
    """
    return (
        _head(f"{name}: samples for averaged positions", liquid)
        + _restart(start)
        + "set group all image 0 0 0\n"
        + _interactions(liquid)
        + f"velocity all create {kinetic_temperature!r} {seed} mom yes rot no dist gaussian\n"
        + "fix move all nve\n"
        + liquid.system.plane_commands
        + _thermo(max(1, steps))
        + sample_commands(f"{name}.bin", every)
        + f"run {steps}\n"
    )


def ensemble_script(
    liquid: Liquid,
    name: str,
    start: str,
    temperature: float,
    kinetic_temperature: float,
    seed: int,
    thermo: int,
    frames: Sequence[int],
    samples: tuple[int, int] | None = None,
) -> str:
    """One run of an isoconfigurational ensemble.

    Args:
        liquid: what is simulated.
        name: of the task.
        start: restart file with the configuration.
        temperature: of the thermostat, if there is one.
        kinetic_temperature: kinetic temperature of this run's initial velocities, to which LAMMPS
            scales them. If it is drawn from its distribution at ``temperature``, the velocities
            follow the Maxwell-Boltzmann distribution.
        seed: seed of the velocities.
        thermo: time steps between lines of thermo output.
        frames: steps at which positions are written.
        samples: time steps between two samples for averages, and the step of the last one; None:
            no samples.
    """
    thermostat = liquid.config.ensemble is not None and liquid.config.ensemble.dynamics == "nvt"
    steps = max(frames)
    return (
        _head(f"{name}: one run of the isoconfigurational ensemble", liquid)
        + _restart(start)
        + "set group all image 0 0 0\n"
        + _interactions(liquid)
        + f"velocity all create {kinetic_temperature!r} {seed} mom yes rot no dist gaussian\n"
        + (
            f"fix ensemble all nvt temp {temperature!r} {temperature!r} {_damping(liquid)!r}\n"
            if thermostat
            else "fix ensemble all nve\n"
        )
        + liquid.system.plane_commands
        + _thermo(thermo)
        # Before the frames: LAMMPS removes a variable of a file that has ended, and then mistakes
        # one of the later variables for another.
        + ("" if samples is None else sample_commands(f"{name}.bin", *samples))
        + _frames(name, [0, *frames])
        + f"run {steps}\n"
    )


def steps_file(frames: Sequence[int], steps: int) -> str:
    """The file that tells LAMMPS at which steps of a run to write; it never reaches the last."""
    return "".join(f"{step}\n" for step in [*(f for f in frames if f > 0), steps + 1])


def _head(what: str, liquid: Liquid) -> str:
    return f"# {what}\n{liquid.system.head_commands}"


def _restart(start: str) -> str:
    return f"read_restart {start}\nreset_timestep 0\n"


def _interactions(liquid: Liquid) -> str:
    commands = liquid.system.commands
    return f"{commands.rstrip()}\ntimestep {liquid.timestep!r}\n"


def _integrate(liquid: Liquid, temperatures: tuple[float, float]) -> str:
    config = liquid.config
    low, high = temperatures
    thermostat = f"temp {low!r} {high!r} {_damping(liquid)!r}"
    if config.dynamics == "nvt":
        return f"fix integrate all nvt {thermostat}\n{liquid.system.plane_commands}"
    damping = config.barostat_time or 1000 * liquid.timestep
    return (
        f"fix integrate all npt {thermostat} iso {config.pressure!r} {config.pressure!r} "
        f"{damping!r}\n{liquid.system.plane_commands}"
    )


def _damping(liquid: Liquid) -> float:
    return float(liquid.config.thermostat_time or 100 * liquid.timestep)


def _thermo(interval: int) -> str:
    return (
        "thermo_style custom step time temp pe ke etotal press vol\n"
        "thermo_modify norm yes format float %.12g\n"
        f"thermo {interval}\n"
    )


def _frames(name: str, frames: Sequence[int]) -> str:
    """Unwrapped positions at given steps, with all digits."""
    # A dump at steps of a variable cannot write the step at which a run begins.
    start = f"write_dump all custom {name}.dump id xu yu zu modify {_FORMAT}\n"
    return (start if 0 in frames else "") + (
        f"variable frame_steps file {name}.steps\n"
        "variable frame_step equal next(frame_steps)\n"
        f"dump frames all custom 1 {name}.dump id xu yu zu\n"
        f"dump_modify frames every v_frame_step append yes {_FORMAT}\n"
    )

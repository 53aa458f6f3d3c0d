"""Averaged positions from a short run that begins at a configuration.

The runs have constant energy and velocities from the Maxwell-Boltzmann distribution. In equilibrium
such a run, seen backwards, is exactly as likely as any other past of the configuration. (With a
thermostat whose variables start at zero this holds only after its damping time.)

Samples are taken every some time steps from step 0 on. Window 1 is their first stretch in reverse
order, so that its last sample is the configuration. Window k is the k-th stretch in the same
direction; each particle is followed from the configuration to it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glassml.data import Configuration, Window, with_windows
from glassml.errors import InputError, SimulationError
from glassml.physics import AveragedPositions, PositionAverage
from glassml.simulation.binary_dump import binary_dump_commands, read_binary_dump
from glassml.simulation.exchange import LammpsFrame, start_commands, write_data
from glassml.simulation.lammps import find_lammps, run_lammps
from glassml.simulation.system import System

__all__ = [
    "Samples",
    "ShortRun",
    "average_positions",
    "drawn_temperature",
    "lammps_seed",
    "read_samples",
    "sample_commands",
    "steps_between_samples",
    "windows_of",
]

_COLUMNS = ("id", "xu", "yu", "zu", "c_glassml_pe", "c_glassml_ke")
_FILE = "samples.bin"
_LARGEST_DRIFT = 0.02  # of the total energy, relative to the kinetic energy at the start
_ENERGY_TOLERANCE = 0.01  # rms difference of energies per particle, in their standard deviations
_ROUNDING = 1e-6  # of the number of time steps between two samples


@dataclass(frozen=True)
class ShortRun:
    """How positions are averaged in a short run.

    Attributes:
        window: interval between samples and their number.
        n_windows: number of successive windows.
        timestep: [time].

    Raises:
        InputError: the interval is no multiple of the timestep, or there is no window.
    """

    window: Window
    n_windows: int
    timestep: float

    def __post_init__(self) -> None:
        if self.n_windows < 1:
            raise InputError(f"windows: expected at least 1; found {self.n_windows}")
        steps_between_samples(self.window.interval, self.timestep)

    @property
    def every(self) -> int:
        """Time steps between two samples."""
        return steps_between_samples(self.window.interval, self.timestep)

    @property
    def sample_steps(self) -> list[int]:
        """The time steps of all samples."""
        return [self.every * k for k in range(self.n_windows * self.window.samples)]


@dataclass(frozen=True)
class Samples:
    """Samples of a run with constant cell, in the order of time.

    Attributes:
        positions: float64 [S, N, 3] [length], not wrapped.
        energies: float64 [S, N] [energy], potential energies.
        kinetic: float64 [S, N] [energy], kinetic energies.
        cell: float64 [3, 3] [length].
    """

    positions: np.ndarray
    energies: np.ndarray
    kinetic: np.ndarray
    cell: np.ndarray

    @property
    def drift(self) -> float:
        """Change of the total energy per particle from the first to the last sample [energy]."""
        total = (self.energies + self.kinetic).mean(axis=1)
        return float(total[-1] - total[0])


def steps_between_samples(interval: float, timestep: float) -> int:
    """The number of time steps in an interval [time].

    Raises:
        InputError: the interval is no multiple of the timestep.
    """
    if not (interval > 0 and timestep > 0):
        raise InputError(
            f"interval, timestep: expected positive times; found {interval:g} and {timestep:g}"
        )
    steps = round(interval / timestep)
    if steps < 1 or abs(steps * timestep - interval) > _ROUNDING * interval:
        nearest = max(1, steps) * timestep
        raise InputError(
            f"interval: expected a multiple of the timestep {timestep:g}; found {interval:g}. "
            f"The nearest multiple is {nearest:g}"
        )
    return steps


def lammps_seed(*parts: object) -> int:
    """A seed from 1 to 899 999 999, as LAMMPS requires, that follows from all parts."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return min(int.from_bytes(digest[:8], "little") % 900_000_000 + 1, 899_999_999)


def drawn_temperature(temperature: float, n_particles: int, dimension: int, seed: int) -> float:
    """A kinetic temperature, drawn from its distribution for particles at rest as a whole.

    LAMMPS scales new velocities to a given kinetic temperature. With a drawn one they follow the
    Maxwell-Boltzmann distribution, with 3 N - 3 degrees of freedom (2 N - 2 in the plane).
    """
    freedom = dimension * (n_particles - 1)
    if freedom < 1:
        return temperature
    return temperature * float(np.random.default_rng(seed).chisquare(freedom)) / freedom


def sample_commands(file: str, every: int, last: int | None = None) -> str:
    """LAMMPS commands that write samples of the next run to a binary dump.

    Args:
        file: file to write; ends in ``.bin``.
        every: time steps between two samples; the first one is at step 0.
        last: step of the last sample; None: the end of the run.
    """
    dump = binary_dump_commands("glassml_samples", file, every, _COLUMNS, last)
    return f"compute glassml_pe all pe/atom\ncompute glassml_ke all ke/atom\n{dump}"


def read_samples(path: Path, steps: Sequence[int]) -> Samples:
    """The samples that `sample_commands` had written.

    Raises:
        SimulationError: the file does not hold these steps, or values are not finite.
    """
    table, cell = np.zeros((len(steps), 0, 5)), np.eye(3)
    for k, snapshot in enumerate(read_binary_dump(path, _COLUMNS, steps)):
        if k == 0:
            table, cell = np.empty((len(steps), len(snapshot.table), 5)), snapshot.cell
        table[k] = snapshot.table[:, 1:]
    if not np.isfinite(table).all():
        raise SimulationError("expected finite positions; found others, as the run has exploded")
    return Samples(table[:, :, :3], table[:, :, 3], table[:, :, 4], cell)


def windows_of(samples: Samples, pbc: Sequence[bool], n_samples: int) -> list[AveragedPositions]:
    """Averages over successive windows of a run, each seen backwards in time.

    Args:
        samples: the first one is the configuration.
        pbc: whether each lattice direction is periodic.
        n_samples: of a window.

    Returns:
        One average per whole window. ``path`` leads from the configuration to the window's present,
        without the drift of the system.
    """
    average = PositionAverage(pbc)
    windows = []
    for first in range(0, len(samples.positions) - n_samples + 1, n_samples):
        average.clear()
        for k in reversed(range(first, first + n_samples)):
            average.add(samples.positions[k], samples.cell, samples.energies[k])
        path = samples.positions[first] - samples.positions[0]
        windows.append(average.result()._replace(path=path - path.mean(axis=0)))
    return windows


def average_positions(
    configuration: Configuration,
    system: System,
    temperature: float,
    run: ShortRun,
    *,
    seed: int,
) -> Configuration:
    """Average the positions of a configuration over windows of a short run with new velocities.

    Args:
        configuration: N particles, in equilibrium, periodic in all directions of the system.
        system: their interactions.
        temperature: [temperature], of the velocities.
        run: how positions are averaged.
        seed: of the velocities.

    Returns:
        The configuration with averaged positions (see `glassml.data.windows`), and its scalar
        ``potential_energy`` [energy] if it had none. ``provenance`` gets ``average_system``,
        ``average_temperature``, ``average_timestep``, ``average_seed``, ``average_lammps``,
        ``average_energy_drift``, the change of the total energy per particle during the run, and
        ``average_energy_change``: how much the potential energy per particle in the last window
        differs from that of the configuration.

    Raises:
        InputError: an argument is wrong, the configuration does not fit the system, or its
            potential energies are not those of the system.
        SimulationError: LAMMPS fails, or does not conserve the energy; names the configuration.
    """
    if not temperature > 0:
        raise InputError(f"temperature: expected a positive number; found {temperature}")
    samples, frame = _run(configuration, system, temperature, run, lammps_seed(seed))
    _check_energies(configuration, samples.energies[0], system)
    _check_drift(configuration, samples, run.timestep)
    pbc = configuration.pbc if system.dimension == 3 else (True, True, False)
    windows = [
        window._replace(
            shift=frame.from_lammps(window.shift),
            path=frame.from_lammps(np.asarray(window.path)),
        )
        for window in windows_of(samples, pbc, run.window.samples)
    ]
    change = samples.energies[-run.window.samples :].mean() - samples.energies[0].mean()
    return with_windows(
        replace(
            configuration,
            scalars={"potential_energy": samples.energies[0], **configuration.scalars},
            provenance={
                **configuration.provenance,
                "average_system": system.name,
                "average_temperature": float(temperature),
                "average_timestep": run.timestep,
                "average_seed": seed,
                "average_lammps": find_lammps().version,
                "average_energy_drift": samples.drift,
                "average_energy_change": float(change),
            },
        ),
        windows,
        run.window,
    )


def _run(
    configuration: Configuration, system: System, temperature: float, run: ShortRun, seed: int
) -> tuple[Samples, LammpsFrame]:
    drawn = drawn_temperature(temperature, configuration.n_particles, system.dimension, seed)
    steps = run.sample_steps
    with tempfile.TemporaryDirectory(prefix="glassml-average-") as name:
        folder = Path(name)
        frame = write_data(folder / "start.data", configuration, system)
        script = (
            start_commands(replace(system, timestep=run.timestep), "start.data")
            + f"velocity all create {drawn!r} {seed} mom yes rot no dist gaussian\n"
            + "fix glassml_move all nve\n"
            + system.plane_commands
            + sample_commands(_FILE, run.every)
            + f"thermo {max(steps[-1], 1)}\nrun {steps[-1]}\n"
        )
        try:
            run_lammps(script, cwd=folder, env={"OMP_NUM_THREADS": "1"}, plugin=False)
            return read_samples(folder / _FILE, steps), frame
        except SimulationError as error:
            raise SimulationError(f"{configuration.name}: average: {error}") from None


def _check_energies(configuration: Configuration, found: np.ndarray, system: System) -> None:
    """Check that the energies that the configuration states are those of these interactions."""
    expected = configuration.scalars.get("potential_energy")
    if expected is None:
        return
    off = float(np.sqrt(np.square(found - expected).mean()))
    if off > _ENERGY_TOLERANCE * max(float(expected.std()), abs(float(expected.mean())) * 1e-3):
        raise InputError(
            f"{configuration.name}: potential_energy: expected energies of the system "
            f"{system.name}, on average {found.mean():.6g} per particle; found "
            f"{expected.mean():.6g}, with an rms difference of {off:.2g}. Give the interactions "
            "with which the data were made"
        )


def _check_drift(configuration: Configuration, samples: Samples, timestep: float) -> None:
    kinetic = float(samples.kinetic[0].mean())
    if abs(samples.drift) > _LARGEST_DRIFT * kinetic:
        raise SimulationError(
            f"{configuration.name}: average: expected a constant total energy; found a change of "
            f"{samples.drift:.2g} per particle, whose kinetic energy was {kinetic:.2g} at the "
            f"start. Give a smaller --timestep than {timestep:g}; or the interactions jump at "
            "their cutoff"
        )

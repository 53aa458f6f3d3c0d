"""Averaged positions for a whole file: in parallel, and resumable after an interruption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from glassml.data import Configuration, ReadOptions, Window, without_windows
from glassml.data.storage import content_hash
from glassml.errors import InputError
from glassml.progress import SILENT, Progress
from glassml.simulation.each_configuration import (
    RESULT,
    EachConfiguration,
    bare,
    described,
    write_each,
    write_result,
)
from glassml.simulation.lammps import find_lammps
from glassml.simulation.short_runs import ShortRun, average_positions, lammps_seed
from glassml.simulation.system import System
from glassml.work import Task, evaluator

__all__ = ["AverageReport", "average_file"]

_SIGNIFICANT = 1e-4  # probability of so large a change by chance
_FEWEST = 5  # configurations whose scatter is an error bar


@dataclass(frozen=True)
class AverageReport:
    """The result of averaging positions for a file.

    Attributes:
        output: the dataset that was written.
        configurations: number of configurations in it.
        resumed: number of configurations that an earlier, interrupted run had done already.
        vibration: of window 1, root mean square over all particles [length].
        energy_change: difference of the mean potential energy per particle between the last
            windows and the configurations [energy]; zero within its error in equilibrium.
        energy_change_error: its standard error, from the scatter of the configurations; NaN if
            there are fewer than five.
    """

    output: Path
    configurations: int
    resumed: int
    vibration: float
    energy_change: float
    energy_change_error: float

    @property
    def warning(self) -> str | None:
        """What is wrong with the averages; None if nothing is (Student's t-test, p < 1e-4)."""
        if not self.energy_change_error > 0:
            return None
        distance = abs(self.energy_change) / self.energy_change_error
        if not 2 * stats.t.sf(distance, self.configurations - 1) < _SIGNIFICANT:
            return None
        return (
            f"the mean potential energy per particle changed by {self.energy_change:.2g} +- "
            f"{self.energy_change_error:.1g} during the runs, so the configurations are not in "
            "equilibrium at this temperature with these interactions. Check --temperature and "
            "--system"
        )


@dataclass(frozen=True)
class _Settings:
    """How positions are averaged."""

    system: System
    run: ShortRun
    temperature: float | None
    seed: int

    def facts(self) -> dict[str, Any]:
        """The settings as plain values, for the dataset's description."""
        return {
            **described(self.system),
            "timestep": self.run.timestep,
            "interval": self.run.window.interval,
            "samples": self.run.window.samples,
            "windows": self.run.n_windows,
            "temperature": "of each configuration"
            if self.temperature is None
            else self.temperature,
            "seed": self.seed,
            "lammps": find_lammps().version,
        }

    def task(self, configuration: Configuration) -> Task:
        """The short run of a configuration, independent of its name and labels."""
        energies = configuration.scalars.get("potential_energy")
        scalars = {} if energies is None else {"potential_energy": energies}
        structure = bare(configuration)
        structure = replace(structure, scalars={**structure.scalars, **scalars})
        temperature = self._temperature(configuration)
        facts = {
            "structure": content_hash(structure),
            "dimension": self.system.dimension,
            "temperature": temperature,
        }
        named = replace(structure, name=configuration.name)  # for errors
        return Task(
            evaluators=(_average,),
            outputs=(RESULT,),
            facts={**self.facts(), **facts},
            payload=(named, self, temperature),
        )

    def _temperature(self, configuration: Configuration) -> float:
        found = configuration.provenance.get("temperature")
        if self.temperature is not None:
            return self.temperature
        if not isinstance(found, int | float) or not 0 < found < math.inf:
            raise InputError(
                f"{configuration.name}: provenance: expected the temperature at which it was "
                f"equilibrated; found {found!r}. Give it (--temperature)"
            )
        return float(found)


@evaluator(version=1)
def _average(task: Task, folder: Path) -> None:
    configuration, settings, temperature = task.payload
    # A configuration has the same velocities wherever it stands in a file.
    seed = lammps_seed(settings.seed, configuration.positions_sha256)
    done = average_positions(configuration, settings.system, temperature, settings.run, seed=seed)
    write_result(folder, done)


def average_file(
    source: str | Path,
    output: str | Path,
    system: System,
    *,
    window: Window,
    n_windows: int = 1,
    timestep: float | None = None,
    temperature: float | None = None,
    seed: int = 0,
    file_format: str = "auto",
    options: ReadOptions | None = None,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> AverageReport:
    """Average the positions of all configurations of a file over windows of short runs.

    The configurations are written with everything else that they have; windows that they had are
    replaced. The same call continues where a killed one stopped. The output appears under its name
    once it is complete, and may replace the source.

    Args:
        source: a structure file, a published data file or a dataset, of configurations in
            equilibrium.
        output: HDF5 dataset.
        system: the interactions.
        window: interval between samples and their number.
        n_windows: number of successive windows of each configuration.
        timestep: [time]. Default: that of the system.
        temperature: [temperature]. Default: the one in the provenance of each configuration.
        seed: of the velocities.
        file_format: a name in `glassml.data.FORMATS`, or "auto".
        options: how to read the file.
        jobs: number of LAMMPS processes at a time. Default: one per core.
        progress: shows how many configurations are done.

    Raises:
        InputError: an argument is wrong, or the file cannot be read or does not fit the system.
        SimulationError: a run fails.
    """
    if temperature is not None and not 0 < temperature < math.inf:
        raise InputError(f"temperature: expected a positive number; found {temperature:g}")
    run = ShortRun(window, n_windows, system.timestep if timestep is None else timestep)
    settings = _Settings(system, run, temperature, seed)
    changes: list[float] = []
    squares: list[float] = []

    def on_written(done: Configuration) -> None:
        changes.append(float(done.provenance["average_energy_change"]))
        squares.append(float(np.square(done.scalars["vibration"]).mean()))

    def report(resumed: int = 0) -> AverageReport:
        return _report(Path(output), changes, squares, resumed)

    _, resumed = write_each(
        source,
        output,
        EachConfiguration("average", "averaging", settings.facts(), settings.task, _merged),
        file_format=file_format,
        options=options,
        jobs=jobs,
        progress=progress,
        on_written=on_written,
        warnings=lambda: [text for text in (report().warning,) if text is not None],
    )
    return report(resumed)


def _report(
    output: Path, changes: Sequence[float], squares: Sequence[float], resumed: int
) -> AverageReport:
    """The report on configurations with these changes of energy and squares of vibrations."""
    number = len(changes)
    error = np.std(changes, ddof=1) / math.sqrt(number) if number >= _FEWEST else math.nan
    return AverageReport(
        output,
        number,
        resumed,
        math.sqrt(np.mean(squares)) if squares else math.nan,
        float(np.mean(changes)) if changes else math.nan,
        float(error),
    )


def _merged(configuration: Configuration, done: Configuration) -> Configuration:
    """A configuration with its averages, in place of those that it had."""
    kept = without_windows(configuration)
    return replace(
        kept,
        scalars={**kept.scalars, **done.scalars},
        structures={**kept.structures, **done.structures},
        provenance={**kept.provenance, **done.provenance},
    )

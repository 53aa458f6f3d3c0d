"""Inherent structures of a whole file: in parallel, and resumable after an interruption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glassml.data import Configuration, ReadOptions
from glassml.data.storage import content_hash
from glassml.progress import SILENT, Progress
from glassml.simulation import scales
from glassml.simulation.cell_surfaces import checked_radii
from glassml.simulation.each_configuration import (
    RESULT,
    EachConfiguration,
    bare,
    described,
    write_each,
    write_result,
)
from glassml.simulation.inherent import MAX_ITERATIONS, quench
from glassml.simulation.lammps import find_lammps
from glassml.simulation.system import System
from glassml.work import Task, evaluator

__all__ = ["QuenchReport", "quench_file"]


@dataclass(frozen=True)
class QuenchReport:
    """The result of quenching a file.

    Attributes:
        output: the dataset that was written.
        configurations: number of configurations in it.
        resumed: number of configurations that an earlier, interrupted run had quenched already.
        largest_force: the largest force left on any particle [energy / length].
    """

    output: Path
    configurations: int
    resumed: int
    largest_force: float


@dataclass(frozen=True)
class _Settings:
    """How configurations are quenched.

    Attributes:
        system: the interactions.
        force_tolerance: see `glassml.simulation.quench`; None: that of each configuration.
        max_iterations: see `glassml.simulation.quench`.
        radii: of the species, for their radical Voronoi cells; None without these cells.
    """

    system: System
    force_tolerance: float | None
    max_iterations: int
    radii: tuple[float, ...] | None = None

    def facts(self) -> dict[str, Any]:
        """The settings as plain values, for the dataset's description."""
        return {
            **described(self.system),
            "timestep": self.system.timestep,
            "force_tolerance": self.force_tolerance,
            "max_iterations": self.max_iterations,
            # Absent without cells, so that earlier results are found again.
            **({} if self.radii is None else {"voronoi_radii": list(self.radii)}),
            "lammps": find_lammps().version,
        }

    def task(self, configuration: Configuration) -> Task:
        """The quench of a configuration, independent of its name and labels."""
        structure = bare(configuration)
        tolerance = self.force_tolerance
        if tolerance is None:
            tolerance = scales.force_tolerance(self.system, configuration.number_density)
        settings = replace(self, force_tolerance=tolerance)
        facts = {"structure": content_hash(structure), "dimension": self.system.dimension}
        return Task(
            evaluators=(_quench,),
            outputs=(RESULT,),
            facts={**settings.facts(), **facts},
            payload=(replace(structure, name=configuration.name), settings),  # its name for errors
        )


@evaluator(version=1)
def _quench(task: Task, folder: Path) -> None:
    configuration, settings = task.payload
    done = quench(
        configuration,
        settings.system,
        force_tolerance=settings.force_tolerance,
        max_iterations=settings.max_iterations,
        voronoi=settings.radii is not None,
        radii=settings.radii,
    )
    write_result(folder, done)


def quench_file(
    source: str | Path,
    output: str | Path,
    system: System,
    *,
    file_format: str = "auto",
    options: ReadOptions | None = None,
    force_tolerance: float | None = None,
    max_iterations: int = MAX_ITERATIONS,
    voronoi: bool = False,
    radii: Sequence[float] | None = None,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> QuenchReport:
    """Quench all configurations of a file, and write them with everything else that it holds.

    The same call continues where a killed one stopped. The output appears under its name once it is
    complete, and may replace the source.

    Args:
        source: a structure file, a published data file or a dataset.
        output: HDF5 dataset.
        system: the interactions.
        file_format: a name in `glassml.data.FORMATS`, or "auto".
        options: how to read the file.
        force_tolerance: see `glassml.simulation.quench`. Default: that of each configuration,
            which its provenance records.
        max_iterations: see `glassml.simulation.quench`.
        voronoi: see `glassml.simulation.quench`.
        radii: see `glassml.simulation.quench`.
        jobs: number of LAMMPS processes at a time. Default: one per core.
        progress: shows how many configurations are done.

    Raises:
        InputError: the file cannot be read, or does not fit the system.
        SimulationError: a quench fails or does not converge.
    """
    cells = checked_radii(radii, system) if voronoi else None
    settings = _Settings(system, force_tolerance, max_iterations, cells)
    forces = [0.0]
    written, resumed = write_each(
        source,
        output,
        EachConfiguration("quench", "quenching", settings.facts(), settings.task, _merged),
        file_format=file_format,
        options=options,
        jobs=jobs,
        progress=progress,
        on_written=lambda done: forces.append(float(done.provenance["quench_largest_force"])),
    )
    return QuenchReport(Path(output), written, resumed, max(forces))


def _merged(configuration: Configuration, done: Configuration) -> Configuration:
    """A configuration with its inherent structure."""
    return replace(
        configuration,
        scalars={**configuration.scalars, **done.scalars},
        structures={**configuration.structures, **done.structures},
        provenance={**configuration.provenance, **done.provenance},
    )

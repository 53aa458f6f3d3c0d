"""Inherent structures of a whole file: in parallel, and resumable after an interruption."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glassml.data import Configuration, Dataset, DatasetWriter, ReadOptions, read_configurations
from glassml.data.storage import content_hash
from glassml.errors import InputError
from glassml.progress import SILENT, Progress
from glassml.simulation.inherent import FORCE_TOLERANCE, MAX_ITERATIONS, quench
from glassml.simulation.lammps import find_lammps, stop_running
from glassml.simulation.system import System
from glassml.work import Store, Task, evaluator, open_workers, run_tasks

__all__ = ["QuenchReport", "quench_file"]

_RESULT = "quenched.h5"


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
    """How configurations are quenched."""

    system: System
    force_tolerance: float
    max_iterations: int

    def facts(self) -> dict[str, Any]:
        """The settings as plain values, for the dataset's description."""
        return {
            "system": self.system.name,
            "units": self.system.units,
            "species": list(self.system.species_names),
            "commands": self.system.commands,
            "timestep": self.system.timestep,
            "force_tolerance": self.force_tolerance,
            "max_iterations": self.max_iterations,
            "lammps": find_lammps().version,
        }

    def task(self, configuration: Configuration) -> Task:
        """The quench of a configuration, independent of its name and labels."""
        bare = replace(
            configuration,
            scalars={},
            structures={},
            times=None,
            propensity=None,
            n_runs=None,
            statistics={},
            predictions={},
            final_positions=None,
            name="quenched",
            provenance={},
        )
        facts = {"structure": content_hash(bare), "dimension": self.system.dimension}
        return Task(
            evaluators=(_quench,),
            outputs=(_RESULT,),
            facts={**self.facts(), **facts},
            payload=(replace(bare, name=configuration.name), self),  # the name is for errors
        )


@evaluator(version=1)
def _quench(task: Task, folder: Path) -> None:
    configuration, settings = task.payload
    done = quench(
        configuration,
        settings.system,
        force_tolerance=settings.force_tolerance,
        max_iterations=settings.max_iterations,
    )
    with DatasetWriter(folder / _RESULT) as writer:
        writer.add(replace(done, name="quenched"))


def quench_file(
    source: str | Path,
    output: str | Path,
    system: System,
    *,
    file_format: str = "auto",
    options: ReadOptions | None = None,
    force_tolerance: float = FORCE_TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> QuenchReport:
    """Quench all configurations of a file, and write them with everything else that it holds.

    Results are kept in a hidden folder beside the output, so the same call continues where a killed
    one stopped. The folder is removed at the end. The source is read twice: once for the structures
    and once for the output. The output appears under its name once it is complete, and may replace
    the source.

    Args:
        source: a structure file, a published data file or a dataset.
        output: HDF5 dataset.
        system: the interactions.
        file_format: a name in `glassml.data.FORMATS`, or "auto".
        options: how to read the file.
        force_tolerance: see `glassml.simulation.quench`.
        max_iterations: see `glassml.simulation.quench`.
        jobs: number of LAMMPS processes at a time. Default: one per core.
        progress: shows how many configurations are done.

    Raises:
        InputError: the file cannot be read, or does not fit the system.
        SimulationError: a quench fails or does not converge.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs: expected at least 1; found {jobs}")
    target = Path(output)
    store = Store(target.with_name(f".{target.name}.quench"))
    options = options or ReadOptions()
    settings = _Settings(system, force_tolerance, max_iterations)

    def configurations(final_positions: bool) -> Iterator[Configuration]:
        chosen = replace(options, final_positions=final_positions)
        return read_configurations(source, file_format, chosen)

    with _temporary(store, target):
        total = _count(source)
        resumed = _run(configurations(False), total, store, settings, jobs, progress)
        description = {**_description(source), "quench": settings.facts()}
        largest = 0.0
        with DatasetWriter(target, description) as writer:
            for configuration in progress.watch(configurations(True), "writing", total):
                done = _with_result(configuration, store, settings)
                writer.add(done)
                largest = max(largest, float(done.provenance["quench_largest_force"]))
    return QuenchReport(target, writer.n_configurations, resumed, largest)


def _run(
    configurations: Iterator[Configuration],
    total: int | None,
    store: Store,
    settings: _Settings,
    jobs: int | None,
    progress: Progress,
) -> int:
    """Quench the remaining configurations, and return the number that were already done."""
    resumed = 0
    with progress.stage("quenching", total) as advance:

        def tasks() -> Iterator[Task]:
            nonlocal resumed
            known: set[str] = set()
            for task in map(settings.task, configurations):
                if task.key in known or not store.is_done(task):
                    known.add(task.key)
                    yield task
                else:
                    resumed += 1
                    advance()

        with open_workers("threads", jobs, stop=stop_running) as workers:
            run_tasks(tasks(), store, workers, on_end=lambda task: advance())
    return resumed


def _with_result(configuration: Configuration, store: Store, settings: _Settings) -> Configuration:
    """A configuration with its inherent structure."""
    with Dataset(store.path(settings.task(configuration), _RESULT)) as dataset:
        done = dataset["quenched"]
        dataset.verify(done)
    return replace(
        configuration,
        scalars={**configuration.scalars, **done.scalars},
        structures={**configuration.structures, **done.structures},
        provenance={**configuration.provenance, **done.provenance},
    )


@contextmanager
def _temporary(store: Store, target: Path) -> Iterator[None]:
    """A store that is removed at the end, unless the block fails and something has been done."""
    with store.locked(target, "glassml quench"):
        store.clear_unfinished()
        try:
            yield
        except BaseException:
            store.clear_unfinished()
            if store.is_empty():
                store.remove()
            raise
        store.remove()


def _description(source: str | Path) -> dict[str, Any]:
    with suppress(InputError), Dataset(source) as dataset:
        return dataset.description
    return {}  # not a dataset, or a damaged one, which the reader reports


def _count(source: str | Path) -> int | None:
    """The number of configurations of a dataset; None for other files, which must be read first."""
    with suppress(InputError), Dataset(source) as dataset:
        return len(dataset)
    return None

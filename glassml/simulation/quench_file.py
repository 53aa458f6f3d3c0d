"""Inherent structures of a whole file: in parallel, and going on where a killed run stopped."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glassml.data import Configuration, Dataset, DatasetWriter, ReadOptions, read_configurations
from glassml.data.storage import content_hash
from glassml.errors import InputError
from glassml.files import exclusive
from glassml.simulation.inherent import FORCE_TOLERANCE, MAX_ITERATIONS, quench
from glassml.simulation.lammps import find_lammps
from glassml.simulation.system import System

__all__ = ["QuenchReport", "quench_file"]


@dataclass(frozen=True)
class QuenchReport:
    """What a quench of a file did.

    Attributes:
        output: the dataset that was written.
        configurations: how many are in it.
        resumed: how many of them an earlier run, which did not end, had quenched already.
        largest_force: the largest force on any particle of any of them [energy / length].
    """

    output: Path
    configurations: int
    resumed: int
    largest_force: float


@dataclass(frozen=True)
class _Quenching:
    """A quench of any configuration, kept in a folder until the dataset is complete."""

    folder: Path
    system: System
    force_tolerance: float
    max_iterations: int
    earlier: frozenset[Path]

    def __call__(self, configuration: Configuration) -> tuple[Configuration, bool]:
        """The quenched configuration, and whether an earlier run had quenched it."""
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
        part = self.folder / f"{self._key(bare)}.h5"
        if not part.is_file():
            # Under its own name, which errors tell.
            done = quench(
                replace(bare, name=configuration.name),
                self.system,
                force_tolerance=self.force_tolerance,
                max_iterations=self.max_iterations,
            )
            with DatasetWriter(part) as writer:
                writer.add(replace(done, name="quenched"))
        with Dataset(part) as dataset:
            done = dataset["quenched"]
            dataset.verify(done)
        return replace(
            configuration,
            scalars={**configuration.scalars, **done.scalars},
            structures={**configuration.structures, **done.structures},
            provenance={**configuration.provenance, **done.provenance},
        ), part in self.earlier

    def _key(self, bare: Configuration) -> str:
        """What the result depends on: the structure, the interactions and how it is quenched."""
        facts = (content_hash(bare), *self.facts().values())
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]

    def facts(self) -> dict[str, Any]:
        """How it is done, for the dataset's description."""
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
    on_configuration: Callable[[], None] = lambda: None,
) -> QuenchReport:
    """Quench all configurations of a file, and write them with all that the file holds.

    What is done is kept in a hidden folder beside the output, so that a run that was killed goes on
    where it stopped when it is started again. The folder is removed at the end. The output appears
    under its name once it is complete; it may be the source.

    Args:
        source: a structure file, a published data file or a dataset.
        output: HDF5 dataset.
        system: the interactions.
        file_format: a name in `glassml.data.FORMATS`, or "auto".
        options: what the file does not say.
        force_tolerance: see `glassml.simulation.quench`.
        max_iterations: see `glassml.simulation.quench`.
        jobs: number of LAMMPS processes at once. Default: one for each core.
        on_configuration: called after each configuration.

    Raises:
        InputError: the file cannot be read, or does not fit the system.
        SimulationError: a quench fails or does not converge.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs: expected at least 1; found {jobs}")
    target = Path(output)
    folder = target.with_name(f".{target.name}.quench")
    options = replace(options or ReadOptions(), final_positions=True)
    configurations = read_configurations(source, file_format, options)
    resumed, largest = 0, 0.0
    with _kept(folder, target) as earlier:
        quenching = _Quenching(folder, system, force_tolerance, max_iterations, earlier)
        about = {**_description(source), "quench": quenching.facts()}
        with DatasetWriter(target, about) as writer:
            for done, known in _in_parallel(quenching, configurations, jobs or _cores()):
                writer.add(done)
                resumed += known
                largest = max(largest, float(done.provenance["quench_largest_force"]))
                on_configuration()
    return QuenchReport(target, writer.n_configurations, resumed, largest)


@contextmanager
def _kept(folder: Path, target: Path) -> Iterator[frozenset[Path]]:
    """A folder for what is done, which stays if the block fails; yields what it holds already."""

    def refuse() -> None:
        raise InputError(
            f"{target}: another `glassml quench` is writing it; wait for it or choose another name"
        )

    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(exclusive(folder / "lock", refuse))
        except OSError as error:
            raise InputError(
                f"{target}: cannot write here ({error.strerror}); choose another path"
            ) from None
        try:
            yield frozenset(folder.glob("*.h5"))
        except BaseException:
            if not any(folder.glob("*.h5")):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _in_parallel(
    quenching: _Quenching, configurations: Iterable[Configuration], jobs: int
) -> Iterator[tuple[Configuration, bool]]:
    """Quench in the order of the file, holding a few configurations more than there are jobs."""
    waiting: deque[Future[tuple[Configuration, bool]]] = deque()
    pool = ThreadPoolExecutor(jobs)  # threads: the work is in LAMMPS' processes
    try:
        for configuration in configurations:
            waiting.append(pool.submit(quenching, configuration))
            if len(waiting) >= 2 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)  # those that run end, and are kept


def _description(source: str | Path) -> dict[str, Any]:
    with suppress(InputError), Dataset(source) as dataset:
        return dataset.description
    return {}  # not a dataset, or a damaged one, of which the reader will tell


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

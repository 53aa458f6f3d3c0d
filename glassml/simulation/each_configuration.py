"""One task for each configuration of a file, then one dataset: in parallel, and resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glassml.data import Configuration, Dataset, DatasetWriter, ReadOptions, read_configurations
from glassml.errors import FullDiskError, InputError
from glassml.files import first_sentence
from glassml.progress import Progress
from glassml.simulation.lammps import stop_running
from glassml.simulation.system import DIAMETER, System
from glassml.work import Store, Task, open_workers, run_tasks

__all__ = [
    "EachConfiguration",
    "bare",
    "described",
    "kept",
    "read_result",
    "write_each",
    "write_result",
]

RESULT = "result.h5"
_NAME = "result"


@dataclass(frozen=True)
class EachConfiguration:
    """What is done with each configuration.

    Attributes:
        command: the command that does it, such as "quench"; also the entry of the description of
            the dataset that holds ``facts``.
        doing: for the progress bar.
        facts: the settings as plain values, for the dataset's description.
        task: makes the task of a configuration. Its output `RESULT` holds a configuration; see
            `write_result`.
        merge: adds a result to its configuration.
    """

    command: str
    doing: str
    facts: dict[str, Any]
    task: Callable[[Configuration], Task]
    merge: Callable[[Configuration, Configuration], Configuration]


def described(system: System) -> dict[str, Any]:
    """A system as plain values, for ``facts``."""
    return {
        "system": system.name,
        "units": system.units,
        "species": list(system.species_names),
        **({"diameters": list(system.diameters)} if system.diameters else {}),
        "commands": system.commands,
    }


def bare(configuration: Configuration) -> Configuration:
    """The structure alone, independent of its name and labels; diameters belong to it."""
    return replace(
        configuration,
        scalars={name: x for name, x in configuration.scalars.items() if name == DIAMETER},
        structures={},
        times=None,
        propensity=None,
        n_runs=None,
        statistics={},
        predictions={},
        final_positions=None,
        name=_NAME,
        provenance={},
    )


def write_result(folder: Path, configuration: Configuration) -> None:
    """Write the result of a task into its folder."""
    with DatasetWriter(folder / RESULT) as writer:
        writer.add(replace(configuration, name=_NAME))


def read_result(store: Store, task: Task) -> Configuration:
    """The result of a task that is done."""
    with Dataset(store.path(task, RESULT)) as dataset:
        done = dataset[_NAME]
        dataset.verify(done)
    return done


def write_each(
    source: str | Path,
    output: str | Path,
    each: EachConfiguration,
    *,
    file_format: str,
    options: ReadOptions | None,
    jobs: int | None,
    progress: Progress,
    on_written: Callable[[Configuration], None],
    warnings: Callable[[], Sequence[str]] = tuple,
) -> tuple[int, int]:
    """Do a task for all configurations of a file, and write them with all else that it holds.

    Results are kept in a hidden folder beside the output, so the same call continues where a killed
    one stopped. The folder is removed at the end. The source is read twice: once for the structures
    and once for the output. The output appears under its name once it is complete, and may replace
    the source.

    Args:
        source: a structure file, a published data file or a dataset.
        output: HDF5 dataset.
        each: what is done.
        file_format: a name in `glassml.data.FORMATS`, or "auto".
        options: how to read the file.
        jobs: number of LAMMPS processes at a time. Default: one per core.
        progress: shows how many configurations are done.
        on_written: called with each configuration of the output.
        warnings: called after the last one. What it returns joins the warnings in the description
            of the output, in place of those of an earlier call of the command.

    Returns:
        The number of configurations, and how many of them an earlier, interrupted run had done.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs: expected at least 1; found {jobs}")
    target = Path(output)
    store = Store(_folder(target, each.command))
    options = options or ReadOptions()

    def configurations(final_positions: bool) -> Iterator[Configuration]:
        chosen = replace(options, final_positions=final_positions)
        return read_configurations(source, file_format, chosen)

    with _temporary(store, target, each.command):
        total = _count(source)
        tasks = map(each.task, configurations(False))
        resumed = _run(tasks, total, store, each.doing, jobs, progress)
        description = {**_description(source), each.command: each.facts}
        with DatasetWriter(target, description) as writer:
            for configuration in progress.watch(configurations(True), "writing", total):
                done = each.merge(configuration, read_result(store, each.task(configuration)))
                writer.add(done)
                on_written(done)
            writer.describe(_with_warnings(description, each.command, warnings()))
    return writer.n_configurations, resumed


def kept(output: str | Path, command: str) -> str:
    """What an interrupted call of `write_each` has left, for people; empty if it left nothing."""
    folder = _folder(Path(output), command)
    done = any(folder.glob(f"[!.]*/{RESULT}"))
    return f"finished configurations are kept in {folder}" if done else ""


def _folder(target: Path, command: str) -> Path:
    return target.with_name(f".{target.name}.{command}")


def _run(
    tasks: Iterator[Task],
    total: int | None,
    store: Store,
    doing: str,
    jobs: int | None,
    progress: Progress,
) -> int:
    """Do the remaining tasks, and return the number that were already done."""
    resumed = 0
    with progress.stage(doing, total) as advance:

        def remaining() -> Iterator[Task]:
            nonlocal resumed
            known: set[str] = set()
            for task in tasks:
                if task.key in known or not store.is_done(task):
                    known.add(task.key)
                    yield task
                else:
                    resumed += 1
                    advance()

        with open_workers("threads", jobs, stop=stop_running) as workers:
            run_tasks(remaining(), store, workers, on_end=lambda task: advance())
    return resumed


@contextmanager
def _temporary(store: Store, target: Path, command: str) -> Iterator[None]:
    """A store that is removed at the end, unless the block fails and something has been done."""
    with store.locked(target, f"glassml {command}"):
        store.clear_unfinished()
        try:
            yield
        except BaseException as error:
            store.clear_unfinished()
            if store.is_empty():
                store.remove()
            if isinstance(error, FullDiskError):
                what = kept(target, command) or "nothing is kept"
                raise FullDiskError(
                    f"{first_sentence(error)}. {what[0].upper()}{what[1:]}. Make room and run the "
                    "same command again"
                ) from error
            raise
        store.remove()


def _description(source: str | Path) -> dict[str, Any]:
    with suppress(InputError), Dataset(source) as dataset:
        return dataset.description
    return {}  # not a dataset, or a damaged one, which the reader reports


def _with_warnings(
    description: dict[str, Any], command: str, found: Sequence[str]
) -> dict[str, Any]:
    mark = f"glassml {command}: "
    kept = [text for text in description.get("warnings", []) if not text.startswith(mark)]
    if not found and "warnings" not in description:
        return description
    return {**description, "warnings": [*kept, *(mark + text for text in found)]}


def _count(source: str | Path) -> int | None:
    """The number of configurations of a dataset; None for other files, which must be read first."""
    with suppress(InputError), Dataset(source) as dataset:
        return len(dataset)
    return None

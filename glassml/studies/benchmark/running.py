"""Running the benchmark: every entry on every fold, each once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glassml.errors import ConfigError, FullDiskError, InputError
from glassml.files import first_sentence
from glassml.progress import SILENT, Progress
from glassml.scores import KINDS, find_score
from glassml.studies.benchmark.entry_file import Entry
from glassml.studies.benchmark.fitting import Job, fit_task
from glassml.studies.benchmark.results import (
    FoldResult,
    read_result,
    result_path,
    write_result,
)
from glassml.studies.benchmark.scoring import RESULT, ScoreJob, score_task
from glassml.studies.benchmark.task_data import OpenTask, Split
from glassml.work import Store, Task, open_workers, run_tasks

__all__ = ["RunOptions", "run_benchmark"]


@dataclass(frozen=True)
class RunOptions:
    """How a benchmark is run.

    Attributes:
        budget: largest processor time of a fit to one fold, per thread [s].
        threads: CPU threads of a fit and of a prediction.
        jobs: folds at a time, each in a process of its own if there are several.
        folds: numbers of the folds to run, from 1; empty: all of the task.
    """

    budget: float = 600.0
    threads: int = 1
    jobs: int = 1
    folds: tuple[int, ...] = ()

    def check(self, number: int) -> None:
        """Refuse values that make no sense for a task with this number of folds.

        Raises:
            ConfigError: one of them.
        """
        for name in ("threads", "jobs"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name}: expected a positive number; found {getattr(self, name)}"
                )
        if not self.budget > 0:
            raise ConfigError(f"budget: expected a positive time; found {self.budget:g} s")
        for fold in self.folds:
            if not 1 <= fold <= number:
                raise ConfigError(f"fold: expected a number from 1 to {number}; found {fold}")


def run_benchmark(
    opened: OpenTask,
    entries: Sequence[Entry],
    folder: str | Path,
    options: RunOptions | None = None,
    progress: Progress = SILENT,
) -> dict[str, str]:
    """Compute the results that are not there yet.

    The folder gets ``results/TASK/ENTRY/fold-1.json``, ... and ``work/``, where fits are kept and
    interrupted ones continue. A result counts as done if its file is there and nothing that it
    depends on has changed: the data, the recipe, the budget, the number of threads. An entry that
    fails on a fold does not stop the others.

    Args:
        opened: the task with its data.
        entries: what takes part; names must differ.
        folder: of this benchmark, which may hold earlier results.
        options: budget, threads, jobs and folds.
        progress: shows how many results there are.

    Returns:
        For each failure, "ENTRY, fold 1" -> the reason.

    Raises:
        ConfigError: names of entries are equal, or an option or a recipe is wrong.
        InputError: the folder cannot be written, or another process writes it.
        FullDiskError: the disk is full. Finished results are kept.
    """
    options = options or RunOptions()
    options.check(len(opened.splits))
    names = [entry.name for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"entries: expected different names; found {twice!r} twice")
    folder = Path(folder)
    store = Store((folder / "work").absolute())
    with store.locked(folder, "glassml benchmark"):
        try:
            return _run(opened, entries, folder, store, options, progress)
        except FullDiskError as error:
            raise FullDiskError(
                f"{first_sentence(error)}. Finished results are kept in {folder}. Make room, then "
                "run the same command again"
            ) from error


@dataclass(frozen=True)
class _Piece:
    """One entry on one fold: its tasks, the last of which writes the result."""

    entry: Entry
    split: Split
    tasks: tuple[Task, ...]

    def __str__(self) -> str:
        return f"{self.entry.name}, fold {self.split.number}"


def _run(
    opened: OpenTask,
    entries: Sequence[Entry],
    folder: Path,
    store: Store,
    options: RunOptions,
    progress: Progress,
) -> dict[str, str]:
    failures: dict[str, str] = {}
    pieces = list(_pieces(opened, entries, options, failures))
    results = folder / "results"
    waiting = {p.tasks[-1].key: p for p in pieces if not _is_there(p, opened, results)}
    done = len(pieces) - len(waiting)
    progress.say(f"{len(pieces)} results, {done} of them done")
    stage = progress.stage("results", len(pieces))
    with stage as advance, open_workers("processes", options.jobs) as workers:
        advance(done)

        def on_end(task: Task) -> None:
            piece = next(p for p in waiting.values() if task in p.tasks)
            reason = store.failure(task.key)
            if reason is not None:
                failures[str(piece)] = reason.removeprefix(f"{piece}: ")
                progress.say(f"{piece}: failed: {reason}")
            elif task is piece.tasks[-1] and store.is_done(task):
                result = read_result(store.path(task, RESULT))
                write_result(result, results)
                progress.say(f"{piece}: {_shown(opened, result)}")
                advance()

        for piece in waiting.values():
            if store.is_done(piece.tasks[-1]):  # its file was removed, but not the work
                on_end(piece.tasks[-1])
        run_tasks(
            (task for piece in waiting.values() for task in piece.tasks),
            store, workers, on_failure="note", on_end=on_end,
        )  # fmt: skip
    return failures


def _pieces(
    opened: OpenTask, entries: Sequence[Entry], options: RunOptions, failures: dict[str, str]
) -> Iterator[_Piece]:
    """All entries on the first fold, then on the second, ...: a table says something early."""
    datasets = {name: dataset.path.absolute() for name, dataset in opened.datasets.items()}
    data = datasets[opened.task.data]
    for split in opened.splits:
        if options.folds and split.number not in options.folds:
            continue
        for entry in entries:
            fitted: tuple[Task, ...] = ()
            if entry.way in ("train", "refit"):
                fitted = (fit_task(Job(entry, split, data, options.budget, options.threads)),)
            job = ScoreJob(opened.task, entry, split, datasets, options.threads)
            try:
                scored = score_task(job, *(fitted or (None,)))
            except InputError as error:  # no file for this fold
                failures[f"{entry.name}, fold {split.number}"] = str(error)
                continue
            yield _Piece(entry, split, (*fitted, scored))


def _is_there(piece: _Piece, opened: OpenTask, results: Path) -> bool:
    """Whether the result of a piece is in the folder, with everything that it depends on."""
    path = result_path(results, opened.task.name, piece.entry.name, piece.split.number)
    return path.is_file() and read_result(path).key == piece.tasks[-1].key


def _shown(opened: OpenTask, result: FoldResult) -> str:
    """A result for people: the coefficients of the table."""
    species, time = opened.task.species[0], opened.task.time
    found = [find_score(result.scores, species, time, "pearson", kind) for kind in KINDS]
    values = ", ".join(f"{s.kind} {s.value:.3f}" for s in found if s is not None)
    return f"Pearson of {species} at t = {time:g}: {values}"

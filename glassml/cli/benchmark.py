"""`glassml benchmark`: models compared on tasks with fixed splits, under one budget."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli.interruption import interruption_keeps
from glassml.cli.options import Tables, jobs_option, named, output_option
from glassml.cli.output import check_tables, say_note, say_written, write_tables
from glassml.errors import ConfigError, InputError

if TYPE_CHECKING:
    from glassml.studies.benchmark import BenchmarkTask, FoldResult

__all__ = ["app", "list_tasks", "run", "table"]

app = typer.Typer(
    help="Compare models on tasks with fixed splits: trained here under one budget, exported "
    "files, or predictions alone.",
    no_args_is_help=True,
)

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}

_Task = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="A task of `glassml benchmark list`, or a task file.",
        show_default=False,
    ),
]
_Entries = Annotated[
    list[str],
    typer.Argument(
        metavar="ENTRY...",
        help="Entry files (.yaml), model files (.pt), predictions (.npz, .csv), or names of models "
        "to train with default settings.",
        show_default=False,
    ),
]
_Data = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]PATH",
        help="A dataset of the task that does not ship with glassml: a dataset, or a file or "
        "folder that `glassml data convert` reads. May be repeated.",
    ),
]
_Budget = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="Largest processor time of a training on one fold, per thread: 90s, 10min or 1h.",
    ),
]
_Threads = Annotated[
    int, typer.Option(metavar="N", min=1, help="CPU threads of a training and of a prediction.")
]
_Folds = Annotated[
    list[int] | None,
    typer.Option("--fold", metavar="N", help="Run this fold alone. May be repeated."),
]
_Reads = Annotated[
    str | None,
    typer.Option(
        metavar="POSITIONS",
        help="Positions that the predictions (.npz, .csv) were made from: thermal, average, "
        "inherent or cage.",
    ),
]


@app.command("list")
def list_tasks(
    task: Annotated[
        str | None,
        typer.Argument(metavar="TASK", help="Describe this task.", show_default="list all"),
    ] = None,
) -> None:
    """List the tasks that come with glassml, or describe one with its data and its splits.

    For example:

        glassml benchmark list
        glassml benchmark list botan_T0.44
    """
    from rich.console import Console
    from rich.table import Table

    from glassml.studies.benchmark import load_task, shipped_tasks

    if task is not None:
        _describe(load_task(task))
        return
    shown = Table("task", "asks", "folds", "data", show_lines=True)
    for name in shipped_tasks():
        found = load_task(name)
        where = "come with glassml" if found.is_shipped(found.data) else "yours"
        shown.add_row(name, found.asks, str(len(found.folds)), where)
    Console().print(shown)


@app.command()
def run(
    task: _Task,
    entries: _Entries,
    data: _Data = None,
    budget: _Budget = "10min",
    threads: _Threads = 1,
    jobs: Annotated[int, jobs_option("Folds")] = 1,
    fold: _Folds = None,
    reads: _Reads = None,
    output: Annotated[
        Path, output_option("FOLDER", "Folder of results, which may hold earlier ones.")
    ] = Path("benchmark"),
) -> None:
    """Score entries on the test configurations of a task, and write the table and the page.

    Every entry is fitted to each fold within the budget, or takes part with model files or
    predictions that it brings. A model that has seen a test configuration is refused. The same
    command again computes only what is missing, and continues interrupted trainings.

    Examples: a regression on structural descriptors, then the shipped task's first fold alone with
    a model file for each fold:

        glassml benchmark run shipped_T0.64 structural --fold 1

    An entry file names the recipe of a network, such as

        # small.yaml
        train:
          model: {name: se3gnn, l_max: 1, channels: 2, n_layers: 1}
          training: {epochs: 2}

    and takes part like this:

        glassml benchmark run shipped_T0.64 small.yaml --budget 5min --fold 1
    """
    from rich.console import Console

    from glassml.progress import TerminalProgress
    from glassml.studies.benchmark import (
        RunOptions,
        load_entry,
        load_task,
        open_task,
        read_results,
        run_benchmark,
    )

    found = load_task(task)
    taking_part = [load_entry(entry, reads) for entry in entries]
    options = RunOptions(_seconds(budget), threads, jobs, tuple(fold or ()))
    progress = TerminalProgress(Console())
    opened = open_task(found, _files(found, data or []), output, progress)
    with interruption_keeps(f"finished results and epochs are kept in {output}"):
        failures = run_benchmark(opened, taking_part, output, options, progress)
    if any(output.glob(f"results/{found.name}/*/*.json")):
        results = read_results([output])
        _show(found, results)
        _write_page(_with_results([found], results), results, output)
    for what, why in failures.items():
        typer.echo(f"failed: {what}: {why}", err=True)
    if failures:
        raise typer.Exit(1)


@app.command()
def table(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...",
            help="Folders of results, such as those of several machines; where two have the same "
            "result, the last one counts.",
            show_default=False,
        ),
    ],
    task_file: Annotated[
        list[str] | None,
        typer.Option("--task", metavar="FILE", help="File of a task of your own. May be repeated."),
    ] = None,
    output: Annotated[
        Path | None,
        output_option("FOLDER", "Write the page benchmark.html and the tables there."),
    ] = None,
    tables: Tables = None,
) -> None:
    """Make the table and the page of results that are there; nothing is computed.

    For example, the results that are kept in the repository of glassml:

        glassml benchmark table examples/benchmark/results -o page
    """
    from glassml.studies.benchmark import load_task, read_results
    from glassml.studies.benchmark.tables import benchmark_rows
    from glassml.tables import write_csv, write_json

    check_tables(tables)
    results = read_results(folders)
    shown = _with_results([load_task(name) for name in task_file or []], results)
    unknown = {result.task for result in results} - {task.name for task in shown}
    for name in sorted(unknown):
        say_note(f"results of the task {name} are left out: give its file with --task")
    if not shown:
        raise InputError(f"{folders[0]}: expected results of known tasks; found none")
    for task in shown:
        _show(task, results)
    if output is not None:
        _write_page(shown, results, output)
    rows = [row for task in shown for row in benchmark_rows(task, results)]
    write_tables(
        tables, csv=lambda path: write_csv(rows, path), json=lambda path: write_json(rows, path)
    )


def _with_results(
    tasks: Sequence[BenchmarkTask], results: Sequence[FoldResult]
) -> list[BenchmarkTask]:
    """These tasks and those that come with glassml, as far as they have results."""
    from glassml.studies.benchmark import load_task, shipped_tasks

    known = {task.name: task for task in (*tasks, *map(load_task, shipped_tasks()))}
    return [task for name, task in known.items() if any(r.task == name for r in results)]


def _describe(task: BenchmarkTask) -> None:
    typer.echo(f"{task.name}: {task.asks}\n\n{task.about}\n")
    for name, dataset in task.datasets.items():
        how = dataset.make or "It comes with glassml"
        typer.echo(f"dataset {name}: {dataset.about}. {how}.")
        if dataset.citation:
            typer.echo(f"  {dataset.citation}")
    times = ", ".join(f"{time:g}" for time in task.times)
    typer.echo(
        f"\nscored: {', '.join(task.species)} at t = {times}; in the table: t = {task.time:g}"
    )
    for test in task.transfer:
        pairs = ", ".join(f"t = {a:g} as t = {b:g}" for a, b in test.times)
        typer.echo(f"transfer: predictions for {pairs} of {test.dataset}")
    for number, fold in enumerate(task.folds, start=1):
        typer.echo(f"fold {number}:")
        for side in ("train", "validation", "test"):
            typer.echo(f"  {side:10}  {', '.join(getattr(fold, side))}")


def _show(task: BenchmarkTask, results: Sequence[FoldResult]) -> None:
    from rich.console import Console

    from glassml.studies.benchmark.tables import benchmark_table

    Console().print(benchmark_table(task, results))


def _write_page(
    tasks: Sequence[BenchmarkTask], results: Sequence[FoldResult], folder: Path
) -> None:
    from glassml.studies.benchmark.page import write_page

    for path in write_page(tasks, results, folder):
        say_written(path)


def _files(task: BenchmarkTask, texts: Sequence[str]) -> dict[str, str]:
    """Datasets by name; one without a name is that of the folds."""
    bare = [text for text in texts if "=" not in text]
    if len(bare) > 1:
        raise InputError(f"--data: expected NAME=PATH for several datasets; found {bare[1]!r}")
    files = named([text for text in texts if "=" in text], "--data", "PATH")
    if bare:
        files[task.data] = bare[0]
    return files


def _seconds(text: str) -> float:
    """A time such as 10min in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h)", text.strip())
    if found is None:
        raise ConfigError(f"--budget: expected a time such as 90s, 10min or 1h; found {text!r}")
    return float(found[1]) * _UNITS[found[2]]

"""The page of a benchmark, and its tables as files."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

import glassml
from glassml.analysis.published import PublishedCurves, published
from glassml.analysis.report.page import page_environment
from glassml.files import atomic_write
from glassml.physics import same_time
from glassml.plotting import on_dark_ground, save_figure
from glassml.studies.benchmark.figures import cost_figure, published_figure, time_figure
from glassml.studies.benchmark.results import EntryResult, FoldResult
from glassml.studies.benchmark.tables import (
    benchmark_rows,
    caption,
    markdown_table,
    ranked,
    shown_memory,
    shown_seconds,
    transfer_names,
)
from glassml.studies.benchmark.task_file import BenchmarkTask
from glassml.tables import write_csv

__all__ = ["write_page"]

_WAYS = {
    "train": "trained by this benchmark",
    "refit": "decoders fitted by this benchmark",
    "model": "a model file that its author trained",
    "predictions": "predictions of its author alone; what they were trained on cannot be checked",
}


@dataclass(frozen=True)
class _Picture:
    """A figure on light and on dark ground, as data addresses, with its caption."""

    name: str
    light: str
    dark: str
    caption: str


def write_page(
    tasks: Sequence[BenchmarkTask], results: Sequence[FoldResult], folder: str | Path
) -> list[Path]:
    """Write ``benchmark.html``, ``benchmark.csv`` and ``benchmark.md`` into a folder.

    Args:
        tasks: each of them has results.
        results: of these tasks.
        folder: made if it does not exist.

    Returns:
        The files.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    page, table, text = (folder / f"benchmark.{ending}" for ending in ("html", "csv", "md"))
    with atomic_write(page) as partial:
        partial.write_text(_html(tasks, results), encoding="utf-8")
    write_csv([row for task in tasks for row in benchmark_rows(task, results)], table)
    parts = [f"## {task.name}\n\n{markdown_table(task, results)}\n" for task in tasks]
    with atomic_write(text) as partial:
        partial.write_text("\n".join(parts), encoding="utf-8")
    return [page, table, text]


def _html(tasks: Sequence[BenchmarkTask], results: Sequence[FoldResult]) -> str:
    environment = page_environment("glassml.studies.benchmark")
    return environment.get_template("benchmark.html.j2").render(
        sections=[_section(task, results) for task in tasks],
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        version=glassml.__version__,
        ways=_WAYS,
        shown_seconds=shown_seconds,
        shown_memory=shown_memory,
    )


def _section(task: BenchmarkTask, results: Sequence[FoldResult]) -> dict[str, Any]:
    entries = ranked(task, results)
    curves = None if task.published is None else published(f"{task.published:g}")
    return {
        "task": task,
        "entries": entries,
        "others": [t for t in task.transfer if t.dataset in transfer_names(task, entries)],
        "caption": caption(task, results, brackets=False),
        "pictures": _pictures(task, entries),
        "published": None if curves is None else _published(task, entries, curves),
        "machines": list(dict.fromkeys(m for entry in entries for m in entry.machines)),
        "citations": list(dict.fromkeys(d.citation for d in task.datasets.values() if d.citation)),
    }


def _pictures(task: BenchmarkTask, entries: Sequence[EntryResult]) -> list[_Picture]:
    what = f"Mean Pearson coefficient of {task.species[0]} particles"
    drawn: list[tuple[str, Callable[[], Figure | None], str]] = [
        (
            "training",
            lambda: cost_figure(
                task, entries, lambda e: e.processor_seconds, "processor time of a training [s]"
            ),
            f"{what} at t = {task.time:g} against the processor time of a training on one fold. "
            "Entries that were not fitted here are left out.",
        ),
        (
            "prediction",
            lambda: cost_figure(
                task, entries, lambda e: 1e3 * e.prediction_seconds, "time of a prediction [ms]"
            ),
            f"{what} at t = {task.time:g} against the time of a prediction for one configuration.",
        ),
    ]
    if len(task.times) > 1:
        drawn.append(
            (
                "times",
                lambda: time_figure(task, entries),
                f"{what} against the time of the labels.",
            )
        )
    pictures = (_picture(task.name, name, make, text) for name, make, text in drawn)
    return [picture for picture in pictures if picture is not None]


def _published(
    task: BenchmarkTask, entries: Sequence[EntryResult], curves: PublishedCurves
) -> dict[str, Any]:
    """Published numbers at the time of the table, and their curves beside the entries."""
    rows = []
    for model in curves.models:
        if model in curves.descriptors:
            continue
        row: dict[str, Any] = {"model": model}
        for kind in ("mean", "all"):
            times, values = curves.pearson.get((model, kind), ((), ()))
            row[kind] = next(
                (v for t, v in zip(times, values, strict=True) if same_time(t, task.time)),
                float("nan"),
            )
        row["entries"] = [e.name for e in entries if e.first.published_as == model]
        rows.append(row)
    picture = _picture(
        task.name,
        "published",
        lambda: published_figure(task, entries, curves),
        "Grey: published curves. They are of other test configurations, and their models learnt "
        "from many more. Coloured: the entries of this benchmark.",
    )
    return {"rows": rows, "picture": picture, "name": curves.name, "citation": curves.citation}


def _picture(task: str, name: str, make: Callable[[], Figure | None], text: str) -> _Picture | None:
    figure = make()
    if figure is None:
        return None
    light = _address(figure)
    with on_dark_ground():
        dark = make()
        assert dark is not None, "the same figure in other colours"
        return _Picture(f"{task}-{name}", light, _address(dark), text)


def _address(figure: Figure) -> str:
    """A figure as the address of an image that is in the page."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figure.svg"
        save_figure(figure, file)
        return "data:image/svg+xml;base64," + base64.b64encode(file.read_bytes()).decode("ascii")

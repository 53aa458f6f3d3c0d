"""The table of a benchmark: for the terminal, as CSV, and as Markdown for pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from glassml.scores import KINDS, Score, error_kinds
from glassml.studies.benchmark.results import EntryResult, FoldResult, entries_of
from glassml.studies.benchmark.task_file import BenchmarkTask, TransferTest

__all__ = [
    "benchmark_rows",
    "benchmark_table",
    "caption",
    "markdown_table",
    "ranked",
    "shown_memory",
    "shown_seconds",
    "transfer_names",
]

_MISSING = "-"
_BROKEN = {
    "parameters": "para-\nmeters",
    "training": "train-\ning",
    "prediction": "predic-\ntion",
    "transfer": "trans-\nfer",
}


def ranked(task: BenchmarkTask, results: Sequence[FoldResult]) -> list[EntryResult]:
    """The entries of a task, the best first by the coefficient `mean` of the table.

    Those with folds that are not done come last.
    """

    def order(entry: EntryResult) -> tuple[bool, float]:
        score = entry.score(task.species[0], task.time, "mean")
        return not entry.is_complete, -score.value if score is not None else math.inf

    return sorted(entries_of(results, task.name), key=order)


def transfer_names(task: BenchmarkTask, entries: Sequence[EntryResult]) -> list[str]:
    """The datasets for transfer that an entry has scores on."""
    found = {t.dataset for entry in entries for fold in entry.folds for t in fold.transfer}
    return list(dict.fromkeys(t.dataset for t in task.transfer if t.dataset in found))


def shown_seconds(seconds: float) -> str:
    """A time for people: 0.21 s, 12 s, 4.8 min, 1.5 h."""
    if math.isnan(seconds):
        return _MISSING
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.2g} min" if seconds < 3600 else f"{seconds / 3600:.2g} h"


def shown_memory(peak_bytes: float) -> str:
    """Memory for people, in megabytes."""
    if math.isnan(peak_bytes):
        return _MISSING
    megabytes = peak_bytes / 1e6
    return f"{megabytes:.1f} MB" if megabytes < 10 else f"{megabytes:.0f} MB"


def benchmark_table(task: BenchmarkTask, results: Sequence[FoldResult]) -> Table:
    """The table for the terminal, without the memory, for which 80 columns have no room."""
    table = Table(title=f"{task.name}: {_headline(task)}", caption=caption(task, results),
                  box=SIMPLE_HEAD, padding=0, pad_edge=False)  # fmt: skip
    cells = _cells(task, results)
    left_out = cells[0].index("memory")
    head, *rows = ((*row[:left_out], *row[left_out + 1 :]) for row in cells)
    for k, heading in enumerate(head):
        # Numbers are never broken, so headings are: all columns fit into a terminal of 80.
        shown = _BROKEN.get(heading, heading.replace(" ", "\n"))
        table.add_column(shown, justify="left" if k < 2 else "right", no_wrap=k > 1)
    for row in rows:
        table.add_row(*row)
    return table


def markdown_table(task: BenchmarkTask, results: Sequence[FoldResult]) -> str:
    """The table for a page in Markdown, with its caption below."""
    head, *rows = _cells(task, results)
    align = ["---", "---", *["---:"] * (len(head) - 2)]
    lines = [f"| {' | '.join(row)} |" for row in (head, align, *rows)]
    return "\n".join([*lines, "", f"{_headline(task)[0].upper()}{_headline(task)[1:]}. "
                      f"{caption(task, results)}."])  # fmt: skip


def benchmark_rows(task: BenchmarkTask, results: Sequence[FoldResult]) -> list[dict[str, Any]]:
    """One row per entry, dataset, species, time and kind, with everything that is in the table.

    The column ``dataset`` is empty for the test configurations of the task; for transfer it is the
    other dataset, and ``time`` is that of its labels.
    """
    rows = []
    for entry in ranked(task, results):
        costs = {
            "reads": str(entry.first.reads),
            "way": entry.first.way,
            "model": entry.first.model,
            "folds": len(entry.folds),
            "parameters": entry.first.parameters,
            "training_seconds": _known(entry.seconds),
            "training_processor_seconds": _known(entry.processor_seconds),
            "ended_by": "; ".join(entry.endings),
            "prediction_seconds": _known(entry.prediction_seconds),
            "prediction_peak_bytes": _known(entry.peak_bytes),
            "machine": "; ".join(entry.machines),
        }
        for dataset, score in _scores(task, entry):
            rows.append({"task": task.name, "entry": entry.name, "dataset": dataset,
                         **score.model_dump(), **costs})  # fmt: skip
    return rows


def caption(task: BenchmarkTask, results: Sequence[FoldResult], *, brackets: bool = True) -> str:
    """What the numbers of the table are, in sentences without the last full stop.

    Args:
        task: the task.
        results: of it.
        brackets: whether error bars stand in brackets, in units of the last digit.
    """
    entries = ranked(task, results)
    found = [s for entry in entries for dataset, s in _scores(task, entry) if not dataset]
    meanings = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
    notes = [f"Pearson coefficients on test configurations ({meanings}), averaged over folds"]
    if kinds := error_kinds(found):
        where = " in brackets, in units of the last digit" if brackets else ""
        notes.append(f"Error bars{where}: {kinds}")
    budgets = {fold.fit.budget for entry in entries for fold in entry.folds if fold.fit}
    if budgets:
        given = " or ".join(shown_seconds(budget) for budget in sorted(budgets))
        notes.append(
            f"Training: processor time of a fold, at most {given} per thread; * stopped by this"
        )
    notes.append("Prediction, memory: of one configuration")
    for test in task.transfer:
        if test.dataset in transfer_names(task, entries):
            pairs = ", ".join(f"t = {a:g} for labels at t = {b:g}" for a, b in test.times[:1])
            notes.append(
                f"Transfer: mean on {test.dataset} without training there, predictions of {pairs}"
            )
    if any(not entry.is_complete for entry in entries):
        notes.append("Entries with fewer folds than the task has do not compare with others")
    return ". ".join(notes)


def _transfer_heading(dataset: str, others: Sequence[TransferTest]) -> str:
    return "transfer" if len(others) == 1 else f"transfer to {dataset}"


def _headline(task: BenchmarkTask) -> str:
    return f"{task.species[0]} particles at t = {task.time:g}"


def _cells(task: BenchmarkTask, results: Sequence[FoldResult]) -> list[tuple[str, ...]]:
    """The cells of the table, row by row; the first one holds the headings."""
    entries = ranked(task, results)
    others = [t for t in task.transfer if t.dataset in transfer_names(task, entries)]
    head = ("entry", "reads", "folds", "mean", "all", "parameters", "training", "prediction",
            "memory", *(_transfer_heading(t.dataset, others) for t in others))  # fmt: skip
    rows = [head]
    for entry in entries:
        scores = (entry.score(task.species[0], task.time, kind) for kind in ("mean", "all"))
        moved = (
            entry.transferred(t.dataset, task.species[0], t.times[0][1], "mean") for t in others
        )
        stopped = "*" if "the time limit" in entry.endings else ""
        parameters = entry.first.parameters
        rows.append(
            (
                entry.name,
                str(entry.first.reads),
                f"{len(entry.folds)}/{entry.first.folds}",
                *map(_concise, scores),
                _MISSING if parameters is None else str(parameters),
                shown_seconds(entry.processor_seconds) + stopped,
                shown_seconds(entry.prediction_seconds),
                shown_memory(entry.peak_bytes),
                *map(_concise, moved),
            )
        )
    return rows


def _scores(task: BenchmarkTask, entry: EntryResult) -> Iterator[tuple[str, Score]]:
    """Every mean over folds, with the dataset for transfer or an empty name."""
    for species in task.species:
        for kind in KINDS:
            for time in task.times:
                if (score := entry.score(species, time, kind)) is not None:
                    yield "", score
            for test in task.transfer:
                for _, time in test.times:
                    score = entry.transferred(test.dataset, species, time, kind)
                    if score is not None:
                        yield test.dataset, score


def _concise(score: Score | None) -> str:
    return _MISSING if score is None else score.concise()


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value

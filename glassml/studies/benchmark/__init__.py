"""The benchmark: models compared on tasks with fixed splits, under one budget."""

from __future__ import annotations

from glassml.studies.benchmark.entry_file import Entry, Reads, Refit, load_entry
from glassml.studies.benchmark.results import (
    EntryResult,
    FoldResult,
    entries_of,
    read_results,
    write_result,
)
from glassml.studies.benchmark.running import RunOptions, run_benchmark
from glassml.studies.benchmark.task_data import OpenTask, Split, open_task
from glassml.studies.benchmark.task_file import BenchmarkTask, Fold, load_task, shipped_tasks

__all__ = [
    "BenchmarkTask",
    "Entry",
    "EntryResult",
    "Fold",
    "FoldResult",
    "OpenTask",
    "Reads",
    "Refit",
    "RunOptions",
    "Split",
    "entries_of",
    "load_entry",
    "load_task",
    "open_task",
    "read_results",
    "run_benchmark",
    "shipped_tasks",
    "write_result",
]

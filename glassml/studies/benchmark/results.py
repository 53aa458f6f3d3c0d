"""Results of the benchmark: one small file per task, entry and fold, and means over folds."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glassml.errors import InputError
from glassml.files import atomic_write
from glassml.provenance import first_problem
from glassml.scores import Kind, Score, error_bar, find_score
from glassml.studies.benchmark.entry_file import Reads

__all__ = [
    "Cost",
    "EntryResult",
    "Fit",
    "FoldResult",
    "Machine",
    "TransferScores",
    "entries_of",
    "read_results",
    "result_path",
    "save_result",
    "write_result",
]

Value = TypeVar("Value")

#: What ended the fit of an entry to the training data of a fold.
Ending = Literal["the last epoch", "early stopping", "the time limit", "closed form"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")


class Fit(_Part):
    """How an entry was fitted to the training data of a fold.

    Attributes:
        ended_by: what ended it.
        seconds: time of all epochs with their validation, or of the whole fit in closed form [s].
        processor_seconds: time that processors computed for it [s].
        budget: largest processor time that it was given, per thread [s].
        epochs: number of epochs of the last stage; None for a fit in closed form.
        best_epoch: the epoch that was kept, by the validation configurations.
        configurations: number of configurations that parameters were fitted to.
    """

    ended_by: Ending
    seconds: float = Field(ge=0)
    processor_seconds: float = Field(ge=0)
    budget: float = Field(gt=0)
    epochs: int | None = Field(default=None, ge=0)
    best_epoch: int | None = Field(default=None, ge=0)
    configurations: int = Field(ge=0)


class Cost(_Part):
    """What one prediction costs, in a process of its own.

    Attributes:
        particles: number of particles of the configuration.
        seconds: shortest time of several predictions, with the search for neighbours [s].
        peak_bytes: most memory during a prediction beyond what the process held before it, which
            are the libraries and the model; None where the system does not tell.
    """

    particles: int = Field(gt=0)
    seconds: float = Field(ge=0)
    peak_bytes: float | None = Field(default=None, ge=0)


class Machine(_Part):
    """Where a result was computed.

    Attributes:
        processor: its model.
        threads: CPU threads that torch used.
        glassml: version.
        torch: version.
        date: day of the computation.
    """

    processor: str
    threads: int = Field(gt=0)
    glassml: str
    torch: str
    date: str


class TransferScores(_Part):
    """Scores on another dataset, on which the model was not trained.

    Attributes:
        dataset: its name in the task.
        time: the time of the predictions [time].
        scores: at the time of the labels [time].
        problem: why there are none, such as positions that the other dataset lacks.
    """

    dataset: str
    time: float
    scores: tuple[Score, ...] = ()
    problem: str = ""


class FoldResult(_Part):
    """The result of an entry on one fold of a task.

    Attributes:
        format: what this file is.
        format_version: of this format.
        task: name of the task.
        entry: name of the entry.
        way: how the entry takes part.
        fold: number of the fold, from 1.
        folds: number of folds of the task.
        key: hash of everything that the result depends on; it is computed again if this changes.
        test: names of the configurations that were scored.
        scores: Pearson coefficients, for each species, time and kind.
        transfer: scores on other datasets.
        reads: what predictions were made from.
        model: name of the model in the registry; empty for predictions alone.
        parameters: number of parameters, if known.
        citations: publications of the model.
        published_as: its name among published curves; empty if there are none.
        note: what its author says about it.
        fit: how it was fitted; None if that was done elsewhere.
        cost: of a prediction; None for predictions alone.
        machine: where it was computed.
    """

    format: Literal["glassml-benchmark"] = "glassml-benchmark"
    format_version: Literal[1] = 1
    task: str
    entry: str
    way: Literal["train", "refit", "model", "predictions"]
    fold: int = Field(ge=1)
    folds: int = Field(ge=1)
    key: str
    test: tuple[str, ...]
    scores: tuple[Score, ...]
    transfer: tuple[TransferScores, ...] = ()
    reads: Reads
    model: str = ""
    parameters: int | None = None
    citations: tuple[str, ...] = ()
    published_as: str = ""
    note: str = ""
    fit: Fit | None = None
    cost: Cost | None = None
    machine: Machine


@dataclass(frozen=True)
class EntryResult:
    """The results of an entry on all folds that are done.

    Attributes:
        folds: the results, in the order of the folds; at least one.
    """

    folds: tuple[FoldResult, ...]

    @property
    def first(self) -> FoldResult:
        """The result of the first fold, for what all folds have in common."""
        return self.folds[0]

    @property
    def name(self) -> str:
        """Name of the entry."""
        return self.first.entry

    @property
    def is_complete(self) -> bool:
        """Whether all folds of the task are done."""
        return len(self.folds) == self.first.folds

    def score(self, species: str, time: float, kind: Kind) -> Score | None:
        """Mean of a Pearson coefficient over folds, with its standard deviation over folds.

        If the task has one fold, its error bar is that of a bootstrap over its configurations.

        Args:
            species: name of the species.
            time: time of the labels [time].
            kind: particles of all test configurations of a fold pooled, or coefficients within
                each configuration averaged.

        Returns:
            None if the entry does not predict this time.
        """
        return _mean_score([fold.scores for fold in self.folds], species, time, kind)

    def transferred(self, dataset: str, species: str, time: float, kind: Kind) -> Score | None:
        """The same on another dataset.

        Args:
            dataset: its name in the task.
            species: name of the species.
            time: time of its labels [time].
            kind: see `score`.
        """
        found = [
            t.scores
            for fold in self.folds
            for t in fold.transfer
            if t.dataset == dataset and not t.problem
        ]
        return _mean_score(found, species, time, kind)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why there are no scores on other datasets."""
        return _distinct(t.problem for fold in self.folds for t in fold.transfer if t.problem)

    @property
    def seconds(self) -> float:
        """Mean time of the fits [s]; NaN if the entry was not fitted here."""
        return _mean([fold.fit.seconds for fold in self.folds if fold.fit])

    @property
    def processor_seconds(self) -> float:
        """Mean processor time of the fits [s]; NaN if the entry was not fitted here."""
        return _mean([fold.fit.processor_seconds for fold in self.folds if fold.fit])

    @property
    def prediction_seconds(self) -> float:
        """Mean time of a prediction [s]; NaN for predictions alone."""
        return _mean([fold.cost.seconds for fold in self.folds if fold.cost])

    @property
    def peak_bytes(self) -> float:
        """Mean memory of a prediction; NaN for predictions alone."""
        found = [fold.cost.peak_bytes for fold in self.folds if fold.cost]
        return _mean([value for value in found if value is not None])

    @property
    def endings(self) -> tuple[str, ...]:
        """What ended the fits."""
        return _distinct(fold.fit.ended_by for fold in self.folds if fold.fit)

    @property
    def machines(self) -> tuple[str, ...]:
        """Processors that it was computed on, with the number of threads."""
        return _distinct(
            f"{fold.machine.processor}, {fold.machine.threads} thread"
            f"{'s' if fold.machine.threads > 1 else ''}"
            for fold in self.folds
        )


def entries_of(results: Iterable[FoldResult], task: str) -> list[EntryResult]:
    """The entries of a task, in the order in which they come.

    Args:
        results: of any tasks; a later result replaces an earlier one of the same entry and fold.
        task: name of the task.
    """
    found: dict[str, dict[int, FoldResult]] = {}
    for result in results:
        if result.task == task:
            found.setdefault(result.entry, {})[result.fold] = result
    return [EntryResult(tuple(folds[k] for k in sorted(folds))) for folds in found.values()]


def result_path(folder: str | Path, task: str, entry: str, fold: int) -> Path:
    """Where the result of a fold is kept in a folder of results."""
    return Path(folder) / task / entry / f"fold-{fold}.json"


def write_result(result: FoldResult, folder: str | Path) -> None:
    """Write a result into a folder of results."""
    path = result_path(folder, result.task, result.entry, result.fold)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_result(result, path)


def save_result(result: FoldResult, path: Path) -> None:
    """Write a result into a file, a line for each score."""
    fields = result.model_dump(mode="json", exclude_none=True)
    plain = json.dumps(fields, indent=1)
    scores = re.sub(  # a coefficient takes eight lines otherwise
        r"\{[^{}]*\}", lambda found: " ".join(found[0].split()), plain
    )
    with atomic_write(path) as partial:
        partial.write_text(scores + "\n", encoding="utf-8")


def read_results(folders: Sequence[str | Path]) -> list[FoldResult]:
    """The results in one or several folders, such as those of several machines.

    Args:
        folders: folders of results, or of runs of the benchmark, which have a folder ``results``.

    Raises:
        InputError: a folder has no results, or a file is none.
    """
    found = []
    for folder in map(Path, folders):
        inner = folder / "results"
        paths = sorted((inner if inner.is_dir() else folder).glob("*/*/fold-*.json"))
        if not paths:
            raise InputError(f"{folder}: expected results of `glassml benchmark run`; found none")
        found += [read_result(path) for path in paths]
    return found


def read_result(path: Path) -> FoldResult:
    """One result.

    Raises:
        InputError: the file is no result.
    """
    try:
        return FoldResult.model_validate_json(path.read_bytes())
    except ValidationError as error:
        field, text = first_problem(error)
        raise InputError(
            f"{path}: {field or 'the file'}: {text}. Remove it and run the benchmark again"
        ) from None


def _mean_score(
    folds: Sequence[Sequence[Score]], species: str, time: float, kind: Kind
) -> Score | None:
    found = [find_score(scores, species, time, "pearson", kind) for scores in folds]
    scores = [score for score in found if score is not None]
    if not scores or len(scores) < len(found) or any(math.isnan(s.value) for s in scores):
        return None
    if len(scores) == 1:
        return scores[0]
    values = [score.value for score in scores]
    error = error_bar(float(np.std(values, ddof=1)), "standard deviation over folds")
    configurations = [score.configurations or 0 for score in scores]
    return Score(
        species=species, time=time, kind=kind, value=float(np.mean(values)),
        configurations=sum(configurations), **error,
    )  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _distinct(values: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(values))

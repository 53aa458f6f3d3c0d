"""Every model on every dataset: how well models of one temperature predict other temperatures."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from scipy.stats import mstats

from glassml.analysis.correlation import pearson_all, pearson_each
from glassml.analysis.metrics import pearson_scores
from glassml.analysis.predictions import predict_each
from glassml.analysis.relaxation_times import relaxation_time_of, trained_relaxation_time
from glassml.data import Configuration, Dataset, units_of
from glassml.errors import InputError
from glassml.inference import Predictor
from glassml.physics.units import with_unit
from glassml.progress import SILENT, Progress
from glassml.scores import KINDS, Kind, Score, error_kinds
from glassml.tables import ScoreTable

__all__ = [
    "PublishedCell",
    "Transfer",
    "TransferCell",
    "read_published_transfer",
    "transfer",
    "transfer_table",
]


@dataclass(frozen=True)
class TransferCell:
    """One model on one dataset.

    Attributes:
        model: file name of the model, without its ending.
        dataset: file name of the dataset, without its ending.
        model_time: time [time] of the predictions.
        dataset_time: time [time] of the labels.
        seen_in_training: number of configurations of the dataset that the model was trained or
            validated on (see `TrainingRecord.seen`).
        scores: for each species the kinds ``all`` and ``mean``; the latter with its standard error.
        time_unit: how the unit of times is written; "" if it has none, or it is unknown.
    """

    model: str
    dataset: str
    model_time: float
    dataset_time: float
    seen_in_training: int
    scores: tuple[Score, ...]
    time_unit: str = ""

    def find(self, species: str, kind: Kind) -> Score | None:
        """The score of one species, None if the dataset has no such species."""
        found = (s for s in self.scores if (s.species, s.kind) == (species, kind))
        return next(found, None)


@dataclass(frozen=True)
class Transfer(ScoreTable):
    """The result of `transfer`.

    Attributes:
        models: names, in order.
        datasets: names, in order.
        sha256: checksum of each dataset's contents.
        cells: one per model and dataset.
    """

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    sha256: tuple[str, ...]
    cells: tuple[TransferCell, ...]

    def cell(self, model: str, dataset: str) -> TransferCell:
        """The cell of a model and a dataset."""
        return next(c for c in self.cells if (c.model, c.dataset) == (model, dataset))

    def matrix(self, kind: Kind, species: str) -> np.ndarray:
        """Coefficients [models, datasets] of one species, NaN where they are not defined."""
        rows = [
            [self.cell(model, dataset).find(species, kind) for dataset in self.datasets]
            for model in self.models
        ]
        return np.array([[np.nan if s is None else s.value for s in row] for row in rows])

    def facts(self) -> dict[str, Any]:
        """Names, and checksums of the datasets."""
        return {
            "models": list(self.models),
            "datasets": list(self.datasets),
            "sha256": list(self.sha256),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row per model, dataset, species and kind."""
        return [
            {
                "model": cell.model,
                "dataset": cell.dataset,
                "model_time": cell.model_time,
                "dataset_time": cell.dataset_time,
                "time_unit": cell.time_unit or None,
                "seen_in_training": cell.seen_in_training,
                **score.model_dump(),
            }
            for cell in self.cells
            for score in cell.scores
        ]


@dataclass(frozen=True)
class PublishedCell:
    """A published Pearson coefficient of a model trained at one temperature, tested at another.

    Attributes:
        kind: "all" or "mean".
        model: name of the model.
        trained: temperature that it was trained at, as the file states it.
        tested: temperature that it was tested at, likewise.
        pearson: the coefficient [-].
    """

    kind: str
    model: str
    trained: str
    tested: str
    pearson: float


def transfer(
    models: Sequence[Predictor],
    datasets: Sequence[Dataset],
    times: Mapping[str, float] | None = None,
    time: float | None = None,
    progress: Progress = SILENT,
) -> Transfer:
    """Evaluate models on datasets at tau_alpha, or at times that are named.

    Args:
        models: exported models.
        datasets: labelled configurations.
        times: file name (with or without its ending) of a model or dataset -> time [time] to use.
            Default: see `glassml.analysis.relaxation_times`.
        time: time [time] for files without an entry in ``times``; None: the default.
        progress: shows how many configurations of each dataset are done.

    Raises:
        InputError: two files have the same name, a time is unknown or not clear, or a model cannot
            be used on a configuration.
    """
    named = _NamedTimes([m.path for m in models], [d.path for d in datasets], times or {}, time)
    dataset_times = [relaxation_time_of(d, named.of(d.path)) for d in datasets]
    checksums = [d.sha256 for d in datasets]
    used = dict(zip(checksums, dataset_times, strict=True))
    model_times = [
        trained_relaxation_time(str(m.path), m.manifest, used, named.of(m.path)) for m in models
    ]
    by_dataset = [
        _cells(models, dataset, model_times, dataset_time, progress)
        for dataset, dataset_time in zip(datasets, dataset_times, strict=True)
    ]
    return Transfer(
        tuple(_name(m.path) for m in models),
        tuple(_name(d.path) for d in datasets),
        tuple(checksums),
        tuple(cells[k] for k in range(len(models)) for cells in by_dataset),
    )


def read_published_transfer(path: str | Path) -> list[PublishedCell]:
    """Published coefficients from a CSV file.

    Columns: ``model``, ``T_train``, ``T_test``, one whose name begins with ``pearson``, and
    ``metric`` (``all`` or ``mean``; ``all`` if there is no such column).

    Raises:
        InputError: the file cannot be read, lacks a column, or has a text in place of a number.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: expected a CSV file of published coefficients; {error}"
        ) from None
    columns = [name for name in (rows[0] if rows else {}) if name]
    value = next((name for name in columns if name.startswith("pearson")), "pearson")
    missing = [name for name in ("model", "T_train", "T_test", value) if name not in columns]
    if missing:
        raise InputError(
            f"{path}: expected the columns model, T_train, T_test and pearson; found "
            f"{', '.join(columns) or 'none'}"
        )
    cells = []
    for number, row in enumerate(rows, 2):
        try:
            pearson = float(row[value])
        except (TypeError, ValueError):
            raise InputError(
                f"{path}: line {number}: {value}: expected a number; found {row[value]!r}"
            ) from None
        kind = row.get("metric") or "all"
        cells.append(PublishedCell(kind, row["model"], row["T_train"], row["T_test"], pearson))
    return cells


def transfer_table(result: Transfer, species: str, kind: Kind = "mean") -> Table:
    """One matrix as a table for the terminal.

    Args:
        result: of `transfer`.
        species: whose coefficients it shows.
        kind: of the coefficients.
    """
    model_times = {c.model: c.model_time for c in result.cells}
    dataset_times = {c.dataset: with_unit(c.dataset_time, c.time_unit) for c in result.cells}
    kinds = error_kinds(s for c in result.cells for s in c.scores if s.kind == kind)
    table = Table(
        title=f"Pearson {kind} of species {species} ({KINDS[kind]})",
        caption=(f"±: {kinds}; " if kinds else "") + "time of predictions and labels in brackets; "
        "*: with configurations that the model was trained or validated on",
    )
    table.add_column("model")
    for name in result.datasets:
        table.add_column(f"{name} ({dataset_times[name]})", justify="right")
    for model in result.models:
        cells = [result.cell(model, dataset) for dataset in result.datasets]
        scores = [cell.find(species, kind) for cell in cells]
        table.add_row(
            f"{model} ({model_times[model]:g})",
            *(
                ("-" if score is None else str(score)) + "*" * bool(cell.seen_in_training)
                for cell, score in zip(cells, scores, strict=True)
            ),
        )
    return table


class _NamedTimes:
    """The times that the user chose, by file name."""

    def __init__(
        self,
        models: Sequence[Path],
        datasets: Sequence[Path],
        times: Mapping[str, float],
        time: float | None,
    ) -> None:
        for what, paths in (("models", models), ("datasets", datasets)):
            names = [_name(p) for p in paths]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise InputError(
                    f"{what}: expected files of different names; found {twice!r} twice. Rename one"
                )
        known = {key for path in (*models, *datasets) for key in (path.name, str(path))}
        known |= {_name(path) for path in (*models, *datasets)}
        for name in times:
            if name not in known:
                shown = ", ".join(path.name for path in (*models, *datasets))
                raise InputError(f"time: expected the name of one of {shown}; found {name!r}")
        self.times, self.time = times, time

    def of(self, path: Path) -> float | None:
        for key in (str(path), path.name, _name(path)):
            if key in self.times:
                return self.times[key]
        return self.time


def _cells(
    models: Sequence[Predictor],
    dataset: Dataset,
    model_times: Sequence[float],
    dataset_time: float,
    progress: Progress,
) -> list[TransferCell]:
    """The cells of all models on one dataset; each configuration is read once."""
    column = dataset.common_times().tolist().index(dataset_time)
    predict = [_at_time(*pair) for pair in zip(models, model_times, strict=True)]
    labels, species, predictions = [], [], []
    for configuration, predicted in predict_each(dataset, predict, progress):
        labels.append(np.asarray(configuration.propensity)[:, [column]])
        species.append(configuration.species)
        predictions.append(predicted)
    cells, unit = [], units_of(dataset).time
    for model, time, columns in zip(
        models, model_times, zip(*predictions, strict=True), strict=True
    ):
        arguments = (columns, labels, species, len(dataset.species_names))
        each = pearson_each(*arguments)
        values = np.stack([pearson_all(*arguments), each.mean(axis=0).filled(np.nan)])
        errors = np.full(values.shape, np.nan)
        errors[1] = mstats.sem(each, axis=0, ddof=1).filled(np.nan)
        scores = pearson_scores(
            values, dataset.species_names, [dataset_time], len(dataset),
            errors, "standard error over configurations",
        )  # fmt: skip
        seen = len(model.manifest.training.seen(dataset))
        cells.append(
            TransferCell(
                _name(model.path), _name(dataset.path), time, dataset_time, seen, scores, unit
            )
        )
    return cells


def _at_time(model: Predictor, time: float) -> Callable[[Configuration], np.ndarray]:
    """A function that gives the predictions [N, 1] of a model at one of its times."""
    column = model.manifest.times.index(time)
    return lambda configuration: model.predict([configuration])[0]["propensity"][:, [column]]


def _name(path: Path) -> str:
    return (
        path.name.removesuffix(path.suffix) if path.suffix in (".pt", ".h5", ".hdf5") else path.name
    )

"""Every model on every dataset: how far what was learned at one temperature holds at others."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from glassml.analysis.correlation import pearson_all, pearson_mean
from glassml.analysis.times import relaxation_time_of, trained_relaxation_time
from glassml.data import Configuration, Dataset
from glassml.errors import InputError
from glassml.inference import Predictor
from glassml.tables import write_csv, write_json

__all__ = [
    "PublishedCell",
    "Transfer",
    "TransferCell",
    "read_published_transfer",
    "transfer",
    "transfer_table",
]

# Wraps the pairs of configuration and model, of which there are so many.
Watch = Callable[[Iterable[Any], int], Iterable[Any]]


@dataclass(frozen=True)
class TransferCell:
    """One model on one dataset, for one species; coefficients are NaN where not defined.

    Attributes:
        model: file name of the model, without its ending.
        dataset: file name of the dataset, without its ending.
        species: name of the species.
        model_time: time [time] of the predictions.
        dataset_time: time [time] of the labels.
        configurations: number of configurations.
        seen: how many of them the model was trained or validated on, by name and checksum.
        pearson_all: Pearson coefficient of all particles pooled [-].
        pearson_mean: Pearson coefficient per configuration, averaged [-].
        pearson_mean_error: standard error of that average [-], NaN for one configuration.
    """

    model: str
    dataset: str
    species: str
    model_time: float
    dataset_time: float
    configurations: int
    seen: int
    pearson_all: float
    pearson_mean: float
    pearson_mean_error: float


@dataclass(frozen=True)
class Transfer:
    """What `transfer` found.

    Attributes:
        models: names, in order.
        datasets: names, in order.
        sha256: checksum of each dataset's contents.
        cells: one a model, dataset and species.
    """

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    sha256: tuple[str, ...]
    cells: tuple[TransferCell, ...]

    def matrix(self, kind: str, species: str) -> np.ndarray:
        """Coefficients [models, datasets] of one species; kind is ``all`` or ``mean``."""
        found = {(c.model, c.dataset): c for c in self.cells if c.species == species}
        rows = [[found.get((m, d)) for d in self.datasets] for m in self.models]
        return np.array(
            [[np.nan if c is None else getattr(c, f"pearson_{kind}") for c in r] for r in rows]
        )

    def write_json(self, path: str | Path) -> None:
        """Write everything as JSON; undefined coefficients become null."""
        write_json(asdict(self), path)

    def write_csv(self, path: str | Path) -> None:
        """Write one row a cell; undefined coefficients become ``nan``."""
        names = [field.name for field in fields(TransferCell)]
        write_csv([asdict(cell) for cell in self.cells], path, names)


@dataclass(frozen=True)
class PublishedCell:
    """A published coefficient: trained at one temperature, tested at another."""

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
    watch: Watch = lambda items, total: items,
) -> Transfer:
    """Evaluate models on datasets at tau_alpha, or at times that are named.

    Args:
        models: exported models.
        datasets: labelled configurations.
        times: file name (with or without its ending) of a model or dataset -> time [time] to use.
            Default: see `glassml.analysis.times`.
        time: for all that have no entry in ``times``; None: the default.
        watch: shows progress: (pairs of configuration and model, their number).

    Raises:
        InputError: two files have the same name, a time is not there or not clear, or a model
            cannot be used on a configuration.
    """
    asked = _Asked([m.path for m in models], [d.path for d in datasets], times or {}, time)
    dataset_times = [relaxation_time_of(d, asked.of(d.path)) for d in datasets]
    checksums = [d.sha256 for d in datasets]
    used = dict(zip(checksums, dataset_times, strict=True))
    model_times = [
        trained_relaxation_time(str(m.path), m.manifest, used, asked.of(m.path)) for m in models
    ]
    predictions: dict[tuple[int, int], list[np.ndarray]] = {}
    labels: dict[int, list[Configuration]] = {}
    total = len(models) * sum(len(d) for d in datasets)
    for k, d, configuration in watch(_work(models, datasets), total):
        column = models[k].manifest.times.index(model_times[k])
        predicted = models[k].predict([configuration])[0]["propensity"]
        predictions.setdefault((k, d), []).append(predicted[:, [column]])
        if k == 0:
            labels.setdefault(d, []).append(configuration)
    cells = [
        cell
        for (k, d), predicted in sorted(predictions.items())
        for cell in _cells(
            models[k], datasets[d], labels[d], predicted,
            (model_times[k], dataset_times[d]),
        )
    ]  # fmt: skip
    return Transfer(
        tuple(_name(m.path) for m in models),
        tuple(_name(d.path) for d in datasets),
        tuple(checksums),
        tuple(cells),
    )


def read_published_transfer(path: str | Path) -> list[PublishedCell]:
    """Published coefficients from a CSV.

    Columns: ``model``, ``T_train``, ``T_test``, one whose name begins with ``pearson``, and
    ``metric`` (``all`` or ``mean``; ``all`` if there is no such column).

    Raises:
        InputError: the file cannot be read or lacks a column; or a number is none.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected a CSV of published coefficients ({error})") from None
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


def transfer_table(result: Transfer, species: str, kind: str = "mean") -> Table:
    """One matrix as a table for the terminal."""
    words = {"all": "all particles pooled", "mean": "within each configuration, averaged"}[kind]
    used = {c.model: c.model_time for c in result.cells}
    asked = {c.dataset: c.dataset_time for c in result.cells}
    table = Table(
        title=f"Pearson {kind} of species {species} ({words})",
        caption="time of predictions and labels in brackets; *: with configurations that the model "
        "was trained or validated on",
    )
    table.add_column("model")
    for name in result.datasets:
        table.add_column(f"{name} ({asked[name]:g})", justify="right")
    seen = {(c.model, c.dataset): c.seen for c in result.cells}
    for name, row in zip(result.models, result.matrix(kind, species), strict=True):
        table.add_row(
            f"{name} ({used[name]:g})",
            *(
                ("-" if math.isnan(v) else f"{v:.3f}") + ("*" if seen[name, d] else "")
                for d, v in zip(result.datasets, row, strict=True)
            ),
        )
    return table


class _Asked:
    """The times that the user names, by file name."""

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
                    f"{what}: expected files of different names; found {twice!r} twice; rename one"
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


def _work(
    models: Sequence[Predictor], datasets: Sequence[Dataset]
) -> Iterable[tuple[int, int, Configuration]]:
    """Each configuration is read once, for all models."""
    for d, dataset in enumerate(datasets):
        for configuration in dataset:
            dataset.verify(configuration)
            for k in range(len(models)):
                yield k, d, configuration


def _cells(
    model: Predictor,
    dataset: Dataset,
    configurations: Sequence[Configuration],
    predictions: Sequence[np.ndarray],
    times: tuple[float, float],
) -> list[TransferCell]:
    column = dataset.common_times().tolist().index(times[1])
    labels = [np.asarray(c.propensity)[:, [column]] for c in configurations]
    species = [c.species for c in configurations]
    n_species = len(dataset.species_names)
    pooled = pearson_all(predictions, labels, species, n_species)[:, 0]
    each = np.array(
        [
            pearson_mean([p], [y], [s], n_species)[:, 0]
            for p, y, s in zip(predictions, labels, species, strict=True)
        ]
    )
    within = pearson_mean(predictions, labels, species, n_species)[:, 0]
    seen = len(model.manifest.training.seen(dataset))
    cells = []
    for s, name in enumerate(dataset.species_names):
        known = each[np.isfinite(each[:, s]), s]
        error = known.std(ddof=1) / math.sqrt(len(known)) if len(known) > 1 else math.nan
        cells.append(
            TransferCell(
                _name(model.path), _name(dataset.path), name, *times, len(configurations),
                seen, float(pooled[s]), float(within[s]), float(error),
            )
        )  # fmt: skip
    return cells


def _name(path: Path) -> str:
    return (
        path.name.removesuffix(path.suffix) if path.suffix in (".pt", ".h5", ".hdf5") else path.name
    )

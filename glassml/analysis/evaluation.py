"""How well a model predicts the labels of a dataset."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from glassml.analysis.correlation import pearson_all, pearson_mean, spearman_all, spearman_mean
from glassml.data import Configuration, Dataset
from glassml.errors import InputError
from glassml.export import Predictor
from glassml.files import atomic_write

__all__ = ["Evaluation", "Score", "evaluate", "table"]

# Wraps an iterable and shows how far it has come.
Watch = Callable[[Iterable[Configuration]], Iterable[Configuration]]

_STATISTICS = {
    "pearson_all": pearson_all,
    "pearson_mean": pearson_mean,
    "spearman_all": spearman_all,
    "spearman_mean": spearman_mean,
}


@dataclass(frozen=True)
class Score:
    """Agreement for one species and time; coefficients are NaN where they are not defined.

    Attributes:
        species: name of the species.
        time: time of the labels [time].
        particles: number of particles of the species in all configurations.
        pearson_all: Pearson coefficient of all particles pooled [-].
        pearson_mean: Pearson coefficient per configuration, averaged [-].
        spearman_all: Spearman rank coefficient of all particles pooled [-].
        spearman_mean: Spearman rank coefficient per configuration, averaged [-].
    """

    species: str
    time: float
    particles: int
    pearson_all: float
    pearson_mean: float
    spearman_all: float
    spearman_mean: float


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        model: file name of the model.
        dataset: file name of the dataset.
        sha256: checksum of the dataset's contents.
        configurations: number of configurations.
        scores: one a species and time.
    """

    model: str
    dataset: str
    sha256: str
    configurations: int
    scores: tuple[Score, ...]

    def write_json(self, path: str | Path) -> None:
        """Write everything as JSON; undefined coefficients become null."""
        with atomic_write(path) as partial:
            text = json.dumps(_without_nan(asdict(self)), indent=2)
            partial.write_text(text + "\n", encoding="utf-8")

    def write_csv(self, path: str | Path) -> None:
        """Write one row a species and time; undefined coefficients become ``nan``."""
        names = [field.name for field in fields(Score)]
        with (
            atomic_write(path) as partial,
            partial.open("w", newline="", encoding="utf-8") as stream,
        ):
            writer = csv.DictWriter(stream, names)
            writer.writeheader()
            writer.writerows(asdict(score) for score in self.scores)


def evaluate(predictor: Predictor, dataset: Dataset, watch: Watch = iter) -> Evaluation:
    """Compare a model's predictions with the labels of a dataset.

    Args:
        predictor: the model; it may predict more times than the dataset has labels for.
        dataset: labelled configurations.
        watch: shows progress over the configurations.

    Raises:
        InputError: no labels, labels at times that the model does not predict, or a configuration
            that the model cannot be used on or has no finite prediction for.
    """
    times = dataset.common_times()
    columns = _columns(predictor, dataset, times)
    predictions: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    species: list[np.ndarray] = []
    for configuration in watch(dataset):
        predicted = predictor.predict([configuration])[0]["propensity"]
        predictions.append(predicted[:, columns])
        labels.append(np.asarray(configuration.propensity))
        species.append(configuration.species)
    n_species = len(dataset.species_names)
    values = {
        name: statistic(predictions, labels, species, n_species)
        for name, statistic in _STATISTICS.items()
    }
    counts = np.bincount(np.concatenate(species), minlength=n_species)
    scores = tuple(
        Score(name, float(time), int(counts[s]), **{k: float(v[s, t]) for k, v in values.items()})
        for s, name in enumerate(dataset.species_names)
        for t, time in enumerate(times)
    )
    return Evaluation(predictor.path.name, dataset.path.name, dataset.sha256, len(dataset), scores)


def table(evaluation: Evaluation) -> Table:
    """The scores as a table for the terminal."""
    result = Table(
        title=f"{evaluation.model} on {evaluation.dataset} "
        f"({evaluation.configurations} configurations)",
        caption="all: particles of all configurations pooled; mean: within each configuration, "
        "then averaged",
    )
    for heading in ("species", "time", "particles"):
        result.add_column(heading, justify="right")
    for heading in ("Pearson all", "Pearson mean", "Spearman all", "Spearman mean"):
        result.add_column(heading, justify="right")
    for score in evaluation.scores:
        coefficients = [getattr(score, name) for name in _STATISTICS]
        result.add_row(
            score.species,
            f"{score.time:g}",
            str(score.particles),
            *("-" if math.isnan(value) else f"{value:.3f}" for value in coefficients),
            end_section=score.time == evaluation.scores[-1].time,
        )
    return result


def _columns(predictor: Predictor, dataset: Dataset, times: np.ndarray) -> list[int]:
    """The model's column for each time of the dataset."""
    known = np.array(predictor.manifest.times)
    columns = []
    for time in times:
        close = np.flatnonzero(np.isclose(known, time, rtol=1e-6, atol=0.0))
        if not len(close):
            raise InputError(
                f"{dataset.path}: times: expected labels at times that {predictor.path.name} "
                f"predicts ({', '.join(f'{t:g}' for t in known)}), found {time:g}"
            )
        columns.append(int(close[0]))
    return columns


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value

"""Where predictions come from: a model, the dataset itself, or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from glassml.analysis.prediction_files import PredictionFile
from glassml.data import Configuration, Dataset
from glassml.errors import InputError
from glassml.files import sha256_of
from glassml.inference import Predictor
from glassml.physics import column_of

__all__ = [
    "Collected",
    "FilePredictions",
    "ModelPredictions",
    "Prediction",
    "PredictionSource",
    "StoredPredictions",
    "Watch",
    "collect",
    "open_sources",
    "stored_predictions",
]

# Wraps an iterable and shows how far it has come.
Watch = Callable[[Iterable[Configuration]], Iterable[Configuration]]

_SPREAD = "propensity_std"


class Prediction(NamedTuple):
    """Predicted propensity and its spread, [N, T] [length] at the times of the dataset."""

    propensity: np.ndarray
    spread: np.ndarray | None = None


class PredictionSource(Protocol):
    """Predictions under a name.

    Attributes:
        name: stands for the predictions in tables and figures.
        kind: "model", "stored" (in the dataset) or "file".
        origin: where they come from: a path, or a checksum.
        seen: how many configurations of the dataset they were learnt from, as far as is known.
    """

    name: str
    kind: str
    origin: dict[str, str]
    seen: int

    def predict(self, configuration: Configuration) -> Prediction | None:
        """Predictions for a configuration, NaN where there are none; None if there are none."""
        ...


class ModelPredictions:
    """Predictions that an exported model makes.

    Args:
        predictor: the model. Its output ``propensity_std``, if it has one, is its spread.
        dataset: labelled configurations.
        name: stands for the model; None: its file name.
        all_times: whether it must predict all times of the dataset, or only one of them.

    Raises:
        InputError: the model does not predict the times of the labels.
    """

    kind = "model"

    def __init__(
        self,
        predictor: Predictor,
        dataset: Dataset,
        name: str | None = None,
        *,
        all_times: bool = False,
    ) -> None:
        self.name = name or predictor.path.name
        self.origin = {"file": str(predictor.path), "sha256": sha256_of(predictor.path)}
        self.seen = len(predictor.manifest.training.seen(dataset))
        self.predictor = predictor
        self._columns = _columns(
            np.array(predictor.manifest.times), dataset, predictor.path.name, all_times
        )
        self._outputs = ["propensity"]
        if any(output.name == _SPREAD for output in predictor.manifest.outputs):
            found = len(predictor.manifest.output(_SPREAD).columns)
            if found != len(predictor.manifest.times):
                raise InputError(
                    f"{predictor.path.name}: output {_SPREAD}: expected one column a time "
                    f"({len(predictor.manifest.times)}); found {found}"
                )
            self._outputs.append(_SPREAD)

    def predict(self, configuration: Configuration) -> Prediction:
        """Run the model on a configuration."""
        found = self.predictor.predict([configuration], self._outputs)[0]
        spread = found.get(_SPREAD)
        return Prediction(
            _at_times(found["propensity"], self._columns),
            None if spread is None else _at_times(spread, self._columns),
        )


class StoredPredictions:
    """Another model's predictions that the dataset holds.

    Args:
        name: of the predictions, in `Configuration.predictions`.
    """

    kind = "stored"
    seen = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.origin: dict[str, str] = {}

    def predict(self, configuration: Configuration) -> Prediction | None:
        """The stored predictions."""
        found = configuration.predictions.get(self.name)
        return None if found is None else Prediction(found)


class FilePredictions:
    """Predictions from a file (`PredictionFile`).

    Args:
        name: stands for the predictions.
        path: npz or CSV file.
        dataset: labelled configurations.

    Raises:
        InputError: the file does not fit the dataset.
    """

    kind = "file"
    seen = 0

    def __init__(self, name: str, path: str | Path, dataset: Dataset) -> None:
        self.name = name
        self.origin = {"file": str(path), "sha256": sha256_of(path)} if Path(path).is_file() else {}
        self._given = PredictionFile(path, dataset)
        self._columns = _columns(self._given.times, dataset, str(path), all_times=False)

    def predict(self, configuration: Configuration) -> Prediction | None:
        """The predictions in the file."""
        found = self._given.of(configuration)
        return None if found is None else Prediction(_at_times(found, self._columns))


@dataclass
class Collected:
    """What is kept of the configurations: columns of numbers for each particle.

    Attributes:
        labels: one array [N, T] [length] a configuration.
        species: one array [N] a configuration.
        halves: one array [N, T, 2] [length] a configuration: labels from each half of the runs; or
            None if a configuration lacks them.
        predictions: name of the source -> one array [N, T] [length] a configuration, or None.
        spreads: the same of predicted spreads, of those sources that give them.
    """

    labels: list[np.ndarray] = field(default_factory=list)
    species: list[np.ndarray] = field(default_factory=list)
    halves: list[np.ndarray] | None = field(default_factory=list)
    predictions: dict[str, list[np.ndarray | None]] = field(default_factory=dict)
    spreads: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def pooled(self, source: str, species: int, time: int) -> tuple[np.ndarray, np.ndarray]:
        """Predictions and labels [n] [length] of one species and time, of all configurations.

        Particles without a prediction are left out.
        """
        pairs = [
            (x[kinds == species, time], y[kinds == species, time])
            for x, y, kinds in zip(self.predictions[source], self.labels, self.species, strict=True)
            if x is not None
        ]
        if not pairs:
            return np.empty(0), np.empty(0)
        x, y = (np.concatenate(part) for part in zip(*pairs, strict=True))
        known = np.isfinite(x)
        return x[known], y[known]


def collect(
    dataset: Dataset,
    sources: Sequence[PredictionSource],
    watch: Watch = iter,
    each: Callable[[Configuration, list[np.ndarray | None]], None] | None = None,
) -> Collected:
    """Read a dataset once and keep labels and predictions.

    Args:
        dataset: labelled configurations.
        sources: predictions, with different names.
        watch: shows progress over the configurations.
        each: called with each configuration and what each source predicts for it, [N, T] [length]
            or None.

    Raises:
        InputError: two sources have the same name, or a source cannot predict.
    """
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"expected predictions with different names; found {twice[0]!r} twice")
    result = Collected(predictions={name: [] for name in names})
    for configuration in watch(dataset):
        result.labels.append(np.asarray(configuration.propensity))
        result.species.append(configuration.species)
        halves = configuration.statistics.get("propensity_halves")
        if halves is None:
            result.halves = None
        elif result.halves is not None:
            result.halves.append(halves)
        predicted = []
        for source in sources:
            found = source.predict(configuration)
            predicted.append(None if found is None else found.propensity)
            if found is not None and found.spread is not None:
                result.spreads.setdefault(source.name, []).append(found.spread)
        for name, values in zip(names, predicted, strict=True):
            result.predictions[name].append(values)
        if each is not None:
            each(configuration, predicted)
    return result


def open_sources(
    dataset: Dataset,
    models: Sequence[str | Path],
    predictions: Mapping[str, str | Path],
    device: str = "auto",
) -> list[PredictionSource]:
    """Models, predictions in files, and all predictions that a dataset holds.

    Args:
        dataset: labelled configurations.
        models: model files or names of shipped models; of those with equal file names the path is
            the name.
        predictions: name -> npz or CSV file (`FilePredictions`).
        device: where the models run.

    Raises:
        InputError: predictions do not fit the dataset.
        ModelFileError: a model cannot be read.
    """
    predictors = [Predictor(path, device=device) for path in models]
    names = [predictor.path.name for predictor in predictors]
    sources: list[PredictionSource] = [
        ModelPredictions(predictor, dataset, str(path) if names.count(name) > 1 else name)
        for predictor, path, name in zip(predictors, models, names, strict=True)
    ]
    sources += [FilePredictions(name, path, dataset) for name, path in predictions.items()]
    return sources + list(stored_predictions(dataset))


def stored_predictions(dataset: Dataset) -> list[StoredPredictions]:
    """The predictions of other models in a dataset, in the order in which they appear."""
    names: dict[str, None] = {}
    for name in dataset.names:
        names.update(dict.fromkeys(dataset.stored(name).get("predictions", {})))
    return [StoredPredictions(name) for name in names]


def _columns(known: np.ndarray, dataset: Dataset, source: str, all_times: bool) -> list[int | None]:
    """The column of a source for each time of the dataset, None where it has none."""
    times = dataset.common_times()
    columns = [column_of(time, known) for time in times]
    missing = [time for time, column in zip(times, columns, strict=True) if column is None]
    if len(missing) == len(times) or (missing and all_times):
        raise InputError(
            f"{dataset.path}: times: expected labels at times that {source} predicts "
            f"({', '.join(f'{t:g}' for t in known)}); found "
            f"{', '.join(f'{t:g}' for t in missing)}"
        )
    return columns


def _at_times(values: np.ndarray, columns: list[int | None]) -> np.ndarray:
    """Values [N, K] of a source at the times of the dataset: [N, T], NaN where it has none."""
    result = np.full((len(values), len(columns)), np.nan)
    for t, column in enumerate(columns):
        if column is not None:
            result[:, t] = values[:, column]
    return result

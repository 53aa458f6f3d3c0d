"""Sources of predictions: a model, the dataset itself, or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from glassml.analysis.prediction_files import PredictionFile
from glassml.data import AVERAGE, Configuration, Dataset, number_of_windows
from glassml.errors import InputError
from glassml.files import sha256_of
from glassml.inference import Predictor
from glassml.physics import column_of
from glassml.progress import SILENT, Progress

__all__ = [
    "Collected",
    "FilePredictions",
    "ModelPredictions",
    "Prediction",
    "PredictionSource",
    "StoredPredictions",
    "open_sources",
    "predict_each",
    "predict_windows",
    "stored_predictions",
]

T = TypeVar("T")

_SPREAD = "propensity_std"


class Prediction(NamedTuple):
    """Predicted propensity and its spread, [N, T] [length] at the times of the dataset."""

    propensity: np.ndarray
    spread: np.ndarray | None = None


class PredictionSource(Protocol):
    """A named source of predictions.

    Attributes:
        name: name of the predictions in tables and figures.
        kind: "model", "windows" (a model's predictions, averaged over windows), "stored" (in the
            dataset) or "file".
        origin: path and checksum of the file that they come from, if there is one.
        seen_in_training: number of configurations of the dataset that the model was trained or
            validated on, as far as is known.
    """

    name: str
    kind: str
    origin: dict[str, str]
    seen_in_training: int

    def predict(self, configuration: Configuration) -> Prediction | None:
        """Predictions for a configuration, NaN for particles without; None if it has none."""
        ...


class ModelPredictions:
    """Predictions that an exported model makes.

    Args:
        predictor: the model. Its output ``propensity_std``, if it has one, is its spread.
        dataset: labelled configurations.
        name: name of the predictions; None: the model's file name.
        windows: predictions, and their spreads, are means over the first windows of each
            configuration, if there are more than one.

    Raises:
        InputError: the model predicts none of the times of the labels, or several windows are
            wanted of a model that does not read averaged positions, or of configurations that have
            fewer.
    """

    def __init__(
        self, predictor: Predictor, dataset: Dataset, name: str | None = None, windows: int = 1
    ) -> None:
        self.name = name or predictor.path.name
        self.kind = "model"
        self.windows = windows
        if windows != 1:
            _check_windows(predictor, dataset, windows)
            self.name += f", {windows} windows"
            self.kind = "windows"
        self.origin = {"file": str(predictor.path), "sha256": sha256_of(predictor.path)}
        self.seen_in_training = len(predictor.manifest.training.seen(dataset))
        self.predictor = predictor
        self._columns = _columns(np.array(predictor.manifest.times), dataset, predictor.path.name)
        self._outputs = ["propensity"]
        if any(output.name == _SPREAD for output in predictor.manifest.outputs):
            found = len(predictor.manifest.output(_SPREAD).columns)
            if found != len(predictor.manifest.times):
                raise InputError(
                    f"{predictor.path.name}: output {_SPREAD}: expected one column per "
                    f"time ({len(predictor.manifest.times)}); found {found}"
                )
            self._outputs.append(_SPREAD)

    def predict(self, configuration: Configuration) -> Prediction:
        """Run the model on a configuration."""
        each = predict_windows(self.predictor, configuration, self._outputs, self.windows)
        found = {name: np.mean([one[name] for one in each], axis=0) for name in self._outputs}
        spread = found.get(_SPREAD)
        return Prediction(
            _at_times(found["propensity"], self._columns),
            None if spread is None else _at_times(spread, self._columns),
        )


class StoredPredictions:
    """Another model's predictions that the dataset holds.

    Args:
        name: name of the predictions in `Configuration.predictions`.
    """

    kind = "stored"
    seen_in_training = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.origin: dict[str, str] = {}

    def predict(self, configuration: Configuration) -> Prediction | None:
        """The stored predictions."""
        found = configuration.predictions.get(self.name)
        return None if found is None else Prediction(found)


class FilePredictions:
    """Predictions from a file (see `PredictionFile`).

    Args:
        name: name of the predictions.
        path: npz or CSV file.
        dataset: labelled configurations.

    Raises:
        InputError: the file does not fit the dataset.
    """

    kind = "file"
    seen_in_training = 0

    def __init__(self, name: str, path: str | Path, dataset: Dataset) -> None:
        self.name = name
        self.origin = {"file": str(path), "sha256": sha256_of(path)} if Path(path).is_file() else {}
        self._file = PredictionFile(path, dataset)
        self._columns = _columns(self._file.times, dataset, str(path))

    def predict(self, configuration: Configuration) -> Prediction | None:
        """The predictions in the file."""
        found = self._file.of(configuration)
        return None if found is None else Prediction(_at_times(found, self._columns))


@dataclass
class Collected:
    """Labels and predictions of all particles, collected configuration by configuration.

    Attributes:
        labels: one array [N, T] [length] per configuration.
        species: one array [N] per configuration.
        halves: one array [N, T, 2] [length] per configuration: labels from each half of the runs;
            None if a configuration lacks them.
        runs: number of runs behind the labels of each configuration, None if unknown.
        predictions: name of the source -> one array [N, T] [length] per configuration, or None.
        spreads: the same for predicted spreads, for those sources that give them.
    """

    labels: list[np.ndarray] = field(default_factory=list)
    species: list[np.ndarray] = field(default_factory=list)
    halves: list[np.ndarray] | None = field(default_factory=list)
    runs: list[int | None] = field(default_factory=list)
    predictions: dict[str, list[np.ndarray | None]] = field(default_factory=dict)
    spreads: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(
        self, configuration: Configuration, predictions: Mapping[str, Prediction | None]
    ) -> None:
        """Keep the labels of a configuration and the predictions of each source for it."""
        self.labels.append(np.asarray(configuration.propensity))
        self.species.append(configuration.species)
        self.runs.append(configuration.n_runs)
        halves = configuration.statistics.get("propensity_halves")
        if halves is None:
            self.halves = None
        elif self.halves is not None:
            self.halves.append(halves)
        for name, found in predictions.items():
            propensity = None if found is None else found.propensity
            self.predictions.setdefault(name, []).append(propensity)
            if found is not None and found.spread is not None:
                self.spreads.setdefault(name, []).append(found.spread)

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


def predict_windows(
    predictor: Predictor,
    configuration: Configuration,
    outputs: Sequence[str],
    windows: int | None = None,
) -> list[dict[str, np.ndarray]]:
    """Outputs of a model for each window of a configuration.

    Args:
        predictor: the model. If it does not read averaged positions, there is one result, also
            if it reads scalars of a window.
        configuration: the configuration.
        outputs: names of outputs in the manifest.
        windows: how many windows, from the first one; None: all that the configuration has.
    """
    several = predictor.manifest.positions == AVERAGE
    number = number_of_windows(configuration) if several else 1
    chosen = range(1, (max(number, 1) if windows is None else windows) + 1)
    return [predictor.predict([configuration], outputs, window=k)[0] for k in chosen]


def predict_each(
    dataset: Dataset,
    predict: Sequence[Callable[[Configuration], T]],
    progress: Progress = SILENT,
) -> Iterator[tuple[Configuration, list[T]]]:
    """Read a dataset once and predict each configuration with one or several models.

    Everything that evaluates exported models on a dataset goes through this loop.

    Args:
        dataset: the configurations; the checksum of each is checked.
        predict: functions of a configuration, such as the method of a `PredictionSource`.
        progress: shows how many configurations are done.

    Yields:
        Each configuration with what each function returns for it.

    Raises:
        InputError: a configuration is damaged.
    """
    for configuration in progress.watch(dataset, dataset.path.name, len(dataset)):
        dataset.verify(configuration)
        yield configuration, [function(configuration) for function in predict]


def open_sources(
    dataset: Dataset,
    models: Sequence[str | Path],
    predictions: Mapping[str, str | Path],
    device: str = "auto",
    windows: int = 1,
    *,
    trust: bool = False,
) -> list[PredictionSource]:
    """Models, predictions in files, and all predictions that a dataset holds.

    Args:
        dataset: labelled configurations.
        models: model files or names of shipped models. The name of each is its file name, or its
            path where file names are the same.
        predictions: name -> npz or CSV file (`FilePredictions`).
        device: device on which the models run.
        windows: if more than one, models of averaged positions are also evaluated with predictions
            averaged over this number of windows.
        trust: do not check the code in the model files; see `glassml.inference.Predictor`.

    Raises:
        InputError: predictions do not fit the dataset, or no model reads averaged positions.
        ModelFileError: a model cannot be read.
    """
    predictors = [Predictor(path, device=device, trust=trust) for path in models]
    names = [predictor.path.name for predictor in predictors]
    sources: list[PredictionSource] = []
    for predictor, path, name in zip(predictors, models, names, strict=True):
        shown = str(path) if names.count(name) > 1 else name
        sources.append(ModelPredictions(predictor, dataset, shown))
        if windows != 1 and (predictor.manifest.positions == AVERAGE or len(models) == 1):
            sources.append(ModelPredictions(predictor, dataset, shown, windows))
    if windows != 1 and all(source.kind != "windows" for source in sources):
        raise InputError(
            "--windows: expected a model that reads averaged positions; found "
            f"{', '.join(names) or 'no model'}"
        )
    sources += [FilePredictions(name, path, dataset) for name, path in predictions.items()]
    return sources + list(stored_predictions(dataset))


def stored_predictions(dataset: Dataset) -> list[StoredPredictions]:
    """The predictions of other models that a dataset holds, in the order of the file."""
    names: dict[str, None] = {}
    for name in dataset.names:
        names.update(dict.fromkeys(dataset.stored(name).get("predictions", {})))
    return [StoredPredictions(name) for name in names]


def _check_windows(predictor: Predictor, dataset: Dataset, windows: int) -> None:
    if windows < 1:
        raise InputError(f"--windows: expected at least 1; found {windows}")
    if predictor.manifest.positions != AVERAGE:
        raise InputError(
            "--windows: expected a model that reads averaged positions; found "
            f"{predictor.path.name}, which reads {predictor.manifest.positions} positions"
        )
    for name in dataset.names:
        found = dataset.n_windows(name)
        if found < windows:
            raise InputError(
                f"--windows: expected at most the {found} that {name} in {dataset.path} has; "
                f"found {windows}. `glassml average --windows {windows}` makes them"
            )


def _columns(known: np.ndarray, dataset: Dataset, source: str) -> list[int | None]:
    """The column of a source for each time of the dataset, None where it has none."""
    times = dataset.common_times()
    columns = [column_of(time, known) for time in times]
    missing = [time for time, column in zip(times, columns, strict=True) if column is None]
    if len(missing) == len(times):
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

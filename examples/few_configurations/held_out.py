"""Predictions of configurations that the models have not seen, and their scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from glassml.analysis.correlation import pearson_all, pearson_mean
from glassml.data import Configuration
from glassml.files import atomic_write

Scores = dict[tuple[str, int], dict[str, tuple[float, float]]]  # (model, windows), kind -> error


@dataclass
class HeldOut:
    """Labels and predictions, configuration after configuration.

    Attributes:
        names: of the configurations.
        labels: of each, [N, 1] [length].
        species: of each, [N].
        predictions: for a model and a number of windows those of each configuration, [N, 1].
    """

    names: list[str] = field(default_factory=list)
    labels: list[np.ndarray] = field(default_factory=list)
    species: list[np.ndarray] = field(default_factory=list)
    predictions: dict[tuple[str, int], list[np.ndarray]] = field(default_factory=dict)

    def add(
        self,
        name: str,
        configuration: Configuration,
        predictions: dict[tuple[str, int], np.ndarray],
    ) -> None:
        """One more configuration, with the predictions of every model."""
        self.names.append(name)
        self.labels.append(np.asarray(configuration.propensity))
        self.species.append(configuration.species)
        for key, values in predictions.items():
            self.predictions.setdefault(key, []).append(values)

    def scores(self) -> Scores:
        """Scores of every model and number of windows."""
        return {
            key: score(values, self.labels, self.species)
            for key, values in self.predictions.items()
        }

    def save(self, path: Path) -> None:
        """Write all of it to an .npz file; configurations must have equal numbers of particles."""
        models = [model for model, _ in self.predictions]
        windows = [number for _, number in self.predictions]
        with atomic_write(path) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file, names=self.names, labels=self.labels, species=self.species,
                models=models, windows=windows, predictions=list(self.predictions.values()),
            )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> HeldOut:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            kept = {name: file[name] for name in file.files}
        keys = zip(kept["models"].tolist(), kept["windows"].tolist(), strict=True)
        return cls(
            kept["names"].tolist(),
            list(kept["labels"]),
            list(kept["species"]),
            dict(zip(keys, map(list, kept["predictions"]), strict=True)),
        )


def score(
    predictions: list[np.ndarray], labels: list[np.ndarray], species: list[np.ndarray]
) -> dict[str, tuple[float, float]]:
    """Coefficients of A particles, each with its standard error by leaving out configurations."""

    def of(pearson: Callable, left_out: int | None) -> float:
        kept = [i for i in range(len(labels)) if i != left_out]
        parts = ([values[i] for i in kept] for values in (predictions, labels, species))
        return float(pearson(*parts, 2)[0, 0])

    n = len(labels)
    result = {}
    for name, pearson in (("mean", pearson_mean), ("all", pearson_all)):
        parts = [of(pearson, i) for i in range(n)]
        result[name] = (of(pearson, None), float(np.sqrt((n - 1) * np.var(parts))))
    return result


def table(scores: Scores) -> str:
    """The scores as a table."""
    rows = ["| model | windows | `mean` | `all` |", "| --- | --- | --- | --- |"]
    for (name, windows), kinds in scores.items():
        values = " | ".join(f"{value:.3f} ± {error:.3f}" for value, error in kinds.values())
        rows.append(f"| {name} | {windows} | {values} |")
    return "\n".join(rows)

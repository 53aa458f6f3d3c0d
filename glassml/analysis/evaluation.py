"""How well a model predicts the labels of a dataset."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from glassml.analysis.metrics import Score, scores
from glassml.analysis.predictions import ModelPredictions, Watch, collect
from glassml.data import Dataset
from glassml.inference import Predictor
from glassml.tables import write_csv, write_json

__all__ = ["Evaluation", "Score", "evaluate", "no_test", "table", "uncertain"]

_SHOWN = ("pearson_all", "pearson_mean", "spearman_all", "spearman_mean")


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        model: file name of the model, or another name of the predictions.
        dataset: file name of the dataset.
        sha256: checksum of the dataset's contents.
        configurations: number of configurations.
        scores: one a species and time.
        kind: what gave the predictions: "model", "stored" (in the dataset), "file", or "seeds" (the
            average over models that differ in their seed).
        seen: how many of the configurations the model was trained or validated on, as far as its
            file tells (`TrainingRecord.seen`): those are no test.
    """

    model: str
    dataset: str
    sha256: str
    configurations: int
    scores: tuple[Score, ...]
    kind: str = "model"
    seen: int = 0

    def write_json(self, path: str | Path) -> None:
        """Write everything as JSON; undefined coefficients become null."""
        write_json(asdict(self), path)

    def write_csv(self, path: str | Path) -> None:
        """Write one row a species and time; undefined coefficients become ``nan``."""
        names = [field.name for field in fields(Score)]
        write_csv([asdict(score) for score in self.scores], path, names)


def evaluate(predictor: Predictor, dataset: Dataset, watch: Watch = iter) -> Evaluation:
    """Compare a model's predictions with the labels of a dataset, without error bars.

    Args:
        predictor: the model; it may predict more times than the dataset has labels for.
        dataset: labelled configurations.
        watch: shows progress over the configurations.

    Raises:
        InputError: no labels, labels at times that the model does not predict, or a configuration
            that the model cannot be used on or has no finite prediction for.
    """
    source = ModelPredictions(predictor, dataset, all_times=True)
    found = collect(dataset, [source], watch)
    values = scores(
        found.predictions[source.name],
        found.labels,
        found.species,
        dataset.species_names,
        dataset.common_times().tolist(),
    )
    return Evaluation(
        source.name,
        dataset.path.name,
        dataset.sha256,
        len(dataset),
        values,
        source.kind,
        source.seen,
    )


def table(evaluation: Evaluation) -> Table:
    """The scores as a table for the terminal, with error bars as `uncertain` writes them."""
    result = Table(
        title=f"{evaluation.model} on {evaluation.dataset} "
        f"({evaluation.configurations} configurations)",
        caption="all: particles of all configurations pooled; mean: within each configuration, "
        "then averaged" + (f". {no_test(evaluation)}" if evaluation.seen else ""),
        box=SIMPLE_HEAD,  # without lines between columns, which leave no room for error bars
        pad_edge=False,
        collapse_padding=True,
    )
    for heading in ("species", "time", "particles"):
        result.add_column(heading, justify="right")
    for heading in ("Pearson all", "Pearson mean", "Spearman all", "Spearman mean"):
        result.add_column(heading, justify="right")
    shown = [score for score in evaluation.scores if score.configurations]
    for score in shown:
        result.add_row(
            score.species,
            f"{score.time:g}",
            str(score.particles),
            *(uncertain(getattr(score, n), getattr(score, f"{n}_error")) for n in _SHOWN),
            end_section=score.time == shown[-1].time,
        )
    return result


def no_test(evaluation: Evaluation) -> str:
    """A warning that configurations are known from training."""
    which = "one of its seeds" if evaluation.kind == "seeds" else "the model"
    return (
        f"No test: {which} was trained or validated on {evaluation.seen} of the "
        f"{evaluation.configurations} configurations"
    )


def uncertain(value: float, error: float) -> str:
    """A number with its error bar in units of the last digit; "-" if it is not defined.

    0.467(12) is 0.467 +- 0.012.
    """
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" + ("" if math.isnan(error) else f"({1000 * error:.0f})")

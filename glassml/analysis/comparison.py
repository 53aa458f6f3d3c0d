"""Several sets of predictions against the labels of one dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

import glassml
from glassml.analysis.correlation import pearson_all, pearson_mean
from glassml.analysis.four_point_curves import LABELS, FourPointCollector, FourPointCurves
from glassml.analysis.metrics import (
    Corrected,
    Sample,
    averaged_corrected,
    averaged_samples,
    averaged_scores,
    corrected_pearson,
    samples,
    scores,
    spread_agreement,
)
from glassml.analysis.predictions import Collected, PredictionSource, predict_each
from glassml.data import Dataset, units_of
from glassml.errors import InputError
from glassml.physics import noise_ceiling
from glassml.physics.units import Units
from glassml.progress import SILENT, Progress
from glassml.scores import Score
from glassml.tables import ScoreTable

__all__ = ["Ceiling", "Comparison", "Evaluation", "Spread", "compare"]


@dataclass(frozen=True)
class Evaluation:
    """How well one set of predictions agrees with the labels.

    Attributes:
        model: file name of the model, or another name of the predictions.
        source_kind: source of the predictions: "model", "windows" (those of a model, averaged over
            windows), "stored" (in the dataset), "file", or
            "seeds" (the average over models that differ in their seed).
        seen_in_training: number of configurations of the dataset that the model was trained or
            validated on, as far as its file records this; these are no test of it.
        scores: for each species and time, one per statistic and kind.
        samples: the particles behind them, one entry per species and time.
        corrected: Pearson coefficients without the noise of the labels, one entry per species and
            time; none if the labels of the two halves of the runs are unknown.
    """

    model: str
    source_kind: str
    seen_in_training: int
    scores: tuple[Score, ...]
    samples: tuple[Sample, ...]
    corrected: tuple[Corrected, ...] = ()


@dataclass(frozen=True)
class Ceiling:
    """The highest Pearson coefficients that the noise of the labels allows [-], NaN if unknown.

    Estimated from the correlation of labels from the two halves of the isoconfigurational runs
    (`glassml.physics.noise_ceiling`), over all particles pooled and as a mean over configurations.
    """

    species: str
    time: float
    all: float
    mean: float


@dataclass(frozen=True)
class Spread:
    """How well the spread that a model predicts agrees with the size of its errors.

    The fields after the time are those of `SpreadAgreement`.
    """

    model: str
    species: str
    time: float
    pearson: float
    spearman: float
    spread: tuple[float, ...]
    error: tuple[float, ...]
    count: tuple[int, ...]


@dataclass(frozen=True)
class Comparison(ScoreTable):
    """The result of `compare`.

    Attributes:
        dataset: file name of the dataset.
        sha256: checksum of its contents.
        configurations: number of configurations.
        species_names: names of the species.
        times: times of the labels [time].
        length_unit: unit of the labels.
        resamples: number of resamples behind the error bars.
        seed: seed of the resamples.
        sources: name, kind and origin of each set of predictions, and the number of configurations
            that were seen in its training.
        evaluations: one per set of predictions; the average over seeds, if requested, comes first.
        ceilings: one per species and time.
        spreads: one per species and time, for each model that predicts a spread.
        collected: labels and predictions of each particle.
        four_point: chi4 and G4, None if they were not requested or cannot be computed.
        four_point_notes: what of them is missing, and why, in sentences.
        units: how the units of the dataset are written, as far as they are known.
    """

    dataset: str
    sha256: str
    configurations: int
    species_names: tuple[str, ...]
    times: tuple[float, ...]
    length_unit: str
    resamples: int
    seed: int
    sources: tuple[dict[str, Any], ...]
    evaluations: tuple[Evaluation, ...]
    ceilings: tuple[Ceiling, ...]
    spreads: tuple[Spread, ...]
    collected: Collected
    four_point: FourPointCurves | None = None
    four_point_notes: tuple[str, ...] = ()
    units: Units = field(default_factory=Units)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sets of predictions, without averages."""
        return tuple(source["name"] for source in self.sources)

    @property
    def seed_models(self) -> tuple[str, ...]:
        """Names of the models behind the average over seeds; none if there is no such average."""
        if all(evaluation.source_kind != "seeds" for evaluation in self.evaluations):
            return ()
        return tuple(source["name"] for source in self.sources if source["kind"] == "model")

    def rows(self) -> list[dict[str, Any]]:
        """The scores: one row per set of predictions, species, time, statistic and kind."""
        return [
            {"model": evaluation.model, "source_kind": evaluation.source_kind, **score.model_dump()}
            for evaluation in self.evaluations
            for score in evaluation.scores
        ]

    def sample_rows(self) -> list[dict[str, Any]]:
        """Numbers of particles and overlaps: one row per set of predictions, species and time."""
        return [
            {"model": evaluation.model, **asdict(sample)}
            for evaluation in self.evaluations
            for sample in evaluation.samples
        ]

    def corrected_rows(self) -> list[dict[str, Any]]:
        """Pearson coefficients without the noise of the labels: rows as in `sample_rows`."""
        return [
            {"model": evaluation.model, **asdict(corrected)}
            for evaluation in self.evaluations
            for corrected in evaluation.corrected
        ]

    def facts(self) -> dict[str, Any]:
        """All numbers except the scores and those of single particles."""
        result: dict[str, Any] = {
            "glassml": glassml.__version__,
            "dataset": self.dataset,
            "sha256": self.sha256,
            "configurations": self.configurations,
            "length_unit": self.length_unit,
            "time_unit": self.units.time or None,
            "bootstrap": {"resamples": self.resamples, "seed": self.seed},
            "models": list(self.sources),
            "seeds": list(self.seed_models),
            "samples": self.sample_rows(),
            "corrected": self.corrected_rows(),
            "noise_ceilings": [asdict(ceiling) for ceiling in self.ceilings],
            "spread": [asdict(spread) for spread in self.spreads],
        }
        if self.four_point is not None:
            result["four_point"] = self.four_point.as_dict()
        if self.four_point_notes:
            result["four_point_notes"] = list(self.four_point_notes)
        return result


def compare(
    dataset: Dataset,
    sources: Sequence[PredictionSource],
    *,
    seeds: bool = False,
    resamples: int = 200,
    seed: int = 0,
    four_point: FourPointCollector | None = None,
    progress: Progress = SILENT,
) -> Comparison:
    """Evaluate one or several sets of predictions in one pass over a dataset.

    Args:
        dataset: labelled configurations.
        sources: predictions, with different names.
        seeds: treat the models among them as trained with different seeds, and add the mean of
            their scores, with the standard deviation over models as error bars.
        resamples: of the configurations, for error bars; 0: none.
        seed: seed of the resamples.
        four_point: also compute chi4 and G4, with these settings.
        progress: shows how many configurations are done.

    Raises:
        InputError: there are no predictions, or they do not fit the dataset; ``seeds`` with fewer
            than two models.
    """
    models = [source.name for source in sources if source.kind == "model"]
    _check(dataset, sources, models if seeds else None, resamples)
    times = tuple(dataset.common_times().tolist())
    names = [source.name for source in sources]
    found = Collected()
    for configuration, predictions in predict_each(
        dataset, [source.predict for source in sources], progress
    ):
        found.add(configuration, dict(zip(names, predictions, strict=True)))
        if four_point is not None:
            four_point.add(
                configuration, [None if p is None else p.propensity for p in predictions]
            )
    evaluations = _evaluations(dataset, sources, found, resamples, seed)
    if seeds:
        evaluations.insert(0, _average(evaluations))
    curves = None if four_point is None else four_point.result(names, resamples, seed)
    return Comparison(
        dataset=dataset.path.name,
        sha256=dataset.sha256,
        configurations=len(dataset),
        species_names=dataset.species_names,
        times=times,
        length_unit=dataset.length_unit,
        resamples=resamples,
        seed=seed,
        sources=tuple(map(_described, sources)),
        evaluations=tuple(evaluations),
        ceilings=_ceilings(found, dataset.species_names, times),
        spreads=_spreads(found, dataset.species_names, times),
        collected=found,
        four_point=curves,
        four_point_notes=() if four_point is None else tuple(four_point.notes),
        units=units_of(dataset),
    )


def _described(source: PredictionSource) -> dict[str, Any]:
    facts = {"seen_in_training": source.seen_in_training}
    return {"name": source.name, "kind": source.kind, **source.origin, **facts}


def _check(
    dataset: Dataset,
    sources: Sequence[PredictionSource],
    seed_models: list[str] | None,
    resamples: int,
) -> None:
    names = [source.name for source in sources]
    if seed_models is not None and len(seed_models) < 2:
        raise InputError(f"--seeds: expected two or more models; found {len(seed_models)}")
    if not names:
        raise InputError(
            f"{dataset.path}: expected a model or predictions to evaluate; found none. Give a "
            "model, --predictions, or a dataset that holds predictions"
        )
    if LABELS in names:
        raise InputError(
            f"predictions: expected a name other than {LABELS!r}, which stands for the labels"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"predictions: expected different names; found {twice[0]!r} twice")
    if resamples < 0:
        raise InputError(f"--resamples: expected 0 or more; found {resamples}")


def _evaluations(
    dataset: Dataset,
    sources: Sequence[PredictionSource],
    found: Collected,
    resamples: int,
    seed: int,
) -> list[Evaluation]:
    columns = (dataset.species_names, dataset.common_times().tolist())
    result = []
    for source in sources:
        arrays = (found.predictions[source.name], found.labels, found.species)
        result.append(
            Evaluation(
                source.name,
                source.kind,
                source.seen_in_training,
                scores(*arrays, *columns, resamples=resamples, seed=seed),
                samples(*arrays, *columns),
                corrected_pearson(
                    arrays[0],
                    found.labels,
                    found.halves,
                    found.species,
                    *columns,
                    resamples=resamples,
                    seed=seed,
                ),
            )
        )
    return result


def _average(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The average over the models among some sets of predictions."""
    models = [evaluation for evaluation in evaluations if evaluation.source_kind == "model"]
    return Evaluation(
        f"mean of {len(models)} seeds",
        "seeds",
        max(model.seen_in_training for model in models),
        averaged_scores([model.scores for model in models]),
        averaged_samples([model.samples for model in models]),
        averaged_corrected([model.corrected for model in models]),
    )


def _ceilings(
    found: Collected, species_names: Sequence[str], times: Sequence[float]
) -> tuple[Ceiling, ...]:
    shape = (len(species_names), len(times))
    values = {"all": np.full(shape, np.nan), "mean": np.full(shape, np.nan)}
    if found.halves is not None:
        one, other = ([halves[:, :, k] for halves in found.halves] for k in (0, 1))
        arguments = (one, other, found.species, len(species_names))
        values = {"all": pearson_all(*arguments), "mean": pearson_mean(*arguments)}

    def ceiling(kind: str, s: int, t: int) -> float:
        value = noise_ceiling(float(values[kind][s, t]))
        return np.nan if value is None else value

    return tuple(
        Ceiling(name, time, ceiling("all", s, t), ceiling("mean", s, t))
        for s, name in enumerate(species_names)
        for t, time in enumerate(times)
    )


def _spreads(
    found: Collected, species_names: Sequence[str], times: Sequence[float]
) -> tuple[Spread, ...]:
    result = []
    kinds = np.concatenate(found.species)
    for model, parts in found.spreads.items():
        spread = np.concatenate(parts)
        predicted = np.concatenate([p for p in found.predictions[model] if p is not None])
        labels = np.concatenate(found.labels)
        for s, name in enumerate(species_names):
            for t, time in enumerate(times):
                mine = (kinds == s) & np.isfinite(spread[:, t])
                if not mine.any():
                    continue
                values = spread_agreement(spread[mine, t], predicted[mine, t], labels[mine, t])
                result.append(
                    Spread(
                        model,
                        name,
                        time,
                        values.pearson,
                        values.spearman,
                        tuple(values.spread.tolist()),
                        tuple(values.error.tolist()),
                        tuple(values.count.tolist()),
                    )
                )
    return tuple(result)

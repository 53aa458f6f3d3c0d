"""Several sets of predictions against the labels of one dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

import glassml
from glassml.analysis.correlation import pearson_all, pearson_mean
from glassml.analysis.evaluation import Evaluation
from glassml.analysis.four_point_curves import LABELS, FourPointCollector, FourPointCurves
from glassml.analysis.metrics import Score, averaged_scores, scores, spread_agreement
from glassml.analysis.predictions import Collected, PredictionSource, collect
from glassml.data import Configuration, Dataset
from glassml.errors import InputError
from glassml.physics import noise_ceiling
from glassml.tables import write_csv, write_json

__all__ = ["Ceiling", "Comparison", "Spread", "compare"]


@dataclass(frozen=True)
class Ceiling:
    """The highest Pearson coefficients that the noise of the labels allows [-], NaN if unknown.

    From the halves of the isoconfigurational runs (`glassml.physics.noise_ceiling`): of all
    particles pooled, and of the mean over configurations of the halves' coefficient.
    """

    species: str
    time: float
    all: float
    mean: float


@dataclass(frozen=True)
class Spread:
    """Whether the spread that a model predicts tells how large its errors are.

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
class Comparison:
    """What `compare` found.

    Attributes:
        dataset: file name of the dataset.
        sha256: checksum of its contents.
        configurations: number of configurations.
        species_names: names of the species.
        times: times of the labels [time].
        length_unit: unit of the labels.
        resamples: number of resamples behind the error bars.
        seed: of the resamples.
        sources: name, kind and origin of each set of predictions, and how many configurations
            were seen in its training.
        evaluations: one a set of predictions; before them, if asked for, that of the average over
            seeds.
        ceilings: one a species and time.
        spreads: one a species and time, of those models that give a spread.
        collected: labels and predictions of each particle.
        four_point: chi4 and G4, if asked for.
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

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sets of predictions, without averages."""
        return tuple(source["name"] for source in self.sources)

    @property
    def seed_models(self) -> tuple[str, ...]:
        """Names of the models that an average over seeds is made of, if there is one."""
        if all(evaluation.kind != "seeds" for evaluation in self.evaluations):
            return ()
        return tuple(source["name"] for source in self.sources if source["kind"] == "model")

    def rows(self) -> list[dict[str, Any]]:
        """The scores as rows of a table: one a set of predictions, species and time."""
        ceilings = {(c.species, c.time): c for c in self.ceilings}
        rows = []
        for evaluation in self.evaluations:
            for score in evaluation.scores:
                ceiling = ceilings[score.species, score.time]
                rows.append(
                    {"model": evaluation.model, "kind": evaluation.kind}
                    | asdict(score)
                    | {"noise_ceiling_all": ceiling.all, "noise_ceiling_mean": ceiling.mean}
                )
        return rows

    def as_dict(self) -> dict[str, Any]:
        """All numbers but those of single particles, as plain dictionaries and lists."""
        result: dict[str, Any] = {
            "glassml": glassml.__version__,
            "dataset": self.dataset,
            "sha256": self.sha256,
            "configurations": self.configurations,
            "length_unit": self.length_unit,
            "bootstrap": {"resamples": self.resamples, "seed": self.seed},
            "models": list(self.sources),
            "seeds": list(self.seed_models),
            "scores": self.rows(),
            "spread": [asdict(spread) for spread in self.spreads],
        }
        if self.four_point is not None:
            result["four_point"] = self.four_point.as_dict()
        return result

    def write_json(self, path: str | Path) -> None:
        """Write `as_dict` as JSON; what is not defined becomes null."""
        write_json(self.as_dict(), path)

    def write_csv(self, path: str | Path) -> None:
        """Write `rows`; what is not defined becomes ``nan``."""
        scores = [field.name for field in fields(Score)]
        names = ["model", "kind", *scores, "noise_ceiling_all", "noise_ceiling_mean"]
        write_csv(self.rows(), path, names)


def compare(
    dataset: Dataset,
    sources: Sequence[PredictionSource],
    *,
    seeds: bool = False,
    resamples: int = 200,
    seed: int = 0,
    four_point: FourPointCollector | None = None,
    on_configuration: Callable[[], None] = lambda: None,
) -> Comparison:
    """Evaluate several sets of predictions in one pass over a dataset.

    Args:
        dataset: labelled configurations.
        sources: predictions, with different names.
        seeds: treat the models among them as trained with different seeds, and add the mean of
            their scores, with the standard deviation over models as error bars.
        resamples: of the configurations, for error bars; 0: none.
        seed: of the resamples.
        four_point: also compute chi4 and G4, with these settings.
        on_configuration: called after each configuration.

    Raises:
        InputError: there are no predictions, or they do not fit the dataset; ``seeds`` with fewer
            than two models.
    """
    models = [source.name for source in sources if source.kind == "model"]
    _check(dataset, sources, models if seeds else None, resamples)
    times = tuple(dataset.common_times().tolist())
    names = [source.name for source in sources]

    def each(configuration: Configuration, predictions: list[np.ndarray | None]) -> None:
        if four_point is not None:
            four_point.add(configuration, predictions)
        on_configuration()

    found = collect(dataset, sources, each=each)
    values = {
        name: scores(
            found.predictions[name],
            found.labels,
            found.species,
            dataset.species_names,
            times,
            resamples=resamples,
            seed=seed,
        )
        for name in names
    }
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
        evaluations=_evaluations(dataset, sources, values, models if seeds else []),
        ceilings=_ceilings(found, dataset.species_names, times),
        spreads=_spreads(found, dataset.species_names, times),
        collected=found,
        four_point=None if four_point is None else four_point.result(names, resamples, seed),
    )


def _described(source: PredictionSource) -> dict[str, Any]:
    return {"name": source.name, "kind": source.kind, **source.origin, "seen": source.seen}


def _check(
    dataset: Dataset,
    sources: Sequence[PredictionSource],
    seed_models: list[str] | None,
    resamples: int,
) -> None:
    if seed_models is not None and len(seed_models) < 2:
        raise InputError(f"--seeds: expected two or more models; found {len(seed_models)}")
    if not sources:
        raise InputError(
            f"{dataset.path}: expected a model or predictions to evaluate; found none. Give a "
            "model, --predictions, or a dataset that holds predictions"
        )
    if LABELS in {source.name for source in sources}:
        raise InputError(f"predictions: expected another name than {LABELS!r}, which has a meaning")
    if resamples < 0:
        raise InputError(f"--resamples: expected 0 or more; found {resamples}")


def _evaluations(
    dataset: Dataset,
    sources: Sequence[PredictionSource],
    values: dict[str, tuple[Score, ...]],
    seed_models: list[str],
) -> tuple[Evaluation, ...]:
    about = (dataset.path.name, dataset.sha256, len(dataset))
    result = []
    if seed_models:
        average = averaged_scores([values[name] for name in seed_models])
        seen = max(s.seen for s in sources if s.name in seed_models)
        name = f"mean of {len(seed_models)} seeds"
        result.append(Evaluation(name, *about, average, "seeds", seen))
    result += [Evaluation(s.name, *about, values[s.name], s.kind, s.seen) for s in sources]
    return tuple(result)


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

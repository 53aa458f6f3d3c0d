"""The coefficients of one set of predictions, for each species and time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glassml.analysis.correlation import coefficients
from glassml.analysis.metrics.agreement import overlap_coefficient
from glassml.analysis.metrics.bootstrap import mean_errors, pooled_errors, resampled_counts
from glassml.scores import KINDS, STATISTICS, ErrorKind, Kind, Score, Statistic, error_bar

__all__ = ["Sample", "averaged_samples", "averaged_scores", "pearson_scores", "samples", "scores"]

# Predictions and labels [n] [length] of one species at one time, one pair per configuration.
_Pairs = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Sample:
    """The particles of one species at one time for which there are predictions.

    Attributes:
        species: name of the species.
        time: time of the labels [time].
        configurations: number of configurations with predictions.
        particles: number of particles of the species in these.
        overlap: of the distributions of predictions and of labels (`overlap_coefficient`) [-], NaN
            if there is no prediction or one that is not finite.
    """

    species: str
    time: float
    configurations: int
    particles: int
    overlap: float


def scores(
    predictions: Sequence[np.ndarray | None],
    labels: Sequence[np.ndarray],
    species: Sequence[np.ndarray],
    species_names: Sequence[str],
    times: Sequence[float],
    *,
    resamples: int = 0,
    seed: int = 0,
) -> tuple[Score, ...]:
    """All coefficients of one set of predictions.

    A configuration counts for a species and time unless it has no predictions for them: None, or
    NaN for all particles. A prediction that is not finite, among others that are, makes the
    coefficients NaN.

    Args:
        predictions: one array [N, T] [length] per configuration.
        labels: the same.
        species: one int array [N] per configuration.
        species_names: names of the species.
        times: [T] [time].
        resamples: how often the configurations are drawn for the error bars; 0: no error bars.
        seed: seed of the resamples.

    Returns:
        For each species and time one score per statistic and kind.
    """
    columns = _columns(predictions, labels, species, species_names, times)
    return tuple(
        score
        for name, time, pairs in columns
        for score in _scores(pairs, name, time, resamples, seed)
    )


def samples(
    predictions: Sequence[np.ndarray | None],
    labels: Sequence[np.ndarray],
    species: Sequence[np.ndarray],
    species_names: Sequence[str],
    times: Sequence[float],
) -> tuple[Sample, ...]:
    """The samples behind `scores`: one per species and time.

    Args:
        predictions: for each configuration [N, T] [length], or None without a prediction.
        labels: for each configuration [N, T] [length].
        species: for each configuration [N].
        species_names: names of the species.
        times: the T times of the labels [time].
    """
    result = []
    for name, time, pairs in _columns(predictions, labels, species, species_names, times):
        x, y = _pooled(pairs)
        defined = len(x) > 0 and np.isfinite(x).all()
        overlap = overlap_coefficient(x, y) if defined else math.nan
        result.append(Sample(name, time, len(pairs), len(x), overlap))
    return tuple(result)


def averaged_scores(models: Sequence[Sequence[Score]]) -> tuple[Score, ...]:
    """Mean over models of each coefficient, with the standard deviation over them as its error bar.

    Args:
        models: the scores of two or more models that differ in their seed, each for the same
            species, times, statistics and kinds.
    """
    result = []
    for same in zip(*models, strict=True):
        values = [score.value for score in same]
        error = error_bar(float(np.std(values, ddof=1)), "standard deviation over seeds")
        changes = {"error": None, "error_kind": None, "value": float(np.mean(values)), **error}
        result.append(same[0].model_copy(update=changes))
    return tuple(result)


def averaged_samples(models: Sequence[Sequence[Sample]]) -> tuple[Sample, ...]:
    """The samples of models that predict the same particles, with the mean of the overlaps."""
    return tuple(
        replace(same[0], overlap=float(np.mean([sample.overlap for sample in same])))
        for same in zip(*models, strict=True)
    )


def pearson_scores(
    values: np.ndarray,
    species_names: Sequence[str],
    times: Sequence[float],
    configurations: int,
    errors: np.ndarray | None = None,
    error_kind: ErrorKind = "unspecified",
) -> tuple[Score, ...]:
    """Scores from arrays of Pearson coefficients.

    Args:
        values: [2, n_species, T] [-], the kinds ``all`` and ``mean``.
        species_names: names of the species.
        times: [T] [time].
        configurations: number of configurations behind them.
        errors: the same shape, NaN where there is none; None: no error bars.
        error_kind: what the errors are.
    """
    errors = np.full(values.shape, np.nan) if errors is None else errors
    return tuple(
        Score(
            species=name, time=float(time), kind=kind, value=float(values[k, s, t]),
            configurations=configurations, **error_bar(float(errors[k, s, t]), error_kind),
        )
        for s, name in enumerate(species_names)
        for t, time in enumerate(times)
        for k, kind in enumerate(KINDS)
    )  # fmt: skip


def _columns(
    predictions: Sequence[np.ndarray | None],
    labels: Sequence[np.ndarray],
    species: Sequence[np.ndarray],
    species_names: Sequence[str],
    times: Sequence[float],
) -> Iterator[tuple[str, float, _Pairs]]:
    """Each species and time with the configurations that count for it."""
    for s, name in enumerate(species_names):
        for t, time in enumerate(times):
            pairs = []
            for x, y, of_particle in zip(predictions, labels, species, strict=True):
                mine = of_particle == s
                if x is None or not mine.any() or np.isnan(x[mine, t]).all():
                    continue
                pairs.append((x[mine, t].astype(np.float64), y[mine, t].astype(np.float64)))
            yield name, float(time), pairs


def _pooled(pairs: _Pairs) -> tuple[np.ndarray, np.ndarray]:
    if not pairs:
        return np.empty(0), np.empty(0)
    x, y = zip(*pairs, strict=True)
    return np.concatenate(x), np.concatenate(y)


def _scores(pairs: _Pairs, species: str, time: float, resamples: int, seed: int) -> Iterator[Score]:
    x, y = _pooled(pairs)
    values: dict[tuple[Statistic, Kind], float] = {}
    errors: dict[tuple[Statistic, Kind], float] = {}
    # Only configurations that have predictions are drawn.
    draw = resamples > 0 and len(pairs) > 1 and np.isfinite(x).all()
    counts = resampled_counts(len(pairs), resamples, seed) if draw else None
    pooled = {}
    if counts is not None:
        pooled = pooled_errors([p for p, _ in pairs], [label for _, label in pairs], counts)
    for statistic in STATISTICS if pairs else ():
        values[statistic, "all"] = float(_one(statistic, x, y).filled(np.nan))
        each = np.ma.stack([_one(statistic, *pair) for pair in pairs])
        values[statistic, "mean"] = float(each.mean()) if each.count() else math.nan
        if counts is not None:
            errors[statistic, "all"] = pooled[statistic]
            errors[statistic, "mean"] = float(mean_errors(each, counts))
    for statistic in STATISTICS:
        for kind in KINDS:
            key = (statistic, kind)
            error = error_bar(errors.get(key, math.nan), "bootstrap over configurations")
            yield Score(
                species=species, time=time, statistic=statistic, kind=kind,
                value=values.get(key, math.nan), configurations=len(pairs), **error,
            )  # fmt: skip


def _one(statistic: str, x: np.ndarray, y: np.ndarray) -> np.ma.MaskedArray:
    """A coefficient of the particles of one species at one time, masked if it is not defined."""
    same = np.zeros(len(x), dtype=int)
    return coefficients(statistic, x[:, None], y[:, None], same, 1)[0:1, 0].reshape(())

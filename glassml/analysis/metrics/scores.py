"""The coefficients of one set of predictions, for each species and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glassml.analysis.correlation import coefficients
from glassml.analysis.metrics.agreement import overlap_coefficient
from glassml.analysis.metrics.bootstrap import mean_errors, pooled_errors, resampled_counts

__all__ = ["METRICS", "Score", "averaged_scores", "scores"]

_STATISTICS = ("pearson", "spearman", "r2")
METRICS = tuple(f"{statistic}_{kind}" for statistic in _STATISTICS for kind in ("all", "mean"))


@dataclass(frozen=True)
class Score:
    """Agreement for one species and time; what is not defined is NaN.

    Each coefficient has an error bar of the same name with ``_error``: the standard deviation over
    resamples of the configurations, NaN if there is one configuration; or over models, where the
    score is an average over models.

    Attributes:
        species: name of the species.
        time: time of the labels [time].
        configurations: number of configurations with predictions.
        particles: number of particles of the species in those.
        pearson_all: Pearson coefficient of all particles pooled [-].
        pearson_mean: Pearson coefficient per configuration, averaged [-].
        spearman_all: Spearman rank coefficient of all particles pooled [-].
        spearman_mean: Spearman rank coefficient per configuration, averaged [-].
        r2_all: R2 of all particles pooled [-].
        r2_mean: R2 per configuration, averaged [-].
        overlap: of the distributions of predictions and of labels (`overlap_coefficient`) [-].
    """

    species: str
    time: float
    configurations: int
    particles: int
    pearson_all: float = np.nan
    pearson_mean: float = np.nan
    spearman_all: float = np.nan
    spearman_mean: float = np.nan
    r2_all: float = np.nan
    r2_mean: float = np.nan
    overlap: float = np.nan
    pearson_all_error: float = np.nan
    pearson_mean_error: float = np.nan
    spearman_all_error: float = np.nan
    spearman_mean_error: float = np.nan
    r2_all_error: float = np.nan
    r2_mean_error: float = np.nan


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
    """Scores of one set of predictions, one a species and time.

    A configuration counts for a species and time unless there are no predictions for it: None, or
    NaN for all particles. Among others a prediction that is not finite makes the coefficients NaN.

    Args:
        predictions: one array [N, T] [length] a configuration.
        labels: the same.
        species: one int array [N] a configuration.
        species_names: names of the species.
        times: [T] [time].
        resamples: how often the configurations are drawn for the error bars; 0: no error bars.
        seed: of these draws.
    """
    return tuple(
        _score(_column(predictions, labels, species, s, t), name, float(time), resamples, seed)
        for s, name in enumerate(species_names)
        for t, time in enumerate(times)
    )


def averaged_scores(models: Sequence[Sequence[Score]]) -> tuple[Score, ...]:
    """Mean over models of each coefficient, with the standard deviation over them as its error bar.

    Args:
        models: the scores of each of two or more models, of the same species and times.
    """
    result = []
    for same in zip(*models, strict=True):
        values: dict[str, float] = {"overlap": float(np.mean([s.overlap for s in same]))}
        for metric in METRICS:
            each = [getattr(score, metric) for score in same]
            values[metric] = float(np.mean(each))
            values[f"{metric}_error"] = float(np.std(each, ddof=1))
        result.append(replace(same[0], **values))
    return tuple(result)


def _column(
    predictions: Sequence[np.ndarray | None],
    labels: Sequence[np.ndarray],
    species: Sequence[np.ndarray],
    s: int,
    t: int,
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Predictions and labels of a species at a time, by the index of the configuration."""
    result = {}
    for c, (x, y, kinds) in enumerate(zip(predictions, labels, species, strict=True)):
        mine = kinds == s
        if x is None or not mine.any() or np.isnan(x[mine, t]).all():
            continue
        result[c] = (x[mine, t].astype(np.float64), y[mine, t].astype(np.float64))
    return result


def _score(
    column: dict[int, tuple[np.ndarray, np.ndarray]],
    species: str,
    time: float,
    resamples: int,
    seed: int,
) -> Score:
    if not column:
        return Score(species, time, 0, 0)
    predictions, labels = map(list, zip(*column.values(), strict=True))
    x, y = np.concatenate(predictions), np.concatenate(labels)
    finite = bool(np.isfinite(x).all())
    # Only configurations that have predictions are drawn: the others have nothing to say.
    counts = resampled_counts(len(column), resamples, seed) if resamples and finite else None
    values = {}
    for statistic in _STATISTICS:
        values[f"{statistic}_all"] = float(_one(statistic, x, y).filled(np.nan))
        pairs = zip(predictions, labels, strict=True)
        each = np.ma.stack([_one(statistic, *pair) for pair in pairs])
        values[f"{statistic}_mean"] = float(each.mean()) if each.count() else np.nan
        if counts is not None:
            values[f"{statistic}_mean_error"] = float(mean_errors(each, counts))
    if counts is not None:
        errors = pooled_errors(predictions, labels, counts)
        values |= {f"{name}_all_error": error for name, error in errors.items()}
    if finite:
        values["overlap"] = overlap_coefficient(x, y)
    return Score(species, time, len(column), len(x), **values)


def _one(statistic: str, x: np.ndarray, y: np.ndarray) -> np.ma.MaskedArray:
    """A coefficient of the particles of one species at one time, masked if it is not defined."""
    same = np.zeros(len(x), dtype=int)
    return coefficients(statistic, x[:, None], y[:, None], same, 1)[0:1, 0].reshape(())

"""Pearson coefficients without the noise of the labels.

Labels are averages over R runs. Their noise lowers every coefficient by the same factor, the noise
ceiling c = sqrt(2 r / (1 + r)), where r is the coefficient between labels from the two halves of
the runs (`glassml.physics.noise_ceiling`). The coefficient with labels of infinitely many runs is
therefore that with the labels divided by c (C. Spearman, Am. J. Psychol. 15, 72 (1904)).

This holds if the noise of the two halves is independent and of equal size. The two directions of a
plain trajectory (`glassml.data.labelling`) share the velocities of the labelled frame, up to their
sign: their noise is independent at times at which velocities are forgotten, but not at ballistic
times.

The noise must also be independent of the predictions. It is not if a model reads averages over
windows of the runs that the labels are from: those of a labelled trajectory, or the beginnings of
isoconfigurational runs. What a particle does within a window is then in the input and in the label.
Coefficients are too high, and so are corrected ones, unless the times of the labels are much longer
than the windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glassml.analysis.correlation import coefficients
from glassml.analysis.metrics.bootstrap import (
    resampled_counts,
    resampled_means,
    resampled_pearson,
    spread,
)

__all__ = ["Corrected", "averaged_corrected", "corrected_pearson"]


@dataclass(frozen=True)
class Corrected:
    """Pearson coefficients of one species at one time, corrected for the noise of the labels [-].

    NaN where they are not known. Noise may lift them above 1 if the labels are few.

    Attributes:
        species: name of the species.
        time: time of the labels [time].
        all: of all particles pooled.
        all_error: its error bar, of the same kind as those of the scores.
        mean: within each configuration, averaged, and divided by the ceiling of such averages.
        mean_error: its error bar.
    """

    species: str
    time: float
    all: float
    all_error: float
    mean: float
    mean_error: float


def corrected_pearson(
    predictions: Sequence[np.ndarray | None],
    labels: Sequence[np.ndarray],
    halves: Sequence[np.ndarray] | None,
    species: Sequence[np.ndarray],
    species_names: Sequence[str],
    times: Sequence[float],
    *,
    resamples: int = 0,
    seed: int = 0,
) -> tuple[Corrected, ...]:
    """Pearson coefficients of one set of predictions without the noise of the labels.

    Configurations count as in `glassml.analysis.metrics.scores`. An error bar is the standard
    deviation of the ratio of both coefficients over resamples of configurations.

    Args:
        predictions: one array [N, T] [length] per configuration, or None.
        labels: the same.
        halves: one array [N, T, 2] [length] per configuration, from the two halves of the runs;
            None if they are unknown.
        species: one int array [N] per configuration.
        species_names: names of the species.
        times: [T] [time].
        resamples: how often the configurations are drawn for the error bars; 0: no error bars.
        seed: seed of the resamples.

    Returns:
        One per species and time; none without halves.
    """
    if halves is None:
        return ()
    result = []
    for s, name in enumerate(species_names):
        for t, time in enumerate(times):
            columns = list(_columns(predictions, labels, halves, species, s, t))
            result.append(Corrected(name, float(time), *_corrected(columns, resamples, seed)))
    return tuple(result)


def averaged_corrected(models: Sequence[Sequence[Corrected]]) -> tuple[Corrected, ...]:
    """Means over models that differ in their seed, with standard deviations as error bars."""
    return tuple(
        replace(
            same[0],
            all=float(np.mean([c.all for c in same])),
            all_error=float(np.std([c.all for c in same], ddof=1)),
            mean=float(np.mean([c.mean for c in same])),
            mean_error=float(np.std([c.mean for c in same], ddof=1)),
        )
        for same in zip(*models, strict=True)
    )


def _columns(
    predictions: Sequence[np.ndarray | None],
    labels: Sequence[np.ndarray],
    halves: Sequence[np.ndarray],
    species: Sequence[np.ndarray],
    s: int,
    t: int,
) -> Iterator[np.ndarray]:
    """For each configuration that counts [4, n]: predictions, labels, and those of each half."""
    for x, y, h, of_particle in zip(predictions, labels, halves, species, strict=True):
        mine = of_particle == s
        if x is None or not mine.any() or np.isnan(x[mine, t]).all():
            continue
        yield np.stack([x[mine, t], y[mine, t], *h[mine, t].T]).astype(np.float64)


def _corrected(
    columns: Sequence[np.ndarray], resamples: int, seed: int
) -> tuple[float, float, float, float]:
    """The fields of `Corrected` after the time."""
    if not columns:
        return (np.nan,) * 4
    pooled = np.concatenate(columns, axis=1)
    each = np.ma.stack([np.ma.stack([_pearson(*c[:2]), _pearson(*c[2:])]) for c in columns])
    raw, between = (_pearson(*pair).filled(np.nan) for pair in (pooled[:2], pooled[2:]))
    value = float(_without_noise(raw, between))
    mean = float(_without_noise(*each.mean(axis=0).filled(np.nan)))
    if resamples == 0 or len(columns) < 2 or not np.isfinite(pooled).all():
        return value, np.nan, mean, np.nan
    counts = resampled_counts(len(columns), resamples, seed)
    which = np.repeat(np.arange(len(columns)), [c.shape[1] for c in columns])
    drawn = _without_noise(
        resampled_pearson(pooled[0], pooled[1], which, counts),
        resampled_pearson(pooled[2], pooled[3], which, counts),
    )
    means = resampled_means(each, counts)
    drawn_mean = _without_noise(means[:, 0], means[:, 1])
    number = np.asarray(len(columns))
    return value, float(spread(drawn, number)), mean, float(spread(drawn_mean, number))


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ma.MaskedArray:
    same = np.zeros(len(x), dtype=int)
    return coefficients("pearson", x[:, None], y[:, None], same, 1).reshape(())


def _without_noise(raw: np.ndarray, between: np.ndarray) -> np.ndarray:
    """Coefficients divided by the ceiling; NaN where the halves do not correlate."""
    between = np.asarray(between)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(between > 0, raw / np.sqrt(2 * between / (1 + between)), np.nan)

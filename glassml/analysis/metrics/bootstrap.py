"""Error bars by bootstrap over configurations.

Particles of one configuration are correlated, so whole configurations are drawn, with replacement.
An error bar is the standard deviation of a coefficient over the resamples (B. Efron, Ann. Statist.
7, 1 (1979)). A single configuration gives no error bar, as it does not show how configurations
differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = [
    "mean_errors",
    "pooled_errors",
    "resampled_counts",
    "resampled_means",
    "resampled_pearson",
    "spread",
]


def resampled_counts(n_configurations: int, resamples: int, seed: int) -> np.ndarray:
    """How often each configuration is drawn in each resample.

    Args:
        n_configurations: number C of configurations.
        resamples: number B of resamples.
        seed: of the draws.

    Returns:
        int [B, C]; each row adds up to C.
    """
    rng = np.random.default_rng(seed)
    even = np.full(n_configurations, 1 / n_configurations)
    return rng.multinomial(n_configurations, even, size=resamples)


def mean_errors(each: np.ma.MaskedArray, counts: np.ndarray) -> np.ndarray:
    """Error bars of a mean over configurations.

    Args:
        each: [C, ...], masked where a configuration does not count.
        counts: [B, C], see `resampled_counts`.

    Returns:
        [...], NaN where fewer than two configurations count.
    """
    present = ~np.ma.getmaskarray(each)
    return spread(resampled_means(each, counts), present.sum(axis=0))


def resampled_means(each: np.ma.MaskedArray, counts: np.ndarray) -> np.ndarray:
    """The mean over configurations in each resample: [B, ...] of the arguments of `mean_errors`."""
    present = ~np.ma.getmaskarray(each)
    total = np.tensordot(counts, np.where(present, each.filled(0.0), 0.0), axes=1)
    number = np.tensordot(counts, present.astype(np.float64), axes=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / number)


def pooled_errors(
    predictions: Sequence[np.ndarray], labels: Sequence[np.ndarray], counts: np.ndarray
) -> dict[str, float]:
    """Error bars of the coefficients of all particles pooled.

    Args:
        predictions: one array [n] [length] per configuration, of one species and time.
        labels: the same.
        counts: [B, C], see `resampled_counts`.

    Returns:
        The error bars of "pearson", "spearman" and "r2", NaN for fewer than two configurations.
    """
    n = len(labels)
    x, y = np.concatenate(predictions), np.concatenate(labels)
    which = np.repeat(np.arange(n), [len(label) for label in labels])
    pearson, r2 = _moment_coefficients(x, y, which, counts)
    ranks = _spearman(x, y, which, counts)
    return {
        name: float(spread(values, np.asarray(n)))
        for name, values in (("pearson", pearson), ("spearman", ranks), ("r2", r2))
    }


def spread(resampled: np.ndarray, n_configurations: np.ndarray) -> np.ndarray:
    """Standard deviation over those resamples that have a value.

    Args:
        resampled: [B, ...], NaN where there is none.
        n_configurations: [...], how many configurations count.

    Returns:
        [...], NaN where fewer than two configurations count.
    """
    masked = np.ma.masked_invalid(resampled)
    return np.where(n_configurations > 1, np.ma.filled(masked.std(axis=0), np.nan), np.nan)


def resampled_pearson(
    x: np.ndarray, y: np.ndarray, which: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Pearson's coefficient of pooled particles in each resample [B].

    Args:
        x: [n].
        y: [n].
        which: configuration of each particle, int [n].
        counts: [B, C], see `resampled_counts`.
    """
    return _moment_coefficients(x, y, which, counts)[0]


def _moment_coefficients(
    x: np.ndarray, y: np.ndarray, which: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pearson's coefficient and R2 of each resample [B], from sums over configurations."""
    squares = (y - x) ** 2
    x, y = x - x.mean(), y - y.mean()  # or the sums below would lose digits
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y, squares])
    sums = np.stack([np.bincount(which, term, counts.shape[1]) for term in terms])
    n, s_x, s_y, s_xx, s_yy, s_xy, s_error = sums @ counts.T
    with np.errstate(invalid="ignore", divide="ignore"):
        var_x, var_y = s_xx - s_x**2 / n, s_yy - s_y**2 / n
        pearson = (s_xy - s_x * s_y / n) / np.sqrt(var_x * var_y)
        return pearson, 1 - s_error / var_y


def _spearman(x: np.ndarray, y: np.ndarray, which: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Spearman's coefficient of each resample [B].

    A particle that is drawn w times counts as w particles of one rank. Values are sorted once for
    all resamples.
    """
    of_x, of_y = (np.unique(values, return_inverse=True)[1] for values in (x, y))
    order = np.argsort(of_x, kind="stable")  # reads and writes one of the two in order
    of_x, of_y, which = of_x[order], of_y[order], which[order]
    result = np.empty(len(counts))
    for b, count in enumerate(counts):
        weights = count.astype(np.float64)[which]
        middle = (weights.sum() + 1) / 2  # the mean of all ranks
        one, other = (_midranks(of, weights) - middle for of in (of_x, of_y))
        weighted = weights * one
        with np.errstate(invalid="ignore", divide="ignore"):
            result[b] = weighted @ other / np.sqrt((weighted @ one) * (weights @ other**2))
    return result


def _midranks(levels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ranks of particles that count ``weights`` times each; those of one level share a rank."""
    of_level = np.bincount(levels, weights)
    return (np.cumsum(of_level) - (of_level - 1) / 2)[levels]

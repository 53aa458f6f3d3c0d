"""Ridge regression from sums gives the same as ridge regression on particles."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.analysis import pearson_all, pearson_mean
from glassml.studies.ridge import LinearFit, RidgeMoments, choose_penalty, fit, pearson

PENALTIES = np.array([1e-6, 1e-2, 1.0])


def particles(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Correlated descriptors [n, 5] far from zero and labels [n, 2]."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)) @ rng.normal(size=(5, 5)) + 30.0
    y = x @ rng.normal(size=(5, 2)) + rng.normal(size=(n, 2)) + seed
    return x, y


def plain_ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> LinearFit:
    """The definition: least squares with one more row for each penalised weight."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    rows = np.concatenate([(x - mean) / spread, np.sqrt(penalty * len(x)) * np.eye(x.shape[1])])
    values = np.concatenate([y - y.mean(axis=0), np.zeros((x.shape[1], y.shape[1]))])
    weight = (np.linalg.lstsq(rows, values, rcond=None)[0] / spread[:, None]).T
    return LinearFit(weight, y.mean(axis=0) - weight @ mean)


def test_moments_add_up() -> None:
    parts = [particles(seed, 20 + seed) for seed in range(3)]
    added = RidgeMoments.total([RidgeMoments.of(*part) for part in parts])
    whole = RidgeMoments.of(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    assert added.n == whole.n == 63
    for name in ("x", "y", "xx", "xy", "yy"):
        np.testing.assert_allclose(getattr(added, name), getattr(whole, name), rtol=1e-11)


def test_nothing_adds_nothing() -> None:
    some, none = RidgeMoments.of(*particles(1)), RidgeMoments.of(np.zeros((0, 5)), np.zeros((0, 2)))
    for added in (some + none, none + some):
        np.testing.assert_allclose(added.xx, some.xx, rtol=1e-14)
        np.testing.assert_allclose(added.x, some.x, rtol=1e-14)
    assert (none + none).n == 0


def test_fit_is_ridge_regression() -> None:
    x, y = particles(0)
    for penalty, fitted in zip(PENALTIES, fit(RidgeMoments.of(x, y), PENALTIES), strict=True):
        expected = plain_ridge(x, y, penalty)
        np.testing.assert_allclose(fitted.weight, expected.weight, rtol=1e-10)
        np.testing.assert_allclose(fitted.bias, expected.bias, rtol=1e-10)


def test_each_label_has_its_own_penalty() -> None:
    x, y = particles(0)
    moments = RidgeMoments.of(x, y)
    both = fit(moments, np.array([[1e-6, 1.0]]))[0]
    low, high = fit(moments, np.array([1e-6, 1.0]))
    np.testing.assert_array_equal(both.weight, [low.weight[0], high.weight[1]])


def test_constant_column_counts_for_nothing() -> None:
    x, y = particles(0)
    x[:, 2] = 7.0
    fitted = fit(RidgeMoments.of(x, y), PENALTIES[:1])[0]
    expected = fit(RidgeMoments.of(np.delete(x, 2, axis=1), y), PENALTIES[:1])[0]
    np.testing.assert_array_equal(fitted.weight[:, 2], 0.0)
    np.testing.assert_allclose(np.delete(fitted.weight, 2, axis=1), expected.weight, rtol=1e-10)


def test_penalty_is_that_of_the_smallest_error_on_what_is_left_out() -> None:
    folds = [particles(seed, 12) for seed in range(4)]
    tried = np.logspace(-4, 2, 7)
    found, chosen = choose_penalty([RidgeMoments.of(*fold) for fold in folds], tried)
    errors = np.zeros((len(tried), 2))
    for k, (x, y) in enumerate(folds):
        others = [fold for i, fold in enumerate(folds) if i != k]
        rest = [np.concatenate(arrays) for arrays in zip(*others, strict=True)]
        for p, penalty in enumerate(tried):
            fitted = plain_ridge(*rest, penalty)
            errors[p] += ((y - fitted.bias - x @ fitted.weight.T) ** 2).sum(axis=0)
    best = errors.argmin(axis=0)
    np.testing.assert_array_equal(found, tried[best])
    for t in (0, 1):
        rest = [np.concatenate(arrays) for arrays in zip(*folds[1:], strict=True)]
        expected = plain_ridge(*rest, tried[best[t]])
        np.testing.assert_allclose(chosen[0].weight[t], expected.weight[t], rtol=1e-9)


def test_coefficients_are_those_of_the_predictions() -> None:
    parts = [particles(seed, 15 + seed) for seed in range(3)]
    moments = [RidgeMoments.of(*part) for part in parts]
    fits = [fit(moments[(k + 1) % 3], np.array([0.1]))[0] for k in range(3)]
    predicted = [f.bias + x @ f.weight.T for f, (x, _) in zip(fits, parts, strict=True)]
    labels = [y for _, y in parts]
    species = [np.zeros(len(y), dtype=int) for y in labels]
    pooled, mean = pearson(moments, fits)
    np.testing.assert_allclose(pooled, pearson_all(predicted, labels, species, 1)[0], rtol=1e-10)
    np.testing.assert_allclose(mean, pearson_mean(predicted, labels, species, 1)[0], rtol=1e-10)


@pytest.mark.parametrize("lonely", [0, 1])
def test_a_part_without_a_coefficient_is_left_out_of_the_mean(lonely: int) -> None:
    x, y = particles(0)
    full = RidgeMoments.of(x, y)
    fitted = fit(full, np.array([0.1]))[0]
    _, expected = pearson([full], [fitted])
    _, mean = pearson([full, RidgeMoments.of(x[:lonely], y[:lonely])], [fitted, fitted])
    np.testing.assert_allclose(mean, expected, rtol=1e-12)

"""Scores and their error bars, against the same made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from glassml.analysis import r2_all, r2_mean
from glassml.analysis.metrics import (
    averaged_scores,
    calibration,
    mean_errors,
    overlap_coefficient,
    pooled_errors,
    resampled_counts,
    scores,
    spread_agreement,
)


def _configurations(n: int = 5, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Predictions and labels that agree a little; configurations differ in size and mean."""
    rng = np.random.default_rng(seed)
    labels = [rng.normal(rng.normal(), 1.0, 20 + 3 * k) for k in range(n)]
    predictions = [0.4 * y + rng.normal(0.2, 1.0, len(y)) for y in labels]
    return predictions, labels


def _repeated(parts: list[np.ndarray], count: np.ndarray) -> np.ndarray:
    return np.concatenate([np.tile(part, k) for part, k in zip(parts, count, strict=True)])


@pytest.mark.parametrize("ties", [False, True])
def test_pooled_error_bars_are_those_of_resampled_configurations(ties: bool) -> None:
    predictions, labels = _configurations()
    if ties:  # ranks are shared then
        predictions = [np.round(x) for x in predictions]
    counts = resampled_counts(5, resamples=30, seed=1)
    drawn = [(_repeated(predictions, c), _repeated(labels, c)) for c in counts]
    expected = {
        "pearson": np.std([stats.pearsonr(x, y).statistic for x, y in drawn]),
        "spearman": np.std([stats.spearmanr(x, y).statistic for x, y in drawn]),
        "r2": np.std([1 - np.mean((y - x) ** 2) / np.var(y) for x, y in drawn]),
    }
    found = pooled_errors(predictions, labels, counts)
    # 1e-9: sums over particles in another order
    assert found == pytest.approx(expected, rel=1e-9)


def test_error_bars_of_means_leave_out_what_is_masked() -> None:
    each = np.ma.masked_array([0.1, 0.5, 0.7, 0.2], mask=[False, True, False, False])
    counts = resampled_counts(4, resamples=50, seed=0)
    drawn = [_repeated([np.array([v]) for v in each.data], c * ~each.mask) for c in counts]
    expected = np.std([values.mean() for values in drawn if len(values)])
    assert mean_errors(each, counts) == pytest.approx(expected)


def test_resamples_repeat_with_their_seed() -> None:
    one, same, other = (resampled_counts(10, 20, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    np.testing.assert_array_equal(one.sum(axis=1), 10)


def test_the_bootstrap_finds_the_scatter_of_a_mean() -> None:
    """The error bar of a mean over C configurations is their standard deviation over sqrt(C)."""
    each = np.ma.masked_array(np.random.default_rng(0).normal(size=40))
    found = mean_errors(each, resampled_counts(40, resamples=4000, seed=0))
    # 4000 resamples know a standard deviation to 1.1 %; five times that.
    assert found == pytest.approx(each.std() / math.sqrt(40), rel=0.06)


def _scored(predictions: list, labels: list, **options: int):
    columns = [None if x is None else x[:, None] for x in predictions]
    kinds = [np.zeros(len(y), dtype=int) for y in labels]
    (score,) = scores(columns, [y[:, None] for y in labels], kinds, ["A"], [1.0], **options)
    return score


def test_one_configuration_has_no_error_bar() -> None:
    predictions, labels = _configurations(1)
    score = _scored(predictions, labels, resamples=20)
    assert math.isfinite(score.pearson_all)
    assert score.pearson_mean == pytest.approx(score.pearson_all)
    for name in ("pearson_all", "pearson_mean", "spearman_mean", "r2_all"):
        assert math.isnan(getattr(score, f"{name}_error"))


def test_configurations_without_predictions_are_left_out() -> None:
    predictions, labels = _configurations(4)
    expected = _scored([predictions[0], predictions[2]], [labels[0], labels[2]], resamples=20)
    absent = np.full(len(labels[3]), np.nan)
    found = _scored([predictions[0], None, predictions[2], absent], labels, resamples=20)
    assert found == expected
    assert found.configurations == 2


def test_a_prediction_that_is_not_finite_counts() -> None:
    predictions, labels = _configurations(3)
    predictions[1][4] = np.nan
    score = _scored(predictions, labels, resamples=20)
    assert math.isnan(score.pearson_all)
    assert math.isnan(score.pearson_mean)
    assert math.isnan(score.overlap)


def test_r2_of_the_mean_is_zero_and_of_the_labels_one() -> None:
    labels = [np.array([[1.0], [2.0], [3.0]]), np.array([[5.0], [7.0], [9.0]])]
    species = [np.zeros(3, dtype=int)] * 2
    assert r2_all(labels, labels, species, 1).item() == pytest.approx(1.0)
    means = [np.full((3, 1), y.mean()) for y in labels]
    assert r2_mean(means, labels, species, 1).item() == pytest.approx(0.0)
    # The mean square errors are 2/3 and 8/3.
    pooled = np.concatenate(labels)
    assert r2_all(means, labels, species, 1).item() == pytest.approx(1 - (5 / 3) / pooled.var())


def test_seeds_are_averaged_with_their_standard_deviation() -> None:
    predictions, labels = _configurations(3)
    rng = np.random.default_rng(1)
    models = [
        scores(
            [(x + rng.normal(0, 0.3, len(x)))[:, None] for x in predictions],
            [y[:, None] for y in labels],
            [np.zeros(len(y), dtype=int) for y in labels],
            ["A"],
            [1.0],
            resamples=20,
        )
        for _ in range(3)
    ]
    (average,) = averaged_scores(models)
    each = [model[0].pearson_all for model in models]
    assert average.pearson_all == pytest.approx(np.mean(each))
    assert average.pearson_all_error == pytest.approx(np.std(each, ddof=1))
    assert average.particles == models[0][0].particles


def test_overlap_of_equal_of_shifted_and_of_distant_distributions() -> None:
    values = np.random.default_rng(0).uniform(0.0, 1.0, 60_000)
    assert overlap_coefficient(values, values) == 1.0
    # 1/60 bins cannot place the edge better; counts of 1000 a bin scatter by 3 %.
    assert overlap_coefficient(values + 0.5, values) == pytest.approx(0.5, abs=0.03)
    assert overlap_coefficient(values + 2.0, values) == 0.0


def test_calibration_of_a_prediction_with_half_the_scale() -> None:
    labels = np.random.default_rng(0).uniform(1.0, 2.0, 1000)
    bins = calibration(0.5 * labels, labels, n_bins=8)
    np.testing.assert_allclose(bins.true, 2 * bins.predicted)
    np.testing.assert_array_equal(bins.count, 125)
    assert (np.diff(bins.predicted) > 0).all()


def test_a_spread_that_is_the_error_is_found() -> None:
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.1, 1.0, 20_000)
    labels = rng.normal(0.0, spread)
    found = spread_agreement(spread, np.zeros_like(spread), labels)
    # 2000 particles a bin know a root mean square to 1.6 %; the widest bin adds 2 %.
    np.testing.assert_allclose(found.error, found.spread, rtol=0.08)
    assert found.spearman > 0.3
    unrelated = spread_agreement(rng.permutation(spread), np.zeros_like(spread), labels)
    assert abs(unrelated.pearson) < 5 / math.sqrt(20_000)

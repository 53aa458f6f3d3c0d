"""Scores and their error bars, compared with direct calculations."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats
from scoring import find

from glassml.analysis import r2_all, r2_mean
from glassml.analysis.metrics import (
    averaged_samples,
    averaged_scores,
    calibration,
    mean_errors,
    overlap_coefficient,
    pooled_errors,
    resampled_counts,
    samples,
    scores,
    spread_agreement,
)
from glassml.scores import Score, concise, error_kinds


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


def _columns(predictions: list, labels: list) -> tuple:
    columns = [None if x is None else x[:, None] for x in predictions]
    species = [np.zeros(len(y), dtype=int) for y in labels]
    return columns, [y[:, None] for y in labels], species, ["A"], [1.0]


def _scored(predictions: list, labels: list, **options: int) -> tuple[Score, ...]:
    return scores(*_columns(predictions, labels), **options)


def test_one_configuration_has_no_error_bar() -> None:
    predictions, labels = _configurations(1)
    found = _scored(predictions, labels, resamples=20)
    assert math.isfinite(find(found, "all").value)
    assert find(found, "mean").value == pytest.approx(find(found, "all").value)
    assert len(found) == 6
    assert {(score.error, score.error_kind) for score in found} == {(None, None)}


def test_error_bars_are_those_of_the_bootstrap() -> None:
    predictions, labels = _configurations()
    found = _scored(predictions, labels, resamples=30, seed=1)
    counts = resampled_counts(5, resamples=30, seed=1)
    for statistic, error in pooled_errors(predictions, labels, counts).items():
        assert find(found, "all", statistic=statistic).error == error
    each = [np.corrcoef(x, y)[0, 1] for x, y in zip(predictions, labels, strict=True)]
    expected = mean_errors(np.ma.masked_array(each), counts)
    assert find(found, "mean").error == pytest.approx(expected, rel=1e-9)
    assert {score.error_kind for score in found} == {"bootstrap over configurations"}


def test_configurations_without_predictions_are_left_out() -> None:
    predictions, labels = _configurations(4)
    expected = _scored([predictions[0], predictions[2]], [labels[0], labels[2]], resamples=20)
    absent = np.full(len(labels[3]), np.nan)
    found = _scored([predictions[0], None, predictions[2], absent], labels, resamples=20)
    assert found == expected
    assert {score.configurations for score in found} == {2}
    (sample,) = samples(*_columns([predictions[0], None, predictions[2], absent], labels))
    assert (sample.configurations, sample.particles) == (2, len(labels[0]) + len(labels[2]))


def test_a_prediction_that_is_not_finite_counts() -> None:
    predictions, labels = _configurations(3)
    predictions[1][4] = np.nan
    found = _scored(predictions, labels, resamples=20)
    assert math.isnan(find(found, "all").value)
    assert math.isnan(find(found, "mean").value)
    (sample,) = samples(*_columns(predictions, labels))
    assert math.isnan(sample.overlap)


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
    columns = [
        _columns([x + rng.normal(0, 0.3, len(x)) for x in predictions], labels) for _ in range(3)
    ]
    models = [scores(*arguments, resamples=20) for arguments in columns]
    average = averaged_scores(models)
    assert len(average) == len(models[0])
    for k, score in enumerate(average):
        each = [model[k].value for model in models]
        assert score.value == pytest.approx(np.mean(each))
        assert score.error == pytest.approx(np.std(each, ddof=1))
        assert score.error_kind == "standard deviation over seeds"
        assert score.configurations == 3
    of_models = [samples(*arguments)[0] for arguments in columns]
    (sample,) = averaged_samples([[one] for one in of_models])
    assert sample.overlap == pytest.approx(np.mean([one.overlap for one in of_models]))
    assert sample.particles == of_models[0].particles


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"error": 0.1}, "error_kind: expected a kind if there is an error"),
        (
            {"error_kind": "standard deviation over folds"},
            "error_kind: expected a kind if there is an error",
        ),
        ({"value": 1.01}, "value: expected at most 1; found 1.01"),
        ({"kind": "best"}, "kind"),
        ({"error": -0.1, "error_kind": "standard deviation over folds"}, "error"),
    ],
)
def test_scores_that_contradict_themselves_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Score(**{"species": "A", "time": 1.0, "kind": "all", "value": 0.5} | fields)


def test_a_score_as_text_and_as_json() -> None:
    score = Score(
        species="A", time=1.0, kind="all", value=0.4671, error=0.0123,
        error_kind="standard deviation over folds",
    )  # fmt: skip
    assert (str(score), score.concise()) == ("0.467 ± 0.012", "0.467(12)")
    undefined = Score(species="A", time=1.0, kind="all", value=math.nan)
    assert (str(undefined), undefined.concise()) == ("-", "-")
    text = undefined.model_dump_json()
    assert json.loads(text)["value"] is None
    assert math.isnan(Score.model_validate_json(text).value)
    assert error_kinds([undefined, score, score]) == "standard deviation over folds"


def test_overlap_of_equal_of_shifted_and_of_distant_distributions() -> None:
    values = np.random.default_rng(0).uniform(0.0, 1.0, 60_000)
    assert overlap_coefficient(values, values) == 1.0
    # 1/60 bins cannot place the edge better; counts of 1000 a bin scatter by 3 %.
    assert overlap_coefficient(values + 0.5, values) == pytest.approx(0.5, abs=0.03)
    assert overlap_coefficient(values + 2.0, values) == 0.0


@pytest.mark.parametrize(
    ("error", "text"),
    [(0.0994, "0.663(99)"), (0.0996, "0.66(10)"), (0.171, "0.66(17)"), (1.2, "0.7(12)")],
)
def test_error_bars_have_at_most_two_digits_so_that_columns_are_wide_enough(
    error: float, text: str
) -> None:
    assert concise(0.6631, error) == text


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

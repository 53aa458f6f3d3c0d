"""Correlation coefficients on numbers whose coefficients are known."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.analysis import pearson_all, pearson_mean, spearman_all, spearman_mean

_LABEL = np.array([1.0, 2.0, 3.0, 4.0])


def _column(values: list[float]) -> np.ndarray:
    return np.array(values)[:, None]


def test_a_shift_between_configurations_counts_for_all_only() -> None:
    """Within each configuration all is right; the difference between them is predicted wrong."""
    labels = [_LABEL[:, None], _LABEL[:, None] + 10]
    predictions = [_LABEL[:, None], _LABEL[:, None] - 10]
    species = [np.zeros(4, dtype=int)] * 2
    assert pearson_mean(predictions, labels, species, 1) == pytest.approx(np.ones((1, 1)))
    # cov = 1.25 - 25, var = 1.25 + 25: the two levels are +-5 around their mean.
    assert pearson_all(predictions, labels, species, 1).item() == pytest.approx(-23.75 / 26.25)


def test_species_and_times_are_kept_apart() -> None:
    labels = np.stack([_LABEL, _LABEL], axis=1)
    predictions = np.stack([_LABEL, -_LABEL], axis=1)
    predictions[2:] *= -1
    species = np.array([0, 0, 1, 1])
    expected = [[1.0, -1.0], [-1.0, 1.0]]
    for statistic in (pearson_all, pearson_mean, spearman_all, spearman_mean):
        result = statistic([predictions], [labels], [species], 2)
        np.testing.assert_allclose(result, expected)


def test_spearman_sees_ranks_alone() -> None:
    prediction = [np.exp(_LABEL * 5)[:, None]]
    species = [np.zeros(4, dtype=int)]
    assert spearman_all(prediction, [_LABEL[:, None]], species, 1).item() == pytest.approx(1.0)
    assert pearson_all(prediction, [_LABEL[:, None]], species, 1).item() < 0.9


def test_what_is_not_defined_is_left_out_of_the_mean() -> None:
    labels = [_column([1, 2, 3]), _column([5, 5, 5]), _column([3])]
    predictions = [_column([1, 2, 3]), _column([1, 2, 3]), _column([3])]
    species = [np.zeros(len(label), dtype=int) for label in labels]
    assert pearson_mean(predictions, labels, species, 1).item() == pytest.approx(1.0)


@pytest.mark.parametrize("statistic", [pearson_all, pearson_mean, spearman_all, spearman_mean])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predictions_that_are_not_finite_are_not_left_out(statistic, value: float) -> None:
    labels = [_column([1, 2, 3]), _column([4, 5, 7])]
    predictions = [_column([1, 2, 3]), _column([value, value, value])]
    species = [np.zeros(3, dtype=int)] * 2
    assert np.isnan(statistic(predictions, labels, species, 1)).all()


@pytest.mark.parametrize("statistic", [pearson_all, pearson_mean, spearman_all, spearman_mean])
def test_a_species_without_particles_has_no_coefficient(statistic) -> None:
    result = statistic([_LABEL[:, None]], [_LABEL[:, None]], [np.zeros(4, dtype=int)], 2)
    assert np.isnan(result[1]).all()
    assert result[0, 0] == pytest.approx(1.0)

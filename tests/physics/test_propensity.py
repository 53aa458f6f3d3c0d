"""Averages over runs, the trust in them and the ceiling that their noise sets."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.physics import isoconfigurational_averages, label_trust, noise_ceiling


def test_averages_of_three_runs() -> None:
    displacements = np.array([[[3.0, 4, 0]], [[0, 0, 1]], [[0, 0, -2]]])
    found = isoconfigurational_averages(displacements)
    np.testing.assert_allclose(found["propensity"], [8 / 3])
    np.testing.assert_allclose(found["square_displacement"], [10.0])
    np.testing.assert_allclose(found["mean_displacement"], [[1, 4 / 3, -1 / 3]])
    np.testing.assert_allclose(found["propensity_halves"], [[5.0, 1.5]])
    assert "propensity_halves" not in isoconfigurational_averages(displacements[:1])


@pytest.mark.parametrize(
    ("n_runs", "trust"), [(None, 1.0), (1, 1 / 13), (12, 0.5), (32, 32 / 44), (10**9, 1.0)]
)
def test_trust_is_the_share_of_the_models_own_error(n_runs: int | None, trust: float) -> None:
    assert label_trust(n_runs, 12.0) == pytest.approx(trust, rel=1e-7)
    assert label_trust(n_runs, 0.0) == 1.0


def test_trust_is_the_best_weight_of_least_squares() -> None:
    """The mean of one number from measurements of two kinds has the least variance with it."""
    rng = np.random.default_rng(0)
    runs, noise, samples = np.array([1, 16]), 4.0, 200_000
    errors = rng.normal(size=(samples, 2)) * np.sqrt(1 + noise / runs)
    trust = np.array([label_trust(int(n), noise) for n in runs])

    def variance(weight: np.ndarray) -> float:
        return float((errors @ weight / weight.sum()).var())

    least = variance(trust)
    # Of all weights: 1 / (1/5 + 1/1.25) = 1; a variance from 200 000 samples is known to 0.3 %.
    assert least == pytest.approx(1.0, rel=0.015)
    assert least < min(variance(trust * factor) for factor in ([1, 0.5], [1, 2.0], [0, 1]))


def test_ceiling_of_noisy_labels() -> None:
    """Labels of truth plus noise: the truth itself correlates with them as the ceiling says."""
    rng = np.random.default_rng(0)
    n = 200_000
    truth = rng.normal(size=n)
    halves = truth + rng.normal(size=(2, n))
    ceiling = noise_ceiling(float(np.corrcoef(halves)[0, 1]))
    # Five standard errors of a coefficient from 200 000 pairs.
    assert ceiling == pytest.approx(np.corrcoef(truth, halves.mean(axis=0))[0, 1], abs=0.011)
    assert noise_ceiling(1.0) == 1.0
    assert noise_ceiling(0.0) is None
    assert noise_ceiling(-0.1) is None

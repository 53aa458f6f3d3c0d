"""Mean and spread over the last evaluations of each particle."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.errors import InputError
from glassml.inference import Smoothing


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_numpy(dtype: type) -> None:
    values = np.random.default_rng(0).normal(size=(7, 10, 2)).astype(dtype)
    smoothing = Smoothing(3)
    for k in range(7):
        found = smoothing.add({"propensity": values[k], "descriptors": values[k] ** 2})
        last = values[max(k - 2, 0) : k + 1].astype(np.float64)
        # Both are computed in double precision and rounded to the type of the values.
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(found["propensity"], last.mean(axis=0), rtol=eps, atol=eps)
        np.testing.assert_allclose(found["propensity_spread"], last.std(axis=0), rtol=4 * eps)
        np.testing.assert_array_equal(found["descriptors"], values[k] ** 2)
        assert found["propensity"].dtype == found["propensity_spread"].dtype == dtype


def test_one_evaluation_has_no_spread() -> None:
    found = Smoothing(5).add({"propensity": np.ones((4, 1))})
    np.testing.assert_array_equal(found["propensity_spread"], 0)


def test_given_arrays_may_change_later() -> None:
    smoothing, values = Smoothing(2), np.ones((4, 1))
    smoothing.add({"propensity": values})
    values[:] = 3
    np.testing.assert_array_equal(smoothing.add({"propensity": values})["propensity"], 2)


def test_begins_anew() -> None:
    smoothing = Smoothing(3)
    smoothing.add({"propensity": np.zeros((4, 1))})
    smoothing.clear()
    np.testing.assert_array_equal(
        smoothing.add({"propensity": np.ones((5, 1))})["propensity"], np.ones((5, 1))
    )


def test_mistakes() -> None:
    with pytest.raises(InputError, match=r"smooth: expected a positive number .* found 0"):
        Smoothing(0)
    smoothing = Smoothing(2)
    with pytest.raises(InputError, match=r"smooth: expected 'propensity' .* found descriptors"):
        smoothing.add({"descriptors": np.ones((4, 1))})
    smoothing.add({"propensity": np.ones((4, 1))})
    with pytest.raises(InputError, match=r"smooth: expected the 4 particles .* found 5"):
        smoothing.add({"propensity": np.ones((5, 1))})

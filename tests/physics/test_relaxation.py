"""F_s(k, t), relaxation times and ballistic motion of known cases."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.errors import InputError
from glassml.physics import (
    ballistic_displacement,
    relaxation_time,
    self_intermediate_scattering,
)


def gaussian_displacements(variance: float, *shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(scale=np.sqrt(variance), size=(*shape, 3))


def test_f_s_of_gaussian_displacements():
    # Independent components of variance 2Dt: F_s = exp(-k^2 D t).
    k, dt = 7.25, 0.02
    f_s = self_intermediate_scattering(gaussian_displacements(2 * dt, 4, 50_000), k)
    assert f_s.shape == (4,)
    # sin(x)/x has a standard deviation below 0.5: four standard errors of 50 000 particles.
    np.testing.assert_allclose(f_s, np.exp(-(k**2) * dt), atol=4 * 0.5 / np.sqrt(50_000))


def test_f_s_is_one_at_rest_and_that_of_one_distance():
    assert self_intermediate_scattering(np.zeros((10, 3)), 7.25) == 1
    away = np.tile([0.0, 0.3, 0.4], (5, 1))
    assert self_intermediate_scattering(away, 2.0) == pytest.approx(np.sin(1.0), rel=1e-15)


def test_relaxation_time_of_an_exponential_decay():
    times = np.geomspace(0.01, 1000, 400)
    tau = relaxation_time(times, np.exp(-times / 37))
    assert tau == pytest.approx(37, rel=1e-3)  # points are 3 per cent apart
    half = relaxation_time(times, np.exp(-times / 37), level=0.5)
    assert half == pytest.approx(37 * np.log(2), rel=1e-3)


def test_relaxation_time_is_interpolated_in_log_t():
    level = (0.5 + 0.25) / 2
    assert relaxation_time(np.array([1.0, 4, 16]), np.array([0.5, 0.25, 0.1]), level) == (
        pytest.approx(2.0, rel=1e-15)
    )


def test_relaxation_time_at_the_ends():
    times = np.array([0.0, 1.0, 10.0])
    assert relaxation_time(times, np.array([1.0, 0.9, 0.5])) is None
    assert relaxation_time(times, np.array([1.0, 0.2, 0.1]), 0.4) == pytest.approx(0.75)
    # That F_s rises above the level again, by noise, does not matter.
    assert relaxation_time(times + 1, np.array([0.6, 0.2, 0.5]), 0.2) == pytest.approx(2)
    with pytest.raises(InputError, match="expected increasing times"):
        relaxation_time(times[::-1], np.zeros(3))
    with pytest.raises(InputError, match="one F_s for each"):
        relaxation_time(times, np.zeros(2))


def test_ballistic_displacement_of_maxwell_boltzmann_velocities():
    temperature, mass, time = 0.44, 2.0, 0.13
    velocities = gaussian_displacements(temperature / mass, 100_000)
    distances = np.linalg.norm(velocities * time, axis=1)
    expected = ballistic_displacement(time, temperature, mass)
    assert expected == pytest.approx(np.sqrt(8 * temperature / (np.pi * mass)) * time, rel=1e-15)
    error = distances.std() / np.sqrt(len(distances))
    assert distances.mean() == pytest.approx(float(expected), abs=4 * error)

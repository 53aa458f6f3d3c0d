"""How particles move: ballistic at first, until structural relaxation. F_s(k, t) and tau_alpha."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import j0

from glassml.errors import InputError

__all__ = ["ballistic_displacement", "relaxation_time", "self_intermediate_scattering"]


def self_intermediate_scattering(
    displacements: np.ndarray, wave_number: float, dimension: int = 3
) -> np.ndarray:
    """F_s(k, t), averaged over all directions of k: the mean over particles of sin(kr) / (kr).

    In two dimensions it is the mean of the Bessel function J_0(kr). For an isotropic liquid this
    equals the mean of cos(k . dr) for any direction of k. As displacements are not wrapped, k need
    not fit into the box.

    Args:
        displacements: [..., N, 3] [length], not wrapped.
        wave_number: k [1 / length]; usually 7.25 / sigma_AA for the Kob-Andersen mixture.
        dimension: 3, or 2 for displacements in a plane.

    Returns:
        [...] [-].
    """
    distances = np.linalg.norm(displacements, axis=-1)
    if dimension == 2:
        return np.asarray(j0(wave_number * distances).mean(axis=-1))
    return np.asarray(np.sinc(wave_number * distances / np.pi).mean(axis=-1))


def relaxation_time(times: np.ndarray, f_s: np.ndarray, level: float = 1 / math.e) -> float | None:
    """tau_alpha: the first time at which F_s(k, t) falls to a level, interpolated in log t.

    Before the first positive time, F_s is assumed to fall linearly from 1.

    Args:
        times: [T] [time], increasing, not negative.
        f_s: [T] [-].
        level: [-].

    Returns:
        [time], or None if F_s stays above the level.

    Raises:
        InputError: the times do not increase, or the shapes differ.
    """
    times, f_s = np.asarray(times, np.float64), np.asarray(f_s, np.float64)
    if times.ndim != 1 or times.shape != f_s.shape or np.any(np.diff(times) <= 0):
        raise InputError(
            "relaxation time: expected increasing times and one F_s for each; found shapes "
            f"{times.shape} and {f_s.shape}, times {times.tolist()}"
        )
    f_s, times = f_s[times > 0], times[times > 0]
    below = np.flatnonzero(f_s <= level)
    if not len(below):
        return None
    after = below[0]
    if after == 0:
        return float(times[0] * (1 - level) / (1 - f_s[0]))
    part = (f_s[after - 1] - level) / (f_s[after - 1] - f_s[after])
    return float(times[after - 1] * (times[after] / times[after - 1]) ** part)


def ballistic_displacement(
    times: np.ndarray | float, temperature: float, mass: float = 1.0, dimension: int = 3
) -> np.ndarray:
    """The mean of ``|dr|`` of free particles with velocities of the Maxwell-Boltzmann distribution.

    It is sqrt(8 T / (pi m)) t, in two dimensions sqrt(pi T / (2 m)) t.

    Args:
        times: [...] [time].
        temperature: times Boltzmann's constant [energy].
        mass: [mass].
        dimension: 3 or 2.

    Returns:
        [...] [length].
    """
    factor = np.pi / 2 if dimension == 2 else 8 / np.pi
    return np.asarray(np.sqrt(factor * temperature / mass) * np.asarray(times))

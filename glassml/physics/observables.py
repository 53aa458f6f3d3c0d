"""What is measured on liquids: F_s(k, t), relaxation times, g(r), displacements."""

from __future__ import annotations

import math

import numpy as np
from matscipy.neighbours import neighbour_list
from scipy.special import j0

from glassml.data import Configuration
from glassml.errors import InputError

__all__ = [
    "ballistic_displacement",
    "first_peak",
    "pair_distribution",
    "relaxation_time",
    "self_intermediate_scattering",
]


def self_intermediate_scattering(
    displacements: np.ndarray, wave_number: float, dimension: int = 3
) -> np.ndarray:
    """F_s(k, t), averaged over all directions of k: the mean over particles of sin(kr) / (kr).

    In the plane it is the mean of the Bessel function J_0(kr). For an isotropic liquid this is the
    mean of cos(k . dr) for any direction. Displacements are not wrapped, so k need not fit into the
    box.

    Args:
        displacements: [..., N, 3] [length], not wrapped.
        wave_number: k [1 / length]; 7.25 / sigma_AA is the usual one for the Kob-Andersen mixture.
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

    Before the first positive time F_s is taken to fall linearly from 1.

    Args:
        times: [T] [time], increasing, not negative.
        f_s: [T] [-].
        level: [-].

    Returns:
        [time], or None if F_s has not fallen so far.

    Raises:
        InputError: the arrays do not fit together.
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
    """The mean of |dr| of free particles with Maxwell-Boltzmann velocities: sqrt(8 T / (pi m)) t.

    In the plane it is sqrt(pi T / (2 m)) t.

    Args:
        times: [...] [time].
        temperature: with Boltzmann's constant [energy].
        mass: [mass].
        dimension: 3 or 2.

    Returns:
        [...] [length].
    """
    factor = np.pi / 2 if dimension == 2 else 8 / np.pi
    return np.asarray(np.sqrt(factor * temperature / mass) * np.asarray(times))


def pair_distribution(
    configuration: Configuration, a: str, b: str, r_max: float, n_bins: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """The pair distribution function g_ab(r); 1 everywhere for an ideal gas.

    In a two-dimensional system that of the plane.

    Args:
        configuration: N particles.
        a: name of a species.
        b: name of a species, the same or another.
        r_max: [length]; may be larger than the box, images are counted.
        n_bins: number of equal bins from 0 to r_max.

    Returns:
        The centres of the bins [n_bins] [length], and g [n_bins] [-]. The average of several
        configurations' g is that of a liquid.

    Raises:
        InputError: a species is unknown or has too few particles, or a number is not positive.
    """
    if not r_max > 0 or n_bins < 1:
        raise InputError(f"g(r): expected r_max > 0 and n_bins >= 1; found {r_max} and {n_bins}")
    of_a, of_b = _members(configuration, a), _members(configuration, b)
    pairs = of_a.sum() * (of_b.sum() - (a == b))
    if pairs == 0:
        raise InputError(
            f"{configuration.name}: g(r): expected pairs of {a} and {b}; found {of_a.sum()} and "
            f"{of_b.sum()} particles"
        )
    # In units of r_max: matscipy takes the volume of a cell in metres for zero.
    i, j, distance = neighbour_list(
        "ijd",
        cutoff=1.0,
        positions=configuration.positions / r_max,
        cell=configuration.cell / r_max,
        pbc=np.array(configuration.pbc),
    )
    edges = np.linspace(0, 1, n_bins + 1)
    counts, _ = np.histogram(distance[of_a[i] & of_b[j]], edges)
    if configuration.plane is None:
        shells = 4 / 3 * np.pi * np.diff((edges * r_max) ** 3)
    else:
        shells = np.pi * np.diff((edges * r_max) ** 2)
    g = counts * configuration.n_particles / (configuration.number_density * shells * pairs)
    return r_max * (edges[1:] + edges[:-1]) / 2, g


def first_peak(r: np.ndarray, g: np.ndarray) -> tuple[float, float]:
    """Position and height of the highest maximum of g(r), of a parabola through its upper tenth.

    In dense liquids that is the first shell of neighbours. The BB pairs of the Kob-Andersen
    mixture, which avoid each other, have a lower shoulder before it.

    Args:
        r: [n_bins] [length], equally spaced.
        g: [n_bins] [-].

    Raises:
        InputError: the maximum lies at an end of the range.
    """
    top = int(np.argmax(g))
    if not 0 < top < len(g) - 1:
        raise InputError(f"g(r): expected a maximum inside the range of r; found it at {r[top]:g}")
    low = np.flatnonzero(g < 0.9 * g[top])
    first = min(low[low < top].max(initial=-1) + 1, top - 1)
    last = max(low[low > top].min(initial=len(g)) - 1, top + 1)
    part = slice(first, last + 1)
    c, b, a = np.polynomial.polynomial.polyfit(r[part] - r[top], g[part], 2)
    shift = -b / (2 * a)
    return float(r[top] + shift), float(c + b * shift / 2)


def _members(configuration: Configuration, species: str) -> np.ndarray:
    if species not in configuration.species_names:
        raise InputError(
            f"{configuration.name}: species: expected one of {list(configuration.species_names)}; "
            f"found {species!r}"
        )
    return np.asarray(configuration.species == configuration.species_names.index(species))

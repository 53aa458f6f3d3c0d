"""Pairs of particles: the distribution function g(r) and its first peak."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassml.errors import InputError
from glassml.physics.cells import dimension_of, extent, plane_of, shells
from glassml.physics.neighbours import find_neighbours

__all__ = ["first_peak", "pair_distribution"]


def pair_distribution(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: Sequence[bool],
    first: np.ndarray,
    second: np.ndarray,
    r_max: float,
    n_bins: int = 200,
) -> tuple[np.ndarray, np.ndarray]:
    """The pair distribution function g_ab(r); 1 everywhere for an ideal gas.

    It is the number of pairs of a particle of a and another one of b at distance r, over the number
    expected if both were distributed at random: pairs times the volume of the shell over the volume
    of the cell. In a two-dimensional system, areas take the place of volumes.

    Args:
        positions: [N, 3] [length], of all particles: they tell whether the system is flat.
        cell: [3, 3] [length], the lattice vectors as rows.
        pbc: [3], whether each lattice direction is periodic.
        first: bool [N], the particles of a (see `Configuration.of_species`).
        second: bool [N], the particles of b; those of a, or others.
        r_max: [length]; may be larger than the box, as all images are counted.
        n_bins: number of equal bins from 0 to r_max.

    Returns:
        The centres of the bins [n_bins] [length], and g [n_bins] [-]. Average g over
        configurations to obtain that of a liquid.

    Raises:
        InputError: there is no pair, or a number is not positive.
    """
    if not r_max > 0 or n_bins < 1:
        raise InputError(f"g(r): expected r_max > 0 and n_bins >= 1; found {r_max} and {n_bins}")
    pairs = first.sum() * second.sum() - (first & second).sum()
    if pairs == 0:
        raise InputError(
            f"g(r): expected at least one pair; found {first.sum()} and {second.sum()} particles"
        )
    sender, receiver, vector = find_neighbours(positions, cell, pbc, r_max)
    chosen = first[receiver] & second[sender]
    edges = np.linspace(0, r_max, n_bins + 1)
    counts, _ = np.histogram(np.linalg.norm(vector[chosen], axis=1), edges)
    plane = plane_of(positions, cell, pbc)
    expected = pairs / extent(cell, plane) * shells(edges, dimension_of(plane))
    return (edges[1:] + edges[:-1]) / 2, counts / expected


def first_peak(r: np.ndarray, g: np.ndarray) -> tuple[float, float]:
    """Position and height of the highest maximum of g(r), from a parabola through its top tenth.

    In dense liquids this is the first shell of neighbours. The BB pairs of the Kob-Andersen
    mixture avoid each other; their g(r) has a lower shoulder before its maximum.

    Args:
        r: [n_bins] [length], equally spaced.
        g: [n_bins] [-].

    Returns:
        Position [length] and height [-].

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

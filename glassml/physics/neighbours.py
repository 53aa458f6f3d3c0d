"""The neighbour search: all pairs of particles closer than a cutoff.

Everything in glassml that needs neighbours calls `find_neighbours`: graphs, g(r), four-point
functions and the checks of datasets. The search itself is the cell list of the LAMMPS plugin, if
`glassml build` has compiled it, else that of matscipy. They find the same pairs, in another order.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase.geometry import complete_cell
from matscipy.neighbours import neighbour_list

from glassml.errors import InputError
from glassml.physics.neighbour_library import compiled_search

__all__ = ["MOST_NEIGHBOURS", "Neighbours", "back_end_version", "find_neighbours"]

# Of the compiled search. Raise it when the order of pairs or the rounding of vectors changes.
_VERSION = 1
MOST_NEIGHBOURS = 4000  # far more than any model of a liquid needs
LARGEST = 1e100  # coordinate in any unit
FARTHEST = 1e6  # boxes from the origin: farther than any particle diffuses


class Neighbours(NamedTuple):
    """Ordered pairs of particles, sorted by receiver.

    Attributes:
        sender: int [E], particle j of each pair.
        receiver: int [E], particle i of each pair, ascending.
        vector: float64 [E, 3] [length], x_j - x_i, where x_j is one of the images of j.
    """

    sender: np.ndarray
    receiver: np.ndarray
    vector: np.ndarray


def find_neighbours(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: Sequence[bool],
    cutoff: float,
    most: float | None = None,
) -> Neighbours:
    """Every ordered pair of particles closer than the cutoff, r < r_c.

    A pair is listed once for each of its images within the cutoff. In a box that is small against
    the cutoff, a particle can be its own neighbour.

    Args:
        positions: float64 [N, 3] [length], wrapped into the cell or not.
        cell: float64 [3, 3] [length], the lattice vectors as rows.
        pbc: [3], whether each lattice direction is periodic.
        cutoff: r_c [length].
        most: mean number of neighbours above which lengths must be in a wrong unit; None: the
            number of particles, but at least `MOST_NEIGHBOURS`.

    Raises:
        InputError: the cutoff is not positive, there would be more neighbours than ``most``, a
            coordinate is not finite or exceeds `LARGEST`, or a position is `FARTHEST` boxes away.
    """
    if not cutoff > 0:
        raise InputError(f"cutoff: expected a positive length; found {cutoff}")
    _check_search(positions, cell, np.asarray(pbc, bool), cutoff, most or len(positions))
    # matscipy takes the volume of a cell in metres (1e-27) for zero. So lengths are divided by a
    # unit near the cutoff. It is a power of two, which changes no digit of any number.
    unit = 2.0 ** np.floor(np.log2(float(cutoff)))
    sender, receiver, vector = _search(
        positions / unit, cell / unit, np.asarray(pbc, bool), float(cutoff) / unit
    )
    return Neighbours(sender, receiver, vector * unit)


def _check_search(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float, most: float
) -> None:
    """Refuse a search that would take all memory or time, before it begins."""
    within = (np.abs(positions) < LARGEST).all(axis=1)
    if not within.all():
        wrong = int(np.argmin(within))
        raise InputError(
            f"expected positions that are finite numbers below {LARGEST:.0e}; found "
            f"{positions[wrong].tolist()} for particle {wrong}: is the file damaged?"
        )
    completed = complete_cell(cell)
    volume = abs(np.linalg.det(completed))
    if not len(positions) or not volume > 0:
        return
    inverse = np.linalg.inv(completed)
    scaled = positions @ inverse
    farthest = np.abs(scaled[:, pbc]).max(initial=0.0)
    if farthest > FARTHEST:
        raise InputError(
            f"expected positions within {FARTHEST:.0e} boxes of the origin; found one that is "
            f"{farthest:.1e} boxes away: is the file damaged?"
        )
    heights = 1 / np.linalg.norm(inverse, axis=0)
    # Along directions that are not periodic, what the particles fill.
    filled = np.maximum(np.ptp(scaled, axis=0) * heights, 2 * cutoff)
    volume *= np.prod(np.where(pbc, 1, filled / heights))
    about = len(positions) / volume * 4 / 3 * np.pi * cutoff**3
    limit = max(most, MOST_NEIGHBOURS)
    if about > limit:
        raise InputError(
            f"expected at most {limit:g} neighbours of a particle within the cutoff {cutoff:g}; "
            f"found about {about:.2g} at the density {len(positions) / volume:.4g}. Are lengths in "
            "the right unit?"
        )


def back_end_version() -> str:
    """Name and version of the search. Another one may order pairs or round vectors differently."""
    if compiled_search() is not None:
        return f"glassml {_VERSION}"
    return f"matscipy {importlib.metadata.version('matscipy')}"


def _search(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Senders [E], receivers [E] in ascending order and vectors [E, 3] of `find_neighbours`."""
    compiled = compiled_search()
    if compiled is not None:
        return compiled(positions, cell, pbc, cutoff)
    receiver, sender, vector = neighbour_list(
        "ijD", cutoff=cutoff, positions=positions, cell=cell, pbc=pbc
    )
    return sender, receiver, vector.reshape(-1, 3)

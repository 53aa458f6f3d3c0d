"""The compiled neighbour search, csrc/neighbours.cpp, called by ctypes: without torch."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import warnings

import numpy as np
from ase.geometry import complete_cell

from glassml.native.location import NEIGHBOURS_FILE, library_path

__all__ = ["compiled_search", "search_threads"]

# Of the fractions of a cell within which images are made: more than their rounding.
_MARGIN = 1 + 1e-6
_P = ctypes.c_void_p


class CompiledSearch:
    """The library, loaded.

    Args:
        library: what ctypes loaded.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._find = library.glassml_neighbours_find
        self._find.restype = _P
        self._find.argtypes = [
            *(_P, ctypes.c_int64, _P, _P, _P, _P, ctypes.c_double, ctypes.c_int32, _P)
        ]
        self._fill = library.glassml_neighbours_fill
        self._fill.restype, self._fill.argtypes = ctypes.c_int32, [_P, _P, _P, _P]
        self._free = library.glassml_neighbours_free
        self._free.restype, self._free.argtypes = None, [_P]

    def __call__(
        self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Senders [E], receivers [E] in ascending order and vectors [E, 3] of all pairs.

        Args:
            positions: float64 [N, 3] [length], finite.
            cell: float64 [3, 3] [length], the lattice vectors as rows.
            pbc: bool [3].
            cutoff: r_c [length].

        Raises:
            numpy.linalg.LinAlgError: the lattice vectors lie in a plane.
            MemoryError: there is not enough memory.
        """
        positions = np.ascontiguousarray(positions, np.float64)
        cell = np.ascontiguousarray(complete_cell(cell), np.float64)
        inverse = np.ascontiguousarray(np.linalg.inv(cell))
        reach = cutoff * _MARGIN * np.linalg.norm(inverse, axis=0)
        periodic = np.ascontiguousarray(pbc, np.uint8)
        n_edges = ctypes.c_int64()
        arrays = (cell, inverse, periodic, reach)
        search = self._find(
            *(positions.ctypes.data, len(positions), *(array.ctypes.data for array in arrays)),
            *(cutoff, search_threads(), ctypes.addressof(n_edges)),
        )
        if not search:
            raise MemoryError("the neighbour search needs more memory than there is")
        try:
            sender = np.empty(n_edges.value, np.int64)
            receiver = np.empty(n_edges.value, np.int64)
            vector = np.empty((n_edges.value, 3))
            data = (sender.ctypes.data, receiver.ctypes.data, vector.ctypes.data)
            if self._fill(search, *data) != 0:
                raise MemoryError("the neighbour search needs more memory than there is")
        finally:
            self._free(search)
        return sender, receiver, vector


@functools.cache
def compiled_search() -> CompiledSearch | None:
    """The search that `glassml build` compiled; None without a build that fits.

    ``GLASSML_BACKEND=reference`` leaves it out, as it does the compiled operators.
    """
    path = None
    if os.environ.get("GLASSML_BACKEND") != "reference":
        path = library_path(NEIGHBOURS_FILE)
    if path is None:
        return None
    try:
        return CompiledSearch(ctypes.CDLL(str(path)))
    except (OSError, AttributeError) as error:
        warnings.warn(
            f"{path} is not used, the neighbour search of matscipy is slower: {error}",
            RuntimeWarning,
            stacklevel=2,
        )
        return None


def search_threads() -> int:
    """Threads of a search: those of torch if it is loaded, else all cores of this process."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return int(limit) if limit.isdigit() and int(limit) else len(os.sched_getaffinity(0))

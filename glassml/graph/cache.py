"""Edges kept on disk, so that they are searched for once and not in every run.

An entry is an npz file (uncompressed, with checksums) named after everything that its edges depend
on: positions, cell, periodic directions, cutoff and floating-point type. It holds the senders, the
number of edges of each receiver and the vectors: 16 bytes an edge in float32. Labels, species and
scalars come from the configuration, so that changing them changes no entry.

Any number of processes may share a folder: entries are written whole or not at all and never
change, and a file that is damaged or vanishes counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import time
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from glassml.data import Configuration
from glassml.errors import InputError
from glassml.files import atomic_write
from glassml.graph.neighbours import find_edges, graph_of_edges

__all__ = ["GraphCache"]

# Part of every key: another number after a change of the layout or of the search for edges.
_VERSION = 1

# Entries that are this young [s] may be those of a run that goes on beside this one.
_YOUNG = 3600.0


class GraphCache:
    """Graphs whose edges are read from a folder if they are there, and put there if not.

    The folder is kept below its limit by removing what was not used for longest. What was used
    within the last hour stays; where that fills the folder, nothing is added.

    Args:
        folder: made when it is needed.
        limit: the most it may hold [bytes].
    """

    def __init__(self, folder: str | Path, limit: float = 10e9) -> None:
        self.folder = Path(folder)
        self.limit = limit
        self._size: float | None = None
        self._writable = True

    def graph(
        self,
        configuration: Configuration,
        cutoff: float,
        scalars: Sequence[str] = (),
        dtype: torch.dtype = torch.float32,
    ) -> Data:
        """The graph that `build_graph` builds of the same arguments, to the last bit.

        Raises:
            InputError: as `build_graph`.
        """
        path = self.folder / f"{_key(configuration, cutoff, dtype)}.npz"
        edges = _read(path, configuration.n_particles, dtype)
        if edges is None:
            sender, receiver, vector = find_edges(configuration, cutoff)
            edges = (
                sender.astype(np.int32),
                np.bincount(receiver, minlength=configuration.n_particles).astype(np.int32),
                torch.from_numpy(vector).to(dtype).numpy(),
            )
            self._write(path, *edges)
        sender, degree, vector = edges
        receiver = np.repeat(np.arange(len(degree)), degree)
        edge_index = torch.from_numpy(np.stack([sender.astype(np.int64), receiver]))
        return graph_of_edges(configuration, edge_index, torch.from_numpy(vector), scalars)

    def _write(
        self, path: Path, sender: np.ndarray, degree: np.ndarray, vector: np.ndarray
    ) -> None:
        size = sender.nbytes + degree.nbytes + vector.nbytes
        if not self._writable or not self._make_room(size):
            return
        try:
            with atomic_write(path) as partial:
                np.savez(partial, sender=sender, degree=degree, vector=vector)
        except InputError as error:  # a cache is no reason to stop a run
            self._writable = False
            warnings.warn(f"graphs are not cached: {error}", RuntimeWarning, stacklevel=3)

    def _make_room(self, size: int) -> bool:
        """Remove old entries until this many bytes fit; whether they do."""
        if self._size is None or self._size + size > self.limit:
            entries = sorted(_entries(self.folder), key=lambda entry: entry[1])
            self._size = float(sum(bytes_ for _, _, bytes_ in entries))
            now = time.time()
            for path, used, bytes_ in entries:
                if self._size + size <= self.limit or now - used < _YOUNG:
                    break
                path.unlink(missing_ok=True)
                self._size -= bytes_
        if self._size + size > self.limit:
            return False
        self._size += size
        return True


def _key(configuration: Configuration, cutoff: float, dtype: torch.dtype) -> str:
    digest = hashlib.sha256()
    search = importlib.metadata.version("matscipy")  # which may order or round otherwise
    facts = (_VERSION, search, configuration.pbc, float(cutoff).hex(), str(dtype))
    digest.update(repr(facts).encode())
    for array in (configuration.positions, configuration.cell):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array, "<f8").data)
    return digest.hexdigest()


def _read(
    path: Path, n_particles: int, dtype: torch.dtype
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Senders, degrees and vectors of an entry; None if it is absent or damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            sender, degree, vector = (archive[name] for name in ("sender", "degree", "vector"))
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile):
        return None
    with contextlib.suppress(OSError):  # of a folder that may only be read
        os.utime(path)  # used now
    kind = torch.zeros(0, dtype=dtype).numpy().dtype
    fits = (
        sender.dtype == degree.dtype == np.int32
        and vector.dtype == kind
        and degree.shape == (n_particles,)
        and sender.shape == (degree.sum(),)
        and vector.shape == (len(sender), 3)
        and (len(sender) == 0 or (sender.min() >= 0 and sender.max() < n_particles))
    )
    return (sender, degree, vector) if fits else None


def _entries(folder: Path) -> list[tuple[Path, float, int]]:
    """Path, last use [s] and size [bytes] of every entry."""
    found = []
    for path in folder.glob("*.npz"):
        try:
            status = path.stat()
        except OSError:  # removed by another process
            continue
        found.append((path, status.st_mtime, status.st_size))
    return found

"""Edges kept on disk, so that later runs need not search for them again.

An entry is an npz file (uncompressed, with checksums). Its name is a hash of everything that its
edges depend on: positions, cell, periodic directions, cutoff and floating-point type. It holds the
senders, the number of edges of each receiver and the vectors: 16 bytes per edge in float32. Labels,
species and scalars come from the configuration and are not part of an entry.

Any number of processes may share a folder. Entries are written whole or not at all and never
change; a file that is damaged or disappears counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
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
from glassml.graph.building import graph_of_edges, neighbours_within
from glassml.physics.neighbours import back_end_version

__all__ = ["GraphCache"]

# Part of every key. Raise it when the layout or the edges of a graph change.
_VERSION = 1

# Entries used within this time [s] may belong to another run that is still in progress.
_YOUNG = 3600.0


class GraphCache:
    """Graphs whose edges are read from a folder, or found and written there.

    The folder is kept below its limit: the entries that were unused for longest are removed first.
    Entries used within the last hour stay; if they fill the folder, nothing is added.

    Args:
        folder: made when it is needed.
        limit: largest size of the folder [bytes].
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
        """The graph that `build_graph` gives for the same arguments, to the last bit.

        Raises:
            InputError: as `build_graph`.
        """
        path = self.folder / f"{_key(configuration, cutoff, dtype)}.npz"
        edges = _read(path, configuration.n_particles, dtype)
        if edges is None:
            sender, receiver, vector = neighbours_within(configuration, cutoff)
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
        except InputError as error:  # the run can continue without a cache
            self._writable = False
            warnings.warn(f"graphs are not cached: {error}", RuntimeWarning, stacklevel=3)

    def _make_room(self, size: int) -> bool:
        """Remove old entries until ``size`` more bytes fit; False if they cannot."""
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
    facts = (_VERSION, back_end_version(), configuration.pbc, float(cutoff).hex(), str(dtype))
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
    with contextlib.suppress(OSError):  # the folder may be read-only
        os.utime(path)  # mark it as used now
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
    """Path, time of last use [s] and size [bytes] of every entry."""
    found = []
    for path in folder.glob("*.npz"):
        try:
            status = path.stat()
        except OSError:  # another process removed it
            continue
        found.append((path, status.st_mtime, status.st_size))
    return found

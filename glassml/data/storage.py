"""How configurations are laid out in an HDF5 dataset.

Layout: the file's attributes ``format``, ``format_version``, ``glassml_version``,
``species_names`` and ``length_unit``; then a group ``/configurations/<name>`` for each
configuration, in the order of writing, with the arrays of `Configuration` as HDF5 datasets of the
same names, scalars in a subgroup ``scalars``, and ``pbc``, ``n_runs``, ``sha256`` and the
``provenance`` subgroup's entries as attributes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np

from glassml.data.configuration import Configuration

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "OutputStream",
    "content_hash",
    "read_configuration",
    "write_configuration",
]

FORMAT = "glassml-dataset"
FORMAT_VERSION = 1

# Byte shuffling makes float64 compressible; the checksum finds a damaged file on reading.
_STORAGE: dict[str, Any] = {"compression": "gzip", "shuffle": True, "fletcher32": True}


class OutputStream(io.FileIO):
    """A file that keeps its first write error for later.

    HDF5 does not survive a full disk: it raises from destructors and ends in a segmentation
    fault. So it is told that all went well, and the writer looks here.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write everything, or note the error and say so nevertheless."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        with self._keeping_errors():
            while len(rest):
                rest = rest[super().write(rest) :]
        return size

    def truncate(self, size: int | None = None) -> int:
        """Set the file's size, or note the error and say so nevertheless."""
        with self._keeping_errors():
            super().truncate(size)
        return size or 0

    @contextmanager
    def _keeping_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error


def read_configuration(
    group: h5py.Group, species_names: tuple[str, ...], length_unit: str
) -> Configuration:
    """Read back what `write_configuration` wrote, named after the group."""
    n_runs = group.attrs.get("n_runs")
    return Configuration(
        positions=group["positions"][()],
        cell=group["cell"][()],
        species=group["species"][()],
        species_names=species_names,
        pbc=tuple(group.attrs["pbc"].tolist()),
        scalars={key: values[()] for key, values in group["scalars"].items()},
        times=group["times"][()] if "times" in group else None,
        propensity=group["propensity"][()] if "propensity" in group else None,
        n_runs=None if n_runs is None else int(n_runs),
        length_unit=length_unit,
        name=group.name.rpartition("/")[2],
        provenance={key: _plain(value) for key, value in group["provenance"].attrs.items()},
    )


def _arrays(configuration: Configuration) -> dict[str, np.ndarray]:
    arrays = {
        name: getattr(configuration, name)
        for name in ("positions", "cell", "species", "times", "propensity")
        if getattr(configuration, name) is not None
    }
    for name in sorted(configuration.scalars):
        arrays[f"scalars/{name}"] = configuration.scalars[name]
    return arrays


def write_configuration(group: h5py.Group, configuration: Configuration) -> None:
    """Write a configuration into an empty group of an HDF5 file."""
    group.create_group("scalars")
    for name, array in _arrays(configuration).items():
        group.create_dataset(name, data=array, **_STORAGE)
    group.attrs["pbc"] = list(configuration.pbc)
    if configuration.n_runs is not None:
        group.attrs["n_runs"] = configuration.n_runs
    group.attrs["sha256"] = content_hash(configuration)
    group.create_group("provenance").attrs.update(configuration.provenance)


def content_hash(configuration: Configuration) -> str:
    """SHA-256 of a configuration's data, whatever file it is in."""
    digest = hashlib.sha256()
    facts = (
        configuration.species_names,
        configuration.length_unit,
        configuration.pbc,
        configuration.n_runs,
    )
    digest.update(repr(facts).encode())
    for name, array in _arrays(configuration).items():
        little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}{little_endian.dtype.str}{array.shape}".encode())
        digest.update(little_endian.tobytes())
    return digest.hexdigest()


def _plain(value: Any) -> str | int | float:
    """An HDF5 attribute as a plain Python value."""
    return value.item() if isinstance(value, np.generic) else value

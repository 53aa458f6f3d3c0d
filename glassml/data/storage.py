"""The layout of configurations in an HDF5 dataset.

The file has the attributes ``format``, ``format_version``, ``glassml_version``, ``species_names``,
``length_unit`` and ``description`` (a text in JSON). It has a group ``/configurations/<name>`` for
each configuration, in the order of writing, with

- the arrays of `Configuration` as HDF5 datasets of the same names;
- mappings of arrays (``scalars``, ``structures``, ``statistics``, ``predictions``) as subgroups;
- ``pbc``, ``n_runs`` and ``sha256`` as attributes, and those of a subgroup ``provenance``.

``final_positions`` have their own checksum, so that the rest can be checked without reading them.

Version 1 had no ``structures``, ``statistics``, ``predictions``, ``final_positions`` and
``description``. The checksums of everything else are the same.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np

from glassml.data.configuration import Configuration
from glassml.errors import InputError

__all__ = [
    "DAMAGED",
    "FORMAT",
    "FORMAT_VERSION",
    "FORMAT_VERSIONS_READ",
    "OutputStream",
    "content_hash",
    "description_text",
    "final_positions_hash",
    "plain_value",
    "read_array",
    "read_configuration",
    "text_list",
    "write_configuration",
]

FORMAT = "glassml-dataset"
FORMAT_VERSION = 2
FORMAT_VERSIONS_READ = (1, 2)

# Fields of `Configuration` that are mappings from names to arrays.
_MAPPINGS = ("scalars", "structures", "statistics", "predictions")
_FINAL = "final_positions"

# Shuffling bytes makes float64 compressible. HDF5 checks this checksum on reading.
_STORAGE: dict[str, Any] = {"compression": "gzip", "shuffle": True, "fletcher32": True}

# An array is at most so many times larger than what is stored of it: the limit of deflate, rounded
# up. Small ones may be.
_LARGEST_RATIO = 1100
_SMALL = 2**20  # bytes

# What h5py raises for damaged files.
DAMAGED = (OSError, KeyError, RuntimeError, TypeError, ValueError, AttributeError)


class OutputStream(io.FileIO):
    """A file that keeps its first write error instead of raising it.

    HDF5 does not survive a full disk: it raises from destructors and ends in a segmentation
    fault. So every write appears to succeed, and the writer checks ``error``.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write everything, or keep the error; the size is returned in both cases."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        with self._keeping_errors():
            while len(rest):
                rest = rest[super().write(rest) :]
        return size

    def truncate(self, size: int | None = None) -> int:
        """Set the file's size, or keep the error; the size is returned in both cases."""
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
    group: h5py.Group,
    species_names: tuple[str, ...],
    length_unit: str,
    *,
    final_positions: bool = False,
) -> Configuration:
    """Read back what `write_configuration` wrote, named after the group."""
    n_runs = group.attrs.get("n_runs")
    mappings = {
        name: {key: read_array(values) for key, values in group.get(name, {}).items()}
        for name in _MAPPINGS
    }
    return Configuration(
        positions=read_array(group["positions"]),
        cell=read_array(group["cell"]),
        species=read_array(group["species"]),
        species_names=species_names,
        pbc=_flags(group.attrs["pbc"]),
        times=read_array(group["times"]) if "times" in group else None,
        propensity=read_array(group["propensity"]) if "propensity" in group else None,
        n_runs=None if n_runs is None else int(n_runs),
        final_positions=read_array(group[_FINAL]) if final_positions and _FINAL in group else None,
        length_unit=length_unit,
        name=group.name.rpartition("/")[2],
        provenance={key: plain_value(value) for key, value in group["provenance"].attrs.items()},
        **mappings,
    )


def read_array(dataset: h5py.Dataset) -> np.ndarray:
    """An array of a file.

    Raises:
        OSError: it is much larger than what the file holds. HDF5 would fill the rest with one
            value, and take all memory for it.
    """
    most = _LARGEST_RATIO * dataset.id.get_storage_size() + _SMALL
    if dataset.nbytes > most:
        raise OSError(f"{dataset.name} states {dataset.nbytes} bytes; the file holds fewer")
    return dataset[()]


def _flags(value: Any) -> tuple[bool, bool, bool]:
    """Periodic directions; text would count as true, whatever it says."""
    flags = np.asarray(value)
    if flags.shape != (3,) or flags.dtype.kind not in "biu" or not np.isin(flags, (0, 1)).all():
        raise KeyError(f"pbc: expected three truth values; found {value!r}")
    x, y, z = (bool(flag) for flag in flags)
    return x, y, z


def _arrays(configuration: Configuration) -> dict[str, np.ndarray]:
    """Every array except the final positions, by its name in the file."""
    arrays = {
        name: getattr(configuration, name)
        for name in ("positions", "cell", "species", "times", "propensity")
        if getattr(configuration, name) is not None
    }
    for mapping in _MAPPINGS:
        entries = getattr(configuration, mapping)
        arrays |= {f"{mapping}/{name}": entries[name] for name in sorted(entries)}
    return arrays


def write_configuration(group: h5py.Group, configuration: Configuration) -> None:
    """Write a configuration into an empty group of an HDF5 file."""
    group.create_group("scalars")
    for name, array in _arrays(configuration).items():
        group.create_dataset(name, data=array, **_STORAGE)
    if configuration.final_positions is not None:
        final = group.create_dataset(_FINAL, data=configuration.final_positions, **_STORAGE)
        final.attrs["sha256"] = final_positions_hash(configuration)
    group.attrs["pbc"] = list(configuration.pbc)
    if configuration.n_runs is not None:
        group.attrs["n_runs"] = configuration.n_runs
    group.attrs["sha256"] = content_hash(configuration)
    group.create_group("provenance").attrs.update(configuration.provenance)


def content_hash(configuration: Configuration) -> str:
    """SHA-256 of a configuration's data without final positions; the same in every file."""
    digest = hashlib.sha256()
    facts = (
        configuration.species_names,
        configuration.length_unit,
        configuration.pbc,
        configuration.n_runs,
    )
    digest.update(repr(facts).encode())
    for name, array in _arrays(configuration).items():
        _add(digest, name, array)
    return digest.hexdigest()


def final_positions_hash(configuration: Configuration) -> str | None:
    """SHA-256 of the final positions; None if the configuration has none."""
    if configuration.final_positions is None:
        return None
    digest = hashlib.sha256()
    _add(digest, _FINAL, configuration.final_positions)
    return digest.hexdigest()


def description_text(description: Mapping[str, Any], where: str) -> str:
    """A description in JSON.

    Args:
        description: nested mappings and lists of texts, finite numbers, booleans and None. The
            entry ``warnings``, if there is one, is a list of texts.
        where: the dataset's name in messages.

    Raises:
        InputError: the description holds anything else.
    """
    warnings = description.get("warnings", [])
    if not isinstance(warnings, list) or not all(isinstance(text, str) for text in warnings):
        raise InputError(
            f"{where}: description: warnings: expected a list of texts; found {warnings!r}"
        )
    try:
        text = json.dumps(description, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{where}: description: expected nested mappings of texts and finite numbers; found "
            f"something else ({error})"
        ) from None
    if json.loads(text) != _listed(description):
        raise InputError(f"{where}: description: expected texts as names; found other keys")
    return text


def _listed(value: Any) -> Any:
    """The same with lists instead of tuples, as JSON has it."""
    if isinstance(value, Mapping):
        return {key: _listed(entry) for key, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, list | tuple) else value


def _add(digest: Any, name: str, array: np.ndarray) -> None:
    little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
    digest.update(f"{name}{little_endian.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(little_endian).data)


def plain_value(value: Any) -> Any:
    """An HDF5 attribute as a plain Python value; other programs store text as bytes."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "OS":
        return [plain_value(entry) for entry in value.tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def text_list(value: Any) -> tuple[str, ...]:
    """An attribute that lists names; of one text, Python would list the letters.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"expected a list of names; found {value!r}")
    return tuple(value)

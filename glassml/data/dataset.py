"""The HDF5 dataset: any number of configurations of one system in one file.

`glassml.data.storage` describes the layout of the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

import glassml
from glassml.data.configuration import REVERSED_FROM, Configuration, sha256_of_positions
from glassml.data.shipped import dataset_path, shipped_names
from glassml.data.storage import (
    DAMAGED,
    FORMAT,
    FORMAT_VERSION,
    FORMAT_VERSIONS_READ,
    OutputStream,
    content_hash,
    description_text,
    final_positions_hash,
    plain_value,
    read_array,
    read_configuration,
    text_list,
    write_configuration,
)
from glassml.data.windows import count_windows
from glassml.errors import InputError, did_you_mean
from glassml.files import atomic_write, uninterrupted
from glassml.physics import same_times

__all__ = ["Dataset", "DatasetWriter"]


class DatasetWriter:
    """Writes a dataset; the file gets its name only when it is complete.

    Use it as a context manager. If the block raises, or the process dies, nothing changes under
    the final name.

    Args:
        path: the HDF5 file to write, replaced if it exists.
        description: how the data were made: nested mappings and lists of texts and numbers. The
            entry ``warnings`` is a list of texts that `glassml data info` shows first.

    Raises:
        InputError: the file cannot be written, no configuration was added, or the description
            holds something other than texts and numbers.
    """

    def __init__(self, path: str | Path, description: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        self.n_configurations = 0
        self._description = description_text(description or {}, str(path))
        self._file: h5py.File | None = None
        self._transaction = self._write_whole()
        self._common: dict[str, tuple[str, Any]] = {}

    def __enter__(self) -> DatasetWriter:
        self._transaction.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._transaction.__exit__(kind, error, traceback)

    def add(self, configuration: Configuration) -> None:
        """Append a configuration under its own name.

        Raises:
            InputError: its name is taken or contains "/", its species or length unit differ from
                those of the configurations before it, or the disk is full.
        """
        with uninterrupted():
            file, name = self._new(configuration.name)
            self._check_common(configuration, file)
            write_configuration(file["configurations"].create_group(name), configuration)
            self._added(file)

    def copy(self, dataset: Dataset, name: str, new_name: str | None = None) -> None:
        """Append a configuration of another dataset as it is stored, including final positions.

        Args:
            dataset: where it is stored.
            name: its name there.
            new_name: its name here. Default: the same.

        Raises:
            InputError: as for `add`, or the configuration is damaged.
        """
        configuration = dataset[name]
        dataset.verify(configuration)
        with uninterrupted():
            file, name_here = self._new(new_name or name)
            self._check_common(configuration, file)
            file.copy(dataset.stored(name), file["configurations"], name_here)
            self._added(file)

    def describe(self, description: Mapping[str, Any]) -> None:
        """Replace the description, with what is known only after adding the configurations.

        Raises:
            InputError: as for the description at the beginning.
        """
        self._description = description_text(description, str(self.path))

    def _new(self, name: str) -> tuple[h5py.File, str]:
        """The open file, and the name after checking that it is free."""
        if self._file is None:
            raise InputError(
                f"{self.path}: expected `with DatasetWriter(path) as writer: writer.add(...)`; "
                "found a writer that is not open"
            )
        if not name or "/" in name or name == ".":
            raise InputError(f"{self.path}: name: expected a name without '/'; found {name!r}")
        if name in self._file["configurations"]:
            raise InputError(
                f"{self.path}: name: expected different names; found two configurations {name!r}"
            )
        return self._file, name

    def _added(self, file: h5py.File) -> None:
        file.flush()
        self._check_written()
        self.n_configurations += 1

    @contextmanager
    def _write_whole(self) -> Iterator[None]:
        with atomic_write(self.path) as partial, OutputStream(partial, "r+") as self._stream:
            # HDF5 calls the stream, and an interruption there would end in a segmentation fault.
            try:
                with uninterrupted():
                    self._file = h5py.File(self._stream, "w")
                    self._file.attrs.update(
                        format=FORMAT,
                        format_version=FORMAT_VERSION,
                        glassml_version=glassml.__version__,
                    )
                    self._file.create_group("configurations", track_order=True)
                yield
                with uninterrupted():
                    self._file.attrs["description"] = self._description
            finally:
                with uninterrupted():
                    if self._file is not None:
                        self._file.close()
                        self._file = None
            self._check_written()
            if self.n_configurations == 0:
                raise InputError(f"{self.path}: expected configurations to write; found none")

    def _check_written(self) -> None:
        if self._stream.error is not None:
            raise self._stream.error  # which `atomic_write` explains

    def _check_common(self, configuration: Configuration, file: h5py.File) -> None:
        """All configurations of a dataset share their species and their length unit."""
        for field in ("species_names", "length_unit"):
            value = getattr(configuration, field)
            first, expected = self._common.setdefault(field, (configuration.name, value))
            if value != expected:
                raise InputError(
                    f"{configuration.name}: {field}: expected {expected!r} as in {first}, which "
                    f"is in the same dataset {self.path}; found {value!r}"
                )
            file.attrs[field] = value


class Dataset:
    """Reads a dataset: a sequence of configurations, each read when it is needed.

    It may be pickled and used in several processes; each process opens the file itself.

    Args:
        path: an HDF5 file written by `DatasetWriter`, or the name of a dataset that ships with
            glassml (`shipped_names`).

    Attributes:
        path: the file.
        names: names of the configurations, in order.
        species_names: names of the species.
        length_unit: unit of positions and labels.
        description: how the data were made (see `DatasetWriter`).

    Raises:
        InputError: the file is missing, damaged, not a dataset or of an unknown format version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = dataset_path(path)
        self._file: h5py.File | None = None
        self._process = -1
        try:
            attributes = {key: plain_value(value) for key, value in self._open().attrs.items()}
            self._check_format(attributes)
            self.names = tuple(self._open()["configurations"])
            self.species_names = text_list(attributes["species_names"])
            self.length_unit = str(attributes["length_unit"])
            self.description: dict[str, Any] = dict(json.loads(attributes.get("description", "{}")))
        except InputError:
            raise
        except DAMAGED as error:
            raise InputError(
                f"{self.path}: expected species, length unit and configurations; found a damaged "
                f"dataset ({error})"
            ) from None
        if not self.names:
            raise InputError(f"{self.path}: expected configurations; found none")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, key: int | str) -> Configuration:
        """The configuration of this index or name, without final positions."""
        return self.read(key)

    def read(self, key: int | str, *, final_positions: bool = False) -> Configuration:
        """The configuration of this index or name.

        Args:
            key: index or name.
            final_positions: also read the final positions of the runs, if the dataset holds them.
                They are many times larger than everything else.

        Raises:
            InputError: the configuration is damaged.
        """
        if isinstance(key, str) and key not in self.names:
            raise KeyError(f"{self.path}: no configuration {key!r}")
        name = key if isinstance(key, str) else self.names[key]
        try:
            return read_configuration(
                self.stored(name),
                self.species_names,
                self.length_unit,
                final_positions=final_positions,
            )
        except InputError:
            raise
        except DAMAGED as error:
            raise self._damaged(name, error) from error

    def _damaged(self, name: str, error: Exception) -> InputError:
        return InputError(
            f"{self.path}: configurations/{name}: expected what was written; found damage ({error})"
        )

    def __iter__(self) -> Iterator[Configuration]:
        return (self[index] for index in range(len(self)))

    @property
    def sha256(self) -> str:
        """Checksum of names, arrays and units, in order; provenance is not included."""
        digest = hashlib.sha256()
        for name in self.names:
            digest.update(f"{name}:{self.checksum(name)};".encode())
            if self.has_final_positions(name):
                digest.update(f"{self._final_checksum(name)};".encode())
        return digest.hexdigest()

    def checksum(self, name: str) -> str:
        """The stored checksum of one configuration; no array is read.

        Name, provenance and final positions are not included.

        Raises:
            InputError: there is no configuration of that name.
        """
        if name not in self.names:
            raise InputError(f"{self.path}: expected the name of a configuration; found {name!r}")
        return str(plain_value(self.stored(name).attrs["sha256"]))

    @cached_property
    def positions_sha256(self) -> dict[str, str]:
        """Name -> `Configuration.positions_sha256`; nothing but the positions is read.

        Raises:
            InputError: the positions of a configuration are damaged.
        """
        found = {}
        for name in self.names:
            try:
                found[name] = sha256_of_positions(read_array(self.stored(name)["positions"]))
            except DAMAGED as error:
                raise self._damaged(name, error) from error
        return found

    def reversed_from(self, name: str) -> str | None:
        """Of a reversed run: `Configuration.positions_sha256` of its start; of others None."""
        start = plain_value(self.stored(name)["provenance"].attrs.get(REVERSED_FROM))
        return None if start is None else str(start)

    def has_final_positions(self, name: str) -> bool:
        """Whether the dataset holds the final positions of a configuration's runs."""
        return "final_positions" in self.stored(name)

    def n_windows(self, name: str) -> int:
        """Number of windows that a configuration has averaged positions of; no array is read."""
        return count_windows(self.stored(name).get("structures", ()))

    def common_times(self) -> np.ndarray:
        """The times [T] [time] of the labels, which all configurations share.

        Raises:
            InputError: a configuration has no labels, or two have labels at different times.
        """
        first = self._times(self.names[0])
        for name in self.names[1:]:
            times = self._times(name)
            if not same_times(times, first):
                raise InputError(
                    f"{self.path}: times: expected the same times in all configurations; found "
                    f"{first.tolist()} in {self.names[0]} but {times.tolist()} in {name}. Convert "
                    "them into separate datasets, or give nominal times (--time)"
                )
        return first

    def verify(self, configuration: Configuration) -> None:
        """Check a configuration read from this dataset against its stored checksum.

        Raises:
            InputError: they do not match.
        """
        final = final_positions_hash(configuration)
        if self.checksum(configuration.name) != content_hash(configuration) or (
            final is not None and final != self._final_checksum(configuration.name)
        ):
            raise InputError(
                f"{self.path}: {configuration.name}: expected the arrays that were written; found "
                "others, by their checksum. The file was changed or damaged since"
            )

    def close(self) -> None:
        """Close the file. It opens again when needed."""
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = None

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def _open(self) -> h5py.File:
        # A forked process must not use its parent's HDF5 handle: they would share its position.
        if self._file is not None and self._process != os.getpid():
            self._file.close()
            self._file = None
        if self._file is None:
            if self.path.is_dir():
                raise InputError(
                    f"{self.path}: expected a dataset; found a folder (`glassml data convert` "
                    "writes datasets)"
                )
            try:
                self._file = h5py.File(self.path, "r")
            except FileNotFoundError:
                hint = did_you_mean(self.path.name, shipped_names())
                raise InputError(
                    f"{self.path}: expected a dataset; found no such file{hint}"
                ) from None
            except OSError as error:
                raise InputError(
                    f"{self.path}: expected an HDF5 dataset; found a damaged or other file "
                    f"({error})"
                ) from None
            self._process = os.getpid()
        return self._file

    def _check_format(self, attributes: dict[str, Any]) -> None:
        found = attributes.get("format")
        if found != FORMAT:
            raise InputError(
                f"{self.path}: format: expected an HDF5 file with the attribute {FORMAT!r}; "
                f"found {found!r}. `glassml data convert` writes datasets"
            )
        version = attributes.get("format_version")
        if version not in FORMAT_VERSIONS_READ:
            known = " or ".join(map(str, FORMAT_VERSIONS_READ))
            raise InputError(
                f"{self.path}: format_version: expected {known}; found {version}, written by "
                f"glassml {attributes.get('glassml_version')}. Install that version or a newer one"
            )

    def stored(self, name: str) -> h5py.Group:
        """The HDF5 group of a configuration; `glassml.data.storage` describes its layout."""
        return self._open()["configurations"][name]

    def _final_checksum(self, name: str) -> str:
        return str(plain_value(self.stored(name)["final_positions"].attrs.get("sha256")))

    def _times(self, name: str) -> np.ndarray:
        group = self.stored(name)
        if "times" not in group:
            raise InputError(
                f"{self.path}: {name}: propensity: expected labels; found an unlabelled "
                "configuration"
            )
        return np.asarray(group["times"][()])

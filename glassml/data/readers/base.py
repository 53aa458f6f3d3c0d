"""What every reader is given, and the checks and messages that readers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from glassml.data.configuration import Configuration
from glassml.data.species import SpeciesMap
from glassml.errors import InputError
from glassml.files import sha256_of

__all__ = [
    "Fields",
    "Format",
    "ReadOptions",
    "check_wrapped",
    "label_times",
    "mean_displacement",
    "source_provenance",
    "species_of_codes",
]

# Coordinates may leave [0, L) by this fraction of L, as simulations wrap only now and then; the
# convention [-L/2, L/2) leaves it by 0.5.
_BOX_SLACK = 0.01


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What a user knows about a file that the file does not say.

    Attributes:
        times: times of the labels [time], instead of those in the file.
        species: what the file's types or symbols stand for.
        scalars: name of a per-particle input -> its name in the file.
        length_unit: unit of the file's lengths. Default: what the file says, else "lj".
    """

    times: tuple[float, ...] | None = None
    species: SpeciesMap | None = None
    scalars: Mapping[str, str] = field(default_factory=dict)
    length_unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format: an entry of the table `glassml.data.readers.FORMATS`.

    Attributes:
        description: what the files hold, for help texts.
        suffixes: which files of a folder are taken for this format.
        recognises: whether a file, by name and contents, is of this format.
        read: yields the file's configurations.
    """

    description: str
    suffixes: tuple[str, ...]
    recognises: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], Iterator[Configuration]]


class Fields:
    """The named entries of a file, with errors that name the file and the entry."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self.path = path
        self._content = content

    def get(self, name: str, default: Any = None) -> Any:
        """An entry as it is, or ``default`` where there is none."""
        return self._content.get(name, default)

    def __getitem__(self, name: str) -> Any:
        if name not in self._content:
            raise InputError(
                f"{self.path}: expected an entry {name!r}; found {sorted(map(str, self._content))}"
            )
        return self._content[name]

    def array(self, name: str, *shape: int | None, integer: bool = False) -> np.ndarray:
        """An entry as an int64 or finite float64 array of this shape (None: any length)."""
        return self.checked(name, self[name], *shape, integer=integer)

    def checked(
        self, name: str, value: Any, *shape: int | None, integer: bool = False
    ) -> np.ndarray:
        """``value``, which is to be called ``name``, as an array (see `array`)."""
        kinds, dtype = ("iu", np.int64) if integer else ("fiu", np.float64)
        try:
            array = np.asarray(value)
        except ValueError as error:  # lists of unequal lengths
            raise self.error(name, "an array", str(error)) from None
        if array.dtype.kind not in kinds:
            raise self.error(name, "integers" if integer else "numbers", f"type {array.dtype}")
        if array.ndim != len(shape) or any(
            expected not in (None, found)
            for expected, found in zip(shape, array.shape, strict=True)
        ):
            wanted = ["any" if length is None else length for length in shape]
            raise self.error(name, f"shape {wanted}", f"shape {list(array.shape)}")
        if not np.isfinite(array).all():
            index = np.argwhere(~np.isfinite(array))[0].tolist()
            raise self.error(name, "finite numbers", f"{array[tuple(index)]} at index {index}")
        return array.astype(dtype, copy=False)

    def error(self, name: str, expected: str, found: str) -> InputError:
        """The error for an entry that is not as it should be."""
        return InputError(f"{self.path}: {name}: expected {expected}; found {found}")


def species_of_codes(
    fields: Fields, name: str, n_particles: int, species: SpeciesMap | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Species of a Kob-Andersen file that calls A 0 and B 1.

    Args:
        fields: the file.
        name: the entry with the codes [N].
        n_particles: N.
        species: other names, for the types 1 and 2 or for the symbols A and B.

    Returns:
        The species indices [N] and the species names.

    Raises:
        InputError: other codes, such as 1 and 2, or no A particle at all.
    """
    codes = fields.array(name, n_particles, integer=True)
    found = np.unique(codes).tolist()
    if found not in ([0], [0, 1]):
        raise fields.error(name, "0 for A and 1 for B", f"the codes {found}")
    if species is None:
        return codes, ("A", "B")
    labels = codes + 1 if species.by_type else np.array(["A", "B"])[codes]
    return species.indices(labels, str(fields.path)), species.names


def mean_displacement(
    fields: Fields, name: str, initial: np.ndarray, runs: np.ndarray, box: np.ndarray
) -> np.ndarray:
    """The propensity: each particle's distance from its start, averaged over the runs.

    Args:
        fields: the file, for messages.
        name: the entry that ``runs`` come from, for messages.
        initial: [N, 3] positions at the start [length].
        runs: [R, N, 3] unwrapped positions at the end of each run [length].
        box: [3] edge lengths [length].

    Returns:
        float64 [N] [length].

    Raises:
        InputError: the positions of the runs are wrapped into the box, or count from another
            image than the initial ones, so that they give no displacements.
    """
    displacement = runs - initial
    far = np.abs(displacement) > box / 2
    if far.any() and (runs >= 0).all() and (runs <= box).all():
        raise fields.error(
            name, "unwrapped positions", "jumps of more than half a box, and all inside the box"
        )
    if far.all(axis=0).any():
        raise fields.error(
            name,
            "unwrapped positions that start from the initial ones",
            "a particle that is more than half a box away from its start in every run",
        )
    return np.linalg.norm(displacement, axis=-1).mean(axis=0)


def check_wrapped(fields: Fields, name: str, positions: np.ndarray, box: np.ndarray) -> None:
    """Check that positions [N, 3] lie in [0, L) of a box [3], as the format has it.

    Raises:
        InputError: another convention, or another box.
    """
    if (positions < -_BOX_SLACK * box).any() or (positions > (1 + _BOX_SLACK) * box).any():
        raise fields.error(
            name,
            f"coordinates in [0, L) with L = {np.round(box, 5).tolist()}",
            f"coordinates from {positions.min():g} to {positions.max():g}",
        )


def label_times(
    fields: Fields, known: Sequence[float] | None, given: Sequence[float] | None, n_labels: int
) -> np.ndarray:
    """The times [T] of the labels: those the user gives, else those that are known.

    Raises:
        InputError: neither is there, or the number is wrong.
    """
    times = known if given is None else given
    if times is None:
        raise fields.error(
            "time", "a known file name, or the time of the labels (--time)", "neither"
        )
    if len(times) != n_labels:
        raise fields.error("time", f"{n_labels} times (--time), one a label", f"{list(times)}")
    return np.asarray(times, np.float64)


def source_provenance(path: Path, file_format: str) -> dict[str, str | int | float]:
    """Where a configuration was read from: file name, checksum and format."""
    return {"source": path.name, "source_sha256": sha256_of(path), "format": file_format}

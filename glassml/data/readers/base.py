"""Options of readers, and the checks and messages that they share."""

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
from glassml.physics import isoconfigurational_averages

__all__ = [
    "Fields",
    "Format",
    "ReadOptions",
    "check_wrapped",
    "label_times",
    "other_positions",
    "run_averages",
    "source_provenance",
    "species_of_codes",
]

# Coordinates may leave their interval by this fraction of L, as simulations wrap only now and
# then. In the other convention, they leave it by 0.5.
_BOX_SLACK = 0.01

# Relaxation moves particles by a tenth of their spacing; other particles are a whole spacing away.
_LARGEST_MEDIAN_SHIFT = 0.5  # of (volume / N)^(1/d)


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What the user knows about a file that the file does not state.

    Attributes:
        times: times of the labels [time], instead of those in the file.
        species: the species of the file's types or symbols.
        scalars: name of a per-particle input -> its name in the file.
        length_unit: unit of the file's lengths. Default: that of the file, else "lj".
        final_positions: keep the final positions of the runs, if the file has them.
        labels: a file with the labels of the particles, for structure files (see
            `glassml.data.readers.labels`); ``{stem}`` is replaced by the structure file's name.
        pbc: which directions are periodic, for structure files that do not state it correctly:
            LAMMPS writes two-dimensional systems as if they were periodic across their plane.
    """

    times: tuple[float, ...] | None = None
    species: SpeciesMap | None = None
    scalars: Mapping[str, str] = field(default_factory=dict)
    length_unit: str | None = None
    final_positions: bool = False
    labels: str | None = None
    pbc: tuple[bool, bool, bool] | None = None


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format: an entry of the table `glassml.data.readers.FORMATS`.

    Attributes:
        description: what the files hold, for help texts.
        suffixes: the files of a folder that are read in this format.
        recognises: whether a file has this format, by its name and contents.
        read: yields the configurations of a file.
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
        """An entry as it is, or ``default`` if there is none."""
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
        """``value`` as an array (see `array`); messages call it ``name``."""
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
        """The error for a wrong entry."""
        return InputError(f"{self.path}: {name}: expected {expected}; found {found}")


def species_of_codes(
    fields: Fields,
    name: str,
    n_particles: int,
    species: SpeciesMap | None,
    *,
    from_one: bool = False,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Species of a Kob-Andersen file with the codes 0 for A and 1 for B, or also 1 and 2.

    Args:
        fields: the file.
        name: the entry with the codes [N].
        n_particles: N.
        species: other names, for the types 1 and 2 or for the symbols A and B.
        from_one: also allow 1 for A and 2 for B.

    Returns:
        The species indices [N] and the species names.

    Raises:
        InputError: there are other codes, or there is no A particle.
    """
    codes = fields.array(name, n_particles, integer=True)
    found = np.unique(codes).tolist()
    if from_one and found in ([1], [1, 2]):
        codes = codes - 1
    elif found not in ([0], [0, 1]):
        expected = "1 for A and 2 for B (or 0 and 1)" if from_one else "0 for A and 1 for B"
        raise fields.error(name, expected, f"the codes {found}")
    if species is None:
        return codes, ("A", "B")
    labels = codes + 1 if species.by_type else np.array(["A", "B"])[codes]
    return species.indices(labels, str(fields.path)), species.names


def run_averages(
    fields: Fields, name: str, initial: np.ndarray, runs: np.ndarray, box: np.ndarray
) -> dict[str, np.ndarray]:
    """Averages over the runs for each particle (see `isoconfigurational_averages`).

    Args:
        fields: the file, for messages.
        name: the entry that ``runs`` come from, for messages.
        initial: [N, 3] positions at the start [length].
        runs: [R, N, 3] unwrapped positions at the end of each run [length].
        box: [3] edge lengths [length].

    Raises:
        InputError: the positions of the runs are wrapped into the box, or belong to another image
            than the initial ones, so that they give no displacements.
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
    return isoconfigurational_averages(displacement)


def check_wrapped(
    fields: Fields, name: str, positions: np.ndarray, box: np.ndarray, *, centred: bool = False
) -> None:
    """Check that positions [N, 3] lie in [0, L) of a box [3], or in [-L/2, L/2) if ``centred``.

    Raises:
        InputError: some positions lie elsewhere: the convention or the box is another one.
    """
    low = -box / 2 if centred else 0.0 * box
    slack = _BOX_SLACK * box
    if (positions < low - slack).any() or (positions > low + box + slack).any():
        raise fields.error(
            name,
            f"coordinates in {'[-L/2, L/2)' if centred else '[0, L)'} with "
            f"L = {np.round(box, 5).tolist()}",
            f"coordinates from {positions.min():g} to {positions.max():g}",
        )


def other_positions(
    fields: Fields, name: str, positions: np.ndarray, others: np.ndarray, box: np.ndarray
) -> np.ndarray:
    """Other positions of the same particles, as the images nearest to ``positions``.

    Args:
        fields: the file, for messages.
        name: the entry that ``others`` come from, for messages.
        positions: [N, 3] [length].
        others: [N, 3] [length], any images.
        box: [3] edge lengths [length], infinite where the system is not periodic.

    Raises:
        InputError: most particles are far from there: these are other particles, or their order is
            another one.
    """
    shift = others - positions
    finite = np.isfinite(box)
    shift[:, finite] -= box[finite] * np.round(shift[:, finite] / box[finite])
    spacing = (np.prod(box[finite]) / len(positions)) ** (1 / finite.sum())
    typical = float(np.median(np.linalg.norm(shift, axis=1)))
    if typical > _LARGEST_MEDIAN_SHIFT * spacing:
        raise fields.error(
            name,
            "positions of the same particles in the same order",
            f"half of them at least {typical:.3g} away; neighbours are {spacing:.3g} apart",
        )
    return positions + shift


def label_times(
    fields: Fields, known: Sequence[float] | None, given: Sequence[float] | None, n_labels: int
) -> np.ndarray:
    """The times [T] of the labels: those that the user gives, else those that are known.

    Raises:
        InputError: there are none, or their number is wrong.
    """
    times = known if given is None else given
    if times is None:
        raise fields.error(
            "time", "a known file name, or the time of the labels (--time)", "neither"
        )
    if len(times) != n_labels:
        raise fields.error("time", f"{n_labels} times (--time), one per label", f"{list(times)}")
    return np.asarray(times, np.float64)


def source_provenance(path: Path, file_format: str) -> dict[str, str | int | float]:
    """Where a configuration was read from: file name, checksum and format."""
    return {"source": path.name, "source_sha256": sha256_of(path), "format": file_format}

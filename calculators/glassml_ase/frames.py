"""Frames of a trajectory, one at a time, from whatever ASE reads and from glassml's datasets."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import ase.io
from ase import Atoms
from ase.io.formats import (
    ioformats,
    open_with_compression,
    string2index,
)

from glassml.data import Configuration, Dataset
from glassml.data.readers.structure import ase_format
from glassml.errors import InputError

__all__ = ["Frames", "open_frames"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_DUMP = "lammps-dump-text"
_DATA = "lammps-data"
_DATASET = "glassml-dataset"

# LAMMPS' unit systems and their unit of length.
_LENGTH_UNITS = {
    "lj": "lj",
    "real": "angstrom",
    "metal": "angstrom",
    "electron": "bohr",
    "si": "m",
    "cgs": "cm",
    "micro": "um",
    "nano": "nm",
}


@dataclass(frozen=True)
class Frames:
    """The chosen frames of a file, to be iterated over once; only one is in memory at a time.

    Attributes:
        path: the file.
        format: ASE's name of its format, or "glassml-dataset".
        total: number of frames, or None where counting them would mean reading them all.
        frames: pairs of a frame's name for messages and the frame: Atoms, or, from a dataset,
            Configuration.
    """

    path: Path
    format: str
    total: int | None
    frames: Iterator[tuple[str, Atoms | Configuration]]


def open_frames(path: str | Path, index: str = ":", kind: str | None = None) -> Frames:
    """Open a file of configurations.

    Args:
        path: anything ASE reads (extxyz, LAMMPS dump and data, ...), or a glassml dataset.
        index: which frames, as in ASE: "0", "-1", "10:", "::5".
        kind: ASE's name of the format. Default: found out from the file.

    Raises:
        InputError: no such file, an unknown format, or an index that is none. While iterating:
            a frame that cannot be read.
    """
    file = Path(path)
    if not file.exists():
        raise InputError(f"{file}: expected a file of configurations; found no such file")
    chosen = _slice(index)
    kind = kind or _format_of(file)
    if kind == _DATASET:
        return _dataset_frames(file, chosen)
    if kind not in ioformats or not ioformats[kind].can_read:
        raise InputError(f"format: expected a format that ASE reads; found {kind!r}")
    try:
        offsets = _dump_offsets(file) if kind == _DUMP else None
        total = _length(file, kind) if offsets is None else len(offsets)
        numbers = _numbers(chosen, total)
        atoms = (
            _ase_frames(file, kind, chosen)
            if offsets is None
            else _dump_frames(file, offsets, numbers)
        )
    except Exception as error:  # see _named
        raise _unreadable(f"{file}", kind, error) from error
    count = None if total is None else len(range(total)[chosen])
    return Frames(file, kind, count, _named(file, kind, atoms, numbers))


def _slice(index: str) -> slice:
    try:
        parsed = string2index(index)
    except ValueError:
        parsed = index
    if isinstance(parsed, str):
        raise InputError(
            f'index: expected a number or a slice such as "-1" or "::5"; found {index!r}'
        )
    return parsed if isinstance(parsed, slice) else slice(parsed, (parsed + 1) or None)


def _format_of(file: Path) -> str:
    if file.is_file():
        try:
            with file.open("rb") as stream:
                head = stream.read(8)
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error}") from None
        if head == _HDF5 and file.suffix in (".h5", ".hdf5"):
            return _DATASET
        if head.startswith(b"ITEM:"):  # whatever ITEM comes first
            return _DUMP
    guess = ase_format(file)
    if guess is None:
        raise InputError(
            f"{file}: expected a format that ASE reads, or a glassml dataset (.h5); found none "
            "that is known. If ASE does read it, name its format"
        )
    return guess


def _length(file: Path, kind: str) -> int | None:
    """Number of frames where it is cheap to know."""
    if ioformats[kind].single:
        return 1
    if kind == "traj":
        with ase.io.Trajectory(str(file)) as trajectory:
            return len(trajectory)
    if kind == "extxyz":
        with open_with_compression(str(file), "rb") as stream:
            return _count_xyz(stream)
    return None


def _count_xyz(stream: IO[bytes]) -> int | None:
    """Frames of a plain or extended xyz file; None if it is written in some rarer way."""
    count = 0
    while (line := stream.readline()).strip():
        if not line.strip().isdigit():
            return None
        for _ in range(int(line) + 1):
            stream.readline()
        count += 1
    return count


def _numbers(chosen: slice, total: int | None) -> Iterable[int]:
    if total is not None:
        return range(total)[chosen]
    return itertools.count(max(chosen.start or 0, 0), chosen.step or 1)


def _ase_frames(file: Path, kind: str, chosen: slice) -> Iterator[Atoms]:
    index = slice(0, 1) if ioformats[kind].single else chosen
    for atoms in ase.io.iread(str(file), index=index, format=kind, do_not_split_by_at_sign=True):
        yield _with_unit(atoms, str(atoms.info.get("comment", "")) if kind == _DATA else "")


def _dump_offsets(file: Path) -> list[int]:
    """Where in a LAMMPS dump each frame starts."""
    offsets, position = [], 0
    with open_with_compression(str(file), "rb") as stream:
        for line in stream:
            if line.startswith(b"ITEM: TIMESTEP"):
                offsets.append(position)
            position += len(line)
    return offsets


def _with_unit(atoms: Atoms, header: str) -> Atoms:
    """Note the unit of length if the header that LAMMPS wrote tells its unit system."""
    found = re.search(r"units = (\w+)|ITEM: UNITS\s+(\w+)", header)
    system = found and (found[1] or found[2])
    if system in _LENGTH_UNITS:
        atoms.info["length_unit"] = _LENGTH_UNITS[system]
    return atoms


def _dump_frames(file: Path, offsets: list[int], numbers: Iterable[int]) -> Iterator[Atoms]:
    """The frames of these numbers. ASE's reader is given one at a time: it would read them all."""
    ends = [*offsets[1:], None]
    with open_with_compression(str(file), "rb") as stream:
        header = stream.read(offsets[0] if offsets else 0).decode()
        for number in numbers:
            start, end = offsets[number], ends[number]
            stream.seek(start)
            text = stream.read(-1 if end is None else end - start).decode()
            _check_complete(text)
            atoms = next(ase.io.iread(io.StringIO(text), index=0, format=_DUMP))
            if atoms.calc is not None:
                atoms.calc.results.pop("energy", None)  # not in the file: ASE makes up a zero
            yield _with_unit(atoms, header)


def _check_complete(text: str) -> None:
    """Refuse a dump's frame that was cut off: ASE would leave out the missing particles."""
    head, _, body = text.partition("ITEM: ATOMS")
    expected = int(head.partition("ITEM: NUMBER OF ATOMS\n")[2].split("\n")[0])
    # The number of newlines counts the header line and every row that was written to its end.
    found = body.count("\n") - 1
    if found < expected:
        raise ValueError(
            f"expected {expected} complete lines of particles, found {max(found, 0)} and then the "
            "end of the file; is it still being written?"
        )


def _dataset_frames(file: Path, chosen: slice) -> Frames:
    dataset = Dataset(file)
    names = dataset.names[chosen]
    frames = ((f"{file}: {name}", dataset[name]) for name in names)
    return Frames(file, _DATASET, len(names), frames)


def _named(
    file: Path, kind: str, frames: Iterator[Atoms], numbers: Iterable[int]
) -> Iterator[tuple[str, Atoms]]:
    for number in numbers:
        name = f"{file}: frame {number}"
        try:
            atoms = next(frames)
        except StopIteration:
            return
        # ASE's hundred readers raise whatever comes up when a file is not as they expect it.
        except Exception as error:
            raise _unreadable(name, kind, error) from error
        yield name, atoms


def _unreadable(name: str, kind: str, error: Exception) -> InputError:
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if kind == "extxyz" and isinstance(error, KeyError):
        reason += "; ASE knows species by chemical symbols only, such as H and He for A and B"
    return InputError(f"{name}: cannot be read as {kind} ({reason})")

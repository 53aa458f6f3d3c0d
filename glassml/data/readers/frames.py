"""Frames of files of configurations, one at a time: formats of ASE, GSD, glassml's datasets."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import ase.io
from ase import Atoms
from ase.io.formats import (
    UnknownFileTypeError,
    filetype,
    ioformats,
    open_with_compression,
    string2index,
)

from glassml.data.configuration import Configuration
from glassml.data.dataset import Dataset
from glassml.data.readers.dump import DUMP, dump_frames, dump_index, with_unit
from glassml.data.readers.frame_clock import FrameClock
from glassml.data.readers.gsd import GSD, gsd_frames, gsd_length
from glassml.errors import InputError

__all__ = ["DATASET_SUFFIXES", "Frames", "ase_format", "open_frames"]

DATASET_SUFFIXES = (".h5", ".hdf5")

_DATASET = "glassml-dataset"
_DATA = "lammps-data"
_ZSTD = b"\x28\xb5\x2f\xfd"  # how files compressed by Zstandard begin
_HEAD = 4096  # bytes at the start of a file that show its format


@dataclass(frozen=True)
class Frames:
    """The chosen frames of a file, to be iterated over once; only one is in memory at a time.

    Attributes:
        path: the file.
        format: ASE's name of its format, "gsd" or "glassml-dataset".
        total: number of chosen frames; None if they can only be counted by reading them all.
        frames: pairs of a frame's name for messages and the frame: Atoms, or a Configuration of a
            dataset. If LAMMPS wrote its unit system into the file, the Atoms have the unit of
            length in ``info["length_unit"]``. Steps and times of LAMMPS dumps and GSD files are in
            ``info["timestep"]`` and ``info["time"]``.
        clocks: when each frame of the file was written, if this is known before reading them.
        select: gives the frames of the file with these numbers, if they can be read singly.
    """

    path: Path
    format: str
    total: int | None
    frames: Iterator[tuple[str, Atoms | Configuration]]
    clocks: tuple[FrameClock, ...] | None = None
    select: Callable[[Iterable[int]], Iterator[tuple[str, Atoms | Configuration]]] | None = None


def open_frames(
    path: str | Path,
    index: str = ":",
    kind: str | None = None,
    *,
    ids: bool = False,
    unwrapped: bool = False,
) -> Frames:
    """Open a file of configurations.

    Args:
        path: anything ASE reads (extxyz, LAMMPS dump and data, ...), a GSD file, or a glassml
            dataset.
        index: which frames, as in ASE: "0", "-1", "10:", "::5".
        kind: ASE's name of the format, or "gsd". Default: determined from the file's name and
            contents.
        ids: also read the atom ids of LAMMPS dumps, as ``arrays["id"]``. Data files always have
            them.
        unwrapped: also read where the particles are without periodic wrapping, as
            ``arrays["unwrapped"]`` [N, 3] [length], if a LAMMPS dump has the columns ``ix iy iz``,
            ``xu yu zu`` or ``xsu ysu zsu``, or a GSD file has images.

    Raises:
        InputError: the file does not exist, its format is unknown, it has no frames, or the index
            is not valid. While iterating: a frame cannot be read or is incomplete.
    """
    file = Path(path)
    if not file.exists() or (kind is None and file.is_dir()):
        found = "a folder" if file.is_dir() else "no such file"
        raise InputError(f"{file}: expected a file of configurations; found {found}")
    chosen = _slice(index)
    if kind is None:
        kind = _DATASET if file.suffix in DATASET_SUFFIXES else ase_format(file)
    if kind == _DATASET:
        return _dataset_frames(file, chosen)
    if kind != GSD and (kind not in ioformats or not ioformats[kind].can_read):
        hint = "an unknown one. If ASE does read the file, name its format"
        raise InputError(
            f"{file}: format: expected one that ASE reads (extxyz, lammps-dump-text, lammps-data, "
            f"...), GSD, or a glassml dataset (.h5); found {hint if kind is None else repr(kind)}"
        )
    try:
        return _opened(file, kind, chosen, ids, unwrapped)
    except InputError:
        raise
    except Exception as error:  # see _named
        raise _unreadable(f"{file}", "file", kind, error) from error


def ase_format(path: Path) -> str | None:
    """ASE's name of a file's format, or "gsd", from its name and contents; None if unknown.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        # ASE recognises data files by their name, but they may have any name.
        if re.search(rb"^\s*\d+\s+atoms\s*$", head, re.M) and re.search(rb"\d\s+atom types", head):
            return _DATA
        if path.suffix == ".gsd":
            return GSD
        if head.startswith(b"ITEM:"):  # ASE expects TIMESTEP as the first item
            return DUMP
        if head.startswith(_ZSTD):
            raise InputError(
                f"{path}: compression: expected none, .gz, .bz2 or .xz; found Zstandard. "
                "Decompress the file first (zstd -d)"
            )
        name = filetype(str(path))
    except UnknownFileTypeError:
        return None
    except InputError:
        raise
    except Exception as error:  # each compression raises its own errors for damaged files
        raise InputError(f"{path}: expected a file that can be read; found: {error}") from error
    return name if name in ioformats else None


def _slice(index: str) -> slice:
    try:
        parsed = string2index(index)
    except ValueError:
        parsed = index
    if isinstance(parsed, str) or (isinstance(parsed, slice) and parsed.step == 0):
        raise InputError(
            f'index: expected a number or a slice such as "-1" or "::5"; found {index!r}'
        )
    return parsed if isinstance(parsed, slice) else slice(parsed, (parsed + 1) or None)


def _numbers(chosen: slice, total: int | None) -> Iterable[int]:
    """The numbers of the chosen frames; counted from the end (-1, ...) if the index does."""
    if total is not None:
        return range(total)[chosen]
    step = chosen.step or 1
    first = 0 if step > 0 else -1
    return itertools.count(first if chosen.start is None else chosen.start, step)


def _opened(file: Path, kind: str, chosen: slice, ids: bool, unwrapped: bool) -> Frames:
    """The chosen frames of a file that is no dataset."""
    total, clocks, select = _length(file, kind), None, None
    if kind == DUMP:
        index = dump_index(file)
        total, clocks = len(index.offsets), tuple(index.clocks)

        def select(numbers: Iterable[int]) -> Iterator[tuple[str, Atoms | Configuration]]:
            wanted = list(numbers)
            frames = dump_frames(file, index, wanted, ids=ids, unwrapped=unwrapped)
            return _named(file, kind, frames, wanted)

    if total == 0:
        raise InputError(f"{file}: expected frames in this file ({kind}); found none")
    numbers = _numbers(chosen, total)
    if select is not None:
        frames = select(numbers)
    elif kind == GSD:
        frames = _named(file, kind, gsd_frames(file, list(numbers), unwrapped=unwrapped), numbers)
    else:
        frames = _named(file, kind, _ase_frames(file, kind, chosen), numbers)
    count = None if total is None else len(range(total)[chosen])
    return Frames(file, kind, count, frames, clocks, select)


def _length(file: Path, kind: str) -> int | None:
    """The number of frames in the file, if counting is cheap."""
    if kind == GSD:
        return gsd_length(file)
    if kind == DUMP:
        return None  # its index has it
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
    """Number of frames of a plain or extended xyz file; None for rare variants of the format."""
    count = 0
    while (line := stream.readline()).strip():
        if not line.strip().isdigit():
            return None
        for _ in range(int(line) + 1):
            stream.readline()
        count += 1
    return count


def _ase_frames(file: Path, kind: str, chosen: slice) -> Iterator[Atoms]:
    index = slice(0, 1) if ioformats[kind].single else chosen
    for atoms in ase.io.iread(str(file), index=index, format=kind, do_not_split_by_at_sign=True):
        yield with_unit(atoms, str(atoms.info.get("comment", "")) if kind == _DATA else "")


def _dataset_frames(file: Path, chosen: slice) -> Frames:
    with Dataset(file) as dataset:  # it opens its file again when a frame is read
        names = dataset.names[chosen]
    return Frames(file, _DATASET, len(names), _configurations(dataset, names))


def _configurations(dataset: Dataset, names: Iterable[str]) -> Iterator[tuple[str, Configuration]]:
    with dataset:
        for name in names:
            yield f"{dataset.path}: {name}", dataset[name]


def _named(
    file: Path, kind: str, frames: Iterator[Atoms], numbers: Iterable[int]
) -> Iterator[tuple[str, Atoms | Configuration]]:
    for number in numbers:
        name = f"{file}: frame {number}"
        try:
            atoms = next(frames)
        except StopIteration:
            return
        except InputError:
            raise
        # ASE's many readers raise errors of any type if a file is not as they expect.
        except Exception as error:
            raise _unreadable(name, "frame", kind, error) from error
        yield name, atoms


def _unreadable(name: str, what: str, kind: str, error: Exception) -> InputError:
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if kind == "extxyz" and isinstance(error, KeyError):
        reason += "; ASE accepts only chemical symbols as species, such as H and He for A and B"
    return InputError(
        f"{name}: expected a complete {what} of ASE's format {kind!r}; ASE cannot read it "
        f"({reason})"
    )

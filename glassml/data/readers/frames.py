"""Frames of files of configurations, one at a time: formats of ASE, GSD, glassml's datasets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ase.io
from ase import Atoms
from ase.io.formats import UnknownFileTypeError, filetype, ioformats, string2index

from glassml.data.configuration import Configuration
from glassml.data.dataset import Dataset
from glassml.data.readers.compressed import head_of
from glassml.data.readers.dump import DUMP, dump_frames, dump_index
from glassml.data.readers.frame_clock import FrameClock
from glassml.data.readers.gsd import GSD, gsd_frames, gsd_length
from glassml.data.readers.lammps_data import DATA, is_lammps_data, read_lammps_data
from glassml.data.readers.other_formats import other_frames
from glassml.data.readers.stated import Pbc
from glassml.data.readers.xyz import XYZ, xyz_frames, xyz_index
from glassml.errors import InputError

__all__ = ["DATASET_SUFFIXES", "Frames", "ase_format", "open_frames"]

DATASET_SUFFIXES = (".h5", ".hdf5")

_DATASET = "glassml-dataset"


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
    pbc: Pbc | None = None,
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
        pbc: which directions are periodic, in place of what the file states. Needed for files that
            do not state it, such as dumps without flags of the boundaries; a dataset states it.
        ids: also read the atom ids of LAMMPS dumps, as ``arrays["id"]``. Data files always have
            them.
        unwrapped: also read where the particles are without periodic wrapping, as
            ``arrays["unwrapped"]`` [N, 3] [length], if a LAMMPS dump has the columns ``ix iy iz``,
            ``xu yu zu`` or ``xsu ysu zsu``, or a GSD file has images.

    Raises:
        InputError: the file does not exist, its format is unknown, it has no frames, or the index
            is not valid. While iterating: a frame cannot be read or is incomplete, what it states
            and what it holds differ, or its periodicity is not known.
    """
    file = Path(path)
    if not file.exists() or (kind is None and file.is_dir()):
        found = "a folder" if file.is_dir() else "no such file"
        raise InputError(f"{file}: expected a file of configurations; found {found}")
    chosen = _slice(index)
    if kind is None:
        kind = _DATASET if file.suffix in DATASET_SUFFIXES else ase_format(file)
    if kind == _DATASET:
        if pbc is not None:
            raise InputError(
                f"{file}: --pbc: expected none, as a dataset states which directions are periodic; "
                f"found {pbc}"
            )
        return _dataset_frames(file, chosen)
    if kind != GSD and (kind not in ioformats or not ioformats[kind].can_read):
        hint = "an unknown one. If ASE does read the file, name its format"
        raise InputError(
            f"{file}: format: expected one that ASE reads (extxyz, lammps-dump-text, lammps-data, "
            f"...), GSD, or a glassml dataset (.h5); found {hint if kind is None else repr(kind)}"
        )
    try:
        return _opened(file, kind, chosen, _Wanted(pbc, ids, unwrapped))
    except InputError:
        raise
    except Exception as error:  # see _named
        raise _unreadable(f"{file}", "file", kind, error) from error


def ase_format(path: Path) -> str | None:
    """ASE's name of a file's format, or "gsd", from its name and contents; None if unknown.

    Raises:
        InputError: the file cannot be read.
    """
    head = head_of(path)
    # ASE recognises data files and dumps by the names and first items that they have most often.
    if is_lammps_data(head, path):
        return DATA
    if path.suffix == ".gsd":
        return GSD
    if head.startswith(b"ITEM:"):
        return DUMP
    try:
        name = filetype(str(path))
    except UnknownFileTypeError:
        return None
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


@dataclass(frozen=True)
class _Wanted:
    """What a frame is read with; see `open_frames`."""

    pbc: Pbc | None
    ids: bool
    unwrapped: bool


def _opened(file: Path, kind: str, chosen: slice, wanted: _Wanted) -> Frames:
    """The chosen frames of a file that is no dataset."""
    if kind == DUMP:
        return _dump(file, chosen, wanted)
    if kind in XYZ:
        index = xyz_index(file)
        total: int | None = len(index.starts)
        numbers = _numbers(chosen, total)
        read: Iterator[Atoms] = xyz_frames(file, kind, index, numbers, wanted.pbc)
    elif kind == GSD:
        total = gsd_length(file)
        numbers = _numbers(chosen, total)
        read = gsd_frames(file, list(numbers), pbc=wanted.pbc, unwrapped=wanted.unwrapped)
    else:
        total = _length(file, kind)
        numbers = _numbers(chosen, total)
        several = _data_file if kind == DATA else partial(other_frames, kind=kind)
        read = several(file, chosen=chosen, pbc=wanted.pbc)
    if total == 0:
        raise _none_in(file, kind)
    count = None if total is None else len(range(total)[chosen])
    return Frames(file, kind, count, _named(file, kind, read, numbers))


def _dump(file: Path, chosen: slice, wanted: _Wanted) -> Frames:
    index = dump_index(file)
    if not index.offsets:
        raise _none_in(file, DUMP)

    def select(numbers: Iterable[int]) -> Iterator[tuple[str, Atoms | Configuration]]:
        listed = list(numbers)
        frames = dump_frames(
            file, index, listed, pbc=wanted.pbc, ids=wanted.ids, unwrapped=wanted.unwrapped
        )
        return _named(file, DUMP, frames, listed)

    numbers = range(len(index.offsets))[chosen]
    return Frames(file, DUMP, len(numbers), select(numbers), tuple(index.clocks), select)


def _none_in(file: Path, kind: str) -> InputError:
    return InputError(f"{file}: expected frames in this file ({kind}); found none")


def _length(file: Path, kind: str) -> int | None:
    """The number of frames in a file that ASE reads, if counting is cheap."""
    if kind == DATA or ioformats[kind].single:
        return 1
    if kind == "traj":
        with ase.io.Trajectory(str(file)) as trajectory:
            return len(trajectory)
    return None


def _data_file(file: Path, chosen: slice, pbc: Pbc | None) -> Iterator[Atoms]:
    for _ in range(1)[chosen]:
        yield read_lammps_data(file, pbc)


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
    if kind in (DUMP, DATA, GSD):
        return InputError(
            f"{name}: expected a complete {what} of the format {kind!r}; found one that cannot be "
            f"read ({reason})"
        )
    return InputError(
        f"{name}: expected a complete {what} of ASE's format {kind!r}; found one that ASE cannot "
        f"read ({reason}). If the file is of another format, name that (--format)"
    )

"""LAMMPS text dumps: where their frames are in the file, when they were written, and in what units.

`glassml.data.readers.dump_frame` reads a frame itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ase import Atoms

from glassml.data.readers.compressed import open_bytes, text_of
from glassml.data.readers.dump_frame import frame_atoms
from glassml.data.readers.frame_clock import FrameClock
from glassml.data.readers.stated import Pbc
from glassml.errors import InputError
from glassml.physics.units import UNIT_STYLES

__all__ = ["DUMP", "DumpIndex", "dump_frames", "dump_index", "note_unit", "unit_in_header"]

DUMP = "lammps-dump-text"


@dataclass
class DumpIndex:
    """The frames of a dump.

    Attributes:
        offsets: where each frame begins [bytes].
        clocks: when it was written.
        units: LAMMPS' name of the unit style; None if it is not stated.
    """

    offsets: list[int] = field(default_factory=list)
    clocks: list[FrameClock] = field(default_factory=list)
    units: str | None = None


def dump_index(file: Path) -> DumpIndex:
    """Find the frames of a dump; one line is in memory at a time.

    Raises:
        InputError: an unknown unit style, or several of them; or the file begins with something
            else.
    """
    found, position = DumpIndex(), 0
    item, time, start = b"", None, None
    with open_bytes(file) as stream:
        for line in stream:
            if item == b"TIME":
                time = _number(line)
            elif item == b"UNITS":
                found.units = _unit_style(file, line, found.units)
            elif item == b"TIMESTEP":
                step = _number(line)
                found.clocks[-1] = FrameClock(None if step is None else int(step), time)
                time = None
            item = line[5:].strip() if line.startswith(b"ITEM:") else b""
            if item in (b"TIME", b"UNITS") and start is None:
                start = position  # they stand before the step, and belong to the same frame
            elif item == b"TIMESTEP":
                found.offsets.append(position if start is None else start)
                if len(found.offsets) == 1:
                    _check_start(file, found.offsets[0])
                found.clocks.append(FrameClock(None, None))
                start = None
            position += len(line)
    return found


def dump_frames(
    file: Path,
    index: DumpIndex,
    numbers: Iterable[int],
    *,
    pbc: Pbc | None = None,
    ids: bool,
    unwrapped: bool,
) -> Iterator[Atoms]:
    """Frames of a dump, one by one.

    Args:
        file: the dump.
        index: its frames.
        numbers: which frames to read.
        pbc: periodic directions, in place of those in the file.
        ids: also read the atom ids, as ``arrays["id"]``.
        unwrapped: also read the positions without periodic wrapping from columns of images or of
            unwrapped coordinates, as ``arrays["unwrapped"]`` [N, 3] [length].
    """
    ends = [*index.offsets[1:], None]
    with open_bytes(file) as stream:
        for number in numbers:
            start, end = index.offsets[number], ends[number]
            stream.seek(start)
            text = text_of(file, stream.read(-1 if end is None else end - start))
            where = f"{file}: frame {number}"
            atoms = frame_atoms(text, where, pbc, ids=ids, unwrapped=unwrapped)
            time = index.clocks[number].time
            if time is not None:
                atoms.info["time"] = time
            yield note_unit(atoms, index.units)


def unit_in_header(header: str) -> str | None:
    """LAMMPS' name of the unit style in the first line of a data file; None if it is not there."""
    named = re.search(r"units = (\w+)", header)
    return named[1] if named and named[1] in UNIT_STYLES else None


def note_unit(atoms: Atoms, style: str | None) -> Atoms:
    """Note a unit style, and its unit of length, if it is known."""
    if style is not None:
        atoms.info["unit_style"] = style
        atoms.info["length_unit"] = UNIT_STYLES[style].length
    return atoms


def _check_start(file: Path, offset: int) -> None:
    """Check that nothing stands before the first frame."""
    with open_bytes(file) as stream:
        before = stream.read(offset).decode(errors="replace").strip()
    if before:
        first = before.partition("\n")[0]
        raise InputError(
            f"{file}: expected a dump to begin with ITEM: UNITS, TIME or TIMESTEP; found "
            f"{first[:60]!r}"
        )


def _unit_style(file: Path, line: bytes, before: str | None) -> str:
    name = line.decode(errors="replace").strip()
    if name not in UNIT_STYLES or name != (before or name):
        expected = f"one of {', '.join(UNIT_STYLES)}" if before is None else f"{before} as before"
        raise InputError(f"{file}: ITEM: UNITS: expected {expected}; found {name!r}")
    return name


def _number(line: bytes) -> float | None:
    """The number in a line, None if it is none: reading the frame says what is wrong with it."""
    try:
        return float(line)
    except ValueError:
        return None

"""Frames of LAMMPS text dumps: where they are in the file, when they were written, what they hold.

ASE converts the positions. It reads no atom ids, no times and no images, which are read here.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.io.formats import open_with_compression

from glassml.data.readers.frame_clock import FrameClock
from glassml.errors import InputError
from glassml.physics.units import UNIT_STYLES

__all__ = ["DUMP", "DumpIndex", "dump_frames", "dump_index", "with_unit"]

DUMP = "lammps-dump-text"

_IMAGES, _WRAPPED = ("ix", "iy", "iz"), (("x", "y", "z"), ("xs", "ys", "zs"))
_UNWRAPPED, _SCALED = ("xu", "yu", "zu"), ("xsu", "ysu", "zsu")


@dataclass
class DumpIndex:
    """The frames of a dump.

    Attributes:
        offsets: where each frame begins [bytes].
        clocks: when it was written.
    """

    offsets: list[int] = field(default_factory=list)
    clocks: list[FrameClock] = field(default_factory=list)


def dump_index(file: Path) -> DumpIndex:
    """Find the frames of a dump; one line is in memory at a time."""
    found, position = DumpIndex(), 0
    item, time, start = b"", None, None
    with open_with_compression(str(file), "rb") as stream:
        for line in stream:
            if item == b"TIME":
                time = _number(line)
            elif item == b"TIMESTEP":
                step = _number(line)
                found.clocks[-1] = FrameClock(None if step is None else int(step), time)
                time = None
            item = line[5:].strip() if line.startswith(b"ITEM:") else b""
            if item == b"TIME":  # stands before the step, and belongs to the same frame
                start = position
            elif item == b"TIMESTEP":
                found.offsets.append(position if start is None else start)
                found.clocks.append(FrameClock(None, None))
                start = None
            position += len(line)
    return found


def dump_frames(
    file: Path, index: DumpIndex, numbers: Iterable[int], *, ids: bool, unwrapped: bool
) -> Iterator[Atoms]:
    """Frames of a dump, passed to ASE one by one: from a file, it would read them all.

    Args:
        file: the dump.
        index: its frames.
        numbers: which frames to read.
        ids: also read the atom ids, as ``arrays["id"]``.
        unwrapped: also read the positions without periodic wrapping from columns of images or of
            unwrapped coordinates, as ``arrays["unwrapped"]`` [N, 3] [length].
    """
    ends = [*index.offsets[1:], None]
    with open_with_compression(str(file), "rb") as stream:
        header = stream.read(index.offsets[0] if index.offsets else 0).decode()
        for number in numbers:
            start, end = index.offsets[number], ends[number]
            stream.seek(start)
            text = stream.read(-1 if end is None else end - start).decode()
            _check_complete(text, f"{file}: frame {number}")
            atoms = next(ase.io.iread(io.StringIO(text), index=0, format=DUMP))
            if atoms.calc is not None:
                atoms.calc.results.pop("energy", None)  # not in the file: ASE adds a zero
            time = index.clocks[number].time
            if time is not None:
                atoms.info["time"] = time
            _add_columns(atoms, text, ids, unwrapped)
            yield with_unit(atoms, header)


def with_unit(atoms: Atoms, header: str) -> Atoms:
    """Note the unit style, and its unit of length, if the header that LAMMPS wrote names it."""
    named = re.search(r"units = (\w+)|ITEM: UNITS\s+(\w+)", header)
    name = named and (named[1] or named[2])
    if name in UNIT_STYLES:
        atoms.info["unit_style"] = name
        atoms.info["length_unit"] = UNIT_STYLES[name].length
    return atoms


def _number(line: bytes) -> float | None:
    """The number in a line, None if it is none: ASE then says what is wrong with the frame."""
    try:
        return float(line)
    except ValueError:
        return None


def _add_columns(atoms: Atoms, text: str, ids: bool, unwrapped: bool) -> None:
    """Add ids and unwrapped positions, in the order of the atoms: that of the ids."""
    head, _, rows = text.partition("ITEM: ATOMS")[2].partition("\n")
    columns = head.split()
    names = ["id"] if "id" in columns and (ids or unwrapped) else []
    images = set(_IMAGES) <= set(columns) and any(set(xyz) <= set(columns) for xyz in _WRAPPED)
    places = _IMAGES if images else _UNWRAPPED if _UNWRAPPED[0] in columns else _SCALED
    if unwrapped and set(places) <= set(columns):
        names += places
    if not names:
        return
    table = np.loadtxt(
        rows.splitlines()[: len(atoms)], usecols=[columns.index(name) for name in names], ndmin=2
    )
    if names[0] == "id":
        table = table[np.argsort(table[:, 0])]
        if ids:
            atoms.set_array("id", table[:, 0].astype(np.int64))
        table = table[:, 1:]
    if table.shape[1]:
        moved = table if places == _UNWRAPPED else table @ atoms.cell.array
        atoms.set_array("unwrapped", atoms.positions + moved if images else moved)


def _check_complete(text: str, where: str) -> None:
    """Check that a dump's frame is complete: ASE would silently leave out missing particles."""
    count = re.search(r"ITEM: NUMBER OF ATOMS\s+(\d+)\s", text)
    # Rows up to the next item, which may belong to the next frame. A row without a newline does not
    # count: its last number may be incomplete.
    rows = text.partition("ITEM: ATOMS")[2].partition("ITEM:")[0].count("\n") - 1
    if count is None or rows < int(count[1]):
        raise InputError(
            f"{where}: expected {count[1] if count else 'a header and'} complete lines of "
            f"particles; found {max(rows, 0)} and then the end of the frame. Is the file still "
            "being written?"
        )

"""Binary dumps of LAMMPS: fast to write and to read, and exact to the last digit.

The format is that of ``dump custom`` for file names that end in ``.bin`` (revision 2, LAMMPS of
2021 and later): per snapshot a header and one block of doubles for each process.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from glassml.errors import SimulationError

__all__ = ["Snapshot", "binary_dump_commands", "read_binary_dump"]

_MAGIC = b"DUMPCUSTOM"
_LITTLE_ENDIAN = 1
_REVISION = 2
# From the time step to the number of columns, without the tilts of the box.
_TILT_FLAG = struct.Struct("<qqi")
_BOUNDARY = 6 * 4
_TILTS = {0: 0, 1: 3}  # numbers that follow the bounds of an orthogonal and of a tilted box
_INT = struct.Struct("<i")


class Snapshot(NamedTuple):
    """One snapshot.

    Attributes:
        step: time step.
        cell: float64 [3, 3] [length], the lattice vectors in rows.
        table: float64 [N, columns], in the order in which LAMMPS wrote the particles.
    """

    step: int
    cell: np.ndarray
    table: np.ndarray


def binary_dump_commands(
    name: str, file: str, every: int, columns: Sequence[str], last: int | None = None
) -> str:
    """LAMMPS commands that dump columns every some steps, the first step of a run included.

    Args:
        name: name of the dump, not in use.
        file: file to write; ends in ``.bin``.
        every: time steps between two snapshots.
        columns: of ``dump custom``; the rows are in the order of ids.
        last: step of the last snapshot, a multiple of ``every``; None: no last one.
    """
    dump = f"dump {name} all custom {every} {file} {' '.join(columns)}\n"
    if last is None:
        return f"{dump}dump_modify {name} sort id\n"
    return (
        f"variable {name} equal stride(0,{last},{every})\n"
        f"{dump}dump_modify {name} sort id every v_{name} first yes\n"
    )


def read_binary_dump(
    path: str | Path, columns: Sequence[str], steps: Sequence[int]
) -> Iterator[Snapshot]:
    """Read a binary dump, snapshot by snapshot.

    Args:
        path: the file.
        columns: the columns that it must hold.
        steps: the time steps that it must hold, in order.

    Raises:
        SimulationError: the file is missing, is no such dump, holds other columns or steps, or is
            cut off, as on a full disk.
    """
    try:
        with Path(path).open("rb") as stream:
            for step in steps:
                yield _read_snapshot(_Reader(stream, Path(path)), tuple(columns), step)
            if stream.read(1):
                raise _wrong(path, "further snapshots")
    except OSError as error:
        raise _wrong(path, str(error)) from None


class _Reader:
    """Bytes of a file, all of which must exist."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream = stream
        self.path = path

    def take(self, n: int) -> bytes:
        data = self._stream.read(n)
        if len(data) < n:
            raise _wrong(self.path, "a file that is cut off; is the disk full?")
        return data

    def number(self) -> int:
        return int(_INT.unpack(self.take(4))[0])

    def text(self) -> bytes:
        return self.take(self.number())


def _read_snapshot(reader: _Reader, columns: tuple[str, ...], expected: int) -> Snapshot:
    path = reader.path
    head = struct.pack("<q", -len(_MAGIC)) + _MAGIC + struct.pack("<i", _LITTLE_ENDIAN)
    if reader.take(len(head)) != head or reader.number() != _REVISION:
        raise _wrong(path, "another format")
    step, n, tilted = _TILT_FLAG.unpack(reader.take(_TILT_FLAG.size))
    if step != expected:
        raise _wrong(path, f"step {step} instead of {expected}")
    if tilted not in _TILTS:
        raise _wrong(path, "a box in another form")
    reader.take(_BOUNDARY)
    bounds = np.frombuffer(reader.take(6 * 8), dtype="<f8").reshape(3, 2)
    tilts = np.frombuffer(reader.take(8 * _TILTS[tilted]), dtype="<f8")
    width = reader.number()
    reader.text()  # units
    if reader.take(1) != b"\0":
        reader.take(8)  # time
    names = tuple(reader.text().decode().split())
    if names != columns or width != len(columns):
        raise _wrong(path, f"columns {list(names)} instead of {list(columns)}")
    blocks = []
    for _ in range(reader.number()):
        blocks.append(np.frombuffer(reader.take(8 * reader.number()), dtype="<f8"))
    table = np.concatenate(blocks).reshape(-1, width)
    if len(table) != n:
        raise _wrong(path, f"{len(table)} rows for {n} particles")
    return Snapshot(step, _cell(bounds, tilts), table)


def _cell(bounds: np.ndarray, tilts: np.ndarray) -> np.ndarray:
    """Lattice vectors from the bounds of the box around the cell, and its tilts xy, xz, yz."""
    cell = np.diag(bounds[:, 1] - bounds[:, 0])
    if tilts.size:
        xy, xz, yz = tilts.tolist()
        along_x, along_y = (0.0, xy, xz, xy + xz), (0.0, yz)
        cell[0, 0] -= max(along_x) - min(along_x)
        cell[1, 1] -= max(along_y) - min(along_y)
        cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    return cell


def _wrong(path: str | Path, found: str) -> SimulationError:
    return SimulationError(f"{path}: expected a whole binary dump of LAMMPS; found {found}")

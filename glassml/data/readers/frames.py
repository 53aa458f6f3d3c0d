"""Frames of structure files through ASE, one at a time."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ase import Atoms
from ase.io import iread
from ase.io.formats import UnknownFileTypeError, filetype, ioformats, open_with_compression

from glassml.errors import GlassMLError, InputError

__all__ = ["ase_format", "read_frames"]

_DUMP, _DATA = "lammps-dump-text", "lammps-data"
_HEAD = 4096  # bytes that show what a file is

# LAMMPS' unit systems and their units of length.
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


def ase_format(path: Path) -> str | None:
    """ASE's name of a file's format, from its name and contents; None if ASE has none."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        # ASE goes by the name of data files, which may be any.
        if re.search(rb"^\s*\d+\s+atoms\s*$", head, re.M) and re.search(rb"\d\s+atom types", head):
            return _DATA
        if head.startswith(b"ITEM:"):  # of the items, ASE expects TIMESTEP first
            return _DUMP
        name = filetype(str(path))
    except (OSError, UnknownFileTypeError):
        return None
    return name if name in ioformats else None


def read_frames(path: str | Path, file_format: str | None = None) -> Iterator[Atoms]:
    """Read all frames of a file through ASE, holding one in memory at a time.

    Where a LAMMPS file names its unit system, ``info["length_unit"]`` says the unit of length.

    Args:
        path: the file.
        file_format: ASE's name of the format. Default: from the file's name and contents.

    Raises:
        InputError: the file is missing, of no format that ASE reads, damaged or cut off.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"{source}: expected a file; found none")
    chosen = file_format or ase_format(source)
    if chosen not in ioformats:
        raise InputError(
            f"{source}: expected a structure file that ASE reads (extxyz, LAMMPS dump or data, "
            f"...); found {'an unknown format' if chosen is None else repr(chosen)}"
        )
    try:
        if chosen == _DUMP:
            yield from _dump_frames(source)
            return
        for atoms in iread(str(source), index=":", format=chosen, do_not_split_by_at_sign=True):
            yield _with_unit(atoms, str(atoms.info.get("comment", "")) if chosen == _DATA else "")
    except GlassMLError:
        raise
    except Exception as error:  # ASE's readers let through whatever their parsing runs into
        raise InputError(
            f"{source}: expected a complete file of ASE's format {chosen!r}; ASE cannot read it "
            f"({type(error).__name__}: {error})"
        ) from error


def _dump_frames(path: Path) -> Iterator[Atoms]:
    """Frames of a LAMMPS dump. ASE gets one at a time: given the file, it would read them all."""
    with open_with_compression(str(path), "r") as stream:
        texts = _split_dump(stream)
        header = next(texts)
        for number, text in enumerate(texts):
            _check_complete(text, f"{path}: frame {number}")
            (atoms,) = iread(io.StringIO(text), format=_DUMP)
            yield _with_unit(atoms, header)


def _split_dump(stream: IO[str]) -> Iterator[str]:
    """What comes before the first frame of a dump, then each frame."""
    lines: list[str] = []
    for line in stream:
        if line.startswith("ITEM: TIMESTEP"):
            yield "".join(lines)
            lines = []
        lines.append(line)
    yield "".join(lines)


def _check_complete(text: str, where: str) -> None:
    """Refuse a frame that was cut off: ASE would silently leave out the missing particles."""
    count = re.search(r"ITEM: NUMBER OF ATOMS\n(\d+)\n", text)
    # Up to the next item, which may belong to the next frame. A row without its newline does not
    # count: its last number may be cut, too.
    rows = text.partition("ITEM: ATOMS")[2].partition("ITEM:")[0].count("\n") - 1
    if count is None or rows < int(count[1]):
        raise InputError(
            f"{where}: expected {count[1] if count else 'a header and'} complete lines of "
            f"particles; found {max(rows, 0)} and then the end of the frame. Is the file still "
            "being written?"
        )


def _with_unit(atoms: Atoms, header: str) -> Atoms:
    """Note the unit of length if the header that LAMMPS wrote tells its unit system."""
    system = re.search(r"units = (\w+)|ITEM: UNITS\s+(\w+)", header)
    unit = system and _LENGTH_UNITS.get(system[1] or system[2])
    if unit:
        atoms.info["length_unit"] = unit
    return atoms

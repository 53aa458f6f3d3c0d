"""Frames of xyz and extended xyz files: found here, converted by ASE, and compared.

Read by ASE alone, a file ends at its first blank line, columns that no property names are dropped,
flags such as "yes" or "no" all count as true, and species must have chemical symbols.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import ase.io
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.io.extxyz import key_val_str_to_dict

from glassml.data.readers.compressed import open_bytes, text_of
from glassml.data.readers.stated import Pbc, check_atoms, check_last_line, periodic
from glassml.data.stated_species import SPECIES_LABEL, numbers_of_types
from glassml.errors import InputError

__all__ = ["XYZ", "XyzIndex", "xyz_frames", "xyz_index"]

XYZ = ("extxyz", "xyz")

_KEYS = ("Lattice", "pbc", "Properties")
_PLAIN = 4  # columns of a file that does not name them: symbol, x, y, z
_SPECIES, _NUMBERS = "species", "Z"
_SET_ASIDE = "stated_pbc"
_TRUTH = ("T", "F", "True", "False")  # how ASE reads columns of truth values; others are False


@dataclass
class XyzIndex:
    """The frames of a file.

    Attributes:
        starts: where each begins [bytes].
        ends: where each ends [bytes].
        lines: number of its first line in the file.
    """

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def xyz_index(file: Path) -> XyzIndex:
    """Find the frames; blank lines may stand between them.

    Raises:
        InputError: something else stands there, such as more particles than a frame states.
    """
    found = XyzIndex()
    position = number = 0
    ahead: bytes | None = None
    with open_bytes(file) as stream:
        while line := stream.readline() if ahead is None else ahead:
            ahead, start = None, position
            number += 1
            position += len(line)
            if not line.strip():
                continue
            found.starts.append(start)
            found.lines.append(number)
            n_atoms = _count(file, line, number, len(found.starts) - 1)
            for _ in range(n_atoms + 1):
                row = stream.readline()
                position += len(row)
                number += bool(row)
                if not row:
                    break
            while (ahead := stream.readline()).startswith(b"VEC"):  # the cell in an older variant
                position += len(ahead)
                number += 1
            found.ends.append(position)
    return found


def xyz_frames(
    file: Path, kind: str, index: XyzIndex, numbers: Iterable[int], pbc: Pbc | None
) -> Iterator[Atoms]:
    """Frames by their numbers.

    Args:
        file: the file.
        kind: "extxyz", or "xyz" for files whose second line is a remark.
        index: its frames.
        numbers: which frames to read.
        pbc: periodic directions, in place of those in the file.
    """
    with open_bytes(file) as stream:
        for number in numbers:
            text = text_of(file, _between(stream, index.starts[number], index.ends[number]))
            where = f"{file}: frame {number}"
            n_atoms = _check_rows(text, kind, where, index.lines[number])
            info = key_val_str_to_dict(text.split("\n")[1]) if kind == "extxyz" else {}
            flags = _flags(info, pbc, where)
            if "pbc" in info and pbc is not None:
                text = _without_flags(text)
            text, names = _with_symbols(text, kind)
            atoms = ase.io.read(io.StringIO(text), format=kind)
            assert isinstance(atoms, Atoms), "one frame"
            if names is not None:
                _note_species(atoms, names)
            atoms.info.pop(_SET_ASIDE, None)
            has_cell = bool(atoms.cell.any())
            stated = flags or (_of_atoms(atoms) if has_cell else None)
            expected = 'a cell, such as Lattice="4 0 0 0 4 0 0 0 4" in the header'
            atoms.pbc = periodic(where, stated, pbc, expected, has_cell=has_cell)
            yield check_atoms(where, atoms, n_atoms)


def _with_symbols(text: str, kind: str) -> tuple[str, list[str] | None]:
    """A frame with the symbol X for every particle, and their names, if these are no symbols."""
    lines = text.split("\n")
    properties, _ = _columns(lines[1], "") if kind == "extxyz" else ([], [])
    if properties and (properties[0] != _SPECIES or _NUMBERS in properties):
        return text, None
    rows = [row.split(None, 1) for row in lines[2 : int(lines[0]) + 2]]
    names = [row[0] for row in rows]
    if {name.capitalize() for name in names} <= set(chemical_symbols):
        return text, None
    lines[2 : len(rows) + 2] = [f"X {row[1]}" for row in rows]
    return "\n".join(lines), names


def _note_species(atoms: Atoms, names: list[str]) -> None:
    """Note types, as `dump xyz` of LAMMPS writes them, or names."""
    unique, kinds = np.unique(names, return_inverse=True)
    if all(name.isdigit() for name in unique.tolist()):
        types = np.array(names).astype(np.int64)
        atoms.set_array("type", types)
    else:
        types = kinds + 1
        atoms.set_array(SPECIES_LABEL, np.array(names))
    atoms.numbers = numbers_of_types(types)


def _of_atoms(atoms: Atoms) -> Pbc:
    x, y, z = atoms.pbc.tolist()
    return (x, y, z)


def _between(stream: IO[bytes], start: int, end: int) -> bytes:
    stream.seek(start)
    return stream.read(end - start)


def _count(file: Path, line: bytes, number: int, frame: int) -> int:
    word = line.strip()
    if not word.isdigit():
        before = f"the {frame} frames before have as many lines as they state; " * (frame > 0)
        raise InputError(
            f"{file}: line {number}: expected the number of particles of frame {frame}, a whole "
            f"number; {before}found {word.decode(errors='replace')[:60]!r}"
        )
    return int(word)


def _check_rows(text: str, kind: str, where: str, first_line: int) -> int:
    """Compare the rows with the number of particles and the columns that the frame states.

    Returns:
        The number of particles.
    """
    lines = text.split("\n")
    n_atoms = int(lines[0])
    rows = lines[2 : n_atoms + 2]
    found = len(rows) - (len(lines) <= n_atoms + 2 and not lines[-1].strip())
    if found < n_atoms:
        raise InputError(
            f"{where}: expected a complete frame of {n_atoms} particles; found {max(found, 0)} and "
            "then the end of the file. Is it still being written?"
        )
    check_last_line(where, text, "frame")
    names, kinds = _columns(lines[1], where) if kind == "extxyz" else ([], [])
    logical = [place for place, letter in enumerate(kinds) if letter == "L"]
    for number, row in enumerate(rows, first_line + 2):
        words = row.split()
        if (len(words) != len(kinds)) if kinds else (len(words) < _PLAIN):
            expected = f"{len(kinds)} columns ({':'.join(names)})" if kinds else "symbol, x, y, z"
            raise InputError(
                f"{where}: line {number}: expected a particle with {expected}; found "
                f"{row.strip()[:60]!r}"
            )
        for place in logical:
            if words[place] not in _TRUTH:
                raise InputError(f"{where}: line {number}: expected T or F; found {words[place]!r}")
    return n_atoms


def _columns(header: str, where: str) -> tuple[list[str], list[str]]:
    """Names of properties, and the kind (S, R, I, L) of each column; none if it names none."""
    info = key_val_str_to_dict(header) if header.strip() else {}
    for key in info:
        for known in _KEYS:
            if key != known and key.lower() == known.lower() and known not in info:
                raise InputError(
                    f"{where}: {key}: expected the key {known}, as its case matters; found {key}"
                )
    if "Properties" not in info:
        return [], []
    fields = str(info["Properties"]).split(":")
    if len(fields) % 3 or not all(number.isdigit() for number in fields[2::3]):
        raise InputError(
            f"{where}: Properties: expected name:kind:columns, such as species:S:1:pos:R:3; found "
            f"{info['Properties']!r}"
        )
    if "pos" not in fields[::3] or not {_SPECIES, _NUMBERS} & set(fields[::3]):
        raise InputError(
            f"{where}: Properties: expected species (or Z) and pos; found {', '.join(fields[::3])}"
        )
    kinds = [k for k, n in zip(fields[1::3], fields[2::3], strict=True) for _ in range(int(n))]
    return fields[::3], kinds


def _flags(info: dict[str, Any], given: Pbc | None, where: str) -> Pbc | None:
    """The flags that a header states as pbc; None if it has none.

    Raises:
        InputError: they are no truth values, and the user does not say what they are.
    """
    if "pbc" not in info:
        return None
    values = np.atleast_1d(np.asarray(info["pbc"]))
    if values.dtype.kind in "iu" and np.isin(values, (0, 1)).all():
        values = values.astype(bool)
    if values.dtype.kind == "b" and values.shape in ((1,), (3,)):
        x, y, z = np.broadcast_to(values, 3).tolist()
        return (x, y, z)
    return periodic(
        where, None, given, 'flags such as pbc="T T F" in the header', f"{info['pbc']!r}"
    )


def _without_flags(text: str) -> str:
    """A frame whose header says nothing that ASE could not read as flags."""
    count, header, rows = text.split("\n", 2)
    return "\n".join((count, re.sub(r"(^|\s)pbc\s*=", rf"\1{_SET_ASIDE}=", header), rows))

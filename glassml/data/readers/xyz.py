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
from glassml.data.readers.labels_of_types import atoms_of_species
from glassml.data.readers.stated import (
    Pbc,
    check_different,
    check_last_line,
    check_n_atoms,
    check_types,
    periodic,
)
from glassml.data.stated_species import SPECIES_LABEL, numbers_of_types
from glassml.errors import InputError

__all__ = ["XYZ", "XyzIndex", "xyz_frames", "xyz_index"]

XYZ = ("extxyz", "xyz")

_KEYS = ("Lattice", "pbc", "Properties")
_PLAIN = 4  # columns of a file that does not name them: symbol, x, y, z
_SPECIES, _NUMBERS, _TYPES = "species", "Z", "type"
_SET_ASIDE = "stated_pbc"
# The key pbc, or what may hold these letters: text in quotes, braces or brackets.
_OUTSIDE = re.compile(r'("(?:\\.|[^"\\])*"|\{[^}]*\}|\[[^]]*\])|(?<!\S)pbc\s*=')
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


@dataclass(frozen=True)
class _Header:
    """The second line of a frame.

    Attributes:
        info: its keys and values.
        columns: name and kind (S, R, I, L) of each column; none if the file does not name them.
    """

    info: dict[str, Any] = field(default_factory=dict)
    columns: list[tuple[str, str]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.columns]


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
            yield _frame_atoms(text, kind, where, index.lines[number], pbc)


def _frame_atoms(text: str, kind: str, where: str, first_line: int, pbc: Pbc | None) -> Atoms:
    lines = text.split("\n")
    n_atoms = _check_complete(lines, where)
    rows = lines[2 : n_atoms + 2]
    header = _header(lines[1], where) if kind == "extxyz" else _Header()
    _check_rows(rows, header, where, first_line + 2)
    flags = _flags(header.info, pbc, where)
    if flags is None:
        lines[1] = _OUTSIDE.sub(lambda found: found[1] or f"{_SET_ASIDE}=", lines[1])
    place = _place_of_names(rows, header)
    if place is not None:
        lines[1] = re.sub(r"(Properties=\S*\bspecies):[A-Z]:1", r"\1:S:1", lines[1])
        lines[2 : n_atoms + 2] = [_with_word(row, place, "X") for row in rows]
    atoms = ase.io.read(io.StringIO("\n".join(lines)), format=kind)
    assert isinstance(atoms, Atoms), "one frame"
    check_n_atoms(where, n_atoms, len(atoms))
    if place is not None:
        _note_species(atoms, [row.split()[place] for row in rows], where)
    elif header.columns and not {_SPECIES, _NUMBERS} & set(header.names):
        check_types(where, atoms.arrays[_TYPES])
        atoms.numbers = numbers_of_types(atoms.arrays[_TYPES])
    atoms.info.pop(_SET_ASIDE, None)
    has_cell = bool(atoms.cell.any())
    stated = flags if "pbc" in header.info else _of_atoms(atoms) if has_cell else None
    expected = 'a cell, such as Lattice="4 0 0 0 4 0 0 0 4" in the header'
    atoms.pbc = periodic(where, stated, pbc, expected, has_cell=has_cell)
    if atoms.calc is not None:
        # Otherwise its results would hold for the atoms as ASE left them.
        atoms.calc.atoms = atoms.copy()
    return atoms


def _place_of_names(rows: list[str], header: _Header) -> int | None:
    """The column of species, if it has words that are no chemical symbols."""
    names = header.names or [_SPECIES]
    if _SPECIES not in names or _NUMBERS in names:
        return None
    place = names.index(_SPECIES)
    words = {row.split(None, place + 1)[place] for row in rows}
    return None if {word.capitalize() for word in words} <= set(chemical_symbols) else place


def _with_word(row: str, place: int, word: str) -> str:
    words = row.split()
    words[place] = word
    return " ".join(words)


def _note_species(atoms: Atoms, labels: list[str], where: str) -> None:
    """Note types, as `dump xyz` of LAMMPS writes them, or names."""
    stated = atoms.arrays.get(_TYPES)
    found = atoms_of_species(None, [], np.array(labels)).arrays
    if stated is not None and _TYPES in found:
        for index in np.flatnonzero(found[_TYPES] != stated)[:1]:
            raise InputError(
                f"{where}: species: expected the numbers in the column type, for particle {index} "
                f"{stated[index]}; found {labels[index]}. Leave one of the two columns out"
            )
    for name in ("numbers", _TYPES, SPECIES_LABEL):
        if name in found:
            atoms.set_array(name, found[name])


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


def _check_complete(lines: list[str], where: str) -> int:
    """The number of particles that a frame states, if it has as many whole lines."""
    n_atoms = int(lines[0])
    found = len(lines[2 : n_atoms + 2]) - (len(lines) <= n_atoms + 2 and not lines[-1].strip())
    if found < n_atoms:
        raise InputError(
            f"{where}: expected a complete frame of {n_atoms} particles; found {max(found, 0)} and "
            "then the end of the file. Is it still being written?"
        )
    check_last_line(where, "\n".join(lines[-2:]), "frame")
    return n_atoms


def _check_rows(rows: list[str], header: _Header, where: str, first_line: int) -> None:
    """Compare the rows with the columns that the frame states."""
    columns = header.columns
    logical = [(place, name) for place, (name, kind) in enumerate(columns) if kind == "L"]
    for number, row in enumerate(rows, first_line):
        words = row.split()
        if (len(words) != len(columns)) if columns else (len(words) < _PLAIN):
            names = ":".join(dict.fromkeys(header.names))
            expected = f"{len(columns)} columns ({names})" if columns else "symbol, x, y, z"
            raise InputError(
                f"{where}: line {number}: expected a particle with {expected}; found "
                f"{row.strip()[:60]!r}"
            )
        for place, name in logical:
            if words[place] not in _TRUTH:
                raise InputError(
                    f"{where}: line {number}: {name}: expected T or F, as ASE takes all else for "
                    f"F; found {words[place]!r}"
                )


def _header(line: str, where: str) -> _Header:
    info = key_val_str_to_dict(line) if line.strip() else {}
    for key in info:
        for known in _KEYS:
            if key != known and key.lower() == known.lower() and known not in info:
                raise InputError(
                    f"{where}: {key}: expected the key {known}, as its case matters; found {key}"
                )
    if "Properties" not in info:
        return _Header(info)
    fields = str(info["Properties"]).split(":")
    names, kinds, widths = fields[::3], fields[1::3], fields[2::3]
    if len(fields) % 3 or not all(width.isdigit() for width in widths):
        raise InputError(
            f"{where}: Properties: expected name:kind:columns, such as species:S:1:pos:R:3; found "
            f"{info['Properties']!r}"
        )
    check_different(where, names)
    kinds_of = dict(zip(names, kinds, strict=True))
    if "pos" not in names or not ({_SPECIES, _NUMBERS} & set(names) or kinds_of.get(_TYPES) == "I"):
        raise InputError(
            f"{where}: Properties: expected species (or Z, or type:I:1) and pos; found "
            f"{', '.join(names)}"
        )
    columns = [
        (name, kind)
        for name, kind, width in zip(names, kinds, widths, strict=True)
        for _ in range(int(width))
    ]
    return _Header(info, columns)


def _flags(info: dict[str, Any], given: Pbc | None, where: str) -> Pbc | None:
    """The flags that a header states as pbc, all if it has none; None if they cannot be read.

    Raises:
        InputError: they are no truth values, and the user does not say what they are.
    """
    values = np.atleast_1d(np.asarray(info.get("pbc", True)))
    if values.dtype.kind in "iu" and np.isin(values, (0, 1)).all():
        values = values.astype(bool)
    if values.dtype.kind == "b" and values.shape in ((1,), (3,)):
        x, y, z = np.broadcast_to(values, 3).tolist()
        return (x, y, z)
    expected = 'flags such as pbc="T T F" in the header'
    periodic(where, None, given, expected, f"{info['pbc']!r}")
    return None

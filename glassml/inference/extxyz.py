"""extxyz files with the names of species, and with numbers at full precision."""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

import numpy as np
from ase import Atoms
from ase.io.extxyz import write_extxyz

from glassml.data.stated_species import names_of_particles, numbers_of_types, symbols_of

__all__ = ["write_frame"]

_WIDTH = 16  # of ASE's columns

# How every frame of ASE begins.
_FIRST_COLUMNS = "Properties=species:S:1:pos:R:3"
_AFTER_POSITIONS = 4

# Those of ASE's columns in files whose arrays have another name in memory.
_ARRAYS = {"pos": "positions", "charge": "charges"}

# Columns of every file, which arrays of these names would hide, or be hidden by.
_RESERVED = {"species", "symbols", "pos", "Z"}

_NO_TEXT = "_"  # stands for blanks, which would begin another column


def write_frame(stream: TextIO, atoms: Atoms) -> None:
    """Append a frame to an extxyz file as ASE does, but with every digit and names of species.

    ASE writes eight decimals, in which a length in metres is zero. Here float64 and float32 values
    have as many digits as are needed to read the same number back.

    ASE writes chemical symbols, so particles of types 1 and 2 become H and He. Here the column
    ``species`` has the names in ``info["species_names"]`` (of the types in ``arrays["type"]``). If
    these are no chemical symbols, ASE could not read them, so the atomic numbers follow in a column
    ``Z``, from which ASE then takes the symbols.

    Columns of the format are separated by blanks, so blanks in text become ``_``, as does an empty
    text, and colons in names of columns. An array with the name of another column (``Z``) gets
    another one (``Z_``). Text with line breaks or backslashes in ``info`` is
    written as JSON, which ASE reads back.

    Args:
        stream: text file, open for writing.
        atoms: N particles; their arrays, ``info`` and per-particle results of their calculator
            are written.

    Warns:
        UserWarning: a text or a name was changed.
    """
    written = _writable(atoms)
    text = io.StringIO()
    write_extxyz(text, written)
    count, header, *rows = text.getvalue().splitlines()
    columns = list(zip(*(row.split() for row in rows), strict=True))
    for place, width, values in _real_columns(header, written):
        for k in range(width):
            columns[place + k] = _digits(values.reshape(len(rows), width)[:, k])
    names = _names(written)
    if names is not None:
        columns[:1] = [names]
        columns[_AFTER_POSITIONS:_AFTER_POSITIONS] = [tuple(map(str, written.numbers))]
        header = header.replace(_FIRST_COLUMNS, f"{_FIRST_COLUMNS}:Z:I:1", 1)
    stream.write(f"{count}\n{header}\n")
    stream.writelines(" ".join(row) + "\n" for row in zip(*columns, strict=True))


def _writable(atoms: Atoms) -> Atoms:
    """The atoms with text that the format can hold; the same ones if nothing has to be changed."""
    texts = {name: values for name, values in atoms.arrays.items() if values.dtype.kind in "UOS"}
    lines = {
        key: value
        for key, value in atoms.info.items()
        if isinstance(value, str) and (len(value.splitlines()) > 1 or "\\" in value)
    }
    renamed = _renamed(atoms.arrays)
    numbers = numbers_of_types(atoms.numbers)
    if not texts and not lines and not renamed and np.array_equal(numbers, atoms.numbers):
        return atoms
    result = atoms.copy()
    result.calc = atoms.calc
    result.numbers = numbers
    for name, values in texts.items():
        result.arrays[name] = _without_blanks(name, values)
    for name, plain in renamed.items():
        _warn(f"names of columns must be different, without blanks, colons and =: {name!r}", plain)
        result.arrays[plain] = result.arrays.pop(name)
    result.info.update({key: _as_json(value) for key, value in lines.items()})
    return result


def _renamed(names: Iterable[str]) -> dict[str, str]:
    """New names for the arrays that cannot have their own as columns."""
    plain = {name: re.sub(r"[\s:=\"]+", _NO_TEXT, name) for name in names}
    taken = {*_RESERVED, *(name for name in plain if name == plain[name])}
    found = {}
    for name, new in plain.items():
        if new == name and name not in _RESERVED:
            continue
        while new in taken:
            new += _NO_TEXT
        taken.add(new)
        found[name] = new
    return found


def _as_json(text: str) -> str:
    # ASE escapes quotes, but reads a backslash before any character as an escape.
    return "_JSON " + json.dumps(text).replace("\\", "\\\\")


def _without_blanks(name: str, values: np.ndarray) -> np.ndarray:
    """Text [N, ...] with one word an entry."""
    plain = [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values.flat]
    words = [_NO_TEXT.join(text.split()) or _NO_TEXT for text in plain]
    changed = [(text, word) for text, word in zip(plain, words, strict=True) if text != word]
    if changed:
        text, word = changed[0]
        _warn(f"column {name}: text in columns cannot hold blanks: {text!r}", word)
    return np.array(words).reshape(values.shape)


def _warn(what: str, written: str) -> None:
    warnings.warn(f"extxyz: {what} is written as {written!r}", stacklevel=5)


def _names(atoms: Atoms) -> tuple[str, ...] | None:
    """The species of each atom [N], padded; None if they are the chemical symbols, or not known."""
    found = names_of_particles(atoms)
    if found is None or "type" not in atoms.arrays:
        return None
    names = found.tolist()
    if (
        names == symbols_of(atoms)
        or not all(names)
        or any(name.split() != [name] for name in names)
    ):
        return None
    width = max(map(len, names))
    return tuple(name.ljust(width) for name in names)


def _real_columns(header: str, atoms: Atoms) -> Iterator[tuple[int, int, np.ndarray]]:
    """First column, number of columns and values of each array of real numbers in a frame."""
    found = re.search(r"(?:^|\s)Properties=(\S+)", header)
    fields = found.group(1).split(":") if found else []
    place = 0
    for name, kind, number in zip(*[iter(fields)] * 3, strict=True):
        values = _values(atoms, _ARRAYS.get(name, name))
        if kind == "R" and values is not None:
            yield place, int(number), values
        place += int(number)


def _values(atoms: Atoms, name: str) -> np.ndarray | None:
    results: dict[str, Any] = getattr(atoms.calc, "results", {})
    values = results.get(name, atoms.arrays.get(name))
    return None if values is None else np.asarray(values)


def _digits(values: np.ndarray) -> tuple[str, ...]:
    # numpy writes the shortest text that is read back as the same number.
    return tuple(str(value).rjust(_WIDTH) for value in values)

"""extxyz files with the names of species, and with numbers at full precision."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, TextIO

import numpy as np
from ase import Atoms
from ase.io.extxyz import write_extxyz

__all__ = ["write_frame"]

_WIDTH = 16  # of ASE's columns

# How every frame of ASE begins.
_FIRST_COLUMNS = "Properties=species:S:1:pos:R:3"
_AFTER_POSITIONS = 4

# Those of ASE's columns in files whose arrays have another name in memory.
_ARRAYS = {"pos": "positions", "charge": "charges"}


def write_frame(stream: TextIO, atoms: Atoms) -> None:
    """Append a frame to an extxyz file as ASE does, but with every digit and names of species.

    ASE writes eight decimals, in which a length in metres is zero. Here float64 and float32 values
    have as many digits as are needed to read the same number back.

    ASE writes chemical symbols, so particles of types 1 and 2 become H and He. Here the column
    ``species`` has the names in ``info["species_names"]`` (of the types in ``arrays["type"]``). If
    these are no chemical symbols, ASE could not read them, so the atomic numbers follow in a column
    ``Z``, from which ASE then takes the symbols.

    Args:
        stream: text file, open for writing.
        atoms: N particles; their arrays, ``info`` and per-particle results of their calculator
            are written.
    """
    text = io.StringIO()
    write_extxyz(text, atoms)
    count, header, *rows = text.getvalue().splitlines()
    columns = list(zip(*(row.split() for row in rows), strict=True))
    for place, width, values in _real_columns(header, atoms):
        for k in range(width):
            columns[place + k] = _digits(values.reshape(len(rows), width)[:, k])
    names = _names(atoms)
    if names is not None:
        columns[:1] = [names]
        columns[_AFTER_POSITIONS:_AFTER_POSITIONS] = [tuple(map(str, atoms.numbers))]
        header = header.replace(_FIRST_COLUMNS, f"{_FIRST_COLUMNS}:Z:I:1", 1)
    stream.write(f"{count}\n{header}\n")
    stream.writelines(" ".join(row) + "\n" for row in zip(*columns, strict=True))


def _names(atoms: Atoms) -> tuple[str, ...] | None:
    """The species of each atom [N], padded; None if they are the chemical symbols, or not known."""
    types = atoms.arrays.get("type")
    known = [name.strip() for name in str(atoms.info.get("species_names", "")).split(",")]
    if types is None or not all(known) or any(" " in name for name in known):
        return None
    if not np.isin(types, np.arange(1, len(known) + 1)).all():
        return None
    names = [known[number - 1] for number in types.tolist()]
    if names == atoms.get_chemical_symbols():
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

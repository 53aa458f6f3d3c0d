"""One frame of a LAMMPS text dump, from its lines to Atoms.

ASE reads dumps too, but leaves out rows and columns without a word, takes a box without flags for
one in empty space, and does not know names other than chemical symbols. So glassml reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from glassml.data.readers.labels_of_types import atoms_of_species, names_of_types
from glassml.data.readers.stated import (
    Pbc,
    check_box,
    check_different,
    check_ids,
    check_last_line,
    check_types,
    periodic,
)
from glassml.data.readers.text_table import INTEGER, REAL, TEXT, read_table
from glassml.errors import InputError

__all__ = ["frame_atoms"]

_INTEGERS = ("mol", "ix", "iy", "iz", "proc", "procp1")
_TEXTS = ("typelabel", "element")  # the first of them that is there counts
_IMAGES = ("ix", "iy", "iz")
# Whether columns with these names of labels hold labels or predictions, a dump cannot say.
_NOT_READ = ("propensity", "propensity_label")
_VELOCITIES, _FORCES = ("vx", "vy", "vz"), ("fx", "fy", "fz")

# Columns of positions: whether in units of the lattice vectors, and without periodic wrapping.
_PLACES = {
    ("x", "y", "z"): (False, False),
    ("xs", "ys", "zs"): (True, False),
    ("xu", "yu", "zu"): (False, True),
    ("xsu", "ysu", "zsu"): (True, True),
}
_POSITIONS = {name for names in _PLACES for name in names}

# One letter for each side of the box: periodic, fixed, shrink-wrapped, shrink-wrapped with minimum.
_FLAGS = {a + b for a in "fsm" for b in "fsm"} | {"pp", "p", "f", "s", "m"}
_TILTS = ("xy", "xz", "yz")


@dataclass
class _Frame:
    """What stands in a frame before its rows, and the rows."""

    step: int | None = None
    n_atoms: int | None = None
    bounds: str = ""
    box: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    first_row: int = 0


def frame_atoms(
    text: str, where: str, pbc: Pbc | None = None, *, ids: bool = False, unwrapped: bool = False
) -> Atoms:
    """Read a frame.

    Rows are put in the order of their ids. Types are in ``arrays["type"]``, names of species in
    ``info["species_names"]`` if the dump has a column ``typelabel`` or ``element``; other columns
    are arrays of their name, and forces results of a calculator.

    Args:
        text: the lines of the frame.
        where: its name, for messages.
        pbc: periodic directions, in place of those in the frame.
        ids: also keep the ids, as ``arrays["id"]``.
        unwrapped: also keep positions without periodic wrapping, as ``arrays["unwrapped"]`` [N, 3]
            [length], if the frame has images or unwrapped coordinates.

    Raises:
        InputError: what the frame states and what it holds differ, or it lacks what is needed.
    """
    frame = _parsed(text, where)
    cell, origin, flags = _box(frame, where, pbc)
    check_different(where, frame.columns)
    table = read_table(
        frame.rows, [(name, _kind(name)) for name in frame.columns], where, frame.first_row
    )
    for name in table:
        if name in _INTEGERS or name.startswith(("i_", "i2_")):
            table[name] = _whole_numbers(table[name], f"{where}: {name}")
    if "id" in table and not table["id"].any():
        del table["id"]  # atom_modify id no
    if "id" in table:
        check_ids(where, table["id"])
        order = np.argsort(table["id"])
        table = {name: values[order] for name, values in table.items()}
    atoms = _with_species(table, where)
    pbc_found = repr(frame.bounds) if frame.bounds else "none behind ITEM: BOX BOUNDS"
    atoms.set_cell(cell)
    atoms.set_celldisp(origin)
    atoms.pbc = periodic(where, flags, pbc, "flags such as ITEM: BOX BOUNDS pp pp pp", pbc_found)
    _place(atoms, table, origin, unwrapped, where)
    _add_columns(atoms, table, ids)
    atoms.info["timestep"] = frame.step
    return atoms


def _kind(name: str) -> str:
    if name in _TEXTS:
        return TEXT
    return INTEGER if name in ("id", "type") else REAL


def _whole_numbers(values: np.ndarray, where: str) -> np.ndarray:
    """Integers [N], which other programs may write as 1.0."""
    wrong = values[values % 1 != 0]
    if wrong.size:
        raise InputError(f"{where}: expected whole numbers; found {wrong[0]}")
    return values.astype(np.int64)


def _parsed(text: str, where: str) -> _Frame:
    """Split a frame into its items.

    Raises:
        InputError: an item is missing or unknown, or the rows are not as many as stated.
    """
    frame = _Frame()
    head, marker, tail = text.partition("ITEM: ATOMS")
    if not marker or not tail[:1].isspace() or "ITEM: NUMBER OF ATOMS" not in head:
        items = re.findall(r"(?m)^ITEM:\s*(.*\S)", head)
        found = f"found only ITEM: {', '.join(items)}"
        if any(word in item for item in items for word in ("ENTRIES", "GRID")):
            raise InputError(f"{where}: expected a dump of atoms (ITEM: ATOMS); {found}")
        raise InputError(
            f"{where}: expected a header and complete lines of particles; {found}. Is the file "
            "still being written?"
        )
    lines = head.split("\n")
    position = 0
    while position < len(lines):
        line = lines[position].strip()
        item = line.removeprefix("ITEM:").strip() if line.startswith("ITEM:") else None
        values = lines[position + 1 : position + 4]
        position += 1
        if item is None and line:
            raise InputError(
                f"{where}: line {position}: expected an ITEM: ...; found {line[:60]!r}"
            )
        if item == "TIMESTEP":
            frame.step = _whole(values, where, item)
        elif item == "NUMBER OF ATOMS":
            frame.n_atoms = _whole(values, where, item)
        elif item is not None and item.startswith("BOX BOUNDS"):
            frame.bounds, frame.box = item.removeprefix("BOX BOUNDS").strip(), values
            position += 2
        elif item not in (None, "TIME", "UNITS"):
            raise InputError(
                f"{where}: line {position}: expected an item that LAMMPS writes; found ITEM: {item}"
            )
        position += item is not None
    columns, _, rows = tail.partition("\n")
    frame.columns = columns.split()
    frame.first_row = len(lines) + 1
    assert frame.n_atoms is not None, "its item is there"
    frame.rows = _rows(rows, frame.n_atoms, where)
    return frame


def _rows(text: str, n_atoms: int, where: str) -> list[str]:
    """The lines of the particles, as many as the frame states."""
    rows = text.split("\n")
    # A row without a line break does not count: its last number may be incomplete.
    last = rows.pop()
    if len(rows) == n_atoms - 1 and last.strip():
        check_last_line(where, text, "frame")
    while rows and not rows[-1].strip():
        rows.pop()
    if len(rows) < n_atoms:
        raise InputError(
            f"{where}: expected {n_atoms} complete lines of particles; found {len(rows)} and then "
            "the end of the frame. Is the file still being written?"
        )
    if len(rows) > n_atoms or last.strip():
        odd = (row for row in rows if not row.strip() or row.lstrip().startswith("#"))
        beyond = [*rows[n_atoms:], last][0].strip()[:60]
        first = next((repr(row.strip()[:60]) for row in odd), f"{beyond!r} beyond them")
        raise InputError(
            f"{where}: expected {n_atoms} lines of particles, as ITEM: NUMBER OF ATOMS states; "
            f"found {len(rows) + bool(last.strip())}, and {first}"
        )
    return rows


def _whole(values: list[str], where: str, item: str) -> int:
    try:
        return int(values[0])
    except (ValueError, IndexError):
        found = values[0].strip()[:60] if values else "the end of the frame"
        raise InputError(
            f"{where}: ITEM: {item}: expected a whole number; found {found!r}"
        ) from None


def _box(frame: _Frame, where: str, pbc: Pbc | None) -> tuple[np.ndarray, np.ndarray, Pbc | None]:
    """Lattice vectors [3, 3] and origin [3] [length], and the flags if they can be read."""
    words = frame.bounds.split()
    general = words[:2] == ["abc", "origin"]
    tilted = sorted(words[:3]) == sorted(_TILTS)
    flags = words[2:] if general else words[3:] if tilted else words
    stated = None
    if len(flags) == 3 and set(flags) <= _FLAGS:
        stated = (flags[0][0] == "p", flags[1][0] == "p", flags[2][0] == "p")
    numbers = _numbers(frame.box, 4 if general else 3 if tilted else 0, where)
    if general:
        return numbers[:, :3], numbers[:, 3], stated
    tilt = dict.fromkeys(_TILTS, 0.0)
    if numbers.shape[1] == 3:  # without names of the tilts, in this order
        tilt.update(zip(words[:3] if tilted else _TILTS, numbers[:, 2].tolist(), strict=True))
    xy, xz, yz = (tilt[name] for name in _TILTS)
    low, high = numbers[:, 0].copy(), numbers[:, 1].copy()
    # LAMMPS writes the bounds of what encloses the tilted box.
    low -= [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]
    high -= [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]
    check_box(where, low, high, pbc or stated)
    lx, ly, lz = high - low
    return np.array([[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, lz]]), low, stated


def _numbers(lines: list[str], n_columns: int, where: str) -> np.ndarray:
    """The three lines of the box; with 0 columns, two or (in old dumps of tilted boxes) three."""
    try:
        rows = [[float(word) for word in line.split()] for line in lines]
    except ValueError:
        rows = []
    widths = {len(row) for row in rows}
    if len(rows) != 3 or len(widths) != 1 or not widths <= ({n_columns} if n_columns else {2, 3}):
        raise InputError(
            f"{where}: ITEM: BOX BOUNDS: expected three lines of {n_columns or 2} numbers; found "
            f"{[line.strip()[:60] for line in lines]}"
        )
    return np.array(rows)


def _with_species(table: dict[str, np.ndarray], where: str) -> Atoms:
    types = table.get("type")
    column = next((name for name in _TEXTS if name in table), None)
    if types is None and column is None:
        raise InputError(
            f"{where}: species: expected a column type, typelabel or element; found "
            f"{', '.join(table)}"
        )
    labels = None if column is None else table[column]
    if types is None:
        return atoms_of_species(None, [], labels)
    check_types(where, types)
    names = []
    if labels is not None and column is not None:
        names = names_of_types(where, types, labels, column)
    return atoms_of_species(types, names)


def _place(
    atoms: Atoms, table: dict[str, np.ndarray], origin: np.ndarray, unwrapped: bool, where: str
) -> None:
    """Set the positions, from the first columns that hold them."""
    ways = [names for names in _PLACES if set(names) <= set(table)]
    if not ways:
        raise InputError(
            f"{where}: positions: expected columns x y z, xs ys zs, xu yu zu or xsu ysu zsu; found "
            f"{', '.join(table)}"
        )
    cell = atoms.cell.array

    def of(names: tuple[str, str, str]) -> np.ndarray:
        values = np.stack([table[name] for name in names], axis=1)
        return origin + values @ cell if _PLACES[names][0] else values

    atoms.positions = of(ways[0])
    if not unwrapped:
        return
    direct = [names for names in ways if _PLACES[names][1]]
    if set(_IMAGES) <= set(table) and not _PLACES[ways[0]][1]:
        images = np.stack([table[name] for name in _IMAGES], axis=1)
        atoms.set_array("unwrapped", atoms.positions + images @ cell)
    elif direct:
        atoms.set_array("unwrapped", of(direct[0]))


def _add_columns(atoms: Atoms, table: dict[str, np.ndarray], ids: bool) -> None:
    """Keep the other columns."""
    if ids and "id" in table:
        atoms.set_array("id", table["id"])
    used = {"id", "type", *_TEXTS, *_POSITIONS, *_IMAGES, *_NOT_READ}
    vectors = {
        names: np.stack([table[name] for name in names], axis=1)
        for names in (_VELOCITIES, _FORCES)
        if set(names) <= set(table)
    }
    used = used.union(*vectors)
    if _VELOCITIES in vectors:
        atoms.set_array("velocities", vectors[_VELOCITIES])
    if "q" in table:
        atoms.set_initial_charges(table["q"])
        used.add("q")
    for name, values in table.items():
        if name not in used and name not in atoms.arrays:
            atoms.set_array(name, values)
    if _FORCES in vectors:  # last: results of a calculator hold for the atoms it was given
        atoms.calc = SinglePointCalculator(atoms, forces=vectors[_FORCES])

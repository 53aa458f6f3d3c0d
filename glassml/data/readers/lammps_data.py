"""LAMMPS data files (`write_data`, `read_data`).

ASE reads them too, but guesses the atom style from the number of columns, sorts atoms but not their
type labels, knows five styles, and needs no box. So glassml reads them, by the columns of
https://docs.lammps.org/read_data.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols

from glassml.data.readers.compressed import open_bytes, text_of
from glassml.data.readers.dump import note_unit, unit_in_header
from glassml.data.readers.labels_of_types import atoms_of_species, filled_names
from glassml.data.readers.stated import (
    Pbc,
    check_box,
    check_ids,
    check_last_line,
    check_n_atoms,
    check_types,
)
from glassml.data.readers.text_table import INTEGER, REAL, TEXT, read_table
from glassml.errors import InputError

__all__ = ["DATA", "is_lammps_data", "read_lammps_data"]

DATA = "lammps-data"

_XYZ, _IMAGES = ("x", "y", "z"), ("ix", "iy", "iz")
_MOLECULE = "id mol type x y z"

# Columns of the section Atoms of each style, without images.
_STYLES = {
    "amoeba": "id mol type q x y z",
    "angle": _MOLECULE,
    "atomic": "id type x y z",
    "body": "id type bodyflag mass x y z",
    "bond": _MOLECULE,
    "bpm/sphere": "id mol type diameter density x y z",
    "charge": "id type q x y z",
    "dielectric": "id type q x y z mux muy muz area ed em epsilon curvature",
    "dipole": "id type q x y z mux muy muz",
    "dpd": "id type theta x y z",
    "edpd": "id type edpd_temp edpd_cv x y z",
    "electron": "id type q espin eradius x y z",
    "ellipsoid": "id type ellipsoidflag density x y z",
    "full": "id mol type q x y z",
    "line": "id mol type lineflag density x y z",
    "mdpd": "id type rho x y z",
    "molecular": _MOLECULE,
    "peri": "id type volume density x y z",
    "rheo": "id type status rho x y z",
    "rheo/thermal": "id type status rho energy x y z",
    "smd": "id type mol volume mass kradius cradius x0 y0 z0 x y z",
    "sph": "id type rho esph cv x y z",
    "sphere": "id type diameter density x y z",
    "spin": "id type x y z spx spy spz sp",
    "template": "id mol template_index template_atom type x y z",
    "tri": "id mol type triangleflag density x y z",
}
_HYBRID = ["id", "type", *_XYZ]
_OPEN = ("hybrid", "tdpd")  # further columns are not named (tdpd: any number of concentrations)
_INTEGERS = {"id", "mol", "bodyflag", "ellipsoidflag", "lineflag", "triangleflag", *_IMAGES}
_KEPT = ("mol", "diameter", "density", "mass")

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")

_COUNTS = ("atoms", "atom types")
_BOUNDS = {"xlo xhi": 2, "ylo yhi": 2, "zlo zhi": 2, "xy xz yz": 3}
_GENERAL = {"avec": 3, "bvec": 3, "cvec": 3, "abc origin": 3}  # of a box in any orientation

# Titles begin with a letter. So do rows of some sections, in which labels stand for types; but
# these have further words that are no part of the titles LAMMPS knows.
_TITLE = re.compile(
    r"(Atoms|Velocities|Masses|Ellipsoids|Lines|Triangles|Bodies|Bonds|Angles|Dihedrals|Impropers|"
    r"(Atom|Bond|Angle|Dihedral|Improper) Type Labels|(\w+ )?\w+ Coeffs|[A-Za-z]\S*)"
)


@dataclass
class _File:
    """The header of a data file and the rows of its sections, with the number of the first."""

    counts: dict[str, int] = field(default_factory=dict)
    bounds: dict[str, list[float]] = field(default_factory=dict)
    sections: dict[str, list[str]] = field(default_factory=dict)
    first_rows: dict[str, int] = field(default_factory=dict)
    style: str = ""


def is_lammps_data(head: bytes, path: Path) -> bool:
    """Whether a file that begins like this is a data file.

    Its name may be any; but a file called .data whose header is damaged is one too, and no file of
    RuNNer, as ASE takes it for.
    """
    found = all(
        re.search(rb"^\s*\d+\s+" + name + rb"\s*(#.*)?$", head, re.M)
        for name in (b"atoms", b"atom\\s+types")
    )
    suffixes = [suffix for suffix in path.suffixes if suffix not in _COMPRESSED]
    named = suffixes[-1:] == [".data"] and not re.search(rb"^\s*begin\b", head, re.M)
    return (found or named) and not head.startswith(b"ITEM:")


def read_lammps_data(file: Path, pbc: Pbc | None = None) -> Atoms:
    """Read a data file; atoms are in the order of their ids.

    Positions have their images added. Types are in ``arrays["type"]``, ids in ``arrays["id"]`` and
    type labels in ``info["species_names"]``.

    Args:
        file: the data file.
        pbc: periodic directions. Default: all, as in LAMMPS, as data files do not state them.

    Raises:
        InputError: what the file states and what it holds differ, or its atom style is not known.
    """
    with open_bytes(file) as stream:
        text = text_of(file, stream.read())
    where = f"{file}"
    check_last_line(where, text)
    first, _, rest = text.partition("\n")
    parsed = _parsed(rest, where)
    cell, origin = _box(parsed, where, pbc)
    table = _atoms_section(parsed, where)
    check_ids(where, table["id"])
    order = np.argsort(table["id"])
    table = {name: values[order] for name, values in table.items()}
    n_types = parsed.counts["atom types"]
    labels = _type_labels(parsed, n_types, where)
    types = _types(table["type"], labels, where)
    check_types(where, types, n_types)
    masses = parsed.sections.get("Masses")
    if masses is not None and len(masses) != n_types:
        raise InputError(
            f"{where}: Masses: expected one line for each of the {n_types} atom types that the "
            f"file states; found {len(masses)}"
        )
    names = filled_names(labels) or _elements_by_mass(parsed, n_types, where)
    atoms = atoms_of_species(types, names)
    if not labels:
        atoms.info.pop("species_names", None)  # masses tell elements, but no names
    atoms.set_cell(cell)
    atoms.set_celldisp(origin)
    atoms.pbc = (True, True, True) if pbc is None else pbc
    atoms.positions = np.stack([table[name] for name in _XYZ], axis=1)
    if set(_IMAGES) <= set(table):
        atoms.positions += np.stack([table[name] for name in _IMAGES], axis=1) @ cell
    atoms.set_array("id", table["id"])
    for name in _KEPT:
        if name in table:
            atoms.set_array(name, table[name])
    if "q" in table:
        atoms.set_initial_charges(table["q"])
    _add_velocities(atoms, parsed, where)
    atoms.info["comment"] = first.strip()
    return note_unit(atoms, unit_in_header(first))


def _parsed(text: str, where: str) -> _File:
    """Split a data file into its header and sections.

    Raises:
        InputError: a line of the header is not understood, or a number or section is missing.
    """
    found, section = _File(), ""
    for number, line in enumerate(text.split("\n"), 2):
        content, _, remark = line.partition("#")
        words = content.split()
        if not words:
            continue
        plain = " ".join(words)
        if _is_title(plain, section):
            section = plain
            if section in found.sections:
                raise InputError(
                    f"{where}: line {number}: expected each section once; found {section!r} twice"
                )
            found.sections[section] = []
            if section == "Atoms":
                found.style = " ".join(remark.split())
        elif section:
            found.first_rows.setdefault(section, number)
            found.sections[section].append(content)
        else:
            _read_header(found, plain, f"{where}: line {number}")
    for name in ("atoms", "atom types"):
        if name not in found.counts:
            raise InputError(
                f"{where}: expected a line '... {name}' in the header; found none "
                "(the first line of a data file is a remark, and does not count)"
            )
    return found


def _is_title(line: str, section: str) -> bool:
    if not _TITLE.fullmatch(line):
        return False
    # Rows with labels have several words in every section that can hold them.
    return " " not in line or line.endswith(("Labels", "Coeffs")) or section == ""


def _read_header(found: _File, line: str, where: str) -> None:
    match = re.fullmatch(r"((?:\S+ )+?)([A-Za-z].*)", line)
    try:
        if match is None:
            raise ValueError(line)
        words, name = match[1].split(), match[2]
        numbers = [float(word) for word in words]
        if name in _COUNTS:
            found.counts[name] = int(words[0])
        elif name in _BOUNDS | _GENERAL:
            found.bounds[name] = numbers
    except ValueError:
        raise InputError(
            f"{where}: expected a line of the header, such as '64 atoms' or '0 4 xlo xhi', or the "
            f"title of a section; found {line[:60]!r}"
        ) from None


def _box(parsed: _File, where: str, pbc: Pbc | None) -> tuple[np.ndarray, np.ndarray]:
    """Lattice vectors [3, 3] and origin [3] [length]."""
    bounds = parsed.bounds
    for name, numbers in bounds.items():
        expected = (_BOUNDS | _GENERAL)[name]
        if len(numbers) != expected or not np.isfinite(numbers).all():
            raise InputError(f"{where}: {name}: expected {expected} numbers; found {numbers}")
    if set(_GENERAL) <= set(bounds):
        cell = np.array([bounds[name] for name in ("avec", "bvec", "cvec")])
        return cell, np.array(bounds["abc origin"])
    plain = [name for name in _BOUNDS if name != "xy xz yz"]
    missing = [name for name in plain if name not in bounds]
    if missing:
        raise InputError(
            f"{where}: box: expected lines {', '.join(plain)} in the header; found none for "
            f"{', '.join(missing)}. Add '-0.5 0.5 {missing[0]}' if the box has the length 1 there, "
            "as LAMMPS takes it then"
        )
    low, high = np.array([bounds[name] for name in plain]).T
    check_box(where, low, high, pbc)
    xy, xz, yz = bounds.get("xy xz yz", [0.0, 0.0, 0.0])
    lx, ly, lz = high - low
    return np.array([[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, lz]]), low


def _atoms_section(parsed: _File, where: str) -> dict[str, np.ndarray]:
    rows = parsed.sections.get("Atoms")
    if rows is None:
        raise InputError(f"{where}: expected a section Atoms; found none")
    check_n_atoms(f"{where}: Atoms", parsed.counts["atoms"], len(rows))
    width = len(rows[0].split()) if rows else 0
    columns = _columns(parsed.style, width, where)
    kinds = [(n, TEXT if n == "type" else INTEGER if n in _INTEGERS else REAL) for n in columns]
    return read_table(rows, kinds, f"{where}: Atoms", parsed.first_rows.get("Atoms", 0))


def _columns(style: str, width: int, where: str) -> list[str]:
    """The columns of the section Atoms, of this number.

    Raises:
        InputError: the style is unknown, or does not fit.
    """
    name = style.split()[0].partition("/kk")[0] if style else ""
    if not name and width == len(_HYBRID):
        return _HYBRID  # no style has fewer columns, or others
    if name in _OPEN and width >= len(_HYBRID):
        return _HYBRID + [f"column {k}" for k in range(width - len(_HYBRID))]
    if name not in _STYLES:
        reason = f", as {width} columns may be those of several styles" if not name else ""
        raise InputError(
            f"{where}: Atoms: expected a known atom style behind the title of the section, as "
            f"write_data writes it ('Atoms # atomic', 'Atoms # sphere', ...){reason}; found "
            f"{style!r}. Known styles: {', '.join([*_STYLES, *_OPEN])}. If it is another one, "
            "name a style with the same columns"
        )
    columns = _STYLES[name].split()
    if width == len(columns) + len(_IMAGES):
        columns += _IMAGES
    if width != len(columns):
        raise InputError(
            f"{where}: Atoms: expected {len(columns)} columns of atom style {name} "
            f"({' '.join(columns)}), or {len(columns) + len(_IMAGES)} with images; found {width}"
        )
    return columns


def _type_labels(parsed: _File, n_types: int, where: str) -> dict[int, str]:
    """Type -> label; empty without labels."""
    rows = parsed.sections.get("Atom Type Labels")
    if rows is None:
        return {}
    section = f"{where}: Atom Type Labels"
    table = read_table(
        rows,
        [("type", INTEGER), ("label", TEXT)],
        section,
        parsed.first_rows.get("Atom Type Labels", 0),
    )
    labels = dict(zip(table["type"].tolist(), table["label"].tolist(), strict=True))
    complete = len(labels) == n_types and sorted(labels) == list(range(1, n_types + 1))
    if not complete or len(set(labels.values())) != len(rows):
        raise InputError(
            f"{section}: expected one label for each of the {n_types} types, all different; found "
            f"{', '.join(f'{number} {label}' for number, label in labels.items())}"
        )
    return labels


def _types(words: np.ndarray, labels: dict[int, str], where: str) -> np.ndarray:
    """Types [N] from numbers or labels."""
    numbers = {label: number for number, label in labels.items()}
    unique, inverse = np.unique(words, return_inverse=True)
    types = []
    for word in unique.tolist():
        if word not in numbers and not re.fullmatch(r"\d{1,9}", word):
            raise InputError(
                f"{where}: Atoms: type: expected a number"
                + (f", or one of the labels {', '.join(numbers)}" if numbers else "")
                + f"; found {word!r}"
                + ("" if numbers else ", and no section Atom Type Labels")
            )
        types.append(numbers[word] if word in numbers else int(word))
    return np.array(types, np.int64)[inverse]


def _elements_by_mass(parsed: _File, n_types: int, where: str) -> list[str]:
    """Chemical symbols of the types, if all masses are those of different elements."""
    rows = parsed.sections.get("Masses")
    if rows is None:
        return []
    columns = [("type", INTEGER), ("mass", REAL)]
    table = read_table(rows, columns, f"{where}: Masses", parsed.first_rows.get("Masses", 0))
    if sorted(table["type"].tolist()) != list(range(1, n_types + 1)):
        return []
    masses = table["mass"][np.argsort(table["type"])]
    # The first "element" of ASE is X, with the mass 1.
    nearest = 1 + np.abs(atomic_masses[1:] - masses[:, None]).argmin(axis=1)
    off = np.abs(atomic_masses[nearest] - masses) > 0.01 * atomic_masses[nearest]
    if len(set(nearest.tolist())) < n_types or off.any():
        return []
    return [chemical_symbols[number] for number in nearest]


def _add_velocities(atoms: Atoms, parsed: _File, where: str) -> None:
    """Keep velocities, ``arrays["velocities"]`` [N, 3] [length / time]."""
    rows = parsed.sections.get("Velocities")
    if rows is None:
        return
    section = f"{where}: Velocities"
    check_n_atoms(section, len(atoms), len(rows))
    width = len(rows[0].split()) if rows else 4
    more = [f"column {k}" for k in range(width - 4)]  # angular velocities of some styles
    columns = [("id", INTEGER), *((name, REAL) for name in ("vx", "vy", "vz", *more))]
    table = read_table(rows, columns, section, parsed.first_rows.get("Velocities", 0))
    order = np.argsort(table["id"], kind="stable")
    if not np.array_equal(table["id"][order], atoms.arrays["id"]):
        raise InputError(f"{section}: id: expected the ids of the section Atoms; found others")
    values = np.stack([table[name] for name in ("vx", "vy", "vz")], axis=1)
    atoms.set_array("velocities", values[order])

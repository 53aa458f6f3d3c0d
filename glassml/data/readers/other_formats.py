"""Formats that only ASE reads: what some of them state, compared with what ASE read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import ase.io
from ase import Atoms
from ase.io.formats import ioformats

from glassml.data.readers.compressed import open_bytes, text_of
from glassml.data.readers.stated import Pbc, check_last_line, check_n_atoms, periodic

__all__ = ["other_frames"]

# Formats that say which directions are periodic. In others, ASE takes atoms without a cell for a
# droplet.
_STATE_PBC = ("traj", "json", "db", "bundletrajectory")

# Formats that end in a row of numbers, which may be cut short.
_END_IN_ROWS = ("gromacs", "vasp", "vasp-xdatcar", "dlp4", "gen", "v-sim", "aims", "rmc6f", "cfg")

# Where a number of particles is stated that ASE does not compare with the rows.
_N_ATOMS = {
    "gromacs": r"\A.*\n\s*(\d+)\s*\n",
    "rmc6f": r"(?m)^Number of atoms:\s*(\d+)",
}


def other_frames(file: Path, kind: str, chosen: slice, pbc: Pbc | None) -> Iterator[Atoms]:
    """The chosen frames of a file, through ASE.

    Args:
        file: the file.
        kind: ASE's name of its format.
        chosen: which frames.
        pbc: periodic directions, in place of those in the file.

    Raises:
        InputError: the file ends within a row, ASE left out particles, or nothing says which
            directions are periodic.
    """
    stated = _stated_number(file, kind)
    index = slice(0, 1) if ioformats[kind].single else chosen
    for atoms in ase.io.iread(str(file), index=index, format=kind, do_not_split_by_at_sign=True):
        if stated is not None:
            check_n_atoms(f"{file}", stated, len(atoms))
        x, y, z = atoms.pbc.tolist()
        known = (x, y, z) if atoms.pbc.any() or kind in _STATE_PBC else None
        atoms.pbc = periodic(
            f"{file}",
            known,
            pbc,
            f"a periodic cell (format {kind})",
            has_cell=bool(atoms.cell.any()),
        )
        yield atoms


def _stated_number(file: Path, kind: str) -> int | None:
    """The number of particles that a file states, if ASE does not compare it."""
    if kind not in _END_IN_ROWS:
        return None
    with open_bytes(file) as stream:
        text = text_of(file, stream.read())
    check_last_line(f"{file}", text)
    found = re.search(_N_ATOMS[kind], text) if kind in _N_ATOMS else None
    return None if found is None else int(found[1])

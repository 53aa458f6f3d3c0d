"""What a running LAMMPS holds, as NumPy arrays by name."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import numpy as np

from glassml.errors import InputError, SimulationError
from glassml.lammps.fix_values import FixValues, described
from glassml.lammps.fix_values import gathered as gathered_values
from glassml.lammps.library import LammpsLibrary

__all__ = ["LammpsSystem", "attach"]

# LAMMPS' names of per-atom properties: number of columns (0 for a vector) and type.
_PROPERTIES: dict[str, tuple[int, type]] = {
    "type": (0, np.int32),
    "mask": (0, np.int32),
    "x": (3, np.float64),
    "v": (3, np.float64),
    "f": (3, np.float64),
}
_TEXT, _INT = ctypes.c_char_p, ctypes.c_int
_OWN = re.compile(r"[di]_\w+")  # of a fix property/atom


def attach(lmp: Any) -> LammpsSystem:
    """Read a running LAMMPS from Python.

    Args:
        lmp: an object of ``lammps.lammps`` (see `glassml.lammps.open_lammps`), or the first
            argument of a function of Python that LAMMPS calls.

    Returns:
        Its atoms, box and values of ``fix glassml``.

    Raises:
        InputError: it is neither, or LAMMPS was closed.
    """
    return LammpsSystem(LammpsLibrary(lmp))


class LammpsSystem:
    """The atoms and the box of a running LAMMPS.

    Everything is read anew at each access, so the object stays valid while the simulation runs.
    Arrays are copies: they do not change when the atoms move.

    Arrays have a row for each atom that this MPI rank owns, n of them, in LAMMPS' own order. The
    atoms of a rank, their number and their order change during a run, and are the same in all
    arrays that are read between two commands. ``ids`` tells which atom a row is. With
    ``gathered=True`` arrays hold the N atoms of all ranks, sorted by ID, on every rank; all ranks
    must ask for this together.

    Args:
        library: the C functions of this LAMMPS.
    """

    def __init__(self, library: LammpsLibrary) -> None:
        self.library = library

    @property
    def step(self) -> int:
        """The present time step."""
        return self.library.step

    @property
    def units(self) -> str:
        """LAMMPS' name of the unit style, such as "lj"."""
        return self.library.units

    @property
    def length_unit(self) -> str:
        """The unit of positions, one of `glassml.physics.units.LENGTH_UNITS`."""
        from glassml.physics.units import UNIT_STYLES  # imports ASE

        return UNIT_STYLES[self.units].length

    @property
    def rank(self) -> int:
        """The number of this MPI rank, from 0."""
        return self.library.setting("world_rank")

    @property
    def ranks(self) -> int:
        """The number of MPI ranks of this LAMMPS."""
        return self.library.setting("world_size")

    @property
    def n_types(self) -> int:
        """The number of atom types."""
        return self.library.setting("ntypes")

    @property
    def cell(self) -> np.ndarray:
        """The lattice vectors as rows, float64 [3, 3] [length].

        Raises:
            InputError: there is no simulation box yet.
        """
        low, high, (xy, yz, xz), _ = self._box()
        x, y, z = high - low
        return np.array([[x, 0.0, 0.0], [xy, y, 0.0], [xz, yz, z]])

    @property
    def origin(self) -> np.ndarray:
        """The lower corner of the box, float64 [3] [length]."""
        return self._box()[0]

    @property
    def pbc(self) -> tuple[bool, bool, bool]:
        """Whether each direction is periodic."""
        x, y, z = self._box()[3]
        return (x, y, z)

    @property
    def ids(self) -> np.ndarray:
        """IDs of the atoms of this rank, int64 [n]."""
        return self.array("id")

    @property
    def types(self) -> np.ndarray:
        """Types of the atoms of this rank, from 1, int32 [n]."""
        return self.array("type")

    @property
    def positions(self) -> np.ndarray:
        """Positions of the atoms of this rank, float64 [n, 3] [length]; any periodic images."""
        return self.array("x")

    def array(self, name: str, *, gathered: bool = False) -> np.ndarray:
        """A per-atom property.

        Args:
            name: "id", "type", "mask", "x", "v" or "f"; "d_NAME" or "i_NAME" of a
                ``fix property/atom``.
            gathered: the atoms of all ranks, sorted by ID.

        Returns:
            [n] or [n, 3] of this rank; [N] or [N, 3] if gathered.

        Raises:
            InputError: there is no such property, or no simulation box yet.
        """
        self._box()
        columns, kind = self._layout(name)
        if not gathered or self.ranks == 1:
            values = self.library.per_atom(name, columns, kind)
            if values is None:
                raise InputError(_missing(name))
            if name == "id":
                values = values.astype(np.int64)
            return values[np.argsort(self.ids, kind="stable")] if gathered else values
        if self.library.per_atom(name, columns, kind) is None:
            raise InputError(_missing(name))
        return self._gathered(name, columns, np.int32 if name == "id" else kind)

    def quantity(self, name: str) -> np.ndarray:
        """A per-atom scalar of all atoms, sorted by ID: float64 [N]. Collective.

        Args:
            name: "d_NAME" of a ``fix property/atom``, "c_ID" of a compute or "f_ID" of a fix, both
                with a per-atom vector. A compute is invoked if it is not current; LAMMPS stops
                if it needs energies that were not tallied on this step.

        Raises:
            InputError: the name is of another form, or there is no such property.
        """
        if _OWN.fullmatch(name):
            return self.array(name, gathered=True).astype(np.float64)
        kind, _, label = name.partition("_")
        category = {"c": b"compute", "f": b"fix"}.get(kind)
        if category is None or not self._has(category, label):
            raise InputError(
                f"{name}: expected d_NAME of a fix property/atom, c_ID of a compute or f_ID of a "
                "fix; found none of this name"
            )
        return self._gathered(name, 0, np.float64)

    def fix(self, fix: str, *, gathered: bool = False) -> FixValues:
        """The values of a ``fix glassml``, with the names of its columns.

        Args:
            fix: its ID.
            gathered: the values of all ranks, sorted by ID.

        Returns:
            The outputs by name, and the IDs of their atoms.

        Raises:
            InputError: there is no ``fix glassml`` of this ID.
        """
        description = described(self.library, fix)
        if gathered:
            return gathered_values(self.library, description)
        values = self.library.fix_values(fix, len(description.columns))
        return FixValues(description, self.ids, values)

    def write(self, name: str, values: np.ndarray) -> None:
        """Write numbers into a ``fix property/atom``, for the atoms of this rank.

        Args:
            name: "d_NAME".
            values: [n], in the order of ``ids``.

        Raises:
            InputError: there is no such property, or the number of values is another.
        """
        if len(values) != self.library.setting("nlocal"):
            raise InputError(
                f"{name}: expected {self.library.setting('nlocal')} values, one per atom of this "
                f"rank; found {len(values)}"
            )
        if not name.startswith("d_") or not self.library.store(name, values):
            raise InputError(_missing(name))

    def _has(self, category: bytes, label: str) -> bool:
        arguments = ((_TEXT, category), (_TEXT, label.encode()))
        return bool(self.library.call("lammps_has_id", _INT, *arguments))

    def _gathered(self, name: str, columns: int, kind: type) -> np.ndarray:
        """[N] or [N, columns], sorted by ID. Collective."""
        values = self.library.gathered(name, max(columns, 1), kind)
        ids = self.library.gathered("id", 1, np.int32)[:, 0]
        values = values[np.argsort(ids, kind="stable")]
        values = values if columns else values[:, 0]
        return values.astype(np.int64) if name == "id" else values

    def _box(self) -> Any:
        if self.library.setting("box_exist") == 0:
            raise InputError("lmp: expected a simulation box; found none. Read or create it first")
        return self.library.box()

    def _layout(self, name: str) -> tuple[int, type]:
        if name == "id":
            if self.library.per_atom("id", 0, np.int32) is None:
                raise SimulationError(
                    "expected atoms with IDs; found atom_modify id no, with which LAMMPS cannot "
                    "tell which atom a value belongs to"
                )
            return 0, np.int64 if self.library.has_wide_ids else np.int32
        if _OWN.fullmatch(name):
            return 0, np.float64 if name.startswith("d_") else np.int32
        if name not in _PROPERTIES:
            known = ", ".join(["id", *_PROPERTIES, "d_NAME", "i_NAME"])
            raise InputError(f"array: expected one of {known}; found {name!r}")
        return _PROPERTIES[name]


def _missing(name: str) -> str:
    if not _OWN.fullmatch(name):
        return f"{name}: expected a per-atom property of this LAMMPS; found none of this name"
    return (
        f"{name}: expected a property of this name; found none. Define it by "
        f"'fix ID all property/atom {name}' before"
    )

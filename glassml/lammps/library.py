"""LAMMPS' C library interface: the few functions that are needed, for one running LAMMPS.

LAMMPS' own Python module is not used here: in a process that LAMMPS has started it would have to
be that of the same version, while Python may find the one of another installation first, and it
reads per-atom arrays of one column as addresses.
"""

from __future__ import annotations

import ctypes
import os
import warnings
from typing import Any

import numpy as np

from glassml.errors import InputError

__all__ = ["LammpsLibrary"]

# Of LAMMPS' src/library.h
_STYLE_ATOM = 1
_VECTOR, _ARRAY, _COLUMNS = 1, 2, 5
_ERROR_ONE, _ERROR_ALL = 1, 2

_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int

# Variables with which the launchers of MPI say how many ranks they have started.
_LAUNCHED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")


class LammpsLibrary:
    """C functions of one LAMMPS.

    Args:
        lmp: an object of ``lammps.lammps``, or what LAMMPS hands to a function of Python as its
            first argument (the variable SELF): a capsule, a ``c_void_p`` or an integer.

    Raises:
        InputError: it is neither, or LAMMPS was closed.
    """

    def __init__(self, lmp: Any) -> None:
        lmp = getattr(lmp, "lmp", lmp) if type(lmp).__name__ == "PyLammps" else lmp
        self._lmp = lmp
        if hasattr(lmp, "lib") and hasattr(lmp, "lmp"):
            self._functions = lmp.lib
            _ = self.handle
        else:
            self._functions = ctypes.CDLL(None)  # of the program that has started Python
            self._lmp = _address_of(lmp)
            self._check_launcher()

    @property
    def handle(self) -> int:
        """The address of LAMMPS."""
        if isinstance(self._lmp, int):
            return self._lmp
        found = self._lmp.lmp
        if found is None:
            raise InputError("lmp: expected a running LAMMPS; found one that was closed")
        return int(getattr(found, "value", found))

    def call(self, name: str, result: Any, *arguments: tuple[Any, Any]) -> Any:
        """Call a C function with this LAMMPS as its first argument.

        Args:
            name: of the function.
            result: its ctypes type, None for void.
            arguments: ctypes type and value of each further argument.
        """
        # A prototype of its own: LAMMPS' Python module changes those of the shared functions.
        kind = ctypes.CFUNCTYPE(result, _POINTER, *(type_ for type_, _ in arguments))
        # Functions of plugins are not in LAMMPS' library, but are visible in the whole process.
        library = self._functions if hasattr(self._functions, name) else ctypes.CDLL(None)
        return kind((name, library))(self.handle, *(value for _, value in arguments))

    def has(self, name: str) -> bool:
        """Whether there is a C function of this name in LAMMPS or its plugins."""
        return hasattr(self._functions, name) or hasattr(ctypes.CDLL(None), name)

    def setting(self, name: str) -> int:
        """A whole number that LAMMPS calls a setting, such as "nlocal"; -1 if it is unknown."""
        return int(self.call("lammps_extract_setting", _INT, (_TEXT, name.encode())))

    def global_address(self, name: str) -> int | None:
        """Address of a property of the whole system; None if it is unknown."""
        found = self.call("lammps_extract_global", _POINTER, (_TEXT, name.encode()))
        return None if found is None else int(found)

    @property
    def n_atoms(self) -> int:
        """Number of atoms on all ranks."""
        return int(self.call("lammps_get_natoms", ctypes.c_double))

    @property
    def step(self) -> int:
        """The present time step."""
        address = self.global_address("ntimestep") or 0
        wide = self.setting("bigint") == 8
        return int((ctypes.c_int64 if wide else ctypes.c_int32).from_address(address).value)

    @property
    def units(self) -> str:
        """LAMMPS' name of the unit style, such as "lj"."""
        return ctypes.string_at(self.global_address("units") or 0).decode()

    @property
    def has_wide_ids(self) -> bool:
        """Whether IDs of atoms have 64 bits (LAMMPS_BIGBIG)."""
        return self.setting("tagint") == 8

    def per_atom(self, name: str, columns: int, kind: type) -> np.ndarray | None:
        """A copy of a per-atom property of the atoms of this rank.

        Args:
            name: LAMMPS' name, such as "x".
            columns: 0 for a vector.
            kind: the numpy type of its numbers.

        Returns:
            [n] or [n, columns]; None if there is no such property.
        """
        found = self.call("lammps_extract_atom", _POINTER, (_TEXT, name.encode()))
        return None if found is None else self._copy(found, columns, kind)

    def fix_columns(self, fix: str) -> int | None:
        """Number of columns of the per-atom array of a fix, 0 for a vector; None without a fix."""
        if not self.call("lammps_has_id", _INT, (_TEXT, b"fix"), (_TEXT, fix.encode())):
            return None
        found = self._extract_fix(fix, _COLUMNS)
        return None if found is None else int(_INT.from_address(found).value)

    def fix_values(self, fix: str, columns: int) -> np.ndarray:
        """A copy of the per-atom array of a fix: float64 [n, columns], or [n] if columns is 0."""
        found = self._extract_fix(fix, _ARRAY if columns else _VECTOR)
        shape = (0, columns) if columns else (0,)
        return np.zeros(shape) if found is None else self._copy(found, columns, np.float64)

    def gathered(self, name: str, columns: int, kind: type) -> np.ndarray:
        """A per-atom quantity of all atoms on all ranks [N, columns], rank after rank. Collective.

        Args:
            name: LAMMPS' name, such as "x", "d_NAME", "c_ID" or "f_ID".
            columns: 1 for a vector.
            kind: np.int32 or np.float64.

        Raises:
            InputError: this LAMMPS cannot gather, because IDs have 64 bits, or it gives no values.
        """
        if self.has_wide_ids:
            raise InputError(
                "gather: expected a LAMMPS with IDs of 32 bits (LAMMPS_SMALLBIG); found one with "
                "64 bits (LAMMPS_BIGBIG), whose library cannot gather. Use the atoms of each rank"
            )
        # Versions without exceptions only warn of what they cannot gather, and write nothing.
        unset = np.iinfo(np.int32).min if kind is np.int32 else np.nan
        result: np.ndarray = np.full((self.n_atoms, columns), unset, dtype=kind)
        self.call(
            "lammps_gather_concat",
            None,
            (_TEXT, name.encode()),
            (_INT, 0 if kind is np.int32 else 1),
            (_INT, columns),
            (_POINTER, result.ctypes.data),
        )
        unwritten = result == unset if kind is np.int32 else np.isnan(result)
        if self._take_error() or (len(result) and unwritten.all()):
            raise InputError(
                f"{name}: expected per-atom values that LAMMPS can gather ({columns} per atom, "
                f"current on step {self.step}); found none"
            )
        return result

    def store(self, name: str, values: np.ndarray) -> bool:
        """Write values [n] for the atoms of this rank; False if there is no such property.

        Args:
            name: LAMMPS' name, such as "d_NAME".
            values: [n].
        """
        found = self.call("lammps_extract_atom", _POINTER, (_TEXT, name.encode()))
        if found is None:
            return False
        if len(values):
            target = (ctypes.c_double * len(values)).from_address(found)
            np.ctypeslib.as_array(target)[:] = values
        return True

    def box(self) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float], tuple[bool, ...]]:
        """Lower and upper bounds [3], tilts (xy, yz, xz) and periodic directions of the box."""
        low, high = (ctypes.c_double * 3)(), (ctypes.c_double * 3)()
        xy, yz, xz = ctypes.c_double(), ctypes.c_double(), ctypes.c_double()
        periodic, changes = (_INT * 3)(), _INT()
        pointers = (low, high, xy, yz, xz, periodic, changes)
        arguments = ((_POINTER, ctypes.addressof(p)) for p in pointers)
        self.call("lammps_extract_box", None, *arguments)
        tilts = (xy.value, yz.value, xz.value)
        return np.array(low), np.array(high), tilts, tuple(bool(flag) for flag in periodic)

    def stop(self, message: str, *, on_all_ranks: bool) -> None:
        """End the program with an error of LAMMPS, from within a function that it has called."""
        if self.has("lammps_error"):
            kind = _ERROR_ALL if on_all_ranks else _ERROR_ONE
            self.call("lammps_error", None, (_INT, kind), (_TEXT, message.encode()))
        print(f"ERROR: {message}", flush=True)  # versions before 2022 have no such function
        os._exit(1)

    def _take_error(self) -> bool:
        """Whether the last call failed. Left in place, the next command would report it."""
        if not self.has("lammps_has_error") or not self.call("lammps_has_error", _INT):
            return False
        text = ctypes.create_string_buffer(1024)
        address = ctypes.addressof(text)
        self.call("lammps_get_last_error_message", _INT, (_POINTER, address), (_INT, len(text)))
        return True

    def _extract_fix(self, fix: str, kind: int) -> int | None:
        arguments = [(_INT, _STYLE_ATOM), (_INT, kind), (_INT, 0), (_INT, 0)]
        found = self.call("lammps_extract_fix", _POINTER, (_TEXT, fix.encode()), *arguments)
        return None if found is None else int(found)

    def _copy(self, address: int, columns: int, kind: type) -> np.ndarray:
        """The values behind a pointer, or a pointer to pointers if there are columns."""
        n = self.setting("nlocal")
        shape = (n, columns) if columns else (n,)
        if n == 0:
            return np.zeros(shape, dtype=kind)
        if columns:  # rows lie behind each other, also if there is only one column
            address = int(_POINTER.from_address(address).value or 0)
        size = n * max(columns, 1) * np.dtype(kind).itemsize
        return np.frombuffer(ctypes.string_at(address, size), dtype=kind).reshape(shape).copy()

    def _check_launcher(self) -> None:
        """Started by the mpiexec of another MPI, every rank is a LAMMPS of its own."""
        launched = max(int(os.environ.get(name) or 1) for name in _LAUNCHED)
        if launched > 1 and self.setting("universe_size") == 1:
            warnings.warn(
                f"LAMMPS: expected {launched} MPI ranks, as many as mpiexec has started; found one "
                "LAMMPS of a single rank in each. Use the mpiexec of the MPI with which LAMMPS "
                "was built (in Debian mpirun.openmpi)",
                stacklevel=2,
            )


def _address_of(pointer: Any) -> int:
    """The address in what LAMMPS hands to a function."""
    if isinstance(pointer, ctypes.c_void_p) and pointer.value:
        return int(pointer.value)
    if isinstance(pointer, int) and pointer > 0:
        return pointer
    if type(pointer).__name__ == "PyCapsule":
        read = ctypes.pythonapi.PyCapsule_GetPointer
        read.restype, read.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        return int(read(pointer, None))
    raise InputError(
        "lmp: expected an object of lammps.lammps, or the first argument of a function that LAMMPS "
        f"calls (python ... input 1 SELF format p); found {type(pointer).__name__}"
    )

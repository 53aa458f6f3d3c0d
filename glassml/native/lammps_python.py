"""The packages of this environment for a LAMMPS that runs a Python of its own.

Such a LAMMPS, for instance Debian's, is linked to the Python of the system. When it starts, that
Python takes the first ``python3`` on PATH for its own program, and the standard library that
belongs to it for its own. In an active environment that may be another version.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

__all__ = ["environment", "python_path"]


def environment(program: str | Path | None = None) -> dict[str, str]:
    """Variables with which the Python inside LAMMPS is that of LAMMPS, with our packages.

    Args:
        program: LAMMPS, or the launcher that starts it. Its folder comes first on PATH, as the
            system's has its Python beside both; environments of Python may come before it.
    """
    own = Path(sys.prefix, "bin")
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    others = [folder for folder in folders if Path(folder) != own]
    search = os.pathsep.join([*others, str(own)])
    found = None if program is None else shutil.which(program, path=search)
    first = [] if found is None else [str(Path(found).absolute().parent)]
    path = os.pathsep.join([*first, search])
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    return {**kept, "PATH": path, "PYTHONPATH": python_path()}


def python_path() -> str:
    """The folders from which this Python imports packages, without its own standard library."""
    own = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    folders = [Path(folder) for folder in sys.path if folder and Path(folder).is_dir()]
    wanted = [str(folder) for folder in folders if not _is_standard(folder, own)]
    return os.pathsep.join(dict.fromkeys(wanted))


def _is_standard(folder: Path, roots: list[Path]) -> bool:
    if {"site-packages", "dist-packages"} & set(folder.parts):
        return False
    return any(root in (folder, *folder.parents) for root in roots)

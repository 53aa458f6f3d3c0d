"""`python -m glassml.lammps`: the PYTHONPATH for a LAMMPS that runs Python itself.

Such a LAMMPS, for instance Debian's, has the Python of the system. With this variable it finds
the packages of this environment.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

__all__ = ["python_path"]


def python_path() -> str:
    """The folders from which this Python imports packages, without its own standard library."""
    own = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    # Python puts the folder in which it was started first, unless PYTHONSAFEPATH is set (3.11).
    first = 0 if getattr(sys.flags, "safe_path", False) else 1
    folders = [Path(folder) for folder in sys.path[first:] if Path(folder).is_dir()]
    wanted = [folder for folder in folders if not _is_standard(folder, own)]
    return os.pathsep.join(dict.fromkeys(map(str, wanted)))


def _is_standard(folder: Path, roots: list[Path]) -> bool:
    if {"site-packages", "dist-packages"} & set(folder.parts):
        return False
    return any(root in (folder, *folder.parents) for root in roots)


if __name__ == "__main__":
    print(python_path())

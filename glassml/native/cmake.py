"""Run CMake and the compilers, with a progress bar on the screen and all output in a log file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from glassml.errors import BuildError
from glassml.progress import Advance, Progress

__all__ = ["CMakeProject", "compile_project", "configure", "error_lines"]

# "[3/12] Building ..." of ninja (NINJA_STATUS below), "[ 25%] Building ..." of make.
_PROGRESS = re.compile(r"^\[\s*(?:(?P<done>\d+)/(?P<all>\d+)|(?P<percent>\d+)%)\]")
_ERROR = re.compile(r"error:|CMake Error|undefined reference|multiple definition|cannot find -l")
_KILLED = re.compile(r"Killed signal terminated|\bKilled\b")
_SHOWN_LINES = 12
_CONFIGURED = "configured.json"


@dataclass(frozen=True)
class CMakeProject:
    """A CMake project and how it is built.

    Attributes:
        program: cmake.
        generator: CMake's name of the generator.
        source: folder with ``CMakeLists.txt``.
        tree: folder in which it is compiled; kept, so that the next build is quick.
        log: file for all output.
        variables: CMake variables.
        jobs: number of compilers that run at the same time.
    """

    program: Path
    generator: str
    source: Path
    tree: Path
    log: Path
    variables: Mapping[str, str]
    jobs: int


def configure(project: CMakeProject, progress: Progress) -> None:
    """Find everything that the project needs and write the build files.

    Raises:
        BuildError: with CMake's first error and the path of the log.
    """
    command = [str(project.program), "-S", str(project.source), "-B", str(project.tree)]
    command += ["-G", project.generator]
    command += [f"-D{name}={value}" for name, value in project.variables.items()]
    _drop_other_configuration(project.tree, command)
    with project.log.open("w", encoding="utf-8") as log, progress.stage("configuring"):
        _run(command, log, lambda line: None)
    (project.tree / _CONFIGURED).write_text(json.dumps(command), encoding="utf-8")


def compile_project(project: CMakeProject, progress: Progress) -> None:
    """Compile what has changed in a configured project.

    Raises:
        BuildError: with the compiler's first errors and the path of the log.
    """
    command = [str(project.program), "--build", str(project.tree)]
    command += ["--parallel", str(project.jobs)]
    with (
        project.log.open("a", encoding="utf-8") as log,
        progress.stage("compiling", 100.0) as advance,
    ):
        _run(command, log, _Percentage(advance).read)


def error_lines(output: list[str]) -> list[str]:
    """The lines of a failed build that say what went wrong, at most a dozen."""
    found = [line for line in output if _ERROR.search(line)]
    if not found:
        return output[-_SHOWN_LINES:]
    first = output.index(found[0])
    if "CMake Error" in found[0]:  # its explanation follows in indented lines
        return output[first : first + _SHOWN_LINES]
    return found[:_SHOWN_LINES]


def _drop_other_configuration(tree: Path, command: list[str]) -> None:
    """Remove the tree's configuration if its command was different.

    CMake keeps some of its findings, such as MPI and the compiler's features, even when the command
    names another compiler or another MPI.
    """
    try:
        before = json.loads((tree / _CONFIGURED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    if before != command:
        shutil.rmtree(tree, ignore_errors=True)


class _Percentage:
    """Reports how many per cent of a build are done, from the lines that it prints."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._done = 0.0

    def read(self, line: str) -> None:
        """Report what a line says, if it says anything new."""
        match = _PROGRESS.match(line)
        if match is None:
            return
        percent = match["percent"]
        done = float(percent or 100 * int(match["done"]) / int(match["all"]))
        if done > self._done:
            self._advance(done - self._done)
            self._done = done


def _run(command: list[str], log: TextIO, on_line: Callable[[str], None]) -> None:
    log.write(f"$ {' '.join(command)}\n")
    environment = {**os.environ, "NINJA_STATUS": "[%f/%t] ", "LC_ALL": "C", "CLICOLOR_FORCE": "0"}
    kept: deque[str] = deque(maxlen=2000)
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None  # because of PIPE; for the type checker
        for line in process.stdout:
            log.write(line)
            kept.append(line.rstrip())
            on_line(line)
    if process.returncode != 0:
        log.flush()
        raise BuildError(_explain(list(kept), Path(log.name)))


def _explain(output: list[str], log: Path) -> str:
    shown = "\n".join(f"  {line}" for line in error_lines(output))
    hint = ""
    if any(_KILLED.search(line) for line in output):
        hint = (
            "\nThe compiler was killed, perhaps for lack of memory: try `glassml build --jobs 1`."
        )
    return f"the build failed:\n{shown}{hint}\nThe complete output is in {log}"

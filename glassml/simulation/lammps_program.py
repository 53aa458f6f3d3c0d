"""A LAMMPS of the user's own: which program, how it is launched, and whether it really runs."""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from pathlib import Path

from glassml.errors import ConfigError, SimulationError
from glassml.simulation.lammps import (
    LammpsProgram,
    find_lammps,
    find_program,
    lammps_help,
    run_lammps,
)

__all__ = ["default_program", "own_program", "try_program", "with_whole_path"]

_TRIAL = "units lj\nregion box block 0 20 0 20 0 20\ncreate_box 1 box\n"
_RANKS = "{ranks}"


def default_program() -> LammpsProgram:
    """The LAMMPS of this environment on one rank.

    Raises:
        SimulationError: there is none, or it does not start.
    """
    found = find_lammps()
    return LammpsProgram((str(found.lmp),), (), 1, found.version, found.packages)


def own_program(command: str | None, launcher: str | None, ranks: int) -> LammpsProgram:
    """A LAMMPS with its launcher, from settings.

    Args:
        command: the program, with arguments if it needs any, such as "lmp -sf omp". Default: the
            LAMMPS of this environment.
        launcher: command that starts several ranks, such as "srun -n {ranks}". Default: the
            mpiexec beside the program or else on PATH, if there is more than one rank.
        ranks: number of MPI ranks.

    Raises:
        ConfigError: a program does not exist, or the launcher does not say how many ranks.
        SimulationError: LAMMPS does not start.
    """
    words = _words("lammps.command", command) if command else [str(find_lammps().lmp)]
    words[0] = _program("lammps.command", words[0])
    if launcher is not None:
        starts = _launcher(launcher, ranks)
    elif ranks > 1:
        mpiexec = find_program("mpiexec", Path(words[0]).parent)
        if mpiexec is None:
            raise ConfigError(
                f"lammps.ranks: expected a launcher for {ranks} ranks; found no mpiexec beside "
                f"{words[0]} or on PATH. Give one, such as lammps.launcher: srun -n {_RANKS}"
            )
        starts = (str(mpiexec), "-n", str(ranks))
    else:
        starts = ()
    version, packages = lammps_help(tuple(words))
    return LammpsProgram(tuple(words), starts, ranks, version, packages)


def with_whole_path(field: str, command: str, folder: Path) -> str:
    """A command whose program, if it is a relative path such as ./lmp, is made absolute.

    Args:
        field: the setting, for messages.
        command: the program with its arguments; one on PATH is left as it is.
        folder: base of a relative path.

    Raises:
        ConfigError: it is no command.
    """
    words = _words(field, command)
    if "/" not in words[0]:
        return command
    return shlex.join([str((folder / words[0]).absolute()), *words[1:]])


def try_program(program: LammpsProgram) -> None:
    """Start LAMMPS as tasks will, and check the number of its ranks.

    A launcher of another MPI starts as many LAMMPS of one rank each, which would all write the same
    files.

    Raises:
        SimulationError: it does not start, or has another number of ranks.
    """
    with tempfile.TemporaryDirectory(prefix="glassml-trial-") as folder:
        try:
            output = run_lammps(
                _TRIAL, cwd=folder, program=program, timeout=300, plugin=False
            ).stdout
        except SimulationError as error:
            raise SimulationError(
                f"lammps: expected `{program}` to run a small script; found: {error}"
            ) from None
    grids = re.findall(r"(\d+) by (\d+) by (\d+) MPI processor grid", output)
    found = [int(x) * int(y) * int(z) for x, y, z in grids]
    if found == [program.ranks]:
        return
    if len(found) > 1:
        raise SimulationError(
            f"lammps: expected one LAMMPS of {program.ranks} ranks; found {len(found)} of "
            f"{found[0]} each. The launcher `{' '.join(program.launcher)}` belongs to another MPI "
            "than LAMMPS, or LAMMPS was built without MPI. Give the launcher of its MPI "
            "(lammps.launcher)"
        )
    raise SimulationError(
        f"lammps: expected a LAMMPS of {program.ranks} ranks; found "
        f"{found[0] if found else 'an unknown number of'} ranks with `{program}`"
    )


def _launcher(text: str, ranks: int) -> tuple[str, ...]:
    words = _words("lammps.launcher", text)
    if ranks > 1 and not any(_RANKS in word for word in words):
        raise ConfigError(
            f"lammps.launcher: expected {_RANKS} where the number of ranks belongs, as in "
            f"srun -n {_RANKS}; found {text!r}"
        )
    words[0] = _program("lammps.launcher", words[0])
    return tuple(word.replace(_RANKS, str(ranks)) for word in words)


def _words(field: str, text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"{field}: expected a command; found {text!r} ({error})") from None
    if not words:
        raise ConfigError(f"{field}: expected a command; found {text!r}")
    return words


def _program(field: str, name: str) -> str:
    """The whole path of a program, as tasks run in other folders."""
    found = shutil.which(name)
    if found is None:
        where = "no such program" if "/" in name else f"no program {name} on PATH"
        raise ConfigError(f"{field}: expected a program that can be run; found {where}: {name!r}")
    return str(Path(found).absolute())

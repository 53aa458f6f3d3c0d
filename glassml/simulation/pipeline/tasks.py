"""A task: one LAMMPS script or one evaluation, done once and kept under the hash of what it is."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from glassml.errors import GlassMLError, InputError, SimulationError
from glassml.simulation.lammps import run_lammps

__all__ = ["Task", "clear_unfinished", "execute", "remove_consumed", "seed_of"]

_VERSION = 1  # of what evaluations compute; raised when one changes, so that it is done anew
_PARTIAL = ".partial-"
_RESTART_END = b"LammpS RestartT\0"  # with it ends every complete restart file


@dataclass(frozen=True)
class Task:
    """One piece of work, which depends on nothing but what it holds.

    Attributes:
        stage: the stage that it belongs to, for people.
        name: what it is about, such as "T0.64-replica1-window2"; unique in a simulation.
        script: LAMMPS commands; empty where there is nothing to simulate. They read and write files
            in the folder in which they run, under names that are unique in a simulation.
        files: small files that the script reads: name -> text.
        inputs: files of other tasks: name -> key of the task that writes it.
        outputs: files that are kept.
        evaluate: called after LAMMPS with the task and its folder; writes the rest of the outputs.
        parameters: of the evaluation; plain values.
        consumes: whether the inputs may be removed once it is done; restart files stay.
        cost: time steps times particles, for the estimate of the time left [-].
    """

    stage: str
    name: str
    script: str
    outputs: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    evaluate: Callable[[Task, Path], None] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    consumes: bool = False
    cost: float = 0.0

    @cached_property
    def key(self) -> str:
        """Hash of everything that the outputs follow from."""
        facts = {
            "version": _VERSION,
            "name": self.name,
            "script": self.script,
            "files": dict(self.files),
            "inputs": dict(self.inputs),
            "outputs": self.outputs,
            "evaluate": self.evaluate.__name__ if self.evaluate else "",
            "parameters": dict(self.parameters),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]

    def folder(self, work: Path) -> Path:
        """Where its outputs are, once it is done."""
        return work / self.key

    def is_done(self, work: Path) -> bool:
        """Whether all its outputs are there."""
        return all(self.path(work, name).is_file() for name in self.outputs)

    def path(self, work: Path, output: str) -> Path:
        """One of its outputs."""
        return self.folder(work) / output


def execute(task: Task, work: Path) -> str:
    """Do a task, unless it is done already. Called in any thread, process or machine.

    It runs in a folder of its own, which gets its name when all is written: a task that is killed
    leaves no result, and one that is there is whole.

    Args:
        task: what to do; the tasks whose outputs it reads are done.
        work: folder of all tasks.

    Returns:
        The task's key.

    Raises:
        GlassMLError: LAMMPS stopped, a result is missing or truncated, or a file cannot be read or
            written; names stage and task.
    """
    if task.is_done(work):
        return task.key
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PARTIAL}{task.key}-", dir=work))
        _prepare(task, folder, work)
        if task.script:
            # A build of fix glassml would load torch into every LAMMPS; simulations need neither.
            env = {"OMP_NUM_THREADS": "1", "GLASSML_NATIVE_DIR": str(folder)}
            run_lammps(task.script, cwd=folder, env=env)
            _check_restarts(task, folder)
        if task.evaluate is not None:
            task.evaluate(task, folder)
        _keep(task, folder)
        _rename(folder, task.folder(work))
    except GlassMLError as error:
        raise type(error)(f"stage {task.stage}, {task.name}: {error}") from None
    except OSError as error:
        raise InputError(f"stage {task.stage}, {task.name}: {_explain(error, work)}") from None
    return task.key


def clear_unfinished(work: Path) -> None:
    """Remove what a killed run left half-done, and stop the LAMMPS programs that it left behind."""
    for folder in work.glob(f"{_PARTIAL}*"):
        _stop_programs_in(folder)
        shutil.rmtree(folder, ignore_errors=True)
    for file in work.parent.glob(".*.partial.*"):  # of a dataset or the picture
        file.unlink(missing_ok=True)


def remove_consumed(task: Task, work: Path) -> None:
    """Remove the inputs of a task that is done, if nobody else needs them."""
    for name, key in task.inputs.items():
        if task.consumes and not name.endswith(".restart"):
            (work / key / name).unlink(missing_ok=True)


def seed_of(seed: int, name: str) -> int:
    """A seed for one purpose, 1 to 899 999 999 as LAMMPS wants it, from the simulation's seed."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return min(int.from_bytes(digest[:8], "little") % 900_000_000 + 1, 899_999_999)


def _explain(error: OSError, work: Path) -> str:
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"cannot write in {work}: {reason}; what is done is kept, so make room and run the "
            "same command again"
        )
    return (
        f"cannot read or write {error.filename or work}: {reason}; what is done is kept, so put "
        "this right and run the same command again"
    )


def _prepare(task: Task, folder: Path, work: Path) -> None:
    for name, text in task.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, key in task.inputs.items():
        (folder / name).symlink_to(Path("..") / key / name)


def _check_restarts(task: Task, folder: Path) -> None:
    """LAMMPS does not notice a disk that is full while it writes; its restart files tell."""
    for name in task.outputs:
        if name.endswith(".restart"):
            with contextlib.suppress(OSError), (folder / name).open("rb") as stream:
                stream.seek(-len(_RESTART_END), os.SEEK_END)
                if stream.read() == _RESTART_END:
                    continue
            raise SimulationError(
                f"LAMMPS wrote no complete {name}; is the disk full? There are "
                f"{shutil.disk_usage(folder).free / 1e6:.0f} MB free in {folder}"
            )


def _keep(task: Task, folder: Path) -> None:
    """Remove all but the outputs and LAMMPS' log."""
    kept = {*task.outputs, "log.lammps"}
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()
    for name in task.outputs:
        if not (folder / name).is_file():
            raise SimulationError(f"expected a file {name}, which was not written")


def _rename(folder: Path, final: Path) -> None:
    try:
        folder.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        # It was done before, and what others no longer needed has been removed since.
        for path in folder.iterdir():
            path.replace(final / path.name)
        folder.rmdir()


def _stop_programs_in(folder: Path) -> None:
    """Stop programs of LAMMPS whose working folder this is, where the system tells (Linux)."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").resolve() != folder.resolve():
                continue
            if b"lmp" in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)

"""Tasks that are a LAMMPS script, an evaluation of files, or both."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glassml.errors import SimulationError
from glassml.simulation.lammps import run_lammps
from glassml.work import Evaluator, Task, evaluator

__all__ = ["lammps_task", "run_script"]

_RESTART_END = b"LammpS RestartT\0"  # every complete restart file ends with it


def lammps_task(
    *,
    stage: str,
    name: str,
    outputs: tuple[str, ...],
    script: str = "",
    files: Mapping[str, str] | None = None,
    inputs: Mapping[str, str] | None = None,
    evaluate: Evaluator | None = None,
    parameters: Mapping[str, Any] | None = None,
    consumes: bool = False,
    cost: float = 0.0,
) -> Task:
    """A task of a simulation.

    Args:
        stage: the stage it belongs to, for messages.
        name: name such as "T0.64-replica1-window2"; unique in a simulation.
        outputs: files that are kept; the log of LAMMPS is added to them.
        script: LAMMPS commands; empty where there is nothing to simulate. They read and write files
            in the task's folder, under names that are unique in a simulation.
        files: small files that the script reads: name -> text.
        inputs: files of other tasks: name -> key of the task that writes it.
        evaluate: called after LAMMPS; writes those outputs that the script does not.
        parameters: parameters of the evaluation; plain values.
        consumes: whether the inputs may be removed once it is done.
        cost: time steps times particles [-].
    """
    return Task(
        evaluators=(*([run_script] if script else []), *([evaluate] if evaluate else [])),
        outputs=(*outputs, *(["log.lammps"] if script else [])),
        facts={
            "stage": stage,
            "name": name,
            "script": script,
            "files": dict(files or {}),
            "parameters": dict(parameters or {}),
        },
        inputs=dict(inputs or {}),
        label=f"stage {stage}, {name}",
        consumes=consumes,
        cost=cost,
    )


@evaluator(version=1)
def run_script(task: Task, folder: Path) -> None:
    """Run the script of a task, with the LAMMPS in its payload or else that of the environment.

    Raises:
        SimulationError: LAMMPS stopped, or a restart file is not complete.
    """
    for name, text in task.facts["files"].items():
        (folder / name).write_text(text, encoding="utf-8")
    env = {"OMP_NUM_THREADS": "1"}
    run_lammps(task.facts["script"], cwd=folder, env=env, program=task.payload, plugin=False)
    for name in task.outputs:
        if name.endswith(".restart"):
            _check_restart(folder / name)


def _check_restart(path: Path) -> None:
    """Check that a restart file is complete: LAMMPS does not notice a full disk."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        stream.seek(-len(_RESTART_END), os.SEEK_END)
        if stream.read() == _RESTART_END:
            return
    raise SimulationError(
        f"{path.name}: expected a complete file of LAMMPS; found none. Is the disk full? There are "
        f"{shutil.disk_usage(path.parent).free / 1e6:.0f} MB free in {path.parent}"
    )

"""The scripts of a simulation as files, for people who run LAMMPS by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glassml.errors import InputError
from glassml.simulation.pipeline.tasks import Task

__all__ = ["write_scripts"]

_README = """\
LAMMPS input scripts, as `glassml simulate` runs them (LAMMPS {version}).

All run in this folder, in the order of their numbers, each by itself and on one rank:

    for script in *.in; do lmp -in $script || break; done

A script reads the restart file that an earlier one wrote; which one is in its line read_restart.
On the same computer they repeat the simulation to the last bit. Stages:

{stages}
What glassml computes from their dumps: the scattering function F_s of the windows, from which it
decides when the liquid is equilibrated; and averages of displacements over the runs of an ensemble.
"""
_MISSING = """
More scripts follow from results that are not there yet: {missing}. Run `glassml simulate`, then
write the scripts again.
"""


def write_scripts(tasks: Sequence[Task], folder: Path, version: str, missing: str | None) -> None:
    """Write one numbered script a task, the small files that they read, and a README.

    Args:
        tasks: in the order in which they can run.
        folder: to write into; made if missing.
        version: of LAMMPS.
        missing: what is not known yet, in words; None if all is.

    Raises:
        InputError: the folder cannot be written.
    """
    digits = len(str(len(tasks)))
    stages: dict[str, list[str]] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, task in enumerate(tasks, start=1):
            name = f"{number:0{digits}d}-{task.name}.in"
            (folder / name).write_text(task.script, encoding="utf-8")
            stages.setdefault(task.stage, []).append(name)
            for file, text in task.files.items():
                (folder / file).write_text(text, encoding="utf-8")
        table = "".join(
            f"    {stage:12} {len(names):6} script(s), {names[0]} and on\n"
            for stage, names in stages.items()
        )
        text = _README.format(version=version, stages=table)
        text += _MISSING.format(missing=missing) if missing else ""
        (folder / "README.txt").write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot write here ({error.strerror})") from None

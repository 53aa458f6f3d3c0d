"""The scripts of a simulation as files, for people who run LAMMPS by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glassml.errors import InputError
from glassml.work import Task

__all__ = ["write_scripts"]

_README = """\
LAMMPS input scripts, as `glassml simulate` runs them (LAMMPS {version}).

Run them in this folder, one after the other in the order of their numbers, each on one rank:

    for script in *.in; do lmp -in $script || break; done

Each script reads the restart file of an earlier one, which its line read_restart names. On the same
computer the scripts repeat the simulation to the last bit. Stages:

{stages}
From their dumps glassml computes the scattering function F_s of the windows, which shows when the
liquid is equilibrated, and averages of displacements over the runs of an ensemble.
"""
_MISSING = """
Further scripts depend on results that do not exist yet: {missing}. Run `glassml simulate`, then
write the scripts again.
"""


def write_scripts(tasks: Sequence[Task], folder: Path, version: str, missing: str | None) -> None:
    """Write one numbered script per task, the small files that the scripts read, and a README.

    Args:
        tasks: in the order in which they can run.
        folder: to write into; made if missing.
        version: of LAMMPS.
        missing: description of the results that further scripts depend on; None if there are none.

    Raises:
        InputError: the folder cannot be written.
    """
    digits = len(str(len(tasks)))
    stages: dict[str, list[str]] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, task in enumerate(tasks, start=1):
            facts = task.facts
            name = f"{number:0{digits}d}-{facts['name']}.in"
            (folder / name).write_text(facts["script"], encoding="utf-8")
            stages.setdefault(facts["stage"], []).append(name)
            for file, text in facts["files"].items():
                (folder / file).write_text(text, encoding="utf-8")
        table = "".join(
            f"    {stage:12} {len(names):6} script(s), from {names[0]} on\n"
            for stage, names in stages.items()
        )
        text = _README.format(version=version, stages=table)
        text += _MISSING.format(missing=missing) if missing else ""
        (folder / "README.txt").write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write here ({error.strerror}). Choose another folder"
        ) from None

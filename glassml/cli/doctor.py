"""`glassml doctor`: what this environment has and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from glassml.cli.options import AsJson

if TYPE_CHECKING:
    from glassml.native.doctor import Diagnosis

__all__ = ["doctor"]


def doctor(as_json: AsJson = False) -> None:
    """Check torch, LAMMPS, MPI, the compilers and the native build, and say what to do.

    The exit status is 0 if Python can train, predict and serve ASE. LAMMPS, the compilers and the
    native build are optional: what is missing is listed, but does not change the exit status.

    For example:

        glassml doctor
    """
    import json

    from glassml.native.doctor import diagnose

    diagnosis = diagnose()
    if as_json:
        typer.echo(json.dumps(diagnosis.as_dict(), indent=2))
    else:
        _print(diagnosis)
    if not diagnosis.ok:
        raise typer.Exit(1)


def _print(diagnosis: Diagnosis) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    marks = {
        "ok": ("ok", "green"),
        "optional": ("optional", "yellow"),
        "problem": ("PROBLEM", "red"),
    }
    table = Table("", "", box=box.SIMPLE)
    table.add_column("found", overflow="fold")  # a path that is cut cannot be copied
    table.add_column("what to do", overflow="fold")
    for check in diagnosis.checks:
        mark, colour = marks[check.state]
        table.add_row(check.name, Text(mark, style=colour), Text(check.found), Text(check.advice))
    console = Console()
    console.print(table)
    console.print(_conclusion(diagnosis))


def _conclusion(diagnosis: Diagnosis) -> str:
    if not diagnosis.ok:
        return "glassml cannot work here: repair what is marked PROBLEM."
    unusable = [check.name for check in diagnosis.checks if check.state == "optional"]
    if not unusable:
        return "Everything is here: training, ASE, offline prediction and LAMMPS."
    listing = ", ".join(unusable)
    return f"Training, ASE and offline prediction work. Optional and not usable: {listing}."

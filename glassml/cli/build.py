"""`glassml build`: compile the operators and the LAMMPS plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glassml.cli.options import jobs_option

__all__ = ["build"]


def build(
    lammps: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="LAMMPS source tree or installation prefix.",
            show_default="the LAMMPS of this environment",
        ),
    ] = None,
    mpicxx: Annotated[
        str | None,
        typer.Option(
            metavar="PROGRAM", help="MPI compiler wrapper that this LAMMPS was built with."
        ),
    ] = None,
    ops_only: Annotated[
        bool, typer.Option("--ops-only", help="Compile the operators only, no LAMMPS plugin.")
    ] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Compile everything, not only what has changed.")
    ] = False,
    jobs: Annotated[int | None, jobs_option("Compilers", "as cores and memory allow")] = None,
    tests: Annotated[
        bool, typer.Option("--tests", help="Compile the programs of glassml's own tests too.")
    ] = False,
) -> None:
    """Compile `fix glassml` for LAMMPS and the fast operators on this machine.

    They are compiled against the torch and the LAMMPS of this Python environment (or the LAMMPS
    that --lammps names), tested, and installed where LAMMPS and Python find them. Build again after
    an upgrade of torch, LAMMPS or glassml; `glassml doctor` says when that is needed.

    Examples, the second one without LAMMPS:

        glassml build
        glassml build --ops-only --jobs 1
    """
    from glassml.native.build import build as build_native
    from glassml.progress import TerminalProgress

    report = build_native(
        lammps,
        ops_only=ops_only,
        clean=clean,
        jobs=jobs,
        mpicxx=mpicxx,
        tests=tests,
        progress=TerminalProgress(),
    )
    for line in report.summary():
        typer.echo(line)

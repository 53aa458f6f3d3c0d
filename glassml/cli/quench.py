"""`glassml quench`: inherent structures and energies for existing configurations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli.options import (
    DatasetOutput,
    FileFormat,
    Overwrite,
    SpeciesNames,
    jobs_option,
)
from glassml.cli.output import check_absent, continued_later

if TYPE_CHECKING:
    from glassml.data import ReadOptions
    from glassml.simulation import System

__all__ = ["quench"]

_Source = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        help="A structure file (extxyz, LAMMPS dump or data, GSD, ...), a published data file, a "
        "glassml dataset, or the name of a shipped one.",
        show_default=False,
    ),
]
_System = Annotated[
    str | None,
    typer.Option(
        "--system",
        metavar="NAME",
        help="Interactions: kob-andersen, kob-andersen-2d or wahnstrom.",
    ),
]
_Include = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Interactions of another system: LAMMPS commands to run once the box exists (mass, "
        "pair_style, pair_coeff). Their types 1, 2, ... are the species of INPUT, in order.",
    ),
]
_Truncation = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="For --system: shifted, force-shifted, truncated or smooth.",
        show_default="the published one",
    ),
]
_Units = Annotated[str, typer.Option(metavar="NAME", help="For --include: LAMMPS units.")]
_Tolerance = Annotated[
    float, typer.Option(metavar="FORCE", help="Largest force that may remain on any particle.")
]
_Iterations = Annotated[int, typer.Option(metavar="N", help="Largest number of steps of FIRE.")]


def quench(
    source: _Source,
    output: DatasetOutput,
    system: _System = None,
    include: _Include = None,
    truncation: _Truncation = None,
    units: _Units = "lj",
    species: SpeciesNames = None,
    force_tolerance: _Tolerance = 1e-8,
    max_iterations: _Iterations = 100_000,
    jobs: Annotated[int | None, jobs_option("Quenches", "all cores")] = None,
    file_format: FileFormat = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Add inherent structures, and potential energies before and after, to configurations.

    LAMMPS brings every configuration to the nearest minimum of its potential energy. To continue
    after an interruption, run the same command again.

    For example:

        glassml quench kob_andersen_T0.64 -o inherent.h5 --system kob-andersen
    """
    from glassml.data import ReadOptions, SpeciesMap
    from glassml.progress import TerminalProgress
    from glassml.simulation import quench_file

    check_absent(output, overwrite)
    options = ReadOptions(species=SpeciesMap.parse(species) if species else None)
    chosen = _chosen_system(system, include, truncation, units, source, file_format, options)
    with continued_later():
        report = quench_file(
            source,
            output,
            chosen,
            file_format=file_format,
            options=options,
            force_tolerance=force_tolerance,
            max_iterations=max_iterations,
            jobs=jobs,
            progress=TerminalProgress(),
        )
    typer.echo(
        f"{report.output}: {report.configurations} configurations"
        + (f" ({report.resumed} from an earlier run)" if report.resumed else "")
        + f", largest force {report.largest_force:.3g}"
    )


def _chosen_system(
    name: str | None,
    include: Path | None,
    truncation: str | None,
    units: str,
    source: Path,
    file_format: str,
    options: ReadOptions,
) -> System:
    from glassml.data import read_configurations
    from glassml.errors import InputError
    from glassml.simulation import from_include, system_named

    if (name is None) == (include is None):
        given = "neither" if name is None else "both"
        raise InputError(
            f"--system, --include: expected one of them, for the interactions; found {given}"
        )
    if include is None:
        return system_named(str(name), **({} if truncation is None else {"truncation": truncation}))
    first = next(read_configurations(source, file_format, options))
    return from_include(include, first.species_names, units=units, dimension=first.dimension)

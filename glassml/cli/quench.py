"""`glassml quench`: inherent structures and energies for existing configurations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glassml.data import ReadOptions
    from glassml.simulation import System

__all__ = ["quench"]

_Source = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A structure file (extxyz, LAMMPS dump or data, GSD, ...), a published data file or a "
        "glassml dataset.",
        show_default=False,
    ),
]
_Out = Annotated[
    Path, typer.Option("--output", "-o", help="HDF5 dataset to write.", show_default=False)
]
_System = Annotated[
    str | None,
    typer.Option(
        "--system", help="kob-andersen, kob-andersen-2d or wahnstrom.", show_default=False
    ),
]
_Include = Annotated[
    Path | None,
    typer.Option(
        help="LAMMPS commands of another system, for after the box exists: mass, pair_style, "
        "pair_coeff. Its types 1, 2, ... are the species of FILE in their order."
    ),
]
_Truncation = Annotated[
    str | None,
    typer.Option(
        help="Of a built-in system: shifted, force-shifted, truncated or smooth. [default: the "
        "published one]",
        show_default=False,
    ),
]
_Units = Annotated[str, typer.Option(help="LAMMPS' units, with --include.")]
_Species = Annotated[
    str | None,
    typer.Option(
        help='What the particles of a structure file are: the types 1, 2, ... as "A,B", or '
        'chemical symbols as "H=A,He=B".'
    ),
]
_Tolerance = Annotated[float, typer.Option(help="Largest force that may be left on any particle.")]
_Iterations = Annotated[int, typer.Option(help="Of FIRE.")]
_Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", help="Quenches at once. [default: all cores]")
]
_Format = Annotated[
    str, typer.Option("--format", help="Of FILE; the names of `glassml data convert`.")
]
_Overwrite = Annotated[bool, typer.Option(help="Replace the output if it exists.")]


def quench(
    source: _Source,
    output: _Out,
    system: _System = None,
    include: _Include = None,
    truncation: _Truncation = None,
    units: _Units = "lj",
    species: _Species = None,
    force_tolerance: _Tolerance = 1e-8,
    max_iterations: _Iterations = 100_000,
    jobs: _Jobs = None,
    file_format: _Format = "auto",
    overwrite: _Overwrite = False,
) -> None:
    """Add inherent structures, and potential energies before and after, to configurations.

    Every configuration is brought to the local minimum of its potential energy. Stopped or killed,
    the same command goes on where it was.

    Example: `glassml quench train.h5 -o train_inherent.h5 --system kob-andersen`
    """
    from glassml.data import ReadOptions, SpeciesMap
    from glassml.errors import InputError
    from glassml.progress import TerminalProgress
    from glassml.simulation import quench_file

    if output.exists() and not overwrite:
        raise InputError(f"{output}: exists already; expected a new name (-o), or --overwrite")
    options = ReadOptions(species=SpeciesMap.parse(species) if species else None)
    chosen = _chosen_system(system, include, truncation, units, source, file_format, options)
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
    dimension = 3 if first.plane is None else 2
    return from_include(include, first.species_names, units=units, dimension=dimension)

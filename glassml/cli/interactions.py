"""What `glassml quench` and `glassml average` share: their input, and the interactions in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glassml.data import ReadOptions
    from glassml.simulation import System

__all__ = ["Include", "Source", "SystemName", "Truncation", "Units", "chosen_system"]

Source = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        help="A structure file (extxyz, LAMMPS dump or data, GSD, ...), a published data file, a "
        "glassml dataset, or the name of a shipped one.",
        show_default=False,
    ),
]
SystemName = Annotated[
    str | None,
    typer.Option(
        "--system",
        metavar="NAME",
        help="Interactions: kob-andersen, kob-andersen-2d or wahnstrom.",
    ),
]
Include = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Interactions of another system: LAMMPS commands to run once the box exists (mass, "
        "pair_style, pair_coeff). Their types 1, 2, ... are the species of INPUT, in order.",
    ),
]
Truncation = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="For --system: shifted, force-shifted, truncated or smooth.",
        show_default="the published one",
    ),
]
Units = Annotated[str, typer.Option(metavar="NAME", help="For --include: LAMMPS units.")]


def chosen_system(
    name: str | None,
    include: Path | None,
    truncation: str | None,
    units: str,
    source: Path,
    file_format: str,
    options: ReadOptions,
) -> System:
    """The system of `--system` or `--include`.

    Args:
        name: of a built-in system.
        include: file of LAMMPS commands; one of both must be given.
        truncation: of a built-in system.
        units: of an include file.
        source: the input, whose species are the types of an include file.
        file_format: of the input.
        options: how to read it.

    Raises:
        InputError: both or none is given, or one does not fit.
        SimulationError: LAMMPS refuses the include file.
    """
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

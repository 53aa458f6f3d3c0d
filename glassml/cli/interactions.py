"""What `glassml quench` and `glassml average` share: their input, and the interactions in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli.options import directions

if TYPE_CHECKING:
    from glassml.data import Configuration, ReadOptions
    from glassml.simulation import System

__all__ = [
    "Include",
    "OtherInteractions",
    "Source",
    "SystemName",
    "Truncation",
    "Units",
    "chosen_system",
    "read_options",
]

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
        show_default="those with which `glassml simulate` made INPUT",
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
Units = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="For --include: LAMMPS units.",
        show_default="those of INPUT, if it states them or its lengths tell",
    ),
]

OtherInteractions = Annotated[
    bool,
    typer.Option(
        "--other-interactions",
        help="Use interactions other than those with which `glassml simulate` made INPUT.",
    ),
]


def chosen_system(
    name: str | None,
    include: Path | None,
    truncation: str | None,
    units: str | None,
    source: Path,
    file_format: str,
    options: ReadOptions,
    other_interactions: bool = False,
) -> System:
    """The system of `--system` or `--include`, or the one that the input records.

    Args:
        name: of a built-in system.
        include: file of LAMMPS commands. One of both must be given, unless the input records its
            system.
        truncation: of a built-in system.
        units: of an include file.
        source: the input, whose species are the types of an include file.
        file_format: of the input.
        options: how to read it.
        other_interactions: accept others than those that the input records.

    Raises:
        InputError: both or none is given, or one does not fit or contradicts the record.
        SimulationError: LAMMPS refuses the include file.
    """
    from glassml.data import read_configurations
    from glassml.errors import InputError
    from glassml.simulation import from_include, system_named
    from glassml.simulation.recorded import check_agreement, check_files, recorded_system

    recorded = recorded_system(source)
    if (name is not None and include is not None) or (name is include and recorded is None):
        given = "neither" if name is None else "both"
        raise InputError(
            f"--system, --include: expected one of them, for the interactions; found {given}"
        )
    if truncation is not None and name is None:
        raise InputError(
            "--truncation: expected --system, the built-in system whose potential is truncated so; "
            "found none"
        )
    if recorded is not None and units not in (None, recorded.units):
        raise InputError(
            f"--units: expected {recorded.units}, which {source} records, or no value; found "
            f"{units}"
        )
    if include is not None:
        first = next(read_configurations(source, file_format, options))
        units = units or (recorded.units if recorded else _units_for(first, include))
        chosen = from_include(include, first.species_names, units=units, dimension=first.dimension)
    elif name is not None:
        options_given = {} if truncation is None else {"truncation": truncation}
        chosen = system_named(name, **options_given)
    else:
        assert recorded is not None, "checked above"
        check_files(recorded, source)
        return recorded
    if recorded is not None:
        check_agreement(chosen, recorded, source, other_interactions=other_interactions)
    return chosen


def read_options(
    source: Path, species: str | None, units: str | None, name: str | None, pbc: str | None
) -> ReadOptions:
    """How to read the input: its species, periodicity, and unit of length if it is no dataset.

    Args:
        source: the input.
        species: of `--species`.
        units: of `--units`, which state the lengths.
        name: of `--system`; all built-in systems are in LJ units.
        pbc: of `--pbc`.

    Raises:
        InputError: LAMMPS has no units of this name, or species or directions have another form.
    """
    import h5py

    from glassml.data import ReadOptions, SpeciesMap, dataset_path
    from glassml.errors import InputError, not_one_of
    from glassml.physics.units import UNIT_STYLES

    if units is not None and units not in UNIT_STYLES:
        raise InputError(f"--units: {not_one_of(units, UNIT_STYLES)}")
    unit = "lj" if name else UNIT_STYLES[units].length if units else None
    file = dataset_path(source)
    stated = file.is_file() and h5py.is_hdf5(file)
    return ReadOptions(
        species=SpeciesMap.parse(species) if species else None,
        length_unit=None if stated else unit,
        pbc=directions(pbc),
    )


def _units_for(configuration: Configuration, include: Path) -> str:
    """The units of an include file, if the lengths of the input tell.

    Raises:
        InputError: they do not.
    """
    from glassml.errors import InputError
    from glassml.physics.units import UNIT_STYLES

    fitting = [
        name for name, style in UNIT_STYLES.items() if style.length == configuration.length_unit
    ]
    if len(fitting) == 1:
        return fitting[0]
    raise InputError(
        f"--units: expected the LAMMPS units of {include}: one of {', '.join(fitting)}, as lengths "
        f"of {configuration.name} are in {configuration.length_unit}; found none"
    )

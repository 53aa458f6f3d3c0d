"""`glassml quench`: inherent structures and energies for existing configurations."""

from __future__ import annotations

from typing import Annotated

import typer

from glassml.cli.interactions import (
    Include,
    OtherInteractions,
    Source,
    SystemName,
    Truncation,
    Units,
    chosen_system,
    read_options,
)
from glassml.cli.interruption import interruption_keeps
from glassml.cli.options import (
    DatasetOutput,
    FileFormat,
    Overwrite,
    PeriodicDirections,
    SpeciesNames,
    jobs_option,
)
from glassml.cli.output import check_absent

__all__ = ["quench"]

_Tolerance = Annotated[
    float | None,
    typer.Option(
        metavar="FORCE",
        help="Largest force that may remain on any particle.",
        show_default="1e-8 for Lennard-Jones liquids, scaled to the material for others",
    ),
]
_Iterations = Annotated[int, typer.Option(metavar="N", help="Largest number of steps of FIRE.")]
_Voronoi = Annotated[
    bool,
    typer.Option(
        help="Also the surface of each particle's radical Voronoi cell in its inherent structure, "
        "an input of the model glassmlp."
    ),
]
_Radii = Annotated[
    str | None,
    typer.Option(
        metavar="R,R",
        help="For --voronoi: radii of the species, in their order.",
        show_default="half of sigma_aa for --system, half of the diameters if particles have some, "
        "equal radii for others",
    ),
]


def quench(
    source: Source,
    output: DatasetOutput,
    system: SystemName = None,
    include: Include = None,
    truncation: Truncation = None,
    units: Units = None,
    other_interactions: OtherInteractions = False,
    species: SpeciesNames = None,
    pbc: PeriodicDirections = None,
    force_tolerance: _Tolerance = None,
    max_iterations: _Iterations = 100_000,
    voronoi: _Voronoi = False,
    radii: _Radii = None,
    jobs: Annotated[int | None, jobs_option("Quenches", "all cores")] = None,
    file_format: FileFormat = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Add inherent structures, and potential energies before and after, to configurations.

    LAMMPS brings every configuration to the nearest minimum of its potential energy. To continue
    after an interruption, run the same command again.

    For example:

        glassml quench kob_andersen_T0.64 -o inherent.h5
        glassml quench run.lammpstrj -o inherent_run.h5 --species A,B --system kob-andersen

    A dataset that `glassml simulate` made records its interactions and units; other files need
    `--system` or `--include`.
    """
    from glassml.progress import TerminalProgress
    from glassml.simulation import quench_file
    from glassml.simulation.each_configuration import kept

    check_absent(output, overwrite)
    options = read_options(source, species, units, system, pbc)
    about = (source, file_format, options, other_interactions)
    chosen = chosen_system(system, include, truncation, units, *about)
    with interruption_keeps(lambda: kept(output, "quench")):
        report = quench_file(
            source,
            output,
            chosen,
            file_format=file_format,
            options=options,
            force_tolerance=force_tolerance,
            max_iterations=max_iterations,
            voronoi=voronoi,
            radii=_numbers(radii, voronoi),
            jobs=jobs,
            progress=TerminalProgress(),
        )
    typer.echo(
        f"{report.output}: {report.configurations} configurations"
        + (f" ({report.resumed} from an earlier run)" if report.resumed else "")
        + f", largest force {report.largest_force:.3g}"
    )


def _numbers(radii: str | None, voronoi: bool) -> list[float] | None:
    from glassml.cli.options import numbers
    from glassml.errors import InputError

    if radii is not None and not voronoi:
        raise InputError("--radii: expected --voronoi, which they are for; found none")
    return None if radii is None else numbers(radii, "--radii", float)

"""`glassml average`: positions of existing configurations, averaged over short runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

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
    Seed,
    SpeciesNames,
    jobs_option,
)
from glassml.cli.output import check_absent, say_warning

if TYPE_CHECKING:
    from glassml.data import Window
    from glassml.simulation import AverageReport

__all__ = ["average"]

_Windows = Annotated[
    int, typer.Option(metavar="W", min=1, help="Successive windows of each configuration.")
]
_Samples = Annotated[int, typer.Option(metavar="N", min=1, help="Samples in a window.")]
_Interval = Annotated[
    float | None,
    typer.Option(
        metavar="TIME",
        help="Between two samples, in the units of the interactions; a multiple of the time step.",
        show_default="20 time steps",
    ),
]
_Timestep = Annotated[
    float | None,
    typer.Option(
        metavar="TIME", help="Time step of the runs.", show_default="that of the interactions"
    ),
]
_Temperature = Annotated[
    float | None,
    typer.Option(
        metavar="T",
        help="Temperature of the runs.",
        show_default="the one in the provenance of each configuration",
    ),
]


def average(
    source: Source,
    output: DatasetOutput,
    system: SystemName = None,
    include: Include = None,
    truncation: Truncation = None,
    units: Units = None,
    other_interactions: OtherInteractions = False,
    species: SpeciesNames = None,
    pbc: PeriodicDirections = None,
    windows: _Windows = 1,
    samples: _Samples = 20,
    interval: _Interval = None,
    timestep: _Timestep = None,
    temperature: _Temperature = None,
    seed: Seed = 0,
    jobs: Annotated[int | None, jobs_option("Runs", "all cores")] = None,
    file_format: FileFormat = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Add positions averaged over a short run, and the vibrations around them, to configurations.

    From every configuration, which must be in equilibrium, LAMMPS runs with new velocities for
    W windows of N samples. Each window gives an averaged position of every particle. To continue
    after an interruption, run the same command again.

    For example:

        glassml average kob_andersen_T0.64 -o averaged.h5

    A dataset that `glassml simulate` made records its interactions and units; other files need
    `--system` or `--include`.
    """
    from glassml.data import Window
    from glassml.progress import TerminalProgress
    from glassml.simulation import average_file
    from glassml.simulation.each_configuration import kept
    from glassml.simulation.scales import SAMPLE_STEPS

    check_absent(output, overwrite)
    _check_positive({"--interval": interval, "--timestep": timestep})
    options = read_options(source, species, units, system, pbc)
    about = source, file_format, options, other_interactions
    chosen = chosen_system(system, include, truncation, units, *about)
    window = Window(interval or SAMPLE_STEPS * (timestep or chosen.timestep), samples)
    with interruption_keeps(lambda: kept(output, "average")):
        report = average_file(
            source,
            output,
            chosen,
            window=window,
            n_windows=windows,
            timestep=timestep,
            temperature=temperature,
            seed=seed,
            file_format=file_format,
            options=options,
            jobs=jobs,
            progress=TerminalProgress(),
        )
    _say(report, windows, window)


def _check_positive(times: dict[str, float | None]) -> None:
    from glassml.errors import InputError

    for option, value in times.items():
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"{option}: expected a positive time; found {value:g}")


def _say(report: AverageReport, windows: int, window: Window) -> None:
    typer.echo(
        f"{report.output}: {report.configurations} configurations"
        + (f" ({report.resumed} from an earlier run)" if report.resumed else "")
        + f", {windows} {'window' if windows == 1 else 'windows'} of {window}, "
        f"vibration {report.vibration:.3g}"
    )
    if report.warning is not None:
        say_warning(report.warning)

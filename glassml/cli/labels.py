"""`glassml data label`: labels from a plain trajectory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli.options import (
    DatasetOutput,
    LengthUnit,
    Overwrite,
    PeriodicDirections,
    SpeciesNames,
    directions,
)
from glassml.cli.output import check_absent, say_warning
from glassml.cli.trajectory_options import (
    FrameInterval,
    Start,
    Stop,
    Timestep,
    Trajectory,
    Unwrap,
)

if TYPE_CHECKING:
    from glassml.data import LabelledTrajectory

__all__ = ["label"]

_Times = Annotated[
    list[float],
    typer.Option(
        "--time",
        metavar="TIME",
        help="Time of the labels, a multiple of the time between frames. May be repeated.",
        show_default=False,
    ),
]
_Spacing = Annotated[
    float | None,
    typer.Option(
        metavar="TIME",
        help="Least time between labelled configurations, so that they are not copies of each "
        "other.",
        show_default="the longest --time",
    ),
]
_OneSided = Annotated[
    bool,
    typer.Option(
        "--one-sided",
        help="Also label frames near the ends, which have one direction only (1 run per label, "
        "not 2). Without it they are left out. One such frame leaves the dataset without noise "
        "ceilings and corrected coefficients.",
    ),
]
_Average = Annotated[
    int | None,
    typer.Option(
        metavar="SAMPLES",
        help="Also average the positions over windows of so many frames; the first window ends "
        "at the labelled frame.",
    ),
]
_SampleInterval = Annotated[
    float | None,
    typer.Option(
        metavar="TIME",
        help="Time between the samples of a window.",
        show_default="the time between frames",
    ),
]
_Windows = Annotated[
    int,
    typer.Option(
        metavar="W",
        help="Windows of each configuration, as augmentation: past, future seen backwards, "
        "further past, ...",
    ),
]
_Energy = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column of the potential energies.",
        show_default="c_pe or potential_energy, if there is one",
    ),
]


def label(
    trajectory: Trajectory,
    output: DatasetOutput,
    time: _Times,
    timestep: Timestep = None,
    frame_interval: FrameInterval = None,
    spacing: _Spacing = None,
    start: Start = None,
    stop: Stop = None,
    one_sided: _OneSided = False,
    average: _Average = None,
    sample_interval: _SampleInterval = None,
    windows: _Windows = 1,
    energy: _Energy = None,
    unwrap: Unwrap = "auto",
    species: SpeciesNames = None,
    length_unit: LengthUnit = None,
    pbc: PeriodicDirections = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a labelled dataset from one long trajectory in equilibrium.

    Each label is the mean of two displacements: from the frame forward in time, and backward, which
    time reversal makes another run from the same configuration. The volume must be constant, and
    the drift of the whole system is removed. `glassml evaluate` takes the noise of such labels into
    account. docs/howto/labels.md leads from a trajectory to a model in LAMMPS.

    For example:

        glassml data label long.lammpstrj --time 1 --timestep 0.005 --species A,B -o labelled.h5
    """
    from pathlib import Path

    from glassml.data import Clock, LabelOptions, SpeciesMap, find_inputs, label_trajectory
    from glassml.progress import TerminalProgress

    check_absent(output, overwrite)
    options = LabelOptions(
        times=tuple(time),
        clock=Clock(timestep, frame_interval, start, stop),
        spacing=spacing,
        one_sided=one_sided,
        unwrap=unwrap,
        samples=average,
        sample_interval=sample_interval,
        windows=windows,
        energy=energy,
        species=SpeciesMap.parse(species) if species else None,
        length_unit=length_unit,
        pbc=directions(pbc),
    )
    paths = [path for text in trajectory for path in find_inputs([Path(text)], "ase")]
    progress = TerminalProgress()
    result = label_trajectory(paths, output, options, progress)
    for warning in result.warnings:
        say_warning(warning)
    typer.echo(_summary(result, spacing is None))
    typer.echo(f"{output}: {result.configurations} configurations")


def _summary(result: LabelledTrajectory, by_default: bool) -> str:
    rule = "the longest time of the labels" if by_default else "--spacing"
    lines = [
        f"{result.frames} frames over {result.length:g}; "
        f"configurations at least {result.spacing:g} apart ({rule})",
        f"periodic wrapping undone by: {result.unwrapping}",
        f"potential energies: {result.energy or 'none'}",
    ]
    if result.similarity is not None:
        lines.append(f"F_s between one configuration and the next: {result.similarity:.2f}")
    return "\n".join(lines)

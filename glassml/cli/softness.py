"""`glassml softness`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli.options import (
    LengthUnit,
    ModelOutput,
    Overwrite,
    PeriodicDirections,
    Picture,
    Seed,
    SpeciesNames,
    Tables,
    directions,
)
from glassml.cli.output import check_absent, check_tables, say_note, say_written, write_tables
from glassml.cli.trajectory_options import (
    FrameInterval,
    Start,
    Stop,
    Timestep,
    Trajectory,
    Unwrap,
)

if TYPE_CHECKING:
    from pathlib import Path

    from glassml.studies.softness import SoftnessTable

__all__ = ["softness"]

_Tau = Annotated[
    float | None,
    typer.Option(
        metavar="TIME",
        help="Length of both windows of p_hop together, an even multiple of the time between "
        "frames.",
        show_default="10 in LJ units",
    ),
]
_Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="SQUARE",
        help="p_hop of a rearrangement, the square of a length.",
        show_default="0.2 sigma^2",
    ),
]
_TrainingThreshold = Annotated[
    float | None,
    typer.Option(
        metavar="SQUARE",
        help="p_hop of the rearrangements that are learnt from.",
        show_default="0.6 sigma^2",
    ),
]
_Quiet = Annotated[
    float | None,
    typer.Option(
        metavar="TIME",
        help="How long hard particles have not rearranged.",
        show_default="tau_alpha of the trajectory",
    ),
]
_Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SPECIES",
        help="Learn from this species only. May be repeated.",
        show_default="all that rearrange often enough",
    ),
]
_Particles = Annotated[
    int,
    typer.Option(
        metavar="N", help="Soft particles of each species to learn from; as many hard ones."
    ),
]
_Parts = Annotated[
    int,
    typer.Option(
        metavar="N", help="Parts of the trajectory, each of which is left out in turn as a test."
    ),
]
_Positions = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What the positions in TRAJECTORY are: thermal, inherent or cage.",
    ),
]


def softness(
    trajectory: Trajectory,
    output: ModelOutput,
    timestep: Timestep = None,
    frame_interval: FrameInterval = None,
    start: Start = None,
    stop: Stop = None,
    tau: _Tau = None,
    threshold: _Threshold = None,
    training_threshold: _TrainingThreshold = None,
    quiet: _Quiet = None,
    only: _Only = None,
    particles: _Particles = 3000,
    parts: _Parts = 5,
    positions: _Positions = "thermal",
    seed: Seed = 0,
    unwrap: Unwrap = "auto",
    species: SpeciesNames = None,
    length_unit: LengthUnit = None,
    pbc: PeriodicDirections = None,
    table: Tables = None,
    picture: Picture = None,
    overwrite: Overwrite = False,
) -> None:
    """Learn from a trajectory which structures are about to rearrange: softness.

    A support vector machine divides the structures of particles that are about to jump out of their
    cages from those of particles that have long stayed in theirs. Softness is the distance to the
    hyperplane between them. The model file runs in LAMMPS, in ASE and in `glassml predict`; ask for
    the quantity `softness`. Its propensity means nothing until `glassml refit` fits it to labels.

    The trajectory must be in equilibrium, at constant volume, and have even times between frames
    that are short against --tau. docs/howto/softness.md says what to check.

    For example:

        glassml softness run.dump.gz --timestep 0.005 --species A,B -o softness.pt
    """
    from pathlib import Path

    from glassml.data import Clock, SpeciesMap, find_inputs
    from glassml.plotting import check_image
    from glassml.progress import TerminalProgress
    from glassml.studies.softness import SoftnessOptions, train_softness

    check_absent(output, overwrite)
    check_tables(table)
    if picture is not None:
        check_image(picture)
    options = SoftnessOptions(
        clock=Clock(timestep, frame_interval, start, stop), tau=tau, threshold=threshold,
        training_threshold=training_threshold, quiet=quiet, only=tuple(only) if only else None,
        particles=particles, parts=parts, positions=positions, seed=seed, unwrap=unwrap,
        species=SpeciesMap.parse(species) if species else None, length_unit=length_unit,
        pbc=directions(pbc),
    )  # fmt: skip
    paths = [path for text in trajectory for path in find_inputs([Path(text)], "ase")]
    result = train_softness(paths, output, options, TerminalProgress())
    _show(result, picture)
    write_tables(table, csv=result.write_csv, json=result.write_json)
    say_written(output)


def _show(result: SoftnessTable, picture: Path | None) -> None:
    from rich.console import Console

    from glassml.plotting import save_figure
    from glassml.studies.softness import softness_figure, softness_tables

    typer.echo(_summary(result))
    for each in softness_tables(result):
        Console().print(each)
    for name, reason in result.without.items():
        say_note(f"species {name} has no hyperplane ({reason}): its softness is 0")
    if picture is not None:
        save_figure(softness_figure(result), picture)
        say_written(picture)


def _summary(result: SoftnessTable) -> str:
    rule = "tau_alpha" if result.measured else "--quiet"
    return (
        f"{result.frames} frames every {result.interval:g}; "
        f"periodic wrapping undone by: {result.unwrapping}\n"
        f"{result.rearrangements} rearrangements with p_hop above {result.threshold:.3g}; learnt "
        f"from those above {result.training_threshold:.3g}\n"
        f"hard particles have not rearranged for {result.quiet:.3g} ({rule})"
    )

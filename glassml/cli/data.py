"""`glassml data`: convert published data or your own into a dataset, and show what a dataset holds.

`glassml data label` is in `glassml.cli.labels`, and the commands that work on datasets alone are in
`glassml.cli.datasets`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli import datasets, labels
from glassml.cli.options import (
    AsJson,
    DatasetFile,
    DatasetOutput,
    FileFormat,
    LengthUnit,
    Overwrite,
    PeriodicDirections,
    Scalars,
    SpeciesNames,
    directions,
    named,
)
from glassml.cli.output import check_absent, say_warning

if TYPE_CHECKING:
    from rich.table import Table

    from glassml.data import DatasetSummary

__all__ = ["app", "convert", "info"]

app = typer.Typer(
    help="Convert simulation data into datasets; show, divide, merge and check datasets.",
    no_args_is_help=True,
)
for _command in (labels.label, datasets.split, datasets.merge, datasets.reverse, datasets.validate):
    app.command()(_command)

_Inputs = Annotated[
    list[str],
    typer.Argument(metavar="INPUT...", help="Files, folders or glob patterns.", show_default=False),
]
_Times = Annotated[
    list[float] | None,
    typer.Option(
        metavar="TIME",
        help="Time of the labels, if the files do not state it. May be repeated, once per label.",
    ),
]
_Labels = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="File with ids and labels (text, npz or HDF5) of structure files; {stem} stands for "
        "the name of the structure file.",
    ),
]
_FinalPositions = Annotated[
    bool,
    typer.Option("--final-positions", help="Keep the final positions of each run at each time."),
]
_Limit = Annotated[
    int | None, typer.Option(metavar="N", help="Convert at most this many configurations.")
]


@app.command()
def convert(
    inputs: _Inputs,
    output: DatasetOutput,
    file_format: FileFormat = "auto",
    time: _Times = None,
    species: SpeciesNames = None,
    scalar: Scalars = None,
    length_unit: LengthUnit = None,
    labels: _Labels = None,
    pbc: PeriodicDirections = None,
    final_positions: _FinalPositions = False,
    limit: _Limit = None,
    overwrite: Overwrite = False,
) -> None:
    """Convert configurations with their labels into one HDF5 dataset.

    Reads the published formats and any file that ASE reads; docs/howto/data.md lists them. The
    output is complete or absent: an interrupted conversion leaves no file.

    For example:

        glassml data convert run.lammpstrj -o run.h5 --species A,B
    """
    from glassml.data import ReadOptions, SpeciesMap, find_inputs
    from glassml.data import convert as convert_files
    from glassml.progress import TerminalProgress

    check_absent(output, overwrite)
    options = ReadOptions(
        times=tuple(time) if time else None,
        species=SpeciesMap.parse(species) if species else None,
        scalars=named(scalar or [], "--scalar", "COLUMN", bare=True),
        length_unit=length_unit,
        final_positions=final_positions,
        labels=labels,
        pbc=directions(pbc),
    )
    paths = find_inputs(inputs, file_format)
    count = convert_files(paths, output, file_format, options, limit, TerminalProgress())
    typer.echo(f"{output}: {count} configurations")


@app.command()
def info(path: DatasetFile, as_json: AsJson = False) -> None:
    """Show what a dataset holds, and check that it is undamaged.

    Particles, species, density, labels and their statistics, and where the data come from.

    Example, a dataset that ships with glassml:

        glassml data info kob_andersen_T0.64
    """
    from rich.console import Console

    from glassml.data import Dataset, summarise

    with Dataset(path) as dataset:
        summary = summarise(dataset)
    if as_json:
        typer.echo(json.dumps(summary.as_dict(), indent=2))
        return
    console = Console()
    for warning in summary.warnings:
        say_warning(warning)
    console.print(_facts(summary))
    if summary.labels:
        console.print(_label_table(summary))


def _facts(summary: DatasetSummary) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from glassml.physics.units import after_density

    if summary.times is None:
        times = "differ between configurations"
    else:
        times = ", ".join(f"{time:g}" for time in summary.times) or "none (unlabelled)"
    facts = {
        "configurations": f"{summary.n_configurations} ({summary.n_labelled} with labels)",
        "particles": _range(summary.n_particles),
        "species": ", ".join(f"{name}: {n}" for name, n in summary.species_counts.items()),
        "dimensions": "2 or 3" if summary.dimension is None else str(summary.dimension),
        "number density": _range(summary.number_density)
        + after_density(summary.length_unit, summary.dimension or 3),
        "length unit": summary.length_unit,
        "scalars": ", ".join(summary.scalars) or "none",
        "times": times,
        "runs per label": "unknown" if summary.n_runs is None else _range(summary.n_runs),
        "other positions": _counted(summary.structures, summary),
        "windows": _windows(summary),
        "statistics": _counted(summary.statistics, summary),
        "predictions": _counted(summary.predictions, summary),
        "final positions": _counted(
            {"yes": summary.n_final_positions} if summary.n_final_positions else {}, summary
        ),
        "sha256": summary.sha256,
    } | {key: _abridged(values) for key, values in summary.provenance.items()}
    table = Table(title=escape(summary.path), show_header=False, title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")  # so that checksums can be copied
    for name, value in facts.items():
        table.add_row(escape(name), escape(value))
    return table


def _label_table(summary: DatasetSummary) -> Table:
    from rich.table import Table

    table = Table(title=f"propensity [{summary.length_unit}]", title_justify="left")
    ceilings = any(row.noise_ceiling is not None for row in summary.labels)
    headings = ("species", "time", "labels", "mean", "std", "min", "max")
    for heading in (*headings, "noise ceiling") if ceilings else headings:
        table.add_column(heading, justify="left" if heading == "species" else "right")
    for row in summary.labels:
        numbers = (row.mean, row.std, row.minimum, row.maximum)
        table.add_row(
            row.species,
            f"{row.time:g}",
            str(row.count),
            *(f"{number:.4f}" for number in numbers),
            *(
                ["-" if row.noise_ceiling is None else f"{row.noise_ceiling:.3f}"]
                if ceilings
                else []
            ),
        )
    return table


def _counted(counts: dict[str, int], summary: DatasetSummary) -> str:
    """Names, with the number of configurations that have them if not all have."""
    total = summary.n_configurations
    names = (name if n == total else f"{name} ({n} of {total})" for name, n in counts.items())
    return ", ".join(names) or "none"


def _windows(summary: DatasetSummary) -> str:
    """Number and recipe of the windows that positions were averaged over."""
    if not summary.window_recipes:
        return "none"
    return f"{_range(summary.windows)} of {' or of '.join(summary.window_recipes)}"


def _range(values: tuple[float, float]) -> str:
    low, high = (f"{value:.6g}" for value in values)
    return low if low == high else f"{low} to {high}"


def _abridged(values: list[str | int | float]) -> str:
    if len(values) == 1:
        return str(values[0])
    return f"{values[0]} ... {values[-1]} ({len(values)} different)"

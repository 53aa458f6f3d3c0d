"""`glassml data`: convert published and own data into a dataset, and look into one.

The commands that work on datasets alone are in `glassml.cli.datasets`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli import datasets

if TYPE_CHECKING:
    from rich.table import Table

    from glassml.data import DatasetSummary

__all__ = ["app", "convert", "info"]

app = typer.Typer(
    help="Convert simulation data into a dataset, look into one, divide, merge and check them.",
    no_args_is_help=True,
)
for _command in (datasets.split, datasets.merge, datasets.reverse, datasets.validate):
    app.command()(_command)

_Times = Annotated[
    list[float] | None,
    typer.Option(help="Time of the labels, if the files do not tell; once for each label."),
]
_Scalars = Annotated[
    list[str] | None,
    typer.Option(help="Per-particle input to keep: NAME, or NAME=its name in the file."),
]


_Labels = Annotated[
    str | None,
    typer.Option(
        help="File with ids and labels (text, npz or HDF5), for structure files; {stem} stands for "
        "the name of the structure file."
    ),
]
_Pbc = Annotated[
    str | None,
    typer.Option(help="Periodic directions of structure files, such as T,T,F for flat ones."),
]
_FinalPositions = Annotated[
    bool, typer.Option("--final-positions", help="Keep where each run was at each time.")
]
_Format = Annotated[
    str,
    typer.Option(
        "--format", help="auto, glassbench, glassbench2d, botan, deepmind, glassml or ase."
    ),
]
_Species = Annotated[
    str | None,
    typer.Option(help='Names for types 1, 2, ... ("A,B") or for symbols ("Cu=A,Zr=B").'),
]
_LengthUnit = Annotated[
    str | None, typer.Option(help="Unit of lengths, if the files do not tell. [default: lj]")
]


@app.command()
def convert(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Files, folders or glob patterns.")
    ],
    output: Annotated[
        Path, typer.Option("--out", "-o", help="HDF5 dataset to write.", show_default=False)
    ],
    file_format: _Format = "auto",
    time: _Times = None,
    species: _Species = None,
    scalar: _Scalars = None,
    length_unit: _LengthUnit = None,
    labels: _Labels = None,
    pbc: _Pbc = None,
    final_positions: _FinalPositions = False,
    limit: Annotated[int | None, typer.Option(help="Convert at most this many.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the output if it exists.")] = False,
) -> None:
    """Convert configurations with their labels into one HDF5 dataset.

    The output is written whole or not at all: a conversion that is interrupted leaves nothing
    under its name.

    Example: `glassml data convert train/ -o train.h5`
    """
    from glassml.data import ReadOptions, SpeciesMap, find_inputs
    from glassml.data import convert as convert_files
    from glassml.errors import InputError
    from glassml.progress import TerminalProgress

    if output.exists() and not overwrite:
        raise InputError(f"{output}: exists already; expected a new name (-o), or --overwrite")
    options = ReadOptions(
        times=tuple(time) if time else None,
        species=SpeciesMap.parse(species) if species else None,
        scalars=dict(_name_and_source(text) for text in scalar or []),
        length_unit=length_unit,
        final_positions=final_positions,
        labels=labels,
        pbc=_directions(pbc) if pbc else None,
    )
    paths = find_inputs(inputs, file_format)
    count = convert_files(paths, output, file_format, options, limit, TerminalProgress())
    typer.echo(f"{output}: {count} configurations")


@app.command()
def info(
    path: Annotated[
        Path, typer.Argument(help="A dataset, or the name of one that ships with glassml.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what a dataset holds, and check that it is undamaged.

    Example: `glassml data info kob_andersen_T0.64`, which ships with glassml
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
        console.print(f"WARNING: {warning}", style="bold red", markup=False, highlight=False)
    console.print(_facts(summary))
    if summary.labels:
        console.print(_label_table(summary))


def _name_and_source(text: str) -> tuple[str, str]:
    name, _, source = text.partition("=")
    return name, source or name


def _directions(text: str) -> tuple[bool, bool, bool]:
    from glassml.errors import InputError

    letters = [letter.strip().upper() for letter in text.split(",")]
    if len(letters) != 3 or not set(letters) <= {"T", "F"}:
        raise InputError(
            f"--pbc: expected three of T and F, one a lattice direction, such as T,T,F; found "
            f"{text!r}"
        )
    one, two, three = (letter == "T" for letter in letters)
    return one, two, three


def _facts(summary: DatasetSummary) -> Table:
    from rich.markup import escape
    from rich.table import Table

    unit = "" if summary.length_unit == "lj" else f" {summary.length_unit}"
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
        + (f" per{unit}^{summary.dimension or 3}" if unit else ""),
        "length unit": summary.length_unit,
        "scalars": ", ".join(summary.scalars) or "none",
        "times": times,
        "runs per label": "unknown" if summary.n_runs is None else _range(summary.n_runs),
        "other positions": _counted(summary.structures, summary),
        "statistics": _counted(summary.statistics, summary),
        "predictions": _counted(summary.predictions, summary),
        "final positions": _counted(
            {"yes": summary.n_final_positions} if summary.n_final_positions else {}, summary
        ),
        "sha256": summary.sha256,
    } | {key: _abridged(values) for key, values in summary.provenance.items()}
    table = Table(title=escape(summary.path), show_header=False, title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")  # checksums are for copying
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
    """Names, and how many configurations they are of where that is not all."""
    total = summary.n_configurations
    names = (name if n == total else f"{name} ({n} of {total})" for name, n in counts.items())
    return ", ".join(names) or "none"


def _range(values: tuple[float, float]) -> str:
    low, high = (f"{value:.6g}" for value in values)
    return low if low == high else f"{low} to {high}"


def _abridged(values: list[str | int | float]) -> str:
    if len(values) == 1:
        return str(values[0])
    return f"{values[0]} ... {values[-1]} ({len(values)} different)"

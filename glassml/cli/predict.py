"""`glassml predict`: predictions for a file of configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["predict"]


# The options, as Typer reads them.
_Source = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        help="Anything ASE reads (extxyz, LAMMPS dump or data, ...), or a glassml dataset.",
        show_default=False,
    ),
]
_Model = Annotated[Path, typer.Option("--model", "-m", help="Model file.", show_default=False)]
_Out = Annotated[
    Path, typer.Option("--out", "-o", help="extxyz file to write.", show_default=False)
]
_Species = Annotated[
    str | None,
    typer.Option(
        help='What the particles stand for: the LAMMPS types 1, 2, ... as "A,B", or chemical '
        'symbols as "H=A,He=B".'
    ),
]
_Outputs = Annotated[str, typer.Option("--output", help="Outputs of the model, joined by commas.")]
_Scalar = Annotated[
    list[str] | None,
    typer.Option(
        help='Per-particle input of the model and the column that holds it: "NAME=COLUMN", once '
        "for each."
    ),
]
_Index = Annotated[str, typer.Option(help='Frames, as in ASE: "-1", "100:", "::10".')]
_Format = Annotated[str | None, typer.Option("--format", help="ASE's name of the input's format.")]
_LengthUnit = Annotated[
    str | None,
    typer.Option(help="Unit of lengths in the input. Default: lj or angstrom, as the model."),
]
_Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:N or auto.")]
_Threads = Annotated[int | None, typer.Option(help="CPU threads.")]
_Batch = Annotated[int, typer.Option(help="Frames that the model sees at once.")]


def predict(
    source: _Source,
    model: _Model,
    output: _Out,
    species: _Species = None,
    outputs: _Outputs = "propensity",
    scalar: _Scalar = None,
    index: _Index = ":",
    file_format: _Format = None,
    length_unit: _LengthUnit = None,
    device: _Device = "auto",
    threads: _Threads = None,
    batch: _Batch = 1,
) -> None:
    """Predict every particle's propensity in INPUT and write an extxyz file.

    A trajectory is read, predicted and written frame by frame. Each output of the model becomes an
    array of that name in the file, with one column a time for `propensity`.

    Example: `glassml predict run.dump -m model.pt -o run.extxyz --species A,B`
    """
    from glassml.data import SpeciesMap, open_frames
    from glassml.inference import ModelInputs, Predictor, predict_file
    from glassml.progress import TerminalProgress

    predictor = Predictor(model, device, threads)
    names = predictor.manifest.species
    inputs = ModelInputs(
        predictor.manifest,
        species=None if species is None else SpeciesMap.parse(species, names),
        scalars=_pairs(scalar or []),
        length_unit=length_unit,
    )
    frames = open_frames(source, index, file_format)
    report = predict_file(
        predictor,
        frames,
        output,
        inputs=inputs,
        outputs=[name.strip() for name in outputs.split(",")],
        batch=batch,
        progress=TerminalProgress(),
    )
    typer.echo(
        f"{report.output}: {report.frames} frame{'s' if report.frames != 1 else ''}, "
        f"{report.particles} particles, {report.seconds:.1f} s"
    )
    # A dataset knows several structures of a configuration, and the right one is taken.
    if predictor.manifest.positions_note and frames.format != "glassml-dataset":
        typer.echo(f"note: {predictor.manifest.positions_note}", err=True)
    if report.unused_species:
        typer.echo(f"note: --species: not used: {', '.join(report.unused_species)}", err=True)


def _pairs(texts: list[str]) -> dict[str, str]:
    from glassml.errors import InputError

    pairs = {}
    for text in texts:
        name, _, column = (part.strip() for part in text.partition("="))
        if not name or not column:
            raise InputError(f"--scalar: expected NAME=COLUMN; found {text!r}")
        pairs[name] = column
    return pairs

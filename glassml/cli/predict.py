"""`glassml predict`: predictions for a file of configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glassml.cli.options import (
    Device,
    LengthUnit,
    Quantity,
    Scalars,
    SpeciesNames,
    Threads,
    named,
    output_option,
)

__all__ = ["predict"]

_Source = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        help="Any file that ASE reads (extxyz, LAMMPS dump or data, ...), a glassml dataset, or "
        "the name of a shipped one.",
        show_default=False,
    ),
]
_Model = Annotated[
    Path,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Model file, or the name of a shipped model.",
        show_default=False,
    ),
]
_Output = Annotated[Path, output_option("FILE.extxyz", "extxyz file to write.", show_default=False)]
_Index = Annotated[
    str, typer.Option(metavar="FRAMES", help='Frames, as in ASE: "-1", "100:", "::10".')
]
_Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="ASE's name for the input format.",
        show_default="recognised from the file",
    ),
]
_Batch = Annotated[int, typer.Option(metavar="N", help="Frames that the model evaluates at once.")]


def predict(
    source: _Source,
    model: _Model,
    output: _Output,
    species: SpeciesNames = None,
    quantity: Quantity = "propensity",
    scalar: Scalars = None,
    index: _Index = ":",
    file_format: _Format = None,
    length_unit: LengthUnit = None,
    device: Device = "auto",
    threads: Threads = None,
    batch: _Batch = 1,
) -> None:
    """Predict the propensity of every particle in INPUT and write an extxyz file.

    A trajectory is read, predicted and written frame by frame. Each quantity becomes an array of
    its name in the file; `propensity` has one column per time.

    Examples, a LAMMPS trajectory and the dataset that ships with glassml:

        glassml predict run.lammpstrj -m kob_andersen_T0.44 -o run.extxyz --species A,B
        glassml predict kob_andersen_T0.64 -m kob_andersen_T0.64_multitime -o predicted.extxyz
    """
    from glassml.data import SpeciesMap, dataset_path, open_frames
    from glassml.inference import ModelInputs, Predictor, predict_file
    from glassml.progress import TerminalProgress

    predictor = Predictor(model, device, threads)
    names = predictor.manifest.species
    inputs = ModelInputs(
        predictor.manifest,
        species=None if species is None else SpeciesMap.parse(species, names),
        scalars=named(scalar or [], "--scalar", "COLUMN", bare=True),
        length_unit=length_unit,
    )
    frames = open_frames(dataset_path(source), index, file_format)
    report = predict_file(
        predictor,
        frames,
        output,
        inputs=inputs,
        outputs=[name.strip() for name in quantity.split(",")],
        batch=batch,
        progress=TerminalProgress(),
    )
    typer.echo(
        f"{report.output}: {report.frames} frame{'s' if report.frames != 1 else ''}, "
        f"{report.particles} particles, {report.seconds:.1f} s"
    )
    # Datasets may hold several structures per configuration; there the right one is chosen.
    if predictor.manifest.positions_note and frames.format != "glassml-dataset":
        typer.echo(f"note: {predictor.manifest.positions_note}", err=True)
    if report.unused_species:
        typer.echo(f"note: --species: not used: {', '.join(report.unused_species)}", err=True)

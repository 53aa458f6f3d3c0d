"""`glassml predict`: predictions for a file of configurations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassml.cli.options import (
    Device,
    FrameFormat,
    LengthUnit,
    PeriodicDirections,
    Quantity,
    Scalars,
    SpeciesNames,
    Threads,
    Trust,
    directions,
    named,
    output_option,
)
from glassml.cli.output import say_note, say_warning
from glassml.errors import OutsideDomainWarning

if TYPE_CHECKING:
    from glassml.data import Frames
    from glassml.inference import PredictionReport, Predictor

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
        help="Model file, or the name of a shipped model; or `structural`: descriptors that need "
        "no training.",
        show_default=False,
    ),
]
_Output = Annotated[Path, output_option("FILE.extxyz", "extxyz file to write.", show_default=False)]
_Index = Annotated[
    str, typer.Option(metavar="FRAMES", help='Frames, as in ASE: "-1", "100:", "::10".')
]
_Average = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Average positions over N successive frames, the last of which is evaluated; 0: use "
        "the positions in the file as they are.",
        show_default="the window of a model of averaged positions",
    ),
]
_Every = Annotated[
    int | None,
    typer.Option(
        metavar="M",
        help="Evaluate frames M, 2M, ... of those chosen.",
        show_default="every window, or every frame",
    ),
]
_Smooth = Annotated[
    int | None,
    typer.Option(
        metavar="K",
        help="Mean and spread of the propensity of each particle over its last K evaluations.",
        show_default="none",
    ),
]
_Timestep = Annotated[
    float | None,
    typer.Option(
        metavar="TIME",
        help="Time of one step, for frames that have a step but no time.",
        show_default=False,
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
    file_format: FrameFormat = None,
    average: _Average = None,
    every: _Every = None,
    smooth: _Smooth = None,
    timestep: _Timestep = None,
    length_unit: LengthUnit = None,
    pbc: PeriodicDirections = None,
    device: Device = "auto",
    threads: Threads = None,
    batch: _Batch = 1,
    trust: Trust = False,
) -> None:
    """Predict the propensity of every particle in INPUT and write an extxyz file.

    A trajectory is read, predicted and written frame by frame. Each quantity becomes an array of
    its name in the file; `propensity` has one column per time.

    Examples, a LAMMPS trajectory and the dataset that ships with glassml:

        glassml predict run.lammpstrj -m kob_andersen_T0.44 -o run.extxyz --species A,B
        glassml predict kob_andersen_T0.64 -m kob_andersen_T0.64_multitime -o predicted.extxyz

    For models of averaged positions, the frames of a window are averaged before each evaluation.
    With any model, predictions can be averaged over the last frames that were evaluated:

        glassml predict run.lammpstrj -m kob_andersen_T0.44 -o mean.extxyz --species A,B --smooth 8

    Without a model, classical descriptors of the local structure (densities and bond order in
    shells, averaged over neighbours) for any file:

        glassml predict run.lammpstrj -m structural -o descriptors.extxyz --species A,B
    """
    from glassml.data import SpeciesMap, dataset_path, open_frames
    from glassml.inference import FrameAverages, ModelInputs, Predictor, predict_file
    from glassml.progress import TerminalProgress

    source, untrained = dataset_path(source), _is_untrained(model)
    opened = partial(open_frames, source, kind=file_format, pbc=directions(pbc))
    load = partial(Predictor, device=device, threads=threads, trust=trust)
    predictor = _describing(opened, model, species, length_unit, load) if untrained else load(model)
    inputs = ModelInputs(
        predictor.manifest,
        species=species and SpeciesMap.parse(species, predictor.manifest.species),
        scalars=named(scalar or [], "--scalar", "COLUMN", bare=True),
        length_unit=length_unit,
    )
    follows = predictor.manifest.window is not None or smooth is not None
    frames = opened(index, ids=follows)
    with warnings.catch_warnings():
        warnings.showwarning = _as_note
        report = predict_file(
            predictor,
            frames,
            output,
            inputs=inputs,
            outputs=_quantities(quantity, untrained),
            batch=batch,
            averages=FrameAverages(average, every, smooth, timestep),
            progress=TerminalProgress(),
        )
    _print_report(report, predictor, frames.format)


def _is_untrained(model: Path) -> bool:
    from glassml.models import untrained_models

    return str(model) in untrained_models() and not model.exists()


def _describing(
    opened: Callable[[str], Frames],
    model: Path,
    species: str | None,
    length_unit: str | None,
    load: Callable[[Path], Predictor],
) -> Predictor:
    """Descriptors that need no training, for the material in the file."""
    from tempfile import TemporaryDirectory

    from glassml.data import SpeciesMap
    from glassml.inference import descriptors_for_frames

    names = None if species is None else SpeciesMap.parse(species)
    with TemporaryDirectory() as folder:  # the model is in memory then
        file = Path(folder) / f"{model}.pt"
        descriptors_for_frames(opened("0"), file, str(model), names, length_unit)
        return load(file)


def _quantities(names: str, untrained: bool) -> list[str]:
    """The quantities to predict; a model that was not trained gives descriptors alone."""
    from glassml.errors import InputError

    if not untrained:
        return [name.strip() for name in names.split(",")]
    if names not in ("propensity", "descriptors"):  # the first is the default
        raise InputError(
            "--quantity: expected descriptors, which is all that a model gives that was not fitted "
            f"to data; found {names!r}"
        )
    return ["descriptors"]


def _print_report(report: PredictionReport, predictor: Predictor, file_format: str) -> None:
    frames = f"{report.frames}"
    if report.frames_read > report.frames:
        frames += f" of {report.frames_read}"
    over = "" if report.window is None else f", averages over {report.window}"
    typer.echo(
        f"{report.output}: {frames} frame{'s' if report.frames_read != 1 else ''}, "
        f"{report.particles} particles{over}, {report.seconds:.1f} s"
    )
    typer.echo(predictor.neighbours_note)
    if report.unused_species:
        say_note(f"--species: not used: {', '.join(report.unused_species)}")
    # Datasets may hold several structures per configuration; there the right one is chosen.
    note = predictor.manifest.positions_note
    if note and file_format != "glassml-dataset" and report.window is None:
        say_note(note)


def _as_note(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, OutsideDomainWarning):
        say_warning(message)
    else:
        say_note(str(message))

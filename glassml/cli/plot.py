"""`glassml plot`: pictures and movies of configurations, coloured by labels and predictions."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli.options import (
    Device,
    FrameFormat,
    LengthUnit,
    PeriodicDirections,
    Scalars,
    SpeciesNames,
    Threads,
    Trust,
    directions,
    named,
    output_option,
)
from glassml.cli.output import say_note, say_written

if TYPE_CHECKING:
    from glassml.analysis.maps import MapFrames, View
    from glassml.inference import ModelInputs, Predictor

__all__ = ["plot"]


class _Axis(str, Enum):
    """Names of the lattice directions."""

    x = "x"
    y = "y"
    z = "z"


_Source = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A file of `glassml predict`, a LAMMPS dump with columns of `fix glassml` or others, "
        "any file that ASE reads, a glassml dataset, or the name of a shipped one.",
        show_default=False,
    ),
]
_Output = Annotated[
    Path,
    output_option(
        "PICTURE",
        "A picture (.png, .svg, .pdf) or a movie (.mp4, .gif, .webp, .apng) to write.",
        show_default=False,
    ),
]
_Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Model file, or the name of a shipped model, that predicts on FILE.",
        show_default="the predictions in FILE",
    ),
]
_Column = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME",
        help="Draw this per-particle column. May be repeated. `NAME[2]` is the second column of an "
        "array.",
        show_default="labels and predictions, or the first column of a fix",
    ),
]
_Time = Annotated[
    float | None,
    typer.Option(
        metavar="TIME",
        help="Time of the labels and predictions that are drawn.",
        show_default="that nearest to tau_alpha, or at which particles differ most",
    ),
]
_Index = Annotated[
    str | None,
    typer.Option(
        metavar="FRAMES",
        help='Frames, as in ASE: "-1", "100:", "::10".',
        show_default="the last for a picture, all for a movie; of a dataset the first",
    ),
]
_AxisOption = Annotated[
    _Axis,
    typer.Option(help="Direction of view: x, y, z are the lattice vectors 1, 2, 3."),
]
_Position = Annotated[
    float,
    typer.Option(
        metavar="FRACTION", min=0.0, max=1.0, help="Where in the box the middle of the slab is."
    ),
]
_Thickness = Annotated[
    float | None,
    typer.Option(
        metavar="LENGTH",
        help="Thickness of the slab.",
        show_default="the mean distance between particles; of a projection, the box",
    ),
]
_Projection = Annotated[
    bool,
    typer.Option("--projection", help="Means along the direction of view, with a row per species."),
]
_Units = Annotated[
    str | None,
    typer.Option(
        metavar="STYLE",
        help="LAMMPS' unit style of FILE, such as metal, if it does not state it.",
        show_default=False,
    ),
]
_Fps = Annotated[float, typer.Option(metavar="N", help="Frames per second of a movie.")]


def plot(
    source: _Source,
    output: _Output,
    model: _Model = None,
    column: _Column = None,
    time: _Time = None,
    index: _Index = None,
    axis: _AxisOption = _Axis.z,
    position: _Position = 0.5,
    thickness: _Thickness = None,
    projection: _Projection = False,
    fps: _Fps = 10.0,
    species: SpeciesNames = None,
    scalar: Scalars = None,
    file_format: FrameFormat = None,
    length_unit: LengthUnit = None,
    pbc: PeriodicDirections = None,
    units: _Units = None,
    device: Device = "auto",
    threads: Threads = None,
    trust: Trust = False,
) -> None:
    """Draw a slab of FILE, with its particles coloured by propensity or by another column.

    Where labels and predictions are known, three maps stand side by side: true, predicted, and the
    difference. Each species has its own colour scale. The slab is about one layer thick; discs are
    as large as the particles.

    Examples, a dataset with predictions of a model; means along x; the column of `fix glassml` in a
    dump; a movie of the frames of a trajectory, or of a file that `glassml predict` wrote:

        glassml plot kob_andersen_T0.64 -m kob_andersen_T0.64_multitime -o map.png --time 1.65
        glassml plot kob_andersen_T0.64 -o labels.png --axis x --projection
        glassml plot dump.lammpstrj -o dump.png --column "f_ml[1]" --species A,B
        glassml plot run.lammpstrj -m kob_andersen_T0.44 -o movie.gif --species A,B
        glassml plot run.extxyz -o movie.mp4
    """
    from glassml.analysis.maps import MapFrames, MapInput, View, check_movie, is_movie
    from glassml.plotting import check_image

    movie = is_movie(output)
    (check_movie if movie else check_image)(output)
    view = View("xyz".index(axis.value), position, thickness, projection)
    load = partial(_load, model, device, threads, trust)
    predictor, inputs = _model(load, species, scalar or [], length_unit)
    frames = MapFrames(
        MapInput(
            path=source,
            index=index or _usual_index(source, movie),
            file_format=file_format,
            predictor=predictor,
            inputs=inputs,
            columns=column or (),
            time=time,
            species=species,
            length_unit=length_unit,
            pbc=directions(pbc),
            style=units,
        )
    )
    _draw(frames, output, view, fps)
    for note in frames.notes:
        say_note(note)
    say_written(output)


def _draw(frames: MapFrames, output: Path, view: View, fps: float) -> None:
    """Write a picture or a movie, as the name says."""
    from glassml.analysis.maps import is_movie, map_figure, write_movie
    from glassml.plotting import save_figure
    from glassml.progress import TerminalProgress

    if is_movie(output):
        progress = TerminalProgress()
        write_movie(frames, output, view=view, fps=fps, total=frames.total, progress=progress)
        return
    frame = frames.only()
    figure = map_figure(
        frame.configuration, frame.panels, view=view, title=frame.title, units=frames.units
    )
    save_figure(figure, output)


def _usual_index(source: Path, movie: bool) -> str:
    """All frames for a movie; for a picture the last one, of a dataset the first."""
    from glassml.data import dataset_path

    if movie:
        return ":"
    return "0" if dataset_path(source).suffix in (".h5", ".hdf5") else "-1"


def _load(model: Path | None, device: str, threads: int | None, trust: bool) -> Predictor | None:
    from glassml.inference import Predictor

    return None if model is None else Predictor(model, device, threads, trust=trust)


def _model(
    load: Callable[[], Predictor | None],
    species: str | None,
    scalars: list[str],
    length_unit: str | None,
) -> tuple[Predictor | None, ModelInputs | None]:
    """The model that predicts, and how frames are translated for it."""
    from glassml.data import SpeciesMap
    from glassml.errors import InputError
    from glassml.inference import ModelInputs

    sources = named(scalars, "--scalar", "COLUMN", bare=True)
    predictor = load()
    if predictor is None:
        if sources:
            raise InputError(
                f"--scalar: expected a model that reads scalars (-m MODEL); found none, and "
                f"{', '.join(sources)}"
            )
        return None, None
    inputs = ModelInputs(
        predictor.manifest,
        species=None if species is None else SpeciesMap.parse(species, predictor.manifest.species),
        scalars=sources,
        length_unit=length_unit,
    )
    return predictor, inputs

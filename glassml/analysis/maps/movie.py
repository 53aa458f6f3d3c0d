"""Movies: one map after the other, on fixed colour scales."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.animation import AbstractMovieWriter, FFMpegWriter, PillowWriter

from glassml.analysis.maps.drawing import MapPicture
from glassml.analysis.maps.frames import MapFrame
from glassml.analysis.maps.scene import Panel, Scene, joint_limits, make_scene
from glassml.analysis.maps.view import View
from glassml.errors import InputError
from glassml.files import atomic_write
from glassml.physics import effective_diameters
from glassml.physics.units import Units
from glassml.plotting import styled
from glassml.progress import SILENT, Progress

__all__ = ["ANIMATED_PICTURES", "VIDEOS", "check_movie", "is_movie", "write_movie"]

VIDEOS = (".mp4", ".mov", ".mkv", ".webm")
ANIMATED_PICTURES = (".gif", ".webp", ".apng")

_DPI = 120
_BROWSERS = ("-pix_fmt", "yuv420p")  # other formats of pixels are shown by few players
_EVEN = ("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white")  # yuv420p needs even numbers


def is_movie(path: str | Path) -> bool:
    """Whether the ending of a name is that of a video or an animated picture."""
    return Path(path).suffix.lower() in VIDEOS + ANIMATED_PICTURES


def check_movie(path: str | Path) -> None:
    """Refuse a movie that cannot be written here, before the work begins.

    Raises:
        InputError: a video without ffmpeg; the message says how to install it.
    """
    if Path(path).suffix.lower() in VIDEOS and _ffmpeg() is None:
        raise InputError(
            f"{path}: expected the program ffmpeg, which writes videos; found none. Install it "
            "(apt install ffmpeg, conda install ffmpeg, or pip install imageio-ffmpeg), or choose "
            "an animated picture (.gif, .webp or .apng), which does not need it"
        )


@styled
def write_movie(
    frames: Iterable[MapFrame],
    path: str | Path,
    *,
    view: View | None = None,
    units: Units | None = None,
    fps: float = 10.0,
    total: int | None = None,
    progress: Progress = SILENT,
) -> int:
    """Write a movie of maps, all with the same colour scales and sizes of particles.

    Args:
        frames: read one after the other; what is seen of each is kept until all are drawn.
        path: ends in one of `VIDEOS` or `ANIMATED_PICTURES`.
        view: what is seen; None: a layer in the middle of the box, from above.
        units: units of lengths; None: those of the configurations.
        fps: frames per second.
        total: number of frames, if known, to show progress.
        progress: shows how many frames have been read and drawn.

    Returns:
        The number of frames.

    Raises:
        InputError: fewer than two frames, frames with different species or maps, ``fps`` that is
            not positive, or the movie cannot be written.
    """
    check_movie(path)
    if not fps > 0:
        raise InputError(f"--fps: expected a positive number of frames per second; found {fps:g}")
    first, scenes = _read(frames, view or View(), total, progress)
    if len(scenes) < 2:
        raise InputError(
            f"{path}: expected two or more frames for a movie; found {len(scenes)}. Choose more "
            "(--index), or a picture (.png)"
        )
    unit = (units or Units.of(first.configuration.length_unit)).length
    names = first.configuration.species_names
    picture = MapPicture(first.panels, names, scenes[0], joint_limits(scenes), unit)
    picture.show(scenes[0])
    picture.arrange()
    picture.figure.set_layout_engine("none")  # nothing moves from frame to frame
    with atomic_write(path) as partial, _explained(path), mpl.rc_context(_settings()):
        writer = _writer(partial, fps)
        with writer.saving(picture.figure, str(partial), _DPI):
            for scene in progress.watch(scenes, "drawing", len(scenes)):
                picture.show(scene)
                writer.grab_frame()
    return len(scenes)


def _read(
    frames: Iterable[MapFrame], view: View, total: int | None, progress: Progress
) -> tuple[MapFrame, list[Scene]]:
    first, scenes, diameters = None, [], None
    for frame in progress.watch(frames, "reading", total):
        found = frame.configuration
        if first is None:
            first = frame
            diameters = effective_diameters(
                found.positions,
                found.cell,
                found.pbc,
                found.species,
                len(found.species_names),
            )
        _check_alike(first, frame)
        scenes.append(
            make_scene(found, frame.panels, view, title=frame.title, species_diameters=diameters)
        )
    if first is None:
        raise InputError("expected frames; found none")
    return first, scenes


def _check_alike(first: MapFrame, frame: MapFrame) -> None:
    one, other = ((f.configuration.species_names, _described(f.panels)) for f in (first, frame))
    if one != other:
        raise InputError(
            f"{frame.title}: expected the species and maps of the first frame ({one}); found "
            f"{other}"
        )


def _described(panels: Sequence[Panel]) -> tuple[str, ...]:
    return tuple(panel.title for panel in panels)


def _writer(path: Path, fps: float) -> AbstractMovieWriter:
    if path.suffix.lower() in ANIMATED_PICTURES:
        return PillowWriter(fps=fps)  # type: ignore[arg-type]
    return FFMpegWriter(fps=fps, extra_args=[*_BROWSERS, *_EVEN])  # type: ignore[arg-type]


@contextmanager
def _explained(path: str | Path) -> Iterator[None]:
    """Turn a failure of ffmpeg into an error with its last words.

    Raises:
        OSError: the disk is full.
        InputError: anything else.
    """
    logger = logging.getLogger("matplotlib.animation")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it would print these words as a warning
    try:
        yield
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.output or "").strip() or f"status {error.returncode}"
        full = os.strerror(errno.ENOSPC)
        if full in words:
            raise OSError(errno.ENOSPC, full) from None
        raise InputError(f"{path}: ffmpeg cannot write it: {words.splitlines()[-1]}") from None
    finally:
        logger.setLevel(level)


def _settings() -> dict[Any, str]:
    program = _ffmpeg()
    return {} if program is None else {"animation.ffmpeg_path": program}


def _ffmpeg() -> str | None:
    """The program ffmpeg: that of the user, else that of the package imageio-ffmpeg."""
    program = shutil.which(mpl.rcParams["animation.ffmpeg_path"])
    if program is not None:
        return program
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:  # a wheel without the program
        return None

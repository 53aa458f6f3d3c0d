"""The style of all figures, and writing them as image files.

Functions with the decorator `styled` build figures; `save_figure` writes them.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from glassml.errors import InputError
from glassml.files import atomic_write

__all__ = [
    "COLOUR_MAP",
    "DIFFERENCE_MAP",
    "MARKERS",
    "PUBLISHED",
    "REFERENCE",
    "Colour",
    "check_image",
    "graded_colours",
    "legend_below",
    "log_x_axis",
    "on_dark_ground",
    "point_marker",
    "save_figure",
    "series_colour",
    "styled",
]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Colour = tuple[float, float, float, float]

COLOUR_MAP = "viridis"  # even in lightness, and safe for colour-blind readers
DIFFERENCE_MAP = "RdBu_r"
MARKERS = "osD^vP*X"

# Styles of reference lines, such as a diagonal, and of published curves.
REFERENCE: dict[str, Any] = {"color": "0.4", "lw": 0.8, "ls": "--"}
PUBLISHED: dict[str, Any] = {"color": "0.55", "lw": 1.1}

_STYLE: dict[Any, Any] = {
    "font.family": "serif",
    "font.serif": ["STIXGeneral"],
    "mathtext.fontset": "stix",
    "font.size": 11,
    "axes.titlesize": 12,
    "figure.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "errorbar.capsize": 2,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "svg.hashsalt": "glassml",  # the same figure gives the same file
}
_DPI = 150
_LIGHT = "0.88"
_DARK: dict[Any, Any] = {
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor"), _LIGHT),
    **dict.fromkeys(("xtick.color", "ytick.color", "grid.color"), _LIGHT),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
}


def styled(build: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorator of a function that builds a figure, which gets the style of all figures."""

    @functools.wraps(build)
    def in_style(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with mpl.rc_context(_STYLE):
            return build(*args, **kwargs)

    return in_style


@contextmanager
def on_dark_ground() -> Iterator[None]:
    """Figures that are built and saved in the block have light lines and a transparent ground."""
    with mpl.rc_context(_DARK):
        yield


def check_image(path: str | Path) -> None:
    """Refuse a file name whose ending is not an image format.

    Raises:
        InputError: the name has no ending, or one that is not of an image format.
    """
    known = FigureCanvasBase.get_supported_filetypes()
    suffix = Path(path).suffix
    if suffix.removeprefix(".").lower() not in known:
        found = f"ending {suffix!r}" if suffix else "a name without ending"
        raise InputError(
            f"{path}: picture: expected a name that ends in .png, .svg, .pdf or another of "
            f"{', '.join(known)}; found {found}"
        )


@styled
def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure in the format of the file name's ending, without a date.

    Raises:
        InputError: see `check_image`; or the file cannot be written.
    """
    check_image(path)
    suffix = Path(path).suffix.lower()
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    buffer = io.BytesIO()  # on a full disk the writer of PDF fails with errors of its own
    figure.savefig(buffer, format=suffix[1:], dpi=_DPI, metadata=dates.get(suffix))
    with atomic_write(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def series_colour(index: int) -> Colour:
    """The colour of the curve of this index; ten of them differ."""
    return tuple(mpl.colormaps["tab10"](index % 10))  # type: ignore[return-value]


def graded_colours(number: int, colour_map: str = COLOUR_MAP) -> list[Colour]:
    """This number of colours in order, none of them too pale for a line."""
    return [tuple(c) for c in mpl.colormaps[colour_map](np.linspace(0.0, 0.85, number))]


def log_x_axis(axes: Axes, values: Iterable[float] = (), *, always: bool = False) -> None:
    """Make the x axis logarithmic, with ticks at the values where powers of ten are too coarse.

    Args:
        axes: the panel.
        values: positive; what is drawn against.
        always: put ticks at the values even if they span more than a decade.
    """
    axes.set_xscale("log")
    places = sorted(set(values))
    if places and (always or places[-1] / places[0] < 10):
        axes.set_xticks(places, [f"{value:.3g}" for value in places])
        axes.xaxis.set_minor_locator(NullLocator())


def point_marker(number: int) -> str:
    """The marker of a curve with this number of points; no marker if markers would overlap."""
    return "o" if number <= 20 else ""


def legend_below(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend below all panels, with each entry once."""
    entries: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(
        handles=list(entries.values()), labels=list(entries), loc="outside lower center",
        ncols=min(3, max(1, len(entries))),
    )  # fmt: skip

"""Writing figures as image files."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

from glassml.errors import InputError
from glassml.files import atomic_write

__all__ = ["check_image", "save_figure"]


def check_image(path: str | Path) -> None:
    """Refuse a name that does not say in which format a picture is to be written.

    Raises:
        InputError: it has no ending, or one of no format of images.
    """
    known = FigureCanvasBase.get_supported_filetypes()
    suffix = Path(path).suffix
    if suffix.removeprefix(".").lower() not in known:
        found = f"ending {suffix!r}" if suffix else "a name without ending"
        raise InputError(
            f"{path}: picture: expected a name that ends in .png, .svg, .pdf or another of "
            f"{', '.join(known)}; found {found}"
        )


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure; the ending of the name is the format.

    Raises:
        InputError: see `check_image`, or the file cannot be written.
    """
    check_image(path)
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=150)

"""The figure of thermodynamic output."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from glassml.errors import InputError
from glassml.plotting import point_marker, series_colour, styled

__all__ = ["thermo_figure"]


@styled
def thermo_figure(
    step: np.ndarray,
    columns: Mapping[str, np.ndarray],
    *,
    xlabel: str = "step",
    title: str = "",
) -> Figure:
    """Thermodynamic output against time, with one panel per column.

    Args:
        step: [M], steps or times.
        columns: name of each quantity, which labels its axis -> its values [M].
        xlabel: what ``step`` is.
        title: heading.

    Raises:
        InputError: there is no column, or a column has another length than ``step``.
    """
    if not columns:
        raise InputError("columns: expected at least one quantity to draw; found none")
    for name, values in columns.items():
        if len(values) != len(step):
            raise InputError(
                f"columns: {name}: expected {len(step)} values, one per step; found {len(values)}"
            )
    figure = Figure(figsize=(7.2, 1.2 + 1.9 * len(columns)), layout="constrained")
    panels = figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, values) in zip(panels, columns.items(), strict=True):
        axes.plot(step, values, color=series_colour(0), marker=point_marker(len(step)), ms=3)
        axes.set_ylabel(name)
        axes.grid()
        axes.margins(x=0.01)
    panels[-1].set_xlabel(xlabel)
    panels[0].set_title(title)
    figure.align_ylabels(panels)
    return figure

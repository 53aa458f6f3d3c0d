"""The learning curves of a run: loss and Pearson coefficient against epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glassml.physics.units import measured_in, with_unit
from glassml.plotting import COLOUR_MAP, point_marker, series_colour, styled
from glassml.scores import KINDS
from glassml.training.pearson_metric import metric_name

__all__ = ["curves_figure"]

_TRAIN: dict[str, Any] = {"ls": "--", "lw": 1.0, "alpha": 0.7}
_VALIDATION: dict[str, Any] = {"ls": "-", "lw": 1.6}
_MOST_TIMES_IN_LEGEND = 6


@styled
def curves_figure(
    rows: Sequence[Mapping[str, float]], species: str, times: Sequence[float], time_unit: str = ""
) -> Figure:
    """The learning curves of a run.

    On the left the loss; on the right the Pearson coefficient of one species at each time, averaged
    over configurations. Dashed lines: training (with dropout); solid lines: validation.

    Args:
        rows: one mapping per epoch, as in ``metrics.csv``.
        species: the species whose coefficients are shown.
        times: times [time] of the labels.
        time_unit: how their unit is written; "" if it has none, or it is unknown.
    """
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_loss(left, rows)
    _draw_pearson(right, rows, species, times, time_unit)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid()
        axes.margins(x=0.02)
    return figure


def _draw_loss(axes: Axes, rows: Sequence[Mapping[str, float]]) -> None:
    epochs = [row["epoch"] for row in rows]
    for stage, style in (("train", _TRAIN), ("validation", _VALIDATION)):
        loss = [row.get(f"{stage}/loss", math.nan) for row in rows]
        marker = point_marker(len(rows))
        axes.plot(epochs, loss, color=series_colour(0), marker=marker, ms=3, label=stage, **style)
    axes.set(ylabel="loss", title="summed over times")
    axes.legend()


def _draw_pearson(
    axes: Axes,
    rows: Sequence[Mapping[str, float]],
    species: str,
    times: Sequence[float],
    time_unit: str,
) -> None:
    epochs = [row["epoch"] for row in rows]
    norm = LogNorm(times[0] / 1.2, times[-1] * 2)  # wider than the times: no pale yellow lines
    colours = [colormaps[COLOUR_MAP](norm(time)) for time in times]
    for time, colour in zip(times, colours, strict=True):
        for stage, style in (("train", _TRAIN), ("validation", _VALIDATION)):
            name = metric_name(stage, "mean", species, time)
            values = [row.get(name, math.nan) for row in rows]
            axes.plot(epochs, values, color=colour, marker=point_marker(len(rows)), ms=3, **style)
    axes.set(ylabel="Pearson coefficient", title=f"species {species}, {KINDS['mean']}")
    stages = [
        Line2D([], [], color="black", label="train", **_TRAIN),
        Line2D([], [], color="black", label="validation", **_VALIDATION),
    ]
    if len(times) <= _MOST_TIMES_IN_LEGEND:
        lines = [
            Line2D([], [], color=colour, label=f"$t$ = {with_unit(time, time_unit)}")
            for time, colour in zip(times, colours, strict=True)
        ]
        axes.legend(handles=[*stages, *lines])
        return
    axes.legend(handles=stages)
    label = measured_in("time $t$", time_unit)
    axes.figure.colorbar(ScalarMappable(norm, COLOUR_MAP), ax=axes, label=label)

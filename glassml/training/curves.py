"""The figure of a run: loss and Pearson coefficient against epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glassml.files import atomic_write
from glassml.training.pearson_metric import metric_name

__all__ = ["curves_picture"]

_TRAIN: dict[str, Any] = {"ls": "--", "lw": 1.0, "alpha": 0.7}
_VALIDATION: dict[str, Any] = {"ls": "-", "lw": 1.6}
_MOST_TIMES_IN_LEGEND = 6


def curves_picture(
    rows: Sequence[Mapping[str, float]], path: str | Path, species: str, times: Sequence[float]
) -> None:
    """Draw the learning curves of a run.

    Left the loss, right the Pearson coefficient of one species at each time, averaged over
    configurations. Lines are dashed for training (with dropout) and solid for validation.

    Args:
        rows: one mapping per epoch, as in ``metrics.csv``.
        path: PNG file to write.
        species: the species whose coefficients are shown.
        times: times [time] of the labels.
    """
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_loss(left, rows)
    _draw_pearson(right, rows, species, times)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.margins(x=0.02)
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=150)


def _draw_loss(axes: Axes, rows: Sequence[Mapping[str, float]]) -> None:
    epochs = [row["epoch"] for row in rows]
    for stage, style in (("train", _TRAIN), ("validation", _VALIDATION)):
        loss = [row.get(f"{stage}/loss", math.nan) for row in rows]
        axes.plot(epochs, loss, color="tab:blue", marker=_marker(rows), ms=3, label=stage, **style)
    axes.set_ylabel("loss")
    axes.set_title("mean squared error, summed over times", fontsize="medium")
    axes.legend()


def _draw_pearson(
    axes: Axes, rows: Sequence[Mapping[str, float]], species: str, times: Sequence[float]
) -> None:
    epochs = [row["epoch"] for row in rows]
    norm = LogNorm(times[0] / 1.2, times[-1] * 2)  # wider than the times: no pale yellow lines
    colours = [colormaps["viridis"](norm(time)) for time in times]
    for time, colour in zip(times, colours, strict=True):
        for stage, style in (("train", _TRAIN), ("validation", _VALIDATION)):
            name = metric_name(stage, "mean", species, time)
            values = [row.get(name, math.nan) for row in rows]
            axes.plot(epochs, values, color=colour, marker=_marker(rows), ms=3, **style)
    axes.set_ylabel("Pearson coefficient")
    axes.set_title(f"species {species}, mean over configurations", fontsize="medium")
    stages = [
        Line2D([], [], color="black", label="train", **_TRAIN),
        Line2D([], [], color="black", label="validation", **_VALIDATION),
    ]
    if len(times) <= _MOST_TIMES_IN_LEGEND:
        lines = [
            Line2D([], [], color=colour, label=f"t = {time:g}")
            for time, colour in zip(times, colours, strict=True)
        ]
        axes.legend(handles=[*stages, *lines])
        return
    axes.legend(handles=stages)
    axes.figure.colorbar(ScalarMappable(norm, "viridis"), ax=axes, label="time t")


def _marker(rows: Sequence[Mapping[str, float]]) -> str | None:
    return "o" if len(rows) <= 20 else None

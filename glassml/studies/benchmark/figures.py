"""Figures of a benchmark: accuracy against cost, and against time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glassml.analysis.published import PublishedCurves
from glassml.plotting import (
    MARKERS,
    PUBLISHED,
    legend_below,
    log_x_axis,
    series_colour,
    styled,
)
from glassml.studies.benchmark.results import EntryResult
from glassml.studies.benchmark.task_file import BenchmarkTask

__all__ = ["cost_figure", "published_figure", "time_figure"]

_SIZE = (4.6, 4.1)
_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))


@styled
def cost_figure(
    task: BenchmarkTask,
    entries: Sequence[EntryResult],
    cost: Callable[[EntryResult], float],
    label: str,
) -> Figure | None:
    """The coefficient `mean` of the table against a cost on a logarithmic axis.

    Args:
        task: the task.
        entries: in the order of the table, which decides their colours.
        cost: of an entry; NaN leaves it out.
        label: of the axis.

    Returns:
        None if no entry has this cost.
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    drawn = 0
    for k, entry in enumerate(entries):
        score, x = entry.score(task.species[0], task.time, "mean"), cost(entry)
        if score is None or math.isnan(x) or x <= 0:
            continue
        error = 0.0 if score.error is None else score.error
        axes.errorbar([x], [score.value], [error], ls="", **_style(k, entry))
        drawn += 1
    if not drawn:
        return None
    axes.set(xlabel=label, ylabel=f"Pearson coefficient of {task.species[0]}, mean")
    axes.grid()
    log_x_axis(axes)
    _with_room(axes)
    legend_below(figure, [axes])
    return figure


@styled
def time_figure(task: BenchmarkTask, entries: Sequence[EntryResult]) -> Figure | None:
    """The coefficient `mean` against the time of the labels.

    Returns:
        None if no entry has a coefficient.
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    if not _draw_entries(axes, task, entries):
        return None
    _finish(axes, task)
    legend_below(figure, [axes])
    return figure


@styled
def published_figure(
    task: BenchmarkTask, entries: Sequence[EntryResult], published: PublishedCurves
) -> Figure:
    """The same beside published curves, in grey."""
    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    axes = figure.subplots()
    models = [m for m in published.models if m not in published.descriptors]
    for k, model in enumerate(m for m in models if (m, "mean") in published.pearson):
        axes.plot(
            *published.pearson[model, "mean"],
            label=f"{model} (published)", ls=_DASHES[k % len(_DASHES)], **PUBLISHED,
        )  # fmt: skip
    _draw_entries(axes, task, entries)
    _finish(axes, task)
    legend_below(figure, [axes])
    return figure


def _draw_entries(axes: Axes, task: BenchmarkTask, entries: Sequence[EntryResult]) -> int:
    """Draws the entries that have coefficients; how many there are."""
    drawn = 0
    for k, entry in enumerate(entries):
        found = [entry.score(task.species[0], time, "mean") for time in task.times]
        scores = [score for score in found if score is not None]
        if scores:
            axes.errorbar(
                [score.time for score in scores],
                [score.value for score in scores],
                [np.nan if score.error is None else score.error for score in scores],
                **_style(k, entry),
            )
            drawn += 1
    return drawn


def _finish(axes: Axes, task: BenchmarkTask) -> None:
    axes.set(xlabel="time $t$", ylabel=f"Pearson coefficient of {task.species[0]}, mean")
    axes.grid()
    axes.set_ylim(min(0.0, axes.get_ylim()[0]), 1.02)
    log_x_axis(axes)


def _style(place: int, entry: EntryResult) -> dict[str, Any]:
    return {
        "color": series_colour(place),
        "marker": MARKERS[place % len(MARKERS)],
        "ms": 6,
        "label": entry.name,
    }


def _with_room(axes: Axes) -> None:
    """Limits of a logarithmic axis at which a single point is not on the edge."""
    low, high = axes.get_xlim()
    axes.set_xlim(low / 1.5, high * 1.5)
    axes.margins(y=0.15)

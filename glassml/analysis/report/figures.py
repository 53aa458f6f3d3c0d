"""Figures of a report: curves against time, four-point functions, calibration, distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from glassml.analysis.comparison import Comparison, Evaluation
from glassml.analysis.four_point_curves import LABELS, FourPointCurves
from glassml.analysis.metrics import calibration, overlap_coefficient
from glassml.analysis.published import SIMULATIONS, Curve, PublishedCurves
from glassml.physics.units import measured_in, with_unit
from glassml.plotting import (
    MARKERS,
    PUBLISHED,
    REFERENCE,
    Colour,
    legend_below,
    log_x_axis,
    series_colour,
    styled,
)
from glassml.scores import KINDS, Kind

__all__ = [
    "calibration_figure",
    "distribution_figure",
    "four_point_figure",
    "pearson_figure",
    "spread_figure",
]

_LABEL_COLOUR = "0.15"
_DASHES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (6, 2)))


@styled
def pearson_figure(
    comparison: Comparison, published: Sequence[PublishedCurves], species: str
) -> Figure:
    """Pearson coefficients against time: a row per species, `all` left and `mean` right.

    Published curves are drawn for the given species only.
    """
    order = sorted(comparison.species_names, key=lambda name: name != species)
    figure = Figure(figsize=(9.6, 0.9 + 3.3 * len(order)), layout="constrained")
    panels = figure.subplots(len(order), 2, sharex=True, squeeze=False)
    for row, name in zip(panels, order, strict=True):
        for axes, kind in zip(row, KINDS, strict=True):
            if name == species:
                _draw_published(axes, published, kind)
            _draw_ceiling(axes, comparison, name, kind)
            for evaluation in comparison.evaluations:
                _draw_scores(axes, comparison, evaluation, name, kind)
            axes.set(title=f"{name}, {kind}", ylabel="Pearson coefficient")
            axes.grid()
            axes.set_ylim(min(0.0, axes.get_ylim()[0]), 1.02)
            log_x_axis(axes, comparison.times if not published else ())
    for axes in panels[-1]:
        axes.set_xlabel(measured_in("time $t$", comparison.units.time))
    legend_below(figure, [*panels[0], *panels[-1]])
    return figure


@styled
def four_point_figure(
    comparison: Comparison, published: Sequence[PublishedCurves], time: float
) -> Figure:
    """chi4 against time and, if it was computed, G4 against distance at one time."""
    curves = comparison.four_point
    if curves is None:
        raise ValueError("a comparison without four-point functions has no such figure")
    number = bool(curves.chi4) + (curves.r is not None)
    figure = Figure(figsize=(0.4 + 4.6 * number, 4.2), layout="constrained")
    panels = figure.subplots(1, number, squeeze=False)[0]
    if curves.chi4:
        for theirs in published:
            for source, curve in theirs.chi4.items():
                _draw_curve(panels[0], published, theirs, source, curve)
        for name, heights in curves.chi4.items():
            panels[0].errorbar(
                curves.times, heights, curves.chi4_errors[name], **_line(comparison, name)
            )
        unit = comparison.units.time
        panels[0].set(xlabel=measured_in("time $t$", unit), ylabel=r"$\chi_4(t)$")
        log_x_axis(panels[0], curves.times if not published else ())
    if curves.r is not None:
        _draw_g4(panels[-1], comparison, curves, time)
    legend_below(figure, panels)
    return figure


def _draw_g4(axes: Axes, comparison: Comparison, curves: FourPointCurves, time: float) -> None:
    """G4 against distance at one time."""
    assert curves.r is not None, "drawn only where it was computed"
    t = curves.times.index(time)
    for name, g4 in curves.g4.items():
        errors = curves.g4_errors[name][:, t]
        options = _line(comparison, name) | {"marker": ""}
        axes.plot(curves.r, g4[:, t], **options)
        axes.fill_between(
            curves.r, g4[:, t] - errors, g4[:, t] + errors,
            color=options["color"], alpha=0.2, lw=0,
        )  # fmt: skip
    axes.axhline(0.0, color="0.6", lw=0.7)
    units = comparison.units
    axes.set(
        xlabel=measured_in("distance $r$", units.length),
        ylabel=rf"$G_4(r,\ t)$ at $t$ = {with_unit(time, units.time)}",
        xlim=(0, None),
    )


@styled
def calibration_figure(comparison: Comparison, species: str, time: float) -> Figure:
    """Labels against predictions, a panel for each set of predictions."""
    s, t = _indices(comparison, species, time)
    found = [(name, *comparison.collected.pooled(name, s, t)) for name in comparison.names]
    found = [entry for entry in found if len(entry[1]) > 1]
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure = Figure(figsize=(0.6 + 3.6 * columns, 3.8 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes, (name, x, y) in zip(panels.flat, found, strict=False):
        bins = calibration(x, y)
        limits = _inner(x), _inner(y)
        axes.hist2d(x, y, 60, range=limits, cmap="Greys", norm=LogNorm(0.4), rasterized=True)
        axes.axline((y.mean(), y.mean()), slope=1, **REFERENCE)
        axes.errorbar(
            bins.predicted, bins.true, bins.spread, fmt="o", color=_colour(comparison, name)
        )  # fmt: skip
        axes.set_title(_shortened(name))
        unit = comparison.units.length
        axes.set(
            xlabel=measured_in("predicted propensity", unit),
            ylabel=measured_in("true propensity", unit),
        )
        axes.set(xlim=limits[0], ylim=limits[1])
    for axes in panels.flat[len(found) :]:
        axes.set_axis_off()
    return figure


@styled
def distribution_figure(comparison: Comparison, species: str, time: float) -> Figure:
    """Histograms of the labels and of each set of predictions."""
    s, t = _indices(comparison, species, time)
    labels = np.concatenate(
        [
            y[kinds == s, t]
            for y, kinds in zip(
                comparison.collected.labels, comparison.collected.species, strict=True
            )
        ]
    )
    figure = Figure(figsize=(6.6, 3.8), layout="constrained")
    axes = figure.subplots()
    # Bins follow the labels: with a model that is far off, the labels would fall into one bin.
    low, high = (float(value) for value in np.percentile(labels, [0, 99.9]))
    margin = 0.25 * (high - low) or 0.1  # all labels may be equal
    edges = np.linspace(low - margin, high + margin, 90)
    width = float(edges[1] - edges[0])
    density = np.histogram(labels, edges)[0] / (len(labels) * width)
    axes.stairs(density, edges, fill=True, color="0.85", label=LABELS)
    for name in comparison.names:
        x, y = comparison.collected.pooled(name, s, t)
        if len(x) < 2:
            continue
        density = np.histogram(x, edges)[0] / (len(x) * width)
        label = f"{_shortened(name)}, overlap {overlap_coefficient(x, y):.2f}"
        axes.stairs(density, edges, color=_colour(comparison, name), label=label)
    units = comparison.units
    what = measured_in(f"propensity of {species}", units.length)
    ylabel = measured_in("density", f"1/{units.length}" if units.length else "")
    axes.set(xlabel=f"{what}, $t$ = {with_unit(time, units.time)}", ylabel=ylabel)
    axes.margins(x=0)
    axes.legend()
    return figure


@styled
def spread_figure(comparison: Comparison, species: str, time: float) -> Figure:
    """Root mean square error against predicted spread, for each model that gives one."""
    figure = Figure(figsize=(5.0, 4.0), layout="constrained")
    axes = figure.subplots()
    for entry in comparison.spreads:
        if (entry.species, entry.time) != (species, time):
            continue
        axes.plot(
            entry.spread, entry.error, "o-",
            color=_colour(comparison, entry.model), label=_shortened(entry.model),
        )  # fmt: skip
    top = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.axline((0, 0), slope=1, **REFERENCE)
    axes.set(xlim=(0, axes.get_xlim()[1]), ylim=(0, top))
    unit = comparison.units.length
    axes.set(
        xlabel=measured_in("predicted spread", unit),
        ylabel=measured_in("root mean square error", unit),
    )
    axes.legend()
    return figure


def _draw_scores(
    axes: Axes, comparison: Comparison, evaluation: Evaluation, species: str, kind: Kind
) -> None:
    wanted = (species, "pearson", kind)
    scores = [s for s in evaluation.scores if (s.species, s.statistic, s.kind) == wanted]
    values = [score.value for score in scores]
    errors = [np.nan if score.error is None else score.error for score in scores]
    if np.isnan(values).all():
        return
    options = _line(comparison, evaluation.model)
    if evaluation.model in comparison.seed_models:
        options |= {"lw": 0.7, "alpha": 0.6, "ms": 3}
    axes.errorbar([score.time for score in scores], values, errors, **options)


def _draw_ceiling(axes: Axes, comparison: Comparison, species: str, kind: Kind) -> None:
    ceilings = [c for c in comparison.ceilings if c.species == species]
    values = [getattr(c, kind) for c in ceilings]
    if not np.isnan(values).all():
        axes.plot(
            [c.time for c in ceilings], values, color="black", lw=1.3, ls=(0, (4, 2)),
            marker="_", label="noise ceiling",
        )  # fmt: skip


def _draw_published(axes: Axes, published: Sequence[PublishedCurves], kind: Kind) -> None:
    for curves in published:
        for model in curves.models:
            if model not in curves.descriptors and (model, kind) in curves.pearson:
                _draw_curve(axes, published, curves, model, curves.pearson[model, kind])
    for curves in published:
        if kind == "all" and curves.noise_ceiling is not None:
            axes.plot(*curves.noise_ceiling, color="0.75", lw=1.3, label="published noise ceiling")


def _draw_curve(
    axes: Axes,
    published: Sequence[PublishedCurves],
    curves: PublishedCurves,
    model: str,
    curve: Curve,
) -> None:
    """Draw a published curve, with the same dashes for the same model in every panel.

    The legend names their origin only if curves of several origins are drawn.
    """
    names = [(c.name, m) for c in published for m in c.models if m not in c.descriptors]
    label = "simulations" if model == SIMULATIONS else model
    dash: Any = "-"
    if (curves.name, model) in names:
        dash = _DASHES[names.index((curves.name, model)) % len(_DASHES)]
    axes.plot(
        *curve, ls=dash, **PUBLISHED,
        label=label if len(published) == 1 else f"{label} ({curves.name})",
    )  # fmt: skip


def _line(comparison: Comparison, name: str) -> dict[str, Any]:
    """Line style of a set of predictions, or of the labels."""
    if name == LABELS:
        return {"color": _LABEL_COLOUR, "marker": "o", "mfc": "white", "label": LABELS}
    marker = MARKERS[_place(comparison, name) % len(MARKERS)]
    return {"color": _colour(comparison, name), "marker": marker, "label": _shortened(name)}


def _colour(comparison: Comparison, name: str) -> Colour:
    """The colour that stands for a set of predictions in all figures."""
    return series_colour(_place(comparison, name))


def _place(comparison: Comparison, name: str) -> int:
    return [evaluation.model for evaluation in comparison.evaluations].index(name)


def _indices(comparison: Comparison, species: str, time: float) -> tuple[int, int]:
    return comparison.species_names.index(species), comparison.times.index(time)


def _inner(values: np.ndarray) -> tuple[float, float]:
    """Limits of an axis that leave out the outermost particles; distinct even for equal values."""
    low, high = (float(value) for value in np.percentile(values, [0.2, 99.8]))
    margin = 0.02 * (high - low) or 0.01 * abs(high) or 1.0
    return low - margin, high + margin


def _shortened(name: str) -> str:
    return name if len(name) <= 32 else "..." + name[-29:]

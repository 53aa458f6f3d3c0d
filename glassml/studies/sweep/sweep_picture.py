"""The figure of a sweep: learning curves, or the accuracy of each setting."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glassml.physics import same_time
from glassml.physics.units import with_unit
from glassml.plotting import REFERENCE, log_x_axis, series_colour, styled
from glassml.scores import KINDS, ErrorKind, Kind, Score
from glassml.studies.sweep.sweep_config import SweepConfig
from glassml.studies.sweep.sweep_plan import BASE, Plan
from glassml.studies.sweep.sweep_results import SettingScores, SweepResults

__all__ = ["Shown", "shown", "sweep_figure"]

_NAMED = "named variants"  # title of their panel
_NOTES = {
    "last": "last epoch",
    "best": "best epoch, chosen on the held-out configurations: too good",
}


class Shown:
    """The shown coefficients of one setting and size, for one time or averaged over times.

    Args:
        setting: the results for a setting and size.
        scores: the scores among them to average.

    Attributes:
        setting: name of the settings.
        size: number of training configurations.
        seeds: number of seeds that count.
        values: ``all`` and ``mean`` -> coefficient.
        spreads: ``all`` and ``mean`` -> its error bar: the standard deviation over seeds; that over
            folds, if there is a single seed; NaN if there is no error bar.
        error_kind: what the error bars are.
    """

    def __init__(self, setting: SettingScores, scores: Sequence[Score]) -> None:
        self.setting, self.size, self.seeds = setting.setting, setting.size, setting.seeds
        self.error_kind: ErrorKind | None = scores[0].error_kind
        first = [score for score in scores if score.error_kind == self.error_kind]
        self.values: dict[Kind, float] = {}
        self.spreads: dict[Kind, float] = {}
        for kind in KINDS:
            same = [score for score in first if score.kind == kind]
            errors = [math.nan if score.error is None else score.error for score in same]
            self.values[kind] = float(np.mean([score.value for score in same]))
            self.spreads[kind] = float(np.mean(errors))


def shown(config: SweepConfig, plan: Plan, results: SweepResults) -> list[Shown]:
    """The coefficients in table and figure, for the species, time and epoch of the sweep."""
    species = config.species or plan.species[0]
    found = []
    for setting in results.settings:
        scores = [
            score
            for score in setting.scores
            if score.species == species
            and (config.time is None or same_time(score.time, config.time))
        ]
        if setting.epoch == config.epoch:
            found.append(Shown(setting, scores))
    return found


@styled
def sweep_figure(config: SweepConfig, plan: Plan, results: SweepResults) -> Figure | None:
    """The coefficients of the held-out configurations.

    With several numbers of training configurations: learning curves, one per setting. Otherwise one
    panel per axis and one for named variants, with the base as a dashed line.

    Args:
        config: the sweep.
        plan: its runs.
        results: the results so far; settings without a result are left out.

    Returns:
        None as long as there is no result.
    """
    known = [s for s in shown(config, plan, results) if np.isfinite(s.values["mean"])]
    if not known:
        return None
    figure = _curves(known) if len({s.size for s in known}) > 1 else _bars(plan, known)
    species = config.species or plan.species[0]
    chosen = plan.times[0] if len(plan.times) == 1 else config.time
    time = "averaged over times" if chosen is None else f"$t$ = {with_unit(chosen, plan.time_unit)}"
    held = f"{plan.folds}-fold cross-validation" if plan.folds > 1 else "held-out configurations"
    kinds = "; ".join(dict.fromkeys(s.error_kind for s in known if s.error_kind is not None))
    bars = f"; bars: {kinds}" if kinds else ""
    figure.suptitle(f"species {species}, {time}; {held}, {_NOTES[config.epoch]}{bars}")
    return figure


def _curves(known: Sequence[Shown]) -> Figure:
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    names = list(dict.fromkeys(s.setting for s in known))
    for axes, (kind, title) in zip(panels, KINDS.items(), strict=True):
        for k, name in enumerate(names):
            mine = sorted((s for s in known if s.setting == name), key=lambda s: s.size)
            axes.errorbar(
                [s.size for s in mine],
                [s.values[kind] for s in mine],
                [np.nan_to_num(s.spreads[kind]) for s in mine],
                fmt="o-", color=series_colour(k), label=name,
            )  # fmt: skip
        axes.set(xlabel="training configurations", title=title)
        log_x_axis(axes, {s.size for s in known}, always=True)
        axes.grid()
    panels[0].set_ylabel("Pearson coefficient")
    if len(names) > 1:
        panels[1].legend()
    return figure


def _bars(plan: Plan, known: Sequence[Shown]) -> Figure:
    """Panels of points with error bars: bars from zero would hide the differences."""
    by_name = {s.setting: s for s in known}
    panels: dict[str, list[tuple[str, Shown]]] = {}
    for variant in plan.variants:
        if variant.name in by_name and (variant.name != BASE or len(plan.variants) == 1):
            label = variant.name if variant.axis is None else variant.name.partition("=")[2]
            panels.setdefault(variant.axis or _NAMED, []).append((label, by_name[variant.name]))
    base = by_name.get(BASE)
    heights = [0.9 + 0.34 * len(entries) for entries in panels.values()] or [1.0]
    figure = Figure(figsize=(8.0, sum(heights) + 0.9), layout="constrained")
    grid = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    for axes, (title, entries) in zip(grid[:, 0], panels.items(), strict=False):
        _draw_entries(axes, title if len(panels) > 1 or title != _NAMED else "", entries)
        if base is not None:
            axes.axvline(base.values["mean"], **REFERENCE, label="base, mean")
    grid[-1, 0].set_xlabel("Pearson coefficient")
    if len(panels):
        grid[0, 0].legend()
    return figure


def _draw_entries(axes: Axes, title: str, entries: Sequence[tuple[str, Shown]]) -> None:
    places = np.arange(len(entries))[::-1]
    kinds: tuple[tuple[Kind, float, str], ...] = (("mean", 0.12, "o"), ("all", -0.12, "s"))
    for k, (kind, shift, marker) in enumerate(kinds):
        axes.errorbar(
            [s.values[kind] for _, s in entries],
            places + shift,
            xerr=[np.nan_to_num(s.spreads[kind]) for _, s in entries],
            fmt=marker, color=series_colour(k), label=kind,
        )  # fmt: skip
    axes.set_yticks(places, [label for label, _ in entries])
    axes.set_ylim(-0.6, len(entries) - 0.4)
    axes.set_title(title, loc="left")
    axes.grid(axis="x")

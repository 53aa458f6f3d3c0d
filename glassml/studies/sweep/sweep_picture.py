"""The picture of a sweep: learning curves, or what each setting is worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from glassml.physics import same_time
from glassml.plotting import save_figure
from glassml.studies.sweep.sweep_config import SweepConfig
from glassml.studies.sweep.sweep_plan import BASE, Plan
from glassml.studies.sweep.sweep_results import SweepResults, SweepScore

__all__ = ["Shown", "shown", "sweep_picture"]

_NAMED = "named variants"  # their panel
_NOTES = {
    "last": "last epoch",
    "best": "best epoch, chosen on the held-out configurations: too good",
}


class Shown:
    """One number a setting and size: of one species, at one time or averaged over times.

    Attributes:
        setting: name of the settings.
        size: number of training configurations.
        values: ``all`` and ``mean`` -> coefficient.
        spreads: ``all`` and ``mean`` -> standard deviation over seeds; over folds, if there is a
            single seed.
        seeds: number of seeds that count.
    """

    def __init__(self, scores: Sequence[SweepScore]) -> None:
        first = scores[0]
        self.setting, self.size, self.seeds = first.setting, first.size, first.seeds
        self.values, self.spreads = {}, {}
        which = "seeds" if first.seeds > 1 else "folds"
        for kind in ("all", "mean"):
            self.values[kind] = float(np.mean([getattr(s, f"pearson_{kind}") for s in scores]))
            self.spreads[kind] = float(
                np.mean([getattr(s, f"pearson_{kind}_{which}") for s in scores])
            )


def shown(config: SweepConfig, plan: Plan, results: SweepResults) -> list[Shown]:
    """What tables and picture show: the species, time and epoch that the sweep names."""
    species = config.species or plan.species[0]
    groups: dict[tuple[str, float], list[SweepScore]] = {}
    for score in results.scores:
        at = config.time is None or same_time(score.time, config.time)
        if score.species == species and score.epoch == config.epoch and at:
            groups.setdefault((score.setting, score.size), []).append(score)
    return [Shown(scores) for scores in groups.values()]


def sweep_picture(config: SweepConfig, plan: Plan, results: SweepResults, path: str | Path) -> None:
    """Draw the coefficients of the held-out configurations.

    With several numbers of training configurations, learning curves, one a setting; else one panel
    for each axis, and one for named variants, with the base as a dashed line.

    Args:
        config: the sweep.
        plan: its runs.
        results: what is known so far; settings without a result are left out.
        path: PNG (or other image) file to write.
    """
    known = [s for s in shown(config, plan, results) if np.isfinite(s.values["mean"])]
    if not known:
        return
    figure = _curves(known) if len({s.size for s in known}) > 1 else _bars(plan, known)
    species = config.species or plan.species[0]
    time = "averaged over times" if config.time is None else f"t = {config.time:g}"
    if len(plan.times) == 1:
        time = f"t = {plan.times[0]:g}"
    held = f"{plan.folds}-fold cross-validation" if plan.folds > 1 else "held-out configurations"
    spread = "seeds" if known[0].seeds > 1 else "folds"
    bars = f"; bars: standard deviation over {spread}" if _has_bars(known) else ""
    figure.suptitle(
        f"species {species}, {time}; {held}, {_NOTES[config.epoch]}{bars}", fontsize="medium"
    )
    save_figure(figure, path)


def _has_bars(known: Sequence[Shown]) -> bool:
    return any(np.isfinite(s.spreads["mean"]) for s in known)


def _curves(known: Sequence[Shown]) -> Figure:
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    colours = colormaps["tab10"].colors  # type: ignore[attr-defined]
    names = list(dict.fromkeys(s.setting for s in known))
    sizes = sorted({s.size for s in known})
    titles = {"all": "all particles pooled", "mean": "mean over configurations"}
    for axes, (kind, title) in zip(panels, titles.items(), strict=True):
        for k, name in enumerate(names):
            mine = sorted((s for s in known if s.setting == name), key=lambda s: s.size)
            axes.errorbar(
                [s.size for s in mine],
                [s.values[kind] for s in mine],
                [np.nan_to_num(s.spreads[kind]) for s in mine],
                fmt="o-", ms=4, lw=1.4, capsize=3, color=colours[k % len(colours)], label=name,
            )  # fmt: skip
        axes.set(xscale="log", xlabel="training configurations", title=title)
        axes.xaxis.set_major_locator(FixedLocator(sizes))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:.3g}")
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("Pearson coefficient")
    if len(names) > 1:
        panels[1].legend(frameon=False, fontsize="small")
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
            axes.axvline(base.values["mean"], color="grey", lw=1.0, ls="--", label="base, mean")
    grid[-1, 0].set_xlabel("Pearson coefficient")
    if len(panels):
        grid[0, 0].legend(frameon=False, fontsize="small", loc="best")
    return figure


def _draw_entries(axes: Axes, title: str, entries: Sequence[tuple[str, Shown]]) -> None:
    places = np.arange(len(entries))[::-1]
    for kind, shift, marker, colour in (
        ("mean", 0.12, "o", "tab:blue"),
        ("all", -0.12, "s", "tab:orange"),
    ):
        axes.errorbar(
            [s.values[kind] for _, s in entries],
            places + shift,
            xerr=[np.nan_to_num(s.spreads[kind]) for _, s in entries],
            fmt=marker, ms=5, capsize=3, color=colour, label=kind,
        )  # fmt: skip
    axes.set_yticks(places, [label for label, _ in entries])
    axes.set_ylim(-0.6, len(entries) - 0.4)
    axes.set_title(title, fontsize="medium", loc="left")
    axes.grid(alpha=0.25, axis="x")

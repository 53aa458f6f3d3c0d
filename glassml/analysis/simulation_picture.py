"""A figure of simulated datasets: relaxation, energies and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from glassml.data import Configuration, Dataset, units_of
from glassml.errors import InputError
from glassml.physics.units import measured_in, with_unit
from glassml.plotting import MARKERS, REFERENCE, Colour, graded_colours, log_x_axis, styled

__all__ = ["simulation_figure"]

_POINTS = 3000  # of a scatter plot; more points only hide one another
_BINS = 60


@styled
def simulation_figure(datasets: Sequence[str | Path]) -> Figure:
    """Relaxation, energies and labels of datasets of `glassml simulate`.

    Panels: the self-intermediate scattering function at each temperature; the inherent against the
    thermal energy of each particle; and for each temperature the distribution of the propensity of
    the first species at each time. Data that a dataset lacks are left out.

    Args:
        datasets: files, one per temperature.

    Raises:
        InputError: a dataset was not made by `glassml simulate`.
    """
    opened = [Dataset(file) for file in datasets]
    for dataset in opened:
        if "equilibration" not in dataset.description:
            raise InputError(f"{dataset.path}: expected a dataset that `glassml simulate` wrote")
    loaded = [list(dataset) for dataset in opened]
    labelled = [i for i, found in enumerate(loaded) if found[0].propensity is not None]
    rows = 1 + -(-len(labelled) // 2)
    figure = Figure(figsize=(10.0, 3.9 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, 2)
    panels = [figure.add_subplot(grid[0, column]) for column in (0, 1)]
    colours = graded_colours(len(opened))[::-1]
    _draw_relaxation(panels[0], opened, colours)
    _draw_energies(panels[1], opened, loaded, colours)
    for place, i in enumerate(labelled):
        is_alone = place % 2 == 0 and place == len(labelled) - 1  # in its row
        cell = grid[1 + place // 2, :] if is_alone else grid[1 + place // 2, place % 2]
        axes = figure.add_subplot(cell)
        _draw_propensity(axes, opened[i], loaded[i])
    system = opened[0].description["system"]
    counts = sum(len(found) for found in loaded)
    figure.suptitle(
        f"{system['name']}, {sum(system['particles'])} particles, {counts} configurations"
    )
    return figure


def _draw_relaxation(axes: Axes, datasets: Sequence[Dataset], colours: Sequence[Colour]) -> None:
    measured = [d.description["equilibration"] for d in datasets]
    if not any("f_s" in found for found in measured):
        text = "not measured, as configurations were given"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center")
        axes.set(xticks=[], yticks=[], title="Relaxation")
        return
    for dataset, found, colour in zip(datasets, measured, colours, strict=True):
        if "f_s" not in found:
            continue
        units = units_of(dataset)
        label = f"T = {with_unit(found['temperature'], units.temperature)}"
        if "tau_alpha" in found:
            tau = with_unit(float(f"{found['tau_alpha']:.3g}"), units.time)
            label += rf", $\tau_\alpha$ = {tau}"
            axes.plot(
                found["tau_alpha"], 1 / math.e, "o", color=colour, ms=7, mec="white", zorder=3
            )
        label += "" if found["equilibrated"] else " (not equilibrated)"
        style = "-" if found["equilibrated"] else "--"
        axes.plot(found["f_s"]["times"], found["f_s"]["values"], style, color=colour, label=label)
    wave_number = datasets[0].description["settings"]["equilibration"]["wave_number"]
    axes.axhline(1 / math.e, **REFERENCE)
    axes.annotate(
        "1/e", (1.0, 1 / math.e), xycoords=("axes fraction", "data"), xytext=(-4, 3),
        textcoords="offset points", ha="right", color=REFERENCE["color"],
    )  # fmt: skip
    units = units_of(datasets[0])
    xlabel = measured_in("time $t$", units.time)
    axes.set(ylim=(-0.03, 1.03), xlabel=xlabel, title="Relaxation")
    log_x_axis(axes)
    k = with_unit(wave_number, rf"{units.length}$^{{-1}}$" if units.length else "")
    axes.set_ylabel(rf"$F_s(k,\ t)$ at $k$ = {k}")
    axes.legend(loc="lower left")


def _draw_energies(
    axes: Axes,
    datasets: Sequence[Dataset],
    loaded: Sequence[Sequence[Configuration]],
    colours: Sequence[Colour],
) -> None:
    rng = np.random.default_rng(0)
    unit = units_of(datasets[0]).energy
    axes.set(
        title="Energy of a particle",
        xlabel=measured_in("thermal", unit),
        ylabel=measured_in("inherent", unit),
    )
    for dataset, found, colour in zip(datasets, loaded, colours, strict=True):
        if "inherent_energy" not in found[0].scalars:
            continue
        thermal, inherent = (
            np.concatenate([c.scalars[name] for c in found])
            for name in ("potential_energy", "inherent_energy")
        )
        species = np.concatenate([c.species for c in found])
        chosen = rng.permutation(len(thermal))[:_POINTS]
        for kind, marker in zip(range(len(dataset.species_names)), MARKERS, strict=False):
            points = chosen[species[chosen] == kind]
            axes.scatter(
                thermal[points], inherent[points], s=7, color=colour, marker=marker, alpha=0.25,
                lw=0, rasterized=True,
            )  # fmt: skip
            # The name of a species stands at the mean of its points.
            axes.annotate(
                dataset.species_names[kind],
                (thermal[species == kind].mean(), inherent[species == kind].mean()),
                ha="center", va="center", fontsize="small", fontweight="bold",
                bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": colour, "alpha": 0.9},
            )  # fmt: skip
    if not axes.collections:
        axes.text(0.5, 0.5, "no inherent structures", transform=axes.transAxes, ha="center")
        return
    low, high = axes.get_ylim()
    axes.axline((low, low), slope=1, **REFERENCE)
    axes.set_ylim(low, high)


def _draw_propensity(axes: Axes, dataset: Dataset, found: Sequence[Configuration]) -> None:
    """Distributions on a logarithmic axis, on which those of all times are about equally wide."""
    times, units = found[0].times, units_of(dataset)
    temperature = with_unit(float(dataset.description["temperature"]), units.temperature)
    assert times is not None, "only labelled datasets are drawn"
    name = found[0].species_names[0]
    values = np.concatenate([c.propensity[c.species == 0] for c in found])  # type: ignore[index]
    positive = values[values > 0]
    bins = np.geomspace(positive.min(), positive.max() * (1 + 1e-9), _BINS).tolist()
    # A different colour map from that of the temperatures.
    for i, (time, colour) in enumerate(
        zip(times, graded_colours(len(times), "plasma"), strict=True)
    ):
        axes.hist(values[:, i], bins=bins, histtype="stepfilled", alpha=0.35, color=colour)
        axes.hist(
            values[:, i],
            bins=bins,
            histtype="step",
            color=colour,
            lw=1.2,
            label=f"$t$ = {with_unit(float(f'{time:.3g}'), units.time)}",
        )
    axes.set(xlabel=measured_in(f"propensity of {name}", units.length), ylabel="particles")
    log_x_axis(axes)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(f"Labels at T = {temperature}, {found[0].n_runs} runs each")
    axes.legend()

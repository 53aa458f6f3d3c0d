"""P_R(S), and how softness is distributed, as a picture."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from glassml.plotting import MARKERS, REFERENCE, legend_below, series_colour, styled
from glassml.studies.softness.evaluation import SoftnessTable, SpeciesSoftness

__all__ = ["softness_figure"]


@styled
def softness_figure(result: SoftnessTable) -> Figure:
    """The chance to rearrange against softness, and the particles in each bin of softness."""
    figure = Figure(figsize=(8.0, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for k, one in enumerate(result.species):
        softness = np.array([chance.softness for chance in one.chances])
        chance = np.array([chance.chance for chance in one.chances])
        error = np.array([chance.error for chance in one.chances])
        seen = chance > 0  # zero has no place on a logarithmic axis
        style = {"color": series_colour(k), "marker": MARKERS[k], "ls": "-"}
        left.errorbar(softness[seen], chance[seen], error[seen], label=one.species, **style)
        right.plot(softness, _share(one, False), **style)
        right.plot(softness, _share(one, True), **{**style, "ls": ":", "mfc": "white"})
    for axes in (left, right):
        axes.axvline(0, **REFERENCE)
        axes.set_xlabel("softness $S$")
        axes.grid(True)
    left.set(yscale="log", ylabel=f"$P_R(S)$: rearranges within {result.tau / 2:g}")
    right.set_ylabel("fraction of particles in a bin")
    right.plot([], [], color="0.3", label="all")
    right.plot([], [], color="0.3", ls=":", label="rearranging")
    legend_below(figure, [left, right])
    return figure


def _share(one: SpeciesSoftness, rearranging: bool) -> np.ndarray:
    """Which fraction of the particles, or of those that rearrange, are in each bin."""
    numbers = [chance.rearranging if rearranging else chance.particles for chance in one.chances]
    return np.array(numbers) / max(1, sum(numbers))

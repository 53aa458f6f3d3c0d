r"""Dynamic heterogeneity from predictions
======================================

A model may rank particles well and still predict a liquid that is too uniform. Two functions show
this. The four-point susceptibility :math:`\chi_4` measures how strongly the mobility of a whole
sample fluctuates. The correlation :math:`G_4(r)` shows up to which distance particles have similar
mobility. Both are computed here from the labels of ten configurations with 1000 particles, and from
the predictions of a model that was trained on other configurations.
"""

from matplotlib.figure import Figure

from glassml.analysis import FourPointCollector, FourPointCurves, compare, open_sources
from glassml.data import Dataset
from glassml.plotting import log_x_axis, save_figure, series_colour, styled

dataset = Dataset("kob_andersen_T0.64")
sources = open_sources(dataset, ["kob_andersen_T0.64_multitime"], {}, device="cpu")
found = compare(dataset, sources, four_point=FourPointCollector.suited(dataset, "A"))
curves = found.four_point
LEGEND = {"labels": "labels, 32 runs", found.names[0]: "predicted"}

# %%
# A particle counts as mobile if its propensity exceeds 0.44, with the smooth step function of
# GlassBench. Error bars are standard deviations over resamples of the configurations. They are
# large, because a variance over ten configurations is poorly known.


@styled
def chi4_figure(curves: FourPointCurves) -> Figure:
    """chi4 against time."""
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for k, (name, label) in enumerate(LEGEND.items()):
        axes.errorbar(
            curves.times, curves.chi4[name], curves.chi4_errors[name],
            fmt=["o-", "s--"][k], color=series_colour(k), label=label,
        )  # fmt: skip
    log_x_axis(axes, curves.times)
    axes.axhline(0, color="0.7", lw=0.8, zorder=0)
    axes.set(xlabel="time $t$", ylabel=r"$\chi_4(t)$ of particles A")
    axes.legend()
    return figure


save_figure(chi4_figure(curves), "chi4.png")

# %%
# At short times, hardly any particle has moved by 0.44. At the last time, about twice the
# relaxation time, configurations differ. The predictions fluctuate too little.
#
# Divided by the pair distribution :math:`g(r)`, :math:`G_4` is the mean product of
# :math:`\delta c_i` and :math:`\delta c_j` over all pairs at the distance :math:`r`.


@styled
def g4_figure(curves: FourPointCurves, column: int) -> Figure:
    """G4 / g against distance, at one of the times."""
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    near = curves.pair_distribution > 0.05  # there are too few closer pairs
    r, g = curves.r[near], curves.pair_distribution[near]
    for k, (name, label) in enumerate(LEGEND.items()):
        axes.errorbar(
            r, curves.g4[name][near, column] / g, curves.g4_errors[name][near, column] / g,
            fmt="os"[k], ms=3.5, color=series_colour(k), label=label,
        )  # fmt: skip
    axes.axhline(0, color="0.7", lw=0.8, zorder=0)
    axes.set_title(f"$t$ = {curves.times[column]:g}")
    axes.set(xlabel="distance $r$", ylabel="$G_4(r, t)\\,/\\,g(r)$ of particles A")
    axes.legend()
    return figure


# sphinx_gallery_thumbnail_number = 2
save_figure(g4_figure(curves, -1), "g4.png")

# %%
# Mobile particles are correlated over several diameters, in the predictions over fewer than in the
# labels. :doc:`Clusters <plot_clusters>` of predictions are no smaller than those of labels,
# because there the most mobile tenth is picked whatever the values are.
#
# ``glassml evaluate`` draws both functions for any model and dataset, and ``fix glassml`` prints
# :math:`\chi_4` of its predictions during a simulation.

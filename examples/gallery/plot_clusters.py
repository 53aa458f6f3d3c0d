"""Clusters of mobile particles
============================

Mobile particles are not scattered at random: they form clusters. Here the most mobile tenth of each
species is picked, once by the labels and once by the predictions of a model that was trained on
other configurations. Two of these particles belong to the same cluster if they are neighbours.
"""

import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from glassml.data import Configuration, Dataset
from glassml.inference import Predictor
from glassml.physics import column_of, find_neighbours
from glassml.plotting import save_figure, series_colour, styled

TIME = 5.2  # 0.6 of the relaxation time at this temperature, T = 0.64
FRACTION = 0.1
REACH = 1.4  # closer particles are neighbours: the first minimum of g(r) of particles A


def most_mobile(values: np.ndarray, species: np.ndarray) -> np.ndarray:
    """Which particles are among the most mobile of their species, bool [N]."""
    chosen = np.zeros(len(values), dtype=bool)
    for s in np.unique(species):
        chosen |= (species == s) & (values > np.quantile(values[species == s], 1 - FRACTION))
    return chosen


def clusters(configuration: Configuration, chosen: np.ndarray) -> np.ndarray:
    """The number of the cluster of each chosen particle, the largest cluster first."""
    positions = configuration.positions[chosen]
    pairs = find_neighbours(positions, configuration.cell, configuration.pbc, REACH)
    n = len(positions)
    bonds = coo_array((np.ones(len(pairs.sender)), (pairs.sender, pairs.receiver)), shape=(n, n))
    _, cluster = connected_components(bonds)
    order = np.argsort(-np.bincount(cluster), kind="stable")
    return np.argsort(order)[cluster]


dataset = Dataset("kob_andersen_T0.64")
predictor = Predictor("kob_andersen_T0.64_multitime", device="cpu")
configurations = [dataset[k] for k in range(len(dataset))]
columns = column_of(TIME, dataset.common_times()), column_of(TIME, predictor.manifest.times)
true = [c.propensity[:, columns[0]] for c in configurations]
predicted = [p["propensity"][:, columns[1]] for p in predictor.predict(configurations)]

# %%
# The most mobile tenth of the first configuration, according to the labels and to the model. The
# five largest clusters have colours, smaller ones are grey. Lines join neighbours. Clusters
# continue across the periodic boundaries.

PALETTE = [series_colour(k) for k in (1, 0, 2, 4, 3)]


@styled
def picture(configuration: Configuration, panels: dict[str, np.ndarray]) -> Figure:
    """The most mobile particles in the box, coloured by cluster."""
    figure = Figure(figsize=(8.4, 4.4))
    figure.subplots_adjust(left=0, right=0.96, bottom=0.06, top=0.92, wspace=0.1)
    side = configuration.cell.diagonal()
    for k, (title, values) in enumerate(panels.items()):
        chosen = most_mobile(values, configuration.species)
        cluster = clusters(configuration, chosen)
        places = configuration.positions[chosen] % side
        colours = np.full((len(places), 4), (0.85, 0.85, 0.85, 1.0))
        for n, colour in enumerate(PALETTE):
            colours[cluster == n] = colour
        axes = figure.add_subplot(1, 2, k + 1, projection="3d", proj_type="ortho")
        axes.scatter(
            *places.T, s=90, c=colours, edgecolors="black", linewidths=0.5, depthshade=False
        )
        inside = find_neighbours(places, configuration.cell, (False,) * 3, REACH)
        ends = np.stack([places[inside.sender], places[inside.receiver]], axis=1)
        axes.add_collection3d(Line3DCollection(ends, colors=colours[inside.sender], linewidths=2))
        sizes = np.bincount(cluster)
        axes.set_title(f"{title}: largest cluster {sizes[0]} of {len(cluster)}")
        axes.set(xlim=(0, side[0]), ylim=(0, side[1]), zlim=(0, side[2]))
        axes.set(xlabel="x", ylabel="y", zlabel="z", box_aspect=(1, 1, 1))
    return figure


panels = {"labels": true[0], "predicted": predicted[0]}
save_figure(picture(configurations[0], panels), "clusters.png")

# %%
# Is that more than chance? The same number of particles picked at random form far smaller clusters.
# The curves are for all ten configurations. Predicted clusters are even a little larger than those
# of the labels, which have the noise of 32 runs.

rng = np.random.default_rng(0)
at_random = [rng.random(c.n_particles) for c in configurations]
COLOURS = (series_colour(0), series_colour(1), "0.5")


@styled
def sizes_figure(groups: dict[str, list[np.ndarray]]) -> Figure:
    """The fraction of mobile particles in clusters of at least a size."""
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for (label, values), colour in zip(groups.items(), COLOURS, strict=True):
        found = []
        for c, v in zip(configurations, values, strict=True):
            cluster = clusters(c, most_mobile(v, c.species))
            found.append(np.bincount(cluster)[cluster])
        size = np.sort(np.concatenate(found))
        axes.step(size, 1 - np.arange(len(size)) / len(size), color=colour, label=label)
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="size of the cluster, $n$")
    axes.set_ylabel("fraction of the particles\nin clusters of at least $n$")
    axes.legend()
    return figure


groups = {"labels": true, "predicted": predicted, "picked at random": at_random}
save_figure(sizes_figure(groups), "sizes.png")

r"""What makes a particle mobile
============================

A prediction can be asked for its reasons. The gradient :math:`\partial m_i / \partial \mathbf{r}_j`
of the predicted propensity of particle *i* says how it changes if particle *j* is moved. Here it is
shown around the A particle of a Kob-Andersen liquid that the model predicts to be the most mobile.
"""

import subprocess
import sys
from dataclasses import replace

import ase.io
import numpy as np
from matplotlib.figure import Figure

from glassml.analysis import Panel, map_figure
from glassml.analysis.maps import particle_diameters
from glassml.data import Dataset
from glassml.export import read_manifest
from glassml.inference import Predictor
from glassml.physics import column_of
from glassml.plotting import save_figure, styled

MODEL, DATASET, TIME = "kob_andersen_T0.64_multitime", "kob_andersen_T0.64", 1.65

configuration = Dataset(DATASET)[0]
cutoff, times = read_manifest(MODEL).cutoff, read_manifest(MODEL).times
predicted = Predictor(MODEL, device="cpu").predict([configuration])[0]["propensity"]
mobility = np.where(configuration.of_species("A"), predicted[:, column_of(TIME, times)], 0)
centre = int(mobility.argmax())

# %%
# The derivatives come from automatic differentiation of the exported model.
# :doc:`/examples/attribution` has the short program that computes them. It needs the kernels in
# plain PyTorch. A process must choose them before it loads a model, so the program runs separately.

subprocess.run(
    [
        sys.executable, "../attribution/gradient.py", MODEL, DATASET,
        f"--time={TIME}", f"--particle={centre}", "--output=gradient.extxyz",
    ],
    check=True,
)  # fmt: skip
gradient = ase.io.read("gradient.extxyz").arrays["gradient"]
influence = np.linalg.norm(gradient, axis=1)

# %%
# The picture shows the layer through the particle, which is grey and in the middle. The colour of
# the others is the length of the gradient, which has no dimension. Arrows show its components in
# the plane: the prediction rises if a particle moves along its arrow.

side = configuration.cell.diagonal()
places = (configuration.positions - configuration.positions[centre] + side / 2) % side
shown = replace(
    configuration,
    positions=places,
    species=np.zeros_like(configuration.species),  # one colour scale for both species
    species_names=("A, B",),
    scalars={"diameter": particle_diameters(configuration)},
)
others = influence.copy()
others[centre] = np.nan  # moving it alone is the same as moving all others the other way
INFLUENCE = r"influence $|\partial m_i / \partial \mathbf{r}_j|$"
figure = map_figure(shown, [Panel("", others, INFLUENCE)])
layer = np.abs(places[:, 2] - side[2] / 2) < configuration.spacing / 2
arrows = layer & (others > 0.1 * np.nanmax(others))
longest = np.linalg.norm(gradient[arrows, :2], axis=1).max()
figure.axes[0].quiver(
    *places[arrows, :2].T, *gradient[arrows, :2].T, color="crimson", edgecolor="white", lw=0.5,
    angles="xy", scale_units="xy", scale=longest / 1.8, width=0.014, headwidth=3.5, minshaft=1.5,
)  # fmt: skip
save_figure(figure, "influence.png")

# %%
# Nearest neighbours count most. At twice the cutoff of the network (dashes) the influence is a
# hundred times smaller, although its four layers reach four times the cutoff.


@styled
def distance_figure(distance: np.ndarray, influence: np.ndarray) -> Figure:
    """The influence of every particle against its distance."""
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, marker in (("A", "o"), ("B", "s")):
        mine = configuration.of_species(name) & (distance > 0)
        axes.plot(distance[mine], influence[mine], marker, ms=2.5, label=name)
    for k in (1, 2, 3):
        axes.axvline(k * cutoff, color="0.5", lw=0.8, ls="--", zorder=0)
    axes.set(yscale="log", xlabel="distance from particle $i$")
    axes.set_ylabel(INFLUENCE)
    axes.legend(title="particle $j$")
    return figure


distance = np.linalg.norm(places - side / 2, axis=1)
save_figure(distance_figure(distance, influence), "distance.png")

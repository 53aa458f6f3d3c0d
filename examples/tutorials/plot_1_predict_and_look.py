"""
Ten minutes: predict and look
=============================

A model that ships with glassml predicts how far each particle of a Kob-Andersen liquid will move,
on configurations that it has not seen, and we look at where it is right. Nothing is simulated or
trained here; both data and model come with the package.
"""

# %%
# A labelled dataset
# ------------------
#
# ``kob_andersen_T0.64`` holds ten configurations of 1000 particles at the temperature 0.64, in
# Lennard-Jones units. Each was run 32 times with new velocities. The mean distance that a particle
# has moved after a time t in these runs is its *propensity* at t.

from glassml.data import Dataset

dataset = Dataset("kob_andersen_T0.64")
configuration = dataset[0]
print(f"{len(dataset)} configurations of {configuration.n_particles} particles")
print("species:", configuration.species_names, " times:", configuration.times)
print("propensity:", configuration.propensity.shape, "[particles, times]")

# %%
# Long after the ballistic motion, particles of one species differ by factors, although they
# started in the same liquid at the same temperature:

import matplotlib.pyplot as plt

A = configuration.of_species("A")
figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
for column in (0, 3, 5):
    axes.hist(
        configuration.propensity[A, column],
        bins=60,
        density=True,
        histtype="step",
        label=f"t = {configuration.times[column]:.3g}",
    )
axes.set(xlabel="propensity of A particles", ylabel="density", xlim=(0, 1.6))
_ = axes.legend()

# %%
# A model
# -------
#
# A model file knows its species, cutoff, times and units, and what it learnt from.
# ``glassml models info kob_andersen_T0.64_multitime`` shows its card.

from glassml.inference import Predictor

predictor = Predictor("kob_andersen_T0.64_multitime")
predicted = predictor.predict([configuration])[0]["propensity"]
print("predicted:", predicted.shape, "at the times", predictor.manifest.times)

# %%
# Look
# ----
#
# A slab of the liquid, coloured by propensity: how far particles moved, how far the model says
# they would, and the difference. Mobile and slow regions are in the same places.

from glassml.analysis import Panel, map_figure

time = 1.65
true = configuration.propensity[:, list(configuration.times).index(time)]
model = predicted[:, list(predictor.manifest.times).index(time)]
_ = map_figure(
    configuration,
    [
        Panel("from 32 runs", true),
        Panel("predicted", model),
        Panel("predicted \N{MINUS SIGN} true", model - true, "error", signed=True),
    ],
    title=f"Kob-Andersen liquid at T = 0.64: propensity at t = {time:g}",
)

# %%
# A number
# --------
#
# The usual number is the Pearson coefficient over particles of one species. Labels from 32 runs
# have noise, so even the exact propensity would not reach 1; the *noise ceiling* is what it would
# reach. ``glassml evaluate`` prints both with error bars, for all times and configurations.

import numpy as np

print(f"Pearson coefficient, A particles: {np.corrcoef(true[A], model[A])[0, 1]:.2f}")
assert np.corrcoef(true[A], model[A])[0, 1] > 0.6

# %%
# Where next?
# -----------
#
# - The same from the command line: ``glassml predict``, ``glassml plot`` and ``glassml evaluate``.
# - During a simulation: ``fix glassml`` in LAMMPS, or the calculator in ASE.
# - A model of your own liquid: the next tutorial.

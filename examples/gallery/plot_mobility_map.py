"""A map of mobility
=================

Where will a liquid move, and where will it stay? A slab through a Kob-Andersen liquid, one layer of
particles thick, shows it. Each disc is a particle. Its colour is the propensity: the distance that
the particle moves within 1.65 time units, averaged over 32 runs from this configuration with
different velocities. The model was trained on other configurations and sees only the positions.
Lengths and times are in Lennard-Jones units.
"""

from glassml.analysis import Panel, map_figure, pearson_all
from glassml.data import Dataset
from glassml.inference import Predictor
from glassml.physics import column_of
from glassml.plotting import save_figure

TIME = 1.65  # a fifth of the relaxation time at this temperature, T = 0.64

configuration = Dataset("kob_andersen_T0.64")[0]
predictor = Predictor("kob_andersen_T0.64_multitime", device="cpu")

true = configuration.propensity[:, column_of(TIME, configuration.times)]
columns = predictor.predict([configuration])[0]["propensity"]
predicted = columns[:, column_of(TIME, predictor.manifest.times)]

# %%
# The two species have colour scales of their own: the small particles, B, move further than the
# large ones, A. Predictions are drawn on the scale of the labels, so that both maps can be compared
# by eye. In the third map, red marks particles that move less than predicted and blue those that
# move further, above all a chain of particles that move together.

figure = map_figure(
    configuration,
    [
        Panel("true", true),
        Panel("predicted from the positions", predicted),
        Panel("predicted \N{MINUS SIGN} true", predicted - true, "error", signed=True),
    ],
    title=f"Kob-Andersen liquid at $T$ = 0.64: propensity at $t$ = {TIME:g}",
)
save_figure(figure, "mobility_map.png")

# %%
# How close are they? The Pearson coefficient, for each species:

pearson = pearson_all([predicted[:, None]], [true[:, None]], [configuration.species], 2)
for name, value in zip(configuration.species_names, pearson[:, 0], strict=True):
    print(f"{name}: {value:.2f}")

# %%
# ``glassml plot kob_andersen_T0.64 -m kob_andersen_T0.64_multitime --time 1.65 -o map.png`` draws
# the same maps, and reads dumps of LAMMPS too.

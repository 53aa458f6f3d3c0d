r"""Mobility while a liquid is cooled
=================================

``fix glassml`` predicts while LAMMPS runs. Here a Kob-Andersen liquid is cooled from :math:`T = 1`
to :math:`T = 0.64` and then kept there. The model was trained only at 0.64, and the fix warns of
other temperatures: its numbers for the hotter liquid do not predict its propensity. They only show
that the structure differs from the one that the model was trained on.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from glassml.analysis import MapFrame, MapFrames, MapInput, thermo_figure, write_movie
from glassml.export import read_manifest
from glassml.physics import column_of
from glassml.plotting import save_figure
from glassml.simulation import run_lammps

MODEL, TIME = "kob_andersen_T0.64_multitime", 5.2
column = column_of(TIME, read_manifest(MODEL).times) + 1  # of the fix

# %%
# The input script has a liquid of 1728 particles at :math:`T = 2`, the cooling, and one line for
# the fix. The dump has the prediction for every particle, the thermodynamic output the mean of the
# A particles.

SCRIPT = """
units           lj
atom_style      atomic
neighbor        0.3 bin
lattice         sc 1.2
region          box block 0 12 0 12 0 12
create_box      2 box
create_atoms    1 box
set             group all type/ratio 2 0.2 4101
mass            * 1.0
group           A type 1
pair_style      lj/cut 2.5
pair_modify     shift yes
pair_coeff      1 1 1.0 1.00 2.5
pair_coeff      1 2 1.5 0.80 2.0
pair_coeff      2 2 0.5 0.88 2.2

timestep        0.005
velocity        all create 2.0 4101
fix             move all nvt temp 2.0 2.0 0.5
run             1000
fix             move all nvt temp 1.0 1.0 0.5
run             1000
reset_timestep  0

fix             ml all glassml 300 ${model} A B
compute         mean A reduce ave f_ml[${column}]
thermo          300
thermo_style    custom step time temp pe c_mean
dump            map all custom 300 cooling.lammpstrj id type x y z f_ml[${column}]
dump_modify     map sort id
fix             move all nvt temp 1.0 0.64 0.5
run             3000
fix             move all nvt temp 0.64 0.64 0.5
run             3000
"""
run = run_lammps(SCRIPT, cwd="cooling", variables={"model": MODEL, "column": column})

# %%
# The dump becomes a movie, in which all frames have the same colours. It shows a layer in the
# middle of the box.

thermo = run.thermo()[2:]  # without the hot liquid
temperature = {}
for part in thermo:
    temperature |= dict(zip(part["Step"], part["Temp"], strict=True))
dump = MapInput(path="cooling/cooling.lammpstrj", columns=[f"f_ml[{column}]"], species="A,B")


def titled() -> Iterator[MapFrame]:
    """The frames with the temperature as their title."""
    for step, frame in zip(temperature, MapFrames(dump), strict=True):
        panel = replace(frame.panels[0], title="", quantity=f"propensity at $t$ = {TIME:g}")
        yield replace(frame, panels=(panel,), title=f"$T$ = {temperature[step]:.2f}")


print(write_movie(titled(), "cooling.gif", fps=4), "frames")

# %%
# Once the temperature is reached, at :math:`t = 15`, energy and mean prediction hardly change any
# more: the liquid is close to equilibrium, and the numbers are predictions.

curves = {name: np.concatenate([part[name] for part in thermo]) for name in thermo[0]}
figure = thermo_figure(
    curves["Time"],
    {
        "temperature": curves["Temp"],
        "potential energy\nper particle": curves["PotEng"],
        "mean propensity\nof particles A": curves["c_mean"],
    },
    xlabel="time",
)
save_figure(figure, "curves.png")

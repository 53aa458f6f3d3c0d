"""The function of Python that in.predict calls: the propensity of every atom of LAMMPS."""

from __future__ import annotations

from glassml.lammps import LammpsPredictor

predictor = LammpsPredictor(
    "kob_andersen_T0.44",  # or a model file of your own
    species=["A", "B"],  # of the atom types 1, 2
    write={"d_propensity": "propensity_t=4120"},
)
predict = predictor.invoke  # LAMMPS looks for a function of this name

"""GlassMLP in LAMMPS: as in Python and ASE on any number of ranks, with scalars of the user."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import TOLERANCE
from glassml_ase import GlassMLCalculator
from systems import liquid

from glassml.data import atoms_from_configuration
from glassml.inference import Predictor

OUTPUTS = ("propensity", "descriptors", "bottleneck")
# Columns are means of 100 neighbours' scalars of order 1 to 5, and longer sums of weights.
SETTINGS = {"times": (1.0, 4.0), "cutoff": 2.7, "averaging_lengths": (0.0, 0.5, 3.0)}


@pytest.fixture(scope="module")
def system():
    """A liquid whose scalars are simple functions of the places of its particles."""
    one = liquid(300, seed=4)
    x, y, _ = one.positions.T
    scalars = {"inherent_energy": x - 3, "inherent_voronoi_surface": 5 + y / 4}
    return liquid(300, seed=4, scalars=scalars)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_as_in_python_and_ase_on_every_number_of_ranks(
    bench, dump, models, system, dtype: str
) -> None:
    file = models("glassmlp", dtype, **SETTINGS)
    # Unwrapped, as a particle outside of the box would have another energy than in Python.
    script = bench.start(system) + (
        "compute where all property/atom xu yu\n"
        "variable energy atom c_where[1]-3\nvariable surface atom 5+c_where[2]/4\n"
        f"fix p all glassml 1 {file} A B output {' '.join(OUTPUTS)} "
        f"scalar v_energy scalar v_surface\n{dump('p')}run 0\n"
    )
    prediction = Predictor(file, device="cpu").predict([system], OUTPUTS)[0]
    expected = np.concatenate([prediction[name] for name in OUTPUTS], axis=1)
    assert np.std(expected, axis=0).max() > 1e-3
    for ranks in (1, 2, 4):
        bench.run(script, ranks=ranks)
        found = bench.frames()[0].values("p")
        tolerance = TOLERANCE[dtype] * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    calculator = GlassMLCalculator(file, species=("A", "B"), device="cpu")
    found = calculator.get_property("propensity", atoms_from_configuration(system))
    np.testing.assert_allclose(found, prediction["propensity"], rtol=1e-6, atol=tolerance)

"""Configurations of real simulations through LAMMPS and through ASE, with every kind of model."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.calculators import GlassMLCalculator
from glassml.data import atoms_from_configuration, read_configurations
from glassml.pretrained import pretrained_path

FILE = "botan_T0.44/train/isoconfig_N4096T0.44_3_tc07.npz"


@pytest.fixture(scope="module")
def published(shared_data):
    return next(iter(read_configurations(shared_data / FILE)))


def by_ase(model, configuration):
    atoms = atoms_from_configuration(configuration)
    calculator = GlassMLCalculator(model, species=("A", "B"), device="cpu")
    return calculator.get_property("propensity", atoms)


@pytest.mark.shared_data
@pytest.mark.parametrize(("ranks", "newton"), [(1, "on"), (2, "off"), (3, "on"), (4, "off")])
def test_lammps_equals_ase(published, bench, models, dump, edges_agree, ranks, newton):
    files = {
        "exact": models(),
        "net": models.network("float64"),
        "shipped": pretrained_path("kob_andersen_T0.44"),
    }
    script = bench.start(published, before=f"newton {newton}")
    for name, file in files.items():
        script += f"fix {name} all glassml 1 {file} A B\n"
    run = bench.run(script + dump(*files) + "run 0", ranks=ranks)
    edges_agree(run, "net", published)
    (frame,) = bench.frames()
    for name, file in files.items():
        expected = by_ase(file, published)
        tolerance = 1e-5 if name == "shipped" else 1e-10
        atol = tolerance * abs(expected).max()
        np.testing.assert_allclose(frame.values(name), expected, rtol=0, atol=atol)

"""Configurations of real simulations through LAMMPS and through ASE, with every kind of model."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from glassml.calculators import GlassMLCalculator
from glassml.data import Configuration, atoms_from_configuration, read_configurations
from glassml.pretrained import pretrained_path

FILE = "botan_T0.44/train/isoconfig_N4096T0.44_3_tc07.npz"

# float32 is good to 1e-7 an operation; sums over 36 neighbours and four layers leave 1e-5.
TOLERANCE = {"exact": 1e-10, "net": 1e-10, "shipped": 1e-5}


@pytest.fixture(scope="module")
def published(shared_data) -> Configuration:
    return next(iter(read_configurations(shared_data / FILE)))


def sheared(liquid: Configuration) -> Configuration:
    """The same particles in a box that a shear of a few per cent has made triclinic."""
    cell = liquid.cell.copy()
    cell[1, 0], cell[2, 0], cell[2, 1] = 0.06 * cell[0, 0], -0.04 * cell[0, 0], 0.05 * cell[0, 0]
    positions = liquid.positions @ np.linalg.inv(liquid.cell) @ cell
    return dataclasses.replace(liquid, cell=cell, positions=positions)


def with_vacuum(liquid: Configuration) -> Configuration:
    """The liquid as a slab in a box six times as high: the top ranks of four have no particle."""
    cell = liquid.cell.copy()
    cell[2, 2] *= 6
    return dataclasses.replace(liquid, cell=cell)


def by_ase(model, configuration: Configuration) -> np.ndarray:
    atoms = atoms_from_configuration(configuration)
    calculator = GlassMLCalculator(model, species=("A", "B"), device="cpu")
    return calculator.get_property("propensity", atoms)


@pytest.fixture(scope="module")
def expected(published, models):
    """ASE's values for every box and model: (configuration, {name: (file, values)})."""
    files = {
        "exact": models(),
        "net": models.network("float64"),
        "shipped": pretrained_path("kob_andersen_T0.44"),
    }
    boxes = {
        "orthogonal": published,
        "triclinic": sheared(published),
        "slab": with_vacuum(published),
    }
    return {
        box: (system, {name: (file, by_ase(file, system)) for name, file in files.items()})
        for box, system in boxes.items()
    }


@pytest.mark.shared_data
@pytest.mark.parametrize("newton", ["on", "off"])
@pytest.mark.parametrize(
    ("ranks", "box"),
    [
        *((ranks, box) for ranks in (1, 2, 3, 4) for box in ("orthogonal", "triclinic")),
        (4, "slab"),
    ],
)
def test_lammps_equals_ase(expected, bench, dump, edges_agree, ranks, box, newton):
    system, models = expected[box]
    layout = "processors 1 1 4\n" if box == "slab" else ""
    script = bench.start(system, before=f"newton {newton}\n{layout}")
    for name, (file, _) in models.items():
        script += f"fix {name} all glassml 1 {file} A B\n"
    run = bench.run(script + dump(*models) + "run 0", ranks=ranks)
    for name in models:
        edges_agree(run, name, system)
    empty = re.search(r"Nlocal: .* 0 min", run.log.read_text()) is not None
    assert empty == (box == "slab")
    (frame,) = bench.frames()
    for name, (_, values) in models.items():
        atol = TOLERANCE[name] * abs(values).max()
        np.testing.assert_allclose(frame.values(name), values, rtol=0, atol=atol)

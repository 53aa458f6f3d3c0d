"""The ASE calculator and the observer compare the atoms with the training data of the model."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from ase import Atoms, units
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from glassml_ase.temperature import temperature_of

from glassml.calculators import GlassMLCalculator
from glassml.data import Dataset, atoms_from_configuration
from glassml.errors import OutsideDomainWarning

MODEL = "kob_andersen_T0.64_multitime"


@pytest.fixture
def atoms() -> Atoms:
    with Dataset("kob_andersen_T0.64") as dataset:
        found = atoms_from_configuration(dataset[0])
    found.set_masses(np.ones(len(found)))
    return found


def heated(atoms: Atoms, temperature: float) -> Atoms:
    """With velocities at exactly this temperature, where epsilon is 1 eV."""
    MaxwellBoltzmannDistribution(
        atoms, temperature_K=temperature / units.kB, force_temp=True, rng=np.random.default_rng(0)
    )
    return atoms


def test_temperatures_in_the_units_of_a_model(atoms: Atoms) -> None:
    assert temperature_of(atoms, "lj") is None  # at rest
    assert temperature_of(heated(atoms, 0.64), "lj") == pytest.approx(0.64)
    assert temperature_of(atoms, "angstrom") == pytest.approx(0.64 / units.kB)
    atoms.set_masses(np.full(len(atoms), 1.008))
    assert temperature_of(atoms, "lj") is None


def test_a_plane_of_atoms_moves_in_two_directions() -> None:
    random = np.random.default_rng(0)
    flat = Atoms("H100", positions=random.uniform(0, 10, (100, 3)) * [1, 1, 0], cell=[10, 10, 10])
    flat.set_masses(np.ones(100))
    flat.set_velocities(random.normal(0, 1, (100, 3)) * [1, 1, 0])
    kinetic = 0.5 * (flat.get_velocities() ** 2).sum()
    assert temperature_of(flat, "lj") == pytest.approx(kinetic / 100)  # d / 2 N kT with d = 2


def test_its_own_liquid_is_inside(atoms: Atoms) -> None:
    calculator = GlassMLCalculator(MODEL, species=("A", "B"), device="cpu")
    assert calculator.neighbours is None
    with warnings.catch_warnings():
        warnings.simplefilter("error", OutsideDomainWarning)
        calculator.get_propensity(heated(atoms, 0.64))
    assert calculator.neighbours == pytest.approx(40.5, abs=0.3)


def test_a_hot_liquid_and_one_that_expands_are_warned_of_once(atoms: Atoms) -> None:
    calculator = GlassMLCalculator(MODEL, species=("A", "B"), device="cpu")
    with pytest.warns(OutsideDomainWarning, match=r"temperature: expected 0.64; found 2$"):
        calculator.get_propensity(heated(atoms, 2.0))
    larger = atoms.copy()
    larger.set_cell(atoms.cell * 1.1, scale_atoms=True)
    with pytest.warns(OutsideDomainWarning, match=r"number density: expected 1.2; found 0.9016;"):
        calculator.get_propensity(larger)
    with warnings.catch_warnings():
        warnings.simplefilter("error", OutsideDomainWarning)
        calculator.get_propensity(heated(atoms, 3.0))
        calculator.predict([larger])

"""Frames are read back by ASE with the same digits, in any unit of length."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from systems import liquid

from glassml.data import atoms_from_configuration
from glassml.inference import write_frame


def there_and_back(path: Path, *frames: Atoms) -> list[Atoms]:
    with path.open("w") as stream:
        for atoms in frames:
            write_frame(stream, atoms)
    return ase.io.read(path, index=":")


@pytest.mark.parametrize("unit", [1.0, 1e-10, 1e12], ids=["lj", "m", "large"])
def test_numbers_are_read_back_as_they_were(tmp_path: Path, unit: float) -> None:
    rng = np.random.default_rng(3)
    atoms = atoms_from_configuration(liquid(60, seed=3))
    atoms.set_cell(atoms.cell.array * unit, scale_atoms=True)
    atoms.set_array("propensity", rng.lognormal(sigma=9.0, size=(60, 2)) * unit)
    atoms.set_array("descriptor", rng.normal(size=60).astype(np.float32) * np.float32(unit))
    atoms.info["propensity_times"] = np.array([0.1, 4120.0])
    (found,) = there_and_back(tmp_path / "a.extxyz", atoms)
    for name in ("positions", "propensity", "type", "numbers"):
        np.testing.assert_array_equal(found.arrays[name], atoms.arrays[name])
    single = found.arrays["descriptor"].astype(np.float32)
    np.testing.assert_array_equal(single, atoms.arrays["descriptor"])
    np.testing.assert_array_equal(found.cell.array, atoms.cell.array)
    np.testing.assert_array_equal(found.info["propensity_times"], [0.1, 4120.0])
    assert found.info["species_names"] == "A,B"


def test_results_of_a_calculator(tmp_path: Path) -> None:
    atoms = Atoms("H3", positions=[[0, 0, 0], [1.1, 0, 0], [0, 1.2, 0.1]], cell=[5, 5, 5], pbc=True)
    atoms.calc = LennardJones(rc=2.4)
    results = {
        "energy": atoms.get_potential_energy(),
        "forces": atoms.get_forces() * 1e-9,
        "energies": atoms.get_potential_energies(),
        "charges": np.array([1e-12, 2e-12, 0.0]),
    }
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.set_array("flag", np.array([True, False, True]))
    atoms.set_array("label", np.array(["one", "two", "three"]))
    (found,) = there_and_back(tmp_path / "a.extxyz", atoms)
    for name, values in results.items():
        np.testing.assert_array_equal(found.calc.results[name], values)
    assert found.arrays["flag"].tolist() == [True, False, True]
    assert found.arrays["label"].tolist() == ["one", "two", "three"]


def test_several_frames_and_constraints(tmp_path: Path) -> None:
    frames = [Atoms("H", positions=[[1 / 3, 0, 0]]), Atoms("HeH", positions=np.eye(3)[:2] / 7)]
    frames[1].set_constraint(FixAtoms([1]))
    found = there_and_back(tmp_path / "a.extxyz", *frames)
    for atoms, expected in zip(found, frames, strict=True):
        np.testing.assert_array_equal(atoms.positions, expected.positions)
        assert str(atoms.symbols) == str(expected.symbols)
    assert found[1].constraints[0].index.tolist() == [1]

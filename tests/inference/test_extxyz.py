"""Frames are read back by ASE with the same digits, in any unit of length."""

from __future__ import annotations

import re
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


def columns_of(path: Path) -> dict[str, list[str]]:
    """The columns as they stand in a file of one frame, by their names in its header."""
    _, header, *rows = path.read_text().splitlines()
    fields = re.search(r"Properties=(\S+)", header)[1].split(":")  # type: ignore[index]
    table = list(zip(*(row.split() for row in rows), strict=True))
    found, place = {}, 0
    for name, number in zip(fields[::3], map(int, fields[2::3]), strict=True):
        for k in range(number):
            found[f"{name}.{k + 1}" if number > 1 else name] = list(table[place + k])
        place += number
    assert place == len(table)
    return found


def test_species_have_their_names_in_the_file(tmp_path: Path) -> None:
    """OVITO 3.17 takes the names of types from ``species``, ASE the symbols from ``Z``."""
    liquid_of_two = liquid(60, seed=3)
    atoms = atoms_from_configuration(liquid_of_two)
    atoms.set_array("propensity", np.random.default_rng(0).random((60, 2)))
    (found,) = there_and_back(tmp_path / "a.extxyz", atoms)
    columns = columns_of(tmp_path / "a.extxyz")
    assert list(columns)[:5] == ["species", "pos.1", "pos.2", "pos.3", "Z"]
    assert list(columns)[5:] == ["type", "propensity.1", "propensity.2"]
    assert columns["species"] == ["AB"[k] for k in liquid_of_two.species]
    assert columns["Z"] == columns["type"] == [str(k + 1) for k in liquid_of_two.species]
    for name, values in atoms.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], values)
    assert sorted(found.arrays) == sorted(atoms.arrays)


def test_names_of_any_length_and_order(tmp_path: Path) -> None:
    atoms = Atoms("HHeHLi", positions=np.eye(4)[:, :3])
    atoms.set_array("type", np.array([3, 1, 3, 2]))
    atoms.info["species_names"] = "big,small,medium"
    (found,) = there_and_back(tmp_path / "a.extxyz", atoms)
    assert columns_of(tmp_path / "a.extxyz")["species"] == ["medium", "big", "medium", "small"]
    assert str(found.symbols) == "HHeHLi"
    assert found.arrays["type"].tolist() == [3, 1, 3, 2]


@pytest.mark.parametrize("names", [None, "A", "A,", "big one,small one", "H,He"])
def test_where_no_names_are_known_the_file_is_as_ase_writes_it(
    names: str | None, tmp_path: Path
) -> None:
    """None; fewer than types; empty; names with spaces; the symbols themselves."""
    atoms = Atoms("HHe", positions=np.eye(3)[:2])
    atoms.set_array("type", np.array([1, 2]))
    if names is not None:
        atoms.info["species_names"] = names
    there_and_back(tmp_path / "a.extxyz", atoms)
    columns = columns_of(tmp_path / "a.extxyz")
    assert columns["species"] == ["H", "He"]
    assert "Z" not in columns


def test_text_that_columns_cannot_hold(tmp_path: Path) -> None:
    """Blanks would begin another column, and shift those behind it."""
    atoms = Atoms("H3", positions=np.eye(3), cell=[5, 5, 5], pbc=True)
    atoms.set_array("label", np.array(["cage A", "", "b"]))
    atoms.set_array("x1", np.arange(3) * 1.5)
    atoms.info |= {"note": 'two\nlines, "quoted"', "path": "C:\\new\\run"}
    atoms.calc = SinglePointCalculator(atoms, forces=np.eye(3) / 3)
    with pytest.warns(UserWarning, match=r"label: .*: 'cage A' is written as 'cage_A'"):
        (found,) = there_and_back(tmp_path / "a.extxyz", atoms)
    assert found.arrays["label"].tolist() == ["cage_A", "_", "b"]
    assert found.arrays["x1"].tolist() == [0.0, 1.5, 3.0]
    assert found.info == atoms.info
    np.testing.assert_array_equal(found.calc.results["forces"], np.eye(3) / 3)
    assert atoms.arrays["label"].tolist() == ["cage A", "", "b"]


def test_numbers_that_are_no_elements(tmp_path: Path) -> None:
    atoms = Atoms(numbers=[1, 150], positions=np.eye(3)[:2], cell=[5, 5, 5], pbc=True)
    atoms.set_array("type", np.array([1, 150]))
    (found,) = there_and_back(tmp_path / "a.extxyz", atoms)
    assert found.get_chemical_symbols() == ["H", "X"]
    assert found.arrays["type"].tolist() == [1, 150]


def test_names_of_other_columns(tmp_path: Path) -> None:
    """ASE leaves out ``species`` and ``pos``, and takes ``Z`` for atomic numbers."""
    atoms = Atoms("HHe", positions=np.eye(3)[:2], cell=[5, 5, 5], pbc=True)
    atoms.set_array("type", np.array([1, 2]))
    atoms.info["species_names"] = "A,B"
    given = ["Z", "species", "pos", "a b", "a_b", "a=b"]
    for k, name in enumerate(given):
        atoms.set_array(name, np.array([k, k + 0.5]))
    with pytest.warns(UserWarning, match="names of columns must be different") as warned:
        (found,) = there_and_back(tmp_path / "a.extxyz", atoms)
    changed = [str(one.message).partition("=: ")[2] for one in warned]
    assert changed[0] == "'Z' is written as 'Z_'"
    assert len(changed) == 5
    for k, name in enumerate(["Z_", "species_", "pos_", "a_b_", "a_b", "a_b__"]):
        assert found.arrays[name].tolist() == [k, k + 0.5]
    assert found.numbers.tolist() == [1, 2]


def test_names_that_the_header_cannot_hold(tmp_path: Path) -> None:
    atoms = Atoms("H2", positions=np.eye(3)[:2], cell=[5, 5, 5], pbc=True)
    atoms.set_array("t:1 of A", np.array([0.5, 1.5]))
    atoms.set_array("x1", np.array([2.0, 3.0]))
    with pytest.warns(UserWarning, match="'t:1 of A' is written as 't_1_of_A'"):
        (found,) = there_and_back(tmp_path / "a.extxyz", atoms)
    assert found.arrays["t_1_of_A"].tolist() == [0.5, 1.5]
    assert found.arrays["x1"].tolist() == [2.0, 3.0]

"""How species, scalars and lengths of Atoms become the input of a model; what is refused."""

from __future__ import annotations

from pathlib import Path

import ase.io
import ase.units
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from systems import liquid

from glassml.data import Configuration, SpeciesMap, atoms_from_configuration
from glassml.errors import InputError
from glassml.export import Manifest
from glassml.export.manifest import manifest_of
from glassml.inference import ModelInputs
from glassml.models import build
from glassml.physics.units import LENGTH_UNITS


def manifest(**hyperparameters: object) -> Manifest:
    settings = {"cutoff": 2.0, **hyperparameters}
    return manifest_of(build("analytic", **settings), "float64", {})


def dimer(distance: float = 1.2, **options: object) -> Atoms:
    return Atoms("HHe", positions=[[0, 0, 0], [distance, 0, 0]], **options)


def species_of(configuration: Configuration) -> list[str]:
    return [configuration.species_names[k] for k in configuration.species]


# --- species ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("species", "expected"),
    [
        (("A", "B"), ["A", "B"]),
        (("B", "A"), ["B", "A"]),
        ({"H": "A", "He": "B"}, ["A", "B"]),
        ({"H": "B", "He": "A"}, ["B", "A"]),
    ],
)
def test_species_by_symbol_or_type(species: object, expected: list[str]) -> None:
    inputs = ModelInputs(manifest(), species)
    assert species_of(inputs.configuration(dimer())) == expected


def test_a_species_map_may_hold_species_that_do_not_occur() -> None:
    for species in (("A", "B", "B"), {"H": "A", "He": "B", "Li": "B"}):
        inputs = ModelInputs(manifest(), species)
        assert species_of(inputs.configuration(dimer())) == ["A", "B"]
        assert len(inputs.species.unused) == 1


@pytest.mark.parametrize(
    ("species", "message"),
    [
        (("A", "B", "C"), r"type 3: expected one of the model's .*\['A', 'B'\]; found 'C'"),
        (SpeciesMap(("A", "C")), "type 2: .*; found 'C'"),
        ({"H": "A", "He": "B", "Li": "C"}, "symbol Li: .*; found 'C'"),
        ({"A": "A", "B": "B"}, "expected chemical symbols to map from; found 'A', which no part"),
        ({1: "A", 2: "B"}, r"found 1, .*give their species alone, such as \['A', 'B'\]"),
    ],
)
def test_species_maps_that_make_no_sense(species: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ModelInputs(manifest(), species)


def test_chemical_symbols_need_no_map() -> None:
    inputs = ModelInputs(manifest(species=("Ni", "P"), length_unit="angstrom"))
    positions = [[0, 0, 0], [1.2, 0, 0]]
    assert species_of(inputs.configuration(Atoms("PNi", positions))) == ["P", "Ni"]
    with pytest.raises(InputError, match=r"symbol Cu .*symbols Ni -> Ni, P -> P"):
        inputs.configuration(Atoms("NiCu", positions))


def test_atoms_may_name_their_species() -> None:
    atoms = atoms_from_configuration(liquid())  # its species_names are A,B
    inputs = ModelInputs(manifest(species=("B", "A")))
    assert species_of(inputs.configuration(atoms)) == species_of(liquid())


@pytest.mark.parametrize(
    ("species", "message"),
    [
        (None, "^melt: .*symbols H, He .*model's species A, B"),
        ({"H": "A"}, "^melt: .*symbol He .*symbols H -> A"),
        (("A",), "^melt: .*type 2 .*types 1 -> A"),
        (("A", "C"), r"one of the model's species \['A', 'B'\]; found 'C'"),
    ],
)
def test_unknown_species_is_refused(species: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ModelInputs(manifest(), species).configuration(dimer(), "melt")


# --- scalars ------------------------------------------------------------------------------------


@pytest.fixture
def with_scalar() -> Manifest:
    return manifest(scalar_inputs=("potential_energy",))


@pytest.mark.parametrize(
    "source", ["potential_energy", "my_column", lambda atoms: np.array([0.5, 0.25])]
)
def test_scalar_sources(with_scalar: Manifest, source: object) -> None:
    atoms = dimer()
    for name in ("potential_energy", "my_column"):
        atoms.set_array(name, np.array([0.5, 0.25]))
    inputs = ModelInputs(with_scalar, ("A", "B"), {"potential_energy": source})
    before = set(atoms.arrays)
    assert inputs.configuration(atoms).scalars["potential_energy"].tolist() == [0.5, 0.25]
    assert set(atoms.arrays) == before


def test_scalar_from_a_calculator_takes_precedence_over_the_array(with_scalar: Manifest) -> None:
    base = LennardJones(rc=2.5)
    atoms = dimer()
    atoms.set_array("energies", np.zeros(2))  # of the configuration that was read from a file
    inputs = ModelInputs(with_scalar, ("A", "B"), {"potential_energy": "energies"})
    for distance in (1.2, 1.3):
        atoms.positions[1, 0] = distance
        found = inputs.configuration(atoms, base=base).scalars["potential_energy"]
        assert found.tolist() == base.get_potential_energies(atoms).tolist()
        assert found.min() < 0


def test_scalar_that_came_with_the_file(with_scalar: Manifest, tmp_path: Path) -> None:
    atoms = dimer(info={"species_names": "A,B"})
    atoms.calc = LennardJones(rc=2.5)
    energies = atoms.get_potential_energies()
    ase.io.write(tmp_path / "a.extxyz", atoms)
    inputs = ModelInputs(with_scalar, scalars={"potential_energy": "energies"})
    found = inputs.configuration(ase.io.read(tmp_path / "a.extxyz")).scalars["potential_energy"]
    np.testing.assert_allclose(found, energies, atol=6e-9)  # extxyz files hold eight decimals


def test_wrong_scalars_are_refused(with_scalar: Manifest) -> None:
    missing = ModelInputs(with_scalar, ("A", "B"), {"potential_energy": "c_pe"})
    with pytest.raises(InputError, match="'potential_energy': expected an array 'c_pe'"):
        missing.configuration(dimer())
    with pytest.raises(
        InputError, match=r"expected inputs of .*\(potential_energy\); found 'charge'"
    ):
        ModelInputs(with_scalar, scalars={"charge": "q"})
    with pytest.raises(InputError, match=r"expected inputs of .*\(none\); found 'charge'"):
        ModelInputs(manifest(), scalars={"charge": "q"})
    short = ModelInputs(with_scalar, ("A", "B"), {"potential_energy": lambda atoms: np.zeros(1)})
    with pytest.raises(InputError, match=r"potential_energy.*shape \[2\]"):
        short.configuration(dimer())


def test_sources_are_what_the_inputs_depend_on(with_scalar: Manifest) -> None:
    inputs = ModelInputs(with_scalar, scalars={"potential_energy": "c_pe"})
    assert inputs.sources == {"type", "species_names", "species_label", "length_unit", "c_pe"}


# --- lengths ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "model_unit", "factor"),
    [
        (None, "nm", 0.1),  # ASE's Angstrom
        ("nm", "nm", 1.0),
        ("bohr", "angstrom", ase.units.Bohr),
        ("m", "um", 1e6),
        ("cm", "m", 1e-2),
        (None, "lj", 1.0),
    ],
)
def test_lengths_are_converted(unit: str | None, model_unit: str, factor: float) -> None:
    inputs = ModelInputs(manifest(length_unit=model_unit), ("A", "B"), length_unit=unit)
    atoms = dimer(cell=[5, 6, 7])
    configuration = inputs.configuration(atoms)
    assert configuration.length_unit == model_unit
    # 1e-14: one or two roundings
    np.testing.assert_allclose(configuration.positions, factor * atoms.positions, rtol=1e-14)
    np.testing.assert_allclose(configuration.cell, factor * atoms.cell.array, rtol=1e-14)


@pytest.mark.parametrize("unit", LENGTH_UNITS)
def test_lj_lengths_are_not_converted(unit: str) -> None:
    atoms = dimer(info={"length_unit": unit})
    found = ModelInputs(manifest(), ("A", "B")).configuration(atoms)
    assert (found.length_unit, found.positions[1, 0]) == (unit, 1.2)  # the predictor compares them


def test_every_unit_can_be_converted() -> None:
    inputs = ModelInputs(manifest(length_unit="nm"), ("A", "B"))
    found = {
        unit: inputs.configuration(dimer(info={"length_unit": unit})).length_unit
        for unit in LENGTH_UNITS
    }
    assert found == dict.fromkeys(LENGTH_UNITS, "nm") | {"lj": "lj"}

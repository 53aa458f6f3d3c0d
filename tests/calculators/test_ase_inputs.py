"""What the calculator makes of species, scalars and lengths, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from systems import liquid

from glassml.calculators import GlassMLCalculator
from glassml.data import atoms_from_configuration
from glassml.errors import InputError

MakeModel = Callable[..., Path]
CUTOFF = 2.0


def weight(distance: float) -> float:
    return (1 - (distance / CUTOFF) ** 2) ** 2


def dimer(distance: float = 1.2, **options: object) -> Atoms:
    return Atoms("HHe", positions=[[0, 0, 0], [distance, 0, 0]], **options)


@pytest.fixture
def calculator(analytic: MakeModel) -> GlassMLCalculator:
    return GlassMLCalculator(analytic(), species=("A", "B"), device="cpu")


# --- species ------------------------------------------------------------------------------------


def test_species_by_symbol_equal_species_by_type(
    analytic: MakeModel, calculator: GlassMLCalculator
) -> None:
    by_symbol = GlassMLCalculator(analytic(), species={"H": "A", "He": "B"})
    assert np.array_equal(by_symbol.get_propensity(dimer()), calculator.get_propensity(dimer()))
    swapped = GlassMLCalculator(analytic(), species={"H": "B", "He": "A"})
    assert np.array_equal(swapped.get_propensity(dimer()), calculator.get_propensity(dimer())[::-1])


def test_chemical_symbols_need_no_map(analytic: MakeModel) -> None:
    calculator = GlassMLCalculator(analytic(species=("Ni", "P"), length_unit="angstrom"))
    atoms = Atoms("NiP", positions=[[0, 0, 0], [1.2, 0, 0]])
    assert calculator.get_descriptors(atoms)[0, 0] == pytest.approx(2 * weight(1.2))
    with pytest.raises(InputError, match=r"symbol Cu .*symbols Ni -> Ni, P -> P"):
        calculator.get_propensity(Atoms("NiCu", positions=[[0, 0, 0], [1.2, 0, 0]]))


def test_atoms_may_bring_their_species(analytic: MakeModel) -> None:
    calculator = GlassMLCalculator(analytic(species=("B", "A")))
    atoms = atoms_from_configuration(liquid())  # its species_names are A,B
    explicit = GlassMLCalculator(analytic(species=("B", "A")), species=("A", "B"))
    assert np.array_equal(calculator.get_propensity(atoms), explicit.get_propensity(atoms))


@pytest.mark.parametrize(
    ("species", "message"),
    [
        (None, "symbols H, He .*model's species A, B"),
        ({"H": "A"}, "symbol He .*symbols H -> A"),
        (("A",), "type 2 .*types 1 -> A"),
        (("A", "C"), r"'C'; expected one of the model's species \['A', 'B'\]"),
    ],
)
def test_unknown_species_is_refused(analytic: MakeModel, species: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        GlassMLCalculator(analytic(), species=species).get_propensity(dimer())


# --- scalars ------------------------------------------------------------------------------------


@pytest.fixture
def with_scalar(analytic: MakeModel) -> Path:
    return analytic(scalar_inputs=("potential_energy",))


def expected_density(energy: float) -> float:
    return weight(1.2) * (2 + energy)  # what the first particle sees of the second


@pytest.mark.parametrize(
    "source", ["potential_energy", "my_column", lambda atoms: np.full(len(atoms), 0.25)]
)
def test_scalar_sources(with_scalar: Path, source: object) -> None:
    atoms = dimer()
    for name in ("potential_energy", "my_column"):
        atoms.set_array(name, np.array([0.5, 0.25]))
    calculator = GlassMLCalculator(
        with_scalar, species=("A", "B"), scalars={"potential_energy": source}
    )
    density = calculator.get_descriptors(atoms)[0, 0]
    assert density == pytest.approx(expected_density(0.25), rel=1e-14)


def test_scalar_from_the_base(with_scalar: Path) -> None:
    base = LennardJones(rc=2.5)
    calculator = GlassMLCalculator(
        with_scalar, base=base, species=("A", "B"), scalars={"potential_energy": "energies"}
    )
    atoms = dimer()
    energy = base.get_potential_energies(atoms)[1]
    assert calculator.get_descriptors(atoms)[0, 0] == pytest.approx(expected_density(energy))
    atoms.positions[1, 0] = 1.3
    moved = weight(1.3) * (2 + base.get_potential_energies(atoms)[1])
    assert calculator.get_descriptors(atoms)[0, 0] == pytest.approx(moved)


def test_scalar_that_came_with_the_file(with_scalar: Path, tmp_path: Path) -> None:
    atoms = dimer(info={"species_names": "A,B"})
    atoms.calc = LennardJones(rc=2.5)
    energy = atoms.get_potential_energies()[1]
    ase.io.write(tmp_path / "a.extxyz", atoms)
    calculator = GlassMLCalculator(with_scalar, scalars={"potential_energy": "energies"})
    density = calculator.get_descriptors(ase.io.read(tmp_path / "a.extxyz"))[0, 0]
    assert density == pytest.approx(expected_density(energy), rel=1e-7)  # 8 decimals in the file


def test_wrong_scalars_are_refused(analytic: MakeModel, with_scalar: Path) -> None:
    with pytest.raises(InputError, match="'potential_energy': expected an array 'c_pe'"):
        GlassMLCalculator(
            with_scalar, species=("A", "B"), scalars={"potential_energy": "c_pe"}
        ).get_propensity(dimer())
    with pytest.raises(InputError, match=r"'charge' is not an input .*expected potential_energy"):
        GlassMLCalculator(with_scalar, scalars={"charge": "q"})
    with pytest.raises(InputError, match="expected none"):
        GlassMLCalculator(analytic(), scalars={"charge": "q"})
    short = GlassMLCalculator(
        with_scalar, species=("A", "B"), scalars={"potential_energy": lambda atoms: np.zeros(1)}
    )
    with pytest.raises(InputError, match=r"potential_energy.*shape \[2\]"):
        short.get_propensity(dimer())


# --- units, bad input ---------------------------------------------------------------------------


def test_lengths_are_converted(analytic: MakeModel, calculator: GlassMLCalculator) -> None:
    nanometres = GlassMLCalculator(
        analytic(length_unit="nm", cutoff=0.2), species=("A", "B")
    )  # ASE's 1.2 Angstrom are its 0.12 nm
    assert nanometres.get_descriptors(dimer())[0, 0] == pytest.approx(2 * weight(1.2))
    given = GlassMLCalculator(
        analytic(length_unit="nm", cutoff=0.2), species=("A", "B"), length_unit="nm"
    )
    assert given.get_descriptors(dimer(0.12))[0, 0] == pytest.approx(2 * weight(1.2))
    lj_atoms = dimer(info={"length_unit": "lj"})
    with pytest.raises(InputError, match=r"'lj'.*trained with lengths in 'nm'"):
        nanometres.get_propensity(lj_atoms)


def broken(positions: object) -> Atoms:
    return Atoms(numbers=[1] * len(positions), positions=positions)


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms(), "at least one particle"),
        (broken([[0, 0, 0], [np.nan, 0, 0]]), "positions: expected finite numbers"),
        (broken(np.random.default_rng(0).random((50, 3)) * [9, 9, 0]), "two-dimensional"),
        (Atoms("H", cell=[1, 1, 0], pbc=True), "periodic direction 3"),
    ],
)
def test_bad_atoms_are_refused(calculator: GlassMLCalculator, atoms: Atoms, message: str) -> None:
    with pytest.raises(InputError, match=message):
        calculator.get_propensity(atoms)


def test_bad_arguments_are_refused(analytic: MakeModel, calculator: GlassMLCalculator) -> None:
    with pytest.raises(InputError, match="'cutof' cannot be set"):
        GlassMLCalculator(analytic(), cutof=3.0)
    with pytest.raises(InputError, match=r"propensity, descriptors, equivariant.*'dipole'"):
        calculator.predict([dimer()], outputs=["dipole"])
    with pytest.raises(InputError, match="expected a sequence"):
        GlassMLCalculator(analytic(), outputs="propensity")
    with pytest.raises(InputError, match="no atoms yet"):
        calculator.get_propensity()
    with pytest.raises(InputError, match=r"atoms\[1\]: positions"):
        calculator.predict([dimer(), broken([[0, 0, 0], [np.inf, 0, 0]])])

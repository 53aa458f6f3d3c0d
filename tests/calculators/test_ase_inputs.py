"""Species, scalars and lengths reach the model through the calculator; bad ones are refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones

from glassml.calculators import GlassMLCalculator
from glassml.errors import InputError
from glassml.export import save_model
from glassml.models import build

MakeModel = Callable[..., Path]
CUTOFF = 2.0


def weight(distance: float) -> float:
    return (1 - (distance / CUTOFF) ** 2) ** 2


def dimer(distance: float = 1.2, **options: object) -> Atoms:
    return Atoms("HHe", positions=[[0, 0, 0], [distance, 0, 0]], **options)


@pytest.fixture
def calculator(analytic: MakeModel) -> GlassMLCalculator:
    return GlassMLCalculator(analytic(), species=("A", "B"), device="cpu")


def test_species_by_symbol_equal_species_by_type(
    analytic: MakeModel, calculator: GlassMLCalculator
) -> None:
    by_symbol = GlassMLCalculator(analytic(), species={"H": "A", "He": "B"})
    assert np.array_equal(by_symbol.get_propensity(dimer()), calculator.get_propensity(dimer()))
    swapped = GlassMLCalculator(analytic(), species={"H": "B", "He": "A"})
    assert np.array_equal(swapped.get_propensity(dimer()), calculator.get_propensity(dimer())[::-1])


def test_species_that_do_not_occur(analytic: MakeModel, calculator: GlassMLCalculator) -> None:
    expected = calculator.get_propensity(dimer())
    for species in (("A", "B", "A"), {"H": "A", "He": "B", "Li": "A"}):
        wider = GlassMLCalculator(analytic(), species=species)
        assert np.array_equal(wider.get_propensity(dimer()), expected)


def test_chemical_symbols_need_no_map(analytic: MakeModel) -> None:
    calculator = GlassMLCalculator(
        analytic(species=("Ni", "P"), length_unit="angstrom", cutoff=2.0)
    )
    atoms = Atoms("NiP", positions=[[0, 0, 0], [1.2, 0, 0]])
    assert calculator.get_descriptors(atoms)[0, 0] == pytest.approx(2 * weight(1.2))


@pytest.fixture
def with_scalar(analytic: MakeModel) -> Path:
    return analytic(scalar_inputs=("potential_energy",))


@pytest.mark.parametrize("source", ["my_column", lambda atoms: np.full(len(atoms), 0.25)])
def test_scalar_from_the_atoms(with_scalar: Path, source: object) -> None:
    atoms = dimer()
    atoms.set_array("my_column", np.array([0.5, 0.25]))
    calculator = GlassMLCalculator(
        with_scalar, species=("A", "B"), scalars={"potential_energy": source}
    )
    # the density of the second particle at the first
    expected = pytest.approx(weight(1.2) * (2 + 0.25), rel=1e-14)
    assert calculator.get_descriptors(atoms)[0, 0] == expected


def test_scalar_from_the_base(with_scalar: Path) -> None:
    base = LennardJones(rc=2.5)
    calculator = GlassMLCalculator(
        with_scalar, base=base, species=("A", "B"), scalars={"potential_energy": "energies"}
    )
    atoms = dimer()
    for distance in (1.2, 1.3):
        atoms.positions[1, 0] = distance
        expected = weight(distance) * (2 + base.get_potential_energies(atoms)[1])
        assert calculator.get_descriptors(atoms)[0, 0] == pytest.approx(expected)


def test_lengths_are_converted(analytic: MakeModel) -> None:
    model = analytic(length_unit="nm", cutoff=0.2)
    nanometres = GlassMLCalculator(model, species=("A", "B"))
    # ASE's 1.2 Angstrom are 0.12 nm.
    assert nanometres.get_descriptors(dimer())[0, 0] == pytest.approx(2 * weight(1.2))
    in_nanometres = GlassMLCalculator(model, species=("A", "B"), length_unit="nm")
    assert in_nanometres.get_descriptors(dimer(0.12))[0, 0] == pytest.approx(2 * weight(1.2))
    lj_atoms = dimer(info={"length_unit": "lj"})
    with pytest.raises(InputError, match=r"length unit: expected 'nm'.*; found 'lj'"):
        nanometres.get_propensity(lj_atoms)


def broken(positions: object) -> Atoms:
    return Atoms(numbers=[1] * len(positions), positions=positions)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms(), "at least one particle"),
        (broken([[0, 0, 0], [np.nan, 0, 0]]), "positions: expected finite numbers"),
        (broken([[0, 0, 0], [np.inf, 0, 0]]), "positions: expected finite numbers"),
        (
            Atoms(
                numbers=[1] * 50,
                positions=np.random.default_rng(0).random((50, 3)) * [9, 9, 0],
                cell=[9, 9, 9],
                pbc=True,
            ),
            "two-dimensional",
        ),
        (Atoms("H", cell=[1, 1, 0], pbc=True), "periodic direction 3"),
        (Atoms("HLi", positions=[[0, 0, 0], [1, 0, 0]]), "species: expected one for type 3 "),
    ],
)
def test_bad_atoms_are_refused(calculator: GlassMLCalculator, atoms: Atoms, message: str) -> None:
    with pytest.raises(InputError, match=message):
        calculator.get_propensity(atoms)


def test_bad_arguments_are_refused(analytic: MakeModel, calculator: GlassMLCalculator) -> None:
    with pytest.raises(InputError, match=r"GlassMLCalculator: expected .*; found 'cutof'"):
        GlassMLCalculator(analytic(), cutof=3.0)
    with pytest.raises(InputError, match=r"model's species \['A', 'B'\]"):
        GlassMLCalculator(analytic(), species=("A", "C"))
    with pytest.raises(InputError, match="expected chemical symbols to map from; found 'A'"):
        GlassMLCalculator(analytic(), species={"A": "A", "B": "B"})
    with pytest.raises(InputError, match=r"scalars: expected inputs of .*found 'charge'"):
        GlassMLCalculator(analytic(), scalars={"charge": "q"})
    with pytest.raises(InputError, match=r"propensity, descriptors, equivariant.*'dipole'"):
        calculator.predict([dimer()], outputs=["dipole"])
    with pytest.raises(InputError, match="expected a sequence"):
        GlassMLCalculator(analytic(), outputs="propensity")
    with pytest.raises(InputError, match="no atoms yet"):
        calculator.get_propensity()
    with pytest.raises(InputError, match=r"atoms\[1\]: positions"):
        calculator.predict([dimer(), broken([[0, 0, 0], [np.inf, 0, 0]])])


@pytest.mark.parametrize(
    ("positions", "read"), [("inherent", "at a minimum"), ("cage", "cage centres")]
)
def test_a_model_of_other_than_thermal_positions_warns(
    tmp_path: Path, positions: str, read: str
) -> None:
    model = build("analytic")
    model.positions = positions
    save_model(model, tmp_path / "model.pt")
    with pytest.warns(UserWarning, match=rf"model\.pt: the model reads positions of .*{read}"):
        GlassMLCalculator(tmp_path / "model.pt", species=("A", "B"))
    model.positions = "thermal"
    save_model(model, tmp_path / "model.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        GlassMLCalculator(tmp_path / "model.pt", species=("A", "B"))

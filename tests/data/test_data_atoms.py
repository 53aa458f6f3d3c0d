"""ASE Atoms to Configuration and back."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from matscipy.neighbours import neighbour_list
from systems import liquid

from glassml.data import atoms_from_configuration, configuration_from_atoms, name_species
from glassml.errors import InputError

CELL = np.diag([4.0, 5.0, 6.0])


def make_atoms(**replaced):
    fields = {"symbols": "HHeH", "positions": np.arange(9.0).reshape(3, 3) ** 1.1, "cell": CELL}
    return Atoms(**(fields | {"pbc": True} | replaced))


def test_round_trip(make_configuration, same):
    configuration = make_configuration(provenance={}, length_unit="angstrom")
    atoms = atoms_from_configuration(configuration)
    assert atoms.numbers.tolist() == [1, 2, 1, 2, 1]
    assert atoms.arrays["type"].tolist() == [1, 2, 1, 2, 1]
    back = configuration_from_atoms(
        atoms, ("A", "B"), ["potential_energy"], labels=True, name="sample"
    )
    assert same(back, configuration)


def test_species_that_are_elements_are_written_as_such(make_configuration):
    atoms = atoms_from_configuration(make_configuration(species_names=("Zr", "Cu")))
    assert str(atoms.symbols) == "ZrCuZrCuZr"
    assert atoms.arrays["type"].tolist() == [1, 2, 1, 2, 1]
    assert atoms.info["species_names"] == "Zr,Cu"
    assert configuration_from_atoms(atoms, {"Cu": "Cu", "Zr": "Zr"}).species_names == ("Cu", "Zr")
    half = atoms_from_configuration(make_configuration(species_names=("Zr", "big")))
    assert half.numbers.tolist() == [1, 2, 1, 2, 1]


@pytest.mark.parametrize(
    ("types", "species", "names", "symbols"),
    [
        (None, {"H": "A", "He": "B"}, "A,B", "HHeH"),
        (None, {"H": "B", "He": "A"}, "B,A", "HHeH"),
        ([1, 2, 1], ("A", "B"), "A,B", "HHeH"),
        ([1, 3, 3], ("A", "B", "B"), "A,B,B", "HHeH"),  # no particle of type 2: the second name
        ([4, 2, 4], ("B", "A", "A", "B"), "B,A,A,B", "HHeH"),
        ([2, 1, 2], ("Cu", "Zr"), "Cu,Zr", "ZrCuZr"),
    ],
)
def test_names_of_species_are_noted(types, species, names, symbols):
    atoms = make_atoms()
    if types is not None:
        atoms.set_array("type", np.array(types))
    configuration = configuration_from_atoms(atoms, species)
    name_species(atoms, configuration)
    assert str(atoms.symbols) == symbols
    noted = tuple(atoms.info["species_names"].split(","))
    again = configuration_from_atoms(atoms, noted)
    found = np.array(again.species_names)[again.species]
    np.testing.assert_array_equal(
        found, np.array(configuration.species_names)[configuration.species]
    )
    assert atoms.info["species_names"] == names
    assert atoms.arrays["type"].tolist() == (types or [1, 2, 1])


def test_names_that_are_not_needed_or_not_known_are_not_noted():
    atoms = make_atoms()
    name_species(atoms, configuration_from_atoms(atoms, {"H": "H", "He": "He"}))
    assert "species_names" not in atoms.info
    assert "type" not in atoms.arrays
    atoms.set_array("type", np.array([1, 1, 1]))
    name_species(atoms, configuration_from_atoms(atoms, {"H": "A", "He": "B"}))  # both of type 1
    assert "species_names" not in atoms.info


def test_conversion_copies(make_configuration):
    configuration = make_configuration()
    before = configuration.positions.copy()
    atoms = atoms_from_configuration(configuration)
    atoms.positions += 1.0
    configuration_from_atoms(atoms, ("A", "B")).positions[:] = 0.0
    np.testing.assert_array_equal(configuration.positions, before)
    np.testing.assert_array_equal(atoms.positions, before + 1.0)


def test_symbols_and_types():
    atoms = make_atoms()
    assert configuration_from_atoms(atoms, {"H": "B", "He": "A"}).species_names == ("B", "A")
    assert configuration_from_atoms(atoms, ("A", "B")).species.tolist() == [0, 1, 0]
    atoms.set_array("type", np.array([2, 2, 1]))
    assert configuration_from_atoms(atoms, ("A", "B")).species.tolist() == [1, 1, 0]


def test_scalars_come_from_arrays_or_info_under_another_name():
    atoms = make_atoms()
    atoms.set_array("c_pe", np.array([1.0, 2.0, 3.0]))
    atoms.info["charge"] = [0.0, 1.0, 0.0]
    configuration = configuration_from_atoms(
        atoms, ("A", "B"), {"potential_energy": "c_pe", "charge": "charge"}
    )
    assert configuration.scalars["potential_energy"].tolist() == [1.0, 2.0, 3.0]
    assert configuration.scalars["charge"].tolist() == [0.0, 1.0, 0.0]


def test_missing_scalar():
    with pytest.raises(
        InputError,
        match=r"^melt: scalar 'potential_energy': .*'c_pe'.*found \['numbers', 'positions'\]",
    ):
        configuration_from_atoms(
            make_atoms(), ("A", "B"), {"potential_energy": "c_pe"}, name="melt"
        )


def test_predictions_in_the_atoms_are_not_taken_for_labels():
    atoms = make_atoms()
    atoms.set_array("propensity", np.ones((3, 1)))
    assert configuration_from_atoms(atoms, ("A", "B")).propensity is None


def test_labels():
    atoms = make_atoms()
    with pytest.raises(InputError, match=r"propensity: expected labels in atoms.arrays"):
        configuration_from_atoms(atoms, ("A", "B"), labels=True)
    atoms.set_array("propensity", np.array([1.0, 2.0, 3.0]))
    with pytest.raises(InputError, match=r"times: expected the times .*Give the times \(--time\)"):
        configuration_from_atoms(atoms, ("A", "B"), labels=True)
    atoms.info["times"] = 4.0
    configuration = configuration_from_atoms(atoms, ("A", "B"), labels=True)
    assert configuration.times.tolist() == [4.0]
    assert configuration.propensity.tolist() == [[1.0], [2.0], [3.0]]
    assert configuration.n_runs is None
    given = configuration_from_atoms(atoms, ("A", "B"), labels=True, times=[5.0])
    assert given.times.tolist() == [5.0]


def test_length_unit():
    atoms = make_atoms()
    assert configuration_from_atoms(atoms, ("A", "B")).length_unit == "lj"
    assert configuration_from_atoms(atoms, ("A", "B"), length_unit="nm").length_unit == "nm"
    atoms.info["length_unit"] = "angstrom"
    assert configuration_from_atoms(atoms, ("A", "B")).length_unit == "angstrom"
    with pytest.raises(InputError, match=r"length_unit: expected 'lj'; found .* = 'angstrom'"):
        configuration_from_atoms(atoms, ("A", "B"), length_unit="lj")


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms(cell=CELL, pbc=True), "positions: expected at least one particle; found none"),
        (make_atoms(positions=np.full((3, 3), np.nan)), "positions: expected finite numbers"),
        (
            make_atoms(positions=[[0, 0, 0], [1, -np.inf, 2], [3, 1, 1]]),
            r"positions: expected finite numbers; found -inf at index \[1, 1\] \(1 such values\)",
        ),
        (
            make_atoms(positions=np.full((3, 3), np.inf), cell=None, pbc=False),
            r"positions: expected finite numbers; found inf at index \[0, 0\] \(9 such values\)",
        ),
        (make_atoms(cell=np.full((3, 3), np.nan)), "cell: expected finite numbers; found nan"),
        (make_atoms(cell=np.full((3, 3), np.inf)), "cell: expected finite numbers; found inf"),
        (make_atoms(symbols="HHeLi"), r"species: .* for type 3 \(first at particle 2\); found"),
        (
            make_atoms(cell=[4, 5, 0]),
            r"cell: expected a lattice vector for the periodic direction 3 .*found a zero vector",
        ),
        (
            bulk("Cu", "sc", a=2.0).repeat((1, 5, 5)),
            "positions: expected a three-dimensional system; found all 25 .*direction 1 ",
        ),
    ],
)
@pytest.mark.filterwarnings("error")
def test_refused(atoms, message):
    species = {"Cu": "A"} if "Cu" in atoms.get_chemical_symbols() else ("A", "B")
    with pytest.raises(InputError, match=f"^melt: {message}"):
        configuration_from_atoms(atoms, species, name="melt")


@pytest.mark.parametrize("cell", [[4, 5, 0], [4, 5, 6]])
def test_layers_without_images_across_them_are_two_dimensional(cell):
    positions = [[0, 0, 1], [1, 2, 1], [3, 1, 1]]
    atoms = make_atoms(positions=positions, cell=cell, pbc=[1, 1, 0])
    assert configuration_from_atoms(atoms, ("A", "B")).plane == 2


def test_crystal_cells_of_one_layer_are_three_dimensional():
    assert configuration_from_atoms(bulk("Cu", "sc", a=2.0), {"Cu": "A"}).n_particles == 1
    layer = bulk("Cu", "sc", a=2.0).repeat((1, 2, 2))
    assert configuration_from_atoms(layer, {"Cu": "A"}).n_particles == 4


@pytest.mark.parametrize("vectors", ["none", "one", "two", "skew"])
def test_missing_cell_vectors_enclose_the_particles_and_change_no_distance(vectors, rng):
    cell = {
        "none": np.zeros((3, 3)),
        "one": np.array([[0, 0, 0], [1.0, 4.0, 0.5], [0, 0, 0]]),
        "two": np.diag([4.0, 0.0, 5.0]),
        "skew": np.array([[4.0, 1.0, 0.0], [0.0, 5.0, 1.0], [0, 0, 0]]),
    }[vectors]
    positions = rng.uniform(-8.0, 8.0, (30, 3))
    atoms = Atoms("H30", positions=positions, cell=cell, pbc=cell.any(axis=1))
    configuration = configuration_from_atoms(atoms, ("A",), length_unit="lj")
    np.testing.assert_array_equal(configuration.positions, positions)
    np.testing.assert_array_equal(configuration.cell[atoms.pbc], cell[atoms.pbc])
    fractional = positions @ np.linalg.inv(configuration.cell)
    assert (np.ptp(fractional, axis=0)[~atoms.pbc] < 1.0).all()

    found = neighbour_list(
        "d", cutoff=2.5, positions=positions, cell=configuration.cell, pbc=configuration.pbc
    )
    # 1e-12: distances of order 1 in double precision.
    np.testing.assert_allclose(
        np.sort(found), np.sort(brute_force_distances(positions, cell, 2.5)), atol=1e-12
    )


def brute_force_distances(positions, cell, cutoff):
    """Distances below the cutoff, counting every image in the directions that have a vector."""
    steps = [range(-6, 7) if vector.any() else [0] for vector in cell]
    shifts = np.array(np.meshgrid(*steps)).reshape(3, -1).T @ cell
    vectors = positions[None, :, None] + shifts - positions[:, None, None]
    distances = np.linalg.norm(vectors, axis=-1)
    return distances[(distances < cutoff) & (distances > 0)]


def test_predictions_are_no_labels(make_configuration):
    configuration = make_configuration()
    atoms = atoms_from_configuration(configuration)
    atoms.info["propensity_model"] = "some"
    with pytest.raises(InputError, match="found only predictions of the model 'some'"):
        configuration_from_atoms(atoms, ("A", "B"), labels=True)
    atoms.arrays["propensity_label"] = configuration.propensity + 1.0
    again = configuration_from_atoms(atoms, ("A", "B"), labels=True)
    np.testing.assert_array_equal(again.propensity, configuration.propensity + 1.0)


def test_lengths_of_a_cluster_without_a_unit_are_not_taken_for_lj() -> None:
    here = liquid(64)
    cluster = Atoms("H64", positions=here.positions)
    assert configuration_from_atoms(cluster, ("A",)).length_unit == "lj"
    metal = Atoms("H64", positions=here.positions * 2.7)
    with pytest.raises(InputError, match=r"length unit: expected one.*lj if these are LJ"):
        configuration_from_atoms(metal, ("A",))
    assert configuration_from_atoms(metal, ("A",), length_unit="lj").length_unit == "lj"

"""Species that files name: used by name, and never against what the user says."""

from __future__ import annotations

import gsd.hoomd
import numpy as np
import pytest
from ase import Atoms
from systems import liquid

from glassml.data import (
    Configuration,
    ReadOptions,
    SpeciesMap,
    configuration_from_atoms,
    name_species,
    open_frames,
    read_configurations,
)
from glassml.errors import InputError

SYSTEM = liquid(20)
NAMES = np.array(["A", "B"])[SYSTEM.species]


def dump(tmp_path, columns: str, words) -> object:
    path = tmp_path / "run.lammpstrj"
    rows = [
        f"{k + 1} {words(k)} {' '.join(f'{x:.17g}' for x in SYSTEM.positions[k])}\n"
        for k in range(20)
    ]
    box = f"0 {SYSTEM.cell[0, 0]:.17g}\n" * 3
    path.write_text(
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n20\nITEM: BOX BOUNDS pp pp pp\n"
        f"{box}ITEM: ATOMS id {columns} x y z\n{''.join(reversed(rows))}"
    )
    return path


def gsd_file(tmp_path, types: list[str], typeid, **changes):
    frame = gsd.hoomd.Frame()
    length = SYSTEM.cell[0, 0]
    frame.configuration.box = [length] * 3 + [0, 0, 0]
    frame.particles.N = 20
    frame.particles.types = types
    frame.particles.typeid = typeid
    frame.particles.position = SYSTEM.positions - length / 2
    for name, value in changes.items():
        owner = frame.configuration if hasattr(frame.configuration, name) else frame.particles
        setattr(owner, name, value)
    path = tmp_path / "run.gsd"
    with gsd.hoomd.open(path, "w") as file:
        file.append(frame)
    return path


def read(path, species: str | None = None, **options) -> Configuration:
    parsed = None if species is None else SpeciesMap.parse(species)
    (found,) = read_configurations(path, options=ReadOptions(species=parsed, **options))
    return found


def names(configuration: Configuration) -> list[str]:
    return [configuration.species_names[k] for k in configuration.species]


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ("type element", lambda k: f"{SYSTEM.species[k] + 1} {NAMES[k]}"),
        ("type typelabel", lambda k: f"{SYSTEM.species[k] + 1} {NAMES[k]}"),
        ("type element", lambda k: f"{2 - SYSTEM.species[k]} {NAMES[k]}"),  # types B, A
        ("element", lambda k: NAMES[k]),
        ("typelabel", lambda k: NAMES[k]),
        ("typelabel element", lambda k: f"{NAMES[k]} C"),
    ],
)
def test_dumps(tmp_path, columns, word):
    path = dump(tmp_path, columns, word)
    found = read(path)
    assert names(found) == NAMES.tolist()
    assert set(found.species_names) == {"A", "B"}
    np.testing.assert_allclose(found.positions, SYSTEM.positions)
    assert names(read(path, "A=B,B=A")) == ["BA"["AB".index(name)] for name in NAMES]
    assert names(read(path, "A=one,B=two")) == [{"A": "one", "B": "two"}[n] for n in NAMES]


def test_names_given_for_types_must_agree_with_those_in_a_dump(tmp_path):
    agrees = dump(tmp_path, "type element", lambda k: f"{SYSTEM.species[k] + 1} {NAMES[k]}")
    assert names(read(agrees, "A,B")) == NAMES.tolist()
    with pytest.raises(
        InputError, match=r"which calls type 1 'A'; found 'B'\. Leave --species out"
    ):
        read(agrees, "B,A")
    # Other names are a translation.
    assert names(read(agrees, "one,two")) == [{"A": "one", "B": "two"}[n] for n in NAMES]
    without_types = dump(tmp_path, "element", lambda k: NAMES[k])
    for given in ("A,B", "B,A"):  # there are no types that they could contradict
        assert names(read(without_types, given)) == NAMES.tolist()
    with pytest.raises(
        InputError, match=r"as it has no types; found one, two for A, B\. Say which"
    ):
        read(without_types, "one,two")


def test_elements_that_lammps_makes_up_are_no_names(tmp_path):
    path = dump(tmp_path, "type element", lambda k: f"{SYSTEM.species[k] + 1} C")
    assert names(read(path, "A,B")) == NAMES.tolist()
    with pytest.raises(InputError, match="species: expected names for the file's symbols or types"):
        read(path)
    mixed = dump(tmp_path, "type element", lambda k: f"1 {NAMES[k]}")
    with pytest.raises(InputError, match="element: expected one name for the particles of type 1"):
        read(mixed)


def test_words_are_short(tmp_path):
    path = dump(tmp_path, "element", lambda k: "A" * (1 if k else 1000))
    with pytest.raises(InputError, match="element: expected words of at most 256 letters; found"):
        read(path)


def test_elements_are_symbols_too(tmp_path):
    elements = np.array(["Cu", "Zr"])[SYSTEM.species]
    path = dump(tmp_path, "element", lambda k: elements[k])
    assert names(read(path, "Zr=Zr,Cu=Cu", length_unit="angstrom")) == elements.tolist()
    ((_, atoms),) = open_frames(path).frames
    assert atoms.get_chemical_symbols() == elements.tolist()


def test_gsd(tmp_path):
    path = gsd_file(tmp_path, ["B", "A"], 1 - SYSTEM.species)
    assert names(read(path)) == NAMES.tolist()
    assert names(read(path, "B,A")) == NAMES.tolist()
    assert names(read(path, "A=A,B=B")) == NAMES.tolist()
    with pytest.raises(InputError, match="which calls type 1 'B'; found 'A'"):
        read(path, "A,B")
    with pytest.raises(InputError, match="type: expected types of 1 to 1, as the file states"):
        read(gsd_file(tmp_path, ["A"], SYSTEM.species))


def test_gsd_types_with_commas(tmp_path):
    path = gsd_file(tmp_path, ["A,1", "B"], SYSTEM.species)
    with pytest.raises(InputError, match=r"expected names without commas .*; found 'A,1' in the"):
        read(path)
    assert names(read(path, "A,B")) == NAMES.tolist()


def chunks(path) -> set[str]:
    with gsd.hoomd.open(path, "r") as file:
        return set(file.file.find_matching_chunk_names(""))


UNIT_BOX = [1, 1, 1, 0, 0, 0]


def test_gsd_with_a_unit_box(tmp_path):
    """The package gsd leaves out what has its default value."""
    scaled = SYSTEM.positions / SYSTEM.cell[0, 0] % 1 - 0.5
    path = gsd_file(tmp_path, ["A", "B"], SYSTEM.species, box=UNIT_BOX, position=scaled)
    assert "configuration/box" not in chunks(path)
    found = read(path, length_unit="lj")
    np.testing.assert_array_equal(found.cell, np.eye(3))
    np.testing.assert_allclose(found.positions, scaled, atol=1e-7)  # single precision
    one = gsd_file(tmp_path, ["A"], [0], N=1, position=[[0, 0, 0]])
    assert "particles/position" not in chunks(one)
    ((_, atoms),) = open_frames(one).frames
    assert atoms.positions.tolist() == [[0, 0, 0]]


def test_gsd_without_a_box(tmp_path):
    path = gsd_file(tmp_path, ["A", "B"], SYSTEM.species, box=UNIT_BOX)
    assert "configuration/box" not in chunks(path)
    with pytest.raises(InputError, match=r"box: .*only a box of 1 x 1 x 1 is not stored; found n"):
        read(path)


def test_gsd_without_positions(tmp_path):
    path = gsd_file(tmp_path, ["A", "B"], SYSTEM.species, position=np.zeros((20, 3)))
    assert "particles/position" not in chunks(path)
    with pytest.raises(InputError, match=r"frame 0: particles/position: expected it in the file"):
        read(path)


def plane(tmp_path, height: float):
    """A GSD file of two dimensions whose particles are this far from the plane."""
    places = SYSTEM.positions - SYSTEM.cell[0, 0] / 2
    places[:, 2] = height * np.where(np.arange(20) % 2, 1, -1)
    return gsd_file(tmp_path, ["A", "B"], SYSTEM.species, dimensions=2, position=places)


def test_gsd_in_two_dimensions_with_noise(tmp_path):
    found = read(plane(tmp_path, 1e-5), length_unit="lj")
    assert found.plane == 2
    np.testing.assert_array_equal(found.positions[:, 2], 0.0)


def test_gsd_in_two_dimensions_outside_the_plane(tmp_path):
    with pytest.raises(InputError, match="in the plane z = 0, as the file states two"):
        read(plane(tmp_path, 0.3))


def test_more_types_than_elements(tmp_path):
    kinds = 100 + np.arange(20)
    path = dump(tmp_path, "type", lambda k: str(kinds[k]))
    species = ",".join("AB"[k % 2] for k in range(119))
    found = read(path, species)
    assert names(found) == ["AB"[(kind - 1) % 2] for kind in kinds]
    ((_, atoms),) = open_frames(path).frames
    name_species(atoms, found)
    assert atoms.arrays["type"].tolist() == kinds.tolist()
    assert atoms.get_chemical_symbols()[18] == "Og"
    assert atoms.get_chemical_symbols()[19] == "X"


def test_atoms_in_memory():
    atoms = Atoms("HHe", positions=np.eye(3)[:2], cell=[3, 3, 3], pbc=True)
    atoms.info["species_names"] = "B,A"
    assert names(configuration_from_atoms(atoms, ("B", "A"))) == ["B", "A"]
    with pytest.raises(InputError, match="which calls type 1 'B'; found 'A'"):
        configuration_from_atoms(atoms, ("A", "B"))
    with pytest.raises(InputError, match="which calls symbol H 'B'; found 'A'"):
        configuration_from_atoms(atoms, {"H": "A", "He": "B"})

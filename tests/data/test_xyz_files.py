"""xyz files: their frames, their cells and their flags, compared with what ASE makes of them."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from glassml.data import SpeciesMap, configuration_from_atoms, open_frames
from glassml.data.stated_species import SPECIES_LABEL
from glassml.errors import InputError

LATTICE = 'Lattice="3 0 0 0 3 0 0 0 3"'
ROWS = "H 0.1 0.2 0.3\nHe 1.1 1.2 0.4\n"
POSITIONS = [[0.1, 0.2, 0.3], [1.1, 1.2, 0.4]]
ALL, NONE, FLAT = (True, True, True), (False, False, False), (True, True, False)


def frames(tmp_path, text: str, **options):
    path = tmp_path / "run.xyz"
    path.write_text(text)
    return [atoms for _, atoms in open_frames(path, **options).frames]


def refusal(tmp_path, text: str, **options) -> str:
    with pytest.raises(InputError) as caught:
        frames(tmp_path, text, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("header", "given", "expected"),
    [
        (LATTICE, None, ALL),
        (f'{LATTICE} pbc="T T F"', None, FLAT),
        (f'{LATTICE} pbc="1 1 0"', None, FLAT),
        (f'{LATTICE} pbc="True, True, False"', None, FLAT),
        (f"{LATTICE} pbc=F", None, NONE),
        (f'{LATTICE} pbc="F F F"', ALL, ALL),
        ('pbc="F F F"', None, NONE),
        ("", NONE, NONE),
        (f'{LATTICE} pbc="yes yes no"', FLAT, FLAT),
    ],
)
def test_periodicity(tmp_path, header, given, expected):
    (atoms,) = frames(tmp_path, f"2\n{header}\n{ROWS}", pbc=given)
    assert tuple(atoms.pbc.tolist()) == expected
    np.testing.assert_array_equal(atoms.positions, POSITIONS)
    assert not {"pbc", "stated_pbc"} & set(atoms.info)


@pytest.mark.parametrize("kind", ["extxyz", "xyz"])
@pytest.mark.parametrize("header", ["", "Atoms. Timestep: 0", "energy=1.5"])
def test_without_a_cell_a_liquid_is_no_droplet(tmp_path, kind, header):
    message = refusal(tmp_path, f"2\n{header}\n{ROWS}", kind=kind)
    assert "run.xyz: frame 0: periodicity: expected a cell, such as Lattice=" in message
    assert "found none. Write the cell into the file, or give --pbc F,F,F for a droplet" in message


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (LATTICE.lower(), "lattice: expected the key Lattice, as its case matters; found lattice"),
        (f'{LATTICE} PBC="F F F"', "PBC: expected the key pbc, as its case matters"),
        (f"{LATTICE} properties=species:S:1:pos:R:3", "expected the key Properties"),
        (f'{LATTICE} pbc="yes yes no"', 'expected flags such as pbc="T T F" in the header; found'),
        (f'{LATTICE} pbc="T F"', "expected flags such as"),
        (f'{LATTICE} pbc="1 2 0"', "expected flags such as"),
        (f'{LATTICE} pbc="f f f"', "expected flags such as"),
        ('Lattice="3 0 0 0 3"', "found one that ASE cannot read"),
        (f"{LATTICE} Properties=species:S:1:pos:R", "expected name:kind:columns"),
        (
            f"{LATTICE} Properties=element:S:1:pos:R:3",
            "expected species (or Z, or type:I:1) and pos; found elem",
        ),
        (f"{LATTICE} Properties=species:S:1:positions:R:3", "expected species (or Z, or type"),
        (f"{LATTICE} Properties=type:S:1:pos:R:3", "expected species (or Z, or type:I:1) and pos"),
        (f"{LATTICE} Properties=species:S:1:pos:R:3:a:R:1:a:R:1", "found 'a' twice"),
    ],
)
def test_headers_that_are_not_understood(tmp_path, header, message):
    assert message in refusal(tmp_path, f"2\n{header}\n{ROWS}")


def test_frames_after_blank_lines_are_read(tmp_path):
    one = f"2\n{LATTICE} step=%d\n{ROWS}"
    found = frames(tmp_path, one % 1 + "\n" + one % 2 + "\n\n" + one % 3 + "\n")
    assert [atoms.info["step"] for atoms in found] == [1, 2, 3]
    path = tmp_path / "run.extxyz.gz"
    path.write_bytes(gzip.compress((one % 1 + one % 2).encode()))
    opened = open_frames(path, "::-1")
    assert (opened.format, opened.total) == ("extxyz", 2)
    assert [atoms.info["step"] for _, atoms in opened.frames] == [2, 1]


FORCES = f"{LATTICE} Properties=species:S:1:pos:R:3:good:L:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"3\n{LATTICE}\n{ROWS}", "frame 0: expected a complete frame of 3 particles; found 2"),
        (f"1\n{LATTICE}\n{ROWS}", "line 4: expected the number of particles of frame 1, a whole"),
        (f"2\n{LATTICE}\n{ROWS}"[:-1], "last line is complete; found an end within the line 'He 1"),
        (f"2\n{LATTICE}\n{ROWS}"[:-5], "last line is complete"),
        (
            f"2\n{LATTICE}\nH 0 0 0\n\n",
            "line 4: expected a particle with symbol, x, y, z; found ''",
        ),
        (f"2\n{FORCES}\n{ROWS}", "expected a particle with 5 columns (species:pos:good)"),
        (f"1\n{FORCES}\nH 0 0 0 T 1\n", "expected a particle with 5 columns (species:pos:good)"),
        (f"1\n{FORCES}\nH 0 0 0 yes\n", "line 3: good: expected T or F, as ASE takes all else"),
        (f"1\n{FORCES}\nH 0 0 0 1\n", "for F; found '1'"),
        ("two\n\n", "line 1: expected the number of particles of frame 0"),
    ],
)
def test_frames_are_compared_with_their_headers(tmp_path, text, message):
    assert message in refusal(tmp_path, text)


def test_an_older_variant_with_its_own_vectors(tmp_path):
    vectors = "VEC1 3 0 0\nVEC2 0 3 0\nVEC3 0 0 3\n"
    found = frames(tmp_path, f"2\nremark\n{ROWS}{vectors}" * 2)
    assert len(found) == 2
    for atoms in found:
        np.testing.assert_array_equal(atoms.cell.array, np.diag([3.0] * 3))
        assert atoms.pbc.all()


PROPERTIES = f"{LATTICE} Properties=species:S:1:pos:R:3:c_pe:R:1"


@pytest.mark.parametrize("kind", ["extxyz", "xyz"])
def test_species_that_are_no_symbols(tmp_path, kind):
    rows = "B 0.1 0.2 0.3\nA1 1.1 1.2 0.4\n"
    (atoms,) = frames(tmp_path, f"2\n{LATTICE}\n{rows}", kind=kind, pbc=NONE)
    assert atoms.arrays[SPECIES_LABEL].tolist() == ["B", "A1"]
    np.testing.assert_array_equal(atoms.positions, POSITIONS)
    found = configuration_from_atoms(atoms, SpeciesMap({"A1": "A", "B": "B"}))
    assert [found.species_names[k] for k in found.species] == ["B", "A"]
    types = "2 0.1 0.2 0.3 7\n1 1.1 1.2 0.4 8\n"
    (atoms,) = frames(tmp_path, f"2\n{PROPERTIES}\n{types}")
    assert atoms.arrays["type"].tolist() == [2, 1]
    assert configuration_from_atoms(atoms, ("A", "B")).species.tolist() == [1, 0]
    assert atoms.arrays["c_pe"].tolist() == [7, 8]


TYPED = "Properties=species:S:1:pos:R:3:type:I:1"


def test_types_beside_species(tmp_path):
    """The numbers of species are types, and so must agree with a column of types."""
    (atoms,) = frames(tmp_path, f"2\n{LATTICE} {TYPED}\n2 0 0 0 2\n1 1 1 1 1\n")
    assert atoms.arrays["type"].tolist() == [2, 1]
    message = refusal(tmp_path, f"2\n{LATTICE} {TYPED}\n1 0 0 0 2\n2 1 1 1 1\n")
    assert "in the column type, for particle 0 2; found 1. Leave one of the two" in message
    (atoms,) = frames(tmp_path, f"2\n{LATTICE} {TYPED}\nP 0 0 0 2\nN1 1 1 1 1\n")
    assert atoms.arrays["type"].tolist() == [2, 1]
    assert configuration_from_atoms(atoms, SpeciesMap(["A", "B"])).species.tolist() == [1, 0]
    found = configuration_from_atoms(atoms, SpeciesMap.parse("P=x,N1=y"))
    assert [found.species_names[k] for k in found.species] == ["x", "y"]
    with pytest.raises(InputError, match="which calls type 1 'N1'; found 'P'"):
        configuration_from_atoms(atoms, SpeciesMap(["P", "N1"]))


def test_types_in_place_of_species(tmp_path):
    properties = "Properties=type:I:1:pos:R:3"
    (atoms,) = frames(tmp_path, f"2\n{LATTICE} {properties}\n2 0 0 0\n1 1 1 1\n")
    assert atoms.numbers.tolist() == atoms.arrays["type"].tolist() == [2, 1]
    assert configuration_from_atoms(atoms, SpeciesMap(["A", "B"])).species.tolist() == [1, 0]
    message = refusal(tmp_path, f"1\n{LATTICE} {properties}\n0 0 0 0\n")
    assert "type: expected types of 1 and more; found 0" in message


@pytest.mark.parametrize(
    ("properties", "row"),
    [
        ("species:S:1:pos:R:3:id:I:1", "{0} {1} {2}"),
        ("id:I:1:species:S:1:pos:R:3", "{2} {0} {1}"),
        ("pos:R:3:id:I:1:species:S:1", "{1} {2} {0}"),
    ],
)
def test_species_in_any_column(tmp_path, properties, row):
    """OVITO writes columns in the order that its user chooses."""
    header = f"{LATTICE} Properties={properties}"

    def text(header: str, names: list[str]) -> str:
        places = [" ".join(map(str, place)) for place in POSITIONS]
        lines = (row.format(name, places[k], k + 7) for k, name in enumerate(names))
        return f"2\n{header}\n" + "".join(f"{line}\n" for line in lines)

    (atoms,) = frames(tmp_path, text(header, ["B", "A"]))
    assert atoms.arrays[SPECIES_LABEL].tolist() == ["B", "A"]
    assert atoms.arrays["id"].tolist() == [7, 8]
    np.testing.assert_array_equal(atoms.positions, POSITIONS)
    (atoms,) = frames(tmp_path, text(header.replace("species:S", "species:I"), ["2", "1"]))
    assert atoms.arrays["type"].tolist() == [2, 1]
    (atoms,) = frames(tmp_path, text(header, ["He", "Cu"]))
    assert atoms.get_chemical_symbols() == ["He", "Cu"]


def test_forces_remain_those_of_the_atoms(tmp_path):
    properties = "Properties=species:S:1:pos:R:3:forces:R:3"
    rows = "B 0 0 0 1 2 3\nA1 1 1 1 4 5 6\n"
    (atoms,) = frames(tmp_path, f"2\n{LATTICE} {properties}\n{rows}", pbc=FLAT)
    np.testing.assert_array_equal(atoms.get_forces(), [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize("flags", ["T T F", "yes yes no"])
def test_flags_in_remarks_are_left_alone(tmp_path, flags):
    text = f'2\n{LATTICE} comment="x pbc=3" pbc="{flags}"\n{ROWS}'
    (atoms,) = frames(tmp_path, text, pbc=FLAT)
    assert atoms.info == {"comment": "x pbc=3"}
    assert tuple(atoms.pbc.tolist()) == FLAT

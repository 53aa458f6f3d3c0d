"""LAMMPS data files of every atom style, and those that do not say what they hold."""

from __future__ import annotations

import bz2
import gzip
import lzma

import ase.io
import numpy as np
import pytest
from ase import Atoms

from glassml.data import configuration_from_atoms, open_frames
from glassml.errors import InputError

POSITIONS = np.array([[0.1, 0.2, 0.3], [1.1, 1.2, 0.4], [2.5, 0.3, 1.9]])
TYPES = [1, 2, 1]
XYZ = [" ".join(map(str, row)) for row in POSITIONS]
ORDER = (2, 0, 1)
HEADER = "made by hand\n\n3 atoms\n2 atom types\n\n0 3 xlo xhi\n0 3 ylo yhi\n0 3 zlo zhi\n"

# What stands before and behind the positions of a particle of each style.
STYLES = {
    "atomic": ("{id} {type}", ""),
    "charge": ("{id} {type} -0.5", ""),
    "full": ("{id} 7 {type} -0.5", ""),
    "molecular": ("{id} 7 {type}", ""),
    "sphere": ("{id} {type} 1.0 0.9", ""),
    "bpm/sphere": ("{id} 7 {type} 1.0 0.9", ""),
    "ellipsoid": ("{id} {type} 0 1.0", ""),
    "dipole": ("{id} {type} 0.5", "0.1 0.2 0.3"),
    "body": ("{id} {type} 0 1.0", ""),
    "electron": ("{id} {type} 1.0 2 0.5", ""),
    "template": ("{id} 7 1 1 {type}", ""),
    "spin": ("{id} {type}", "0.1 0.2 0.3 1.0"),
    "dielectric": ("{id} {type} 0.5", "0.1 0.2 0.3 1 2 3 4 5"),
    "rheo/thermal": ("{id} {type} 0 1.0 0.5", ""),
    "atomic/kk": ("{id} {type}", ""),
}


def rows(style: str, images: str = "", types: list = TYPES) -> str:
    before, behind = STYLES[style]
    lines = [f"{before.format(id=k + 1, type=types[k])} {XYZ[k]} {behind} {images}" for k in ORDER]
    return "".join(line.rstrip() + "\n" for line in lines)


def text(style: str = "atomic", *, header: str = HEADER, title: str | None = None, **more) -> str:
    return f"{header}\nAtoms # {style}\n\n".replace(
        f"Atoms # {style}", f"Atoms # {style}" if title is None else title
    ) + rows(style, **more)


def read(tmp_path, content: str | bytes, **options):
    path = tmp_path / "any.name"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    frames = open_frames(path, **options)
    assert (frames.format, frames.total) == ("lammps-data", 1)
    ((_, atoms),) = frames.frames
    return atoms


def assert_right(atoms) -> None:
    np.testing.assert_array_equal(atoms.positions, POSITIONS)
    assert atoms.arrays["type"].tolist() == TYPES
    assert atoms.arrays["id"].tolist() == [1, 2, 3]
    assert atoms.pbc.all()
    np.testing.assert_array_equal(atoms.cell.array, np.diag([3.0] * 3))


@pytest.mark.parametrize("style", STYLES)
def test_atom_styles(tmp_path, style):
    assert_right(read(tmp_path, text(style)))
    moved = read(tmp_path, text(style, images="1 0 -1"))
    np.testing.assert_allclose(moved.positions, POSITIONS + np.array([3, 0, -3]), atol=1e-15)


@pytest.mark.parametrize("style", ["hybrid", "hybrid sphere", "tdpd"])
def test_styles_that_begin_with_the_positions(tmp_path, style):
    content = text("atomic", images="0.5 1.0 0.9", title=f"Atoms # {style}")
    assert_right(read(tmp_path, content))


def test_the_style_is_not_guessed(tmp_path):
    """Only five columns have one meaning: seven may be full, sphere, ellipsoid and others."""
    assert_right(read(tmp_path, text("atomic", title="Atoms")))
    for style in ("sphere", "full", "charge", "molecular"):
        with pytest.raises(
            InputError, match=r"expected a known atom style .*'Atoms #.*of several styles"
        ):
            read(tmp_path, text(style, title="Atoms"))
    for style in ("full", "atomic"):
        with pytest.raises(InputError, match=r"known atom style .*\.\.\.\); found 'mine'"):
            read(tmp_path, text(style, title="Atoms # mine"))
    with pytest.raises(InputError, match=r"expected 5 columns of atom style atomic .*; found 7"):
        read(tmp_path, text("sphere", title="Atoms # atomic"))


def test_remarks_in_the_header_and_in_rows(tmp_path):
    header = HEADER.replace("3 atoms", "3 atoms # all").replace("types", "types   # A, B")
    header = header.replace("xhi", "xhi # low, high") + "# and now\n"
    assert_right(read(tmp_path, text(header=header).replace("0.3\n", "0.3 # one\n")))


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed(tmp_path, compress):
    assert_right(read(tmp_path, compress(text().encode())))


def test_type_labels(tmp_path):
    """As `write_data ... types labels` writes them; ASE sorts particles but not their labels."""
    sections = "\nAtom Type Labels\n\n1 Si1\n2 O2\n\nMasses\n\nSi1 28.0\nO2 16.0\n"
    content = text("full", header=HEADER + sections, types=["Si1", "O2", "Si1"])
    atoms = read(tmp_path, content)
    assert_right(atoms)
    assert atoms.info["species_names"] == "Si1,O2"
    found = configuration_from_atoms(atoms, {"O2": "O", "Si1": "Si"}, length_unit="angstrom")
    assert [found.species_names[k] for k in found.species] == ["Si", "O", "Si"]
    numbers = text("full", header=HEADER + sections)
    assert read(tmp_path, numbers).info["species_names"] == "Si1,O2"
    elements = content.replace("Si1", "Si").replace("O2", "O")
    assert read(tmp_path, elements).get_chemical_symbols() == ["Si", "O", "Si"]
    for wrong, message in [
        (content.replace("2 O2", "3 O2"), "expected one label for each of the 2 types"),
        (content.replace("2 O2\n", ""), "expected one label for each of the 2 types"),
        (content.replace(" O2 -0.5", " N -0.5"), "or one of the labels Si1, O2; found 'N'"),
        (text(types=["A", "B", "A"]), "found 'A', and no section Atom Type Labels"),
    ]:
        with pytest.raises(InputError, match=message):
            read(tmp_path, wrong)


def test_elements_by_mass(tmp_path):
    masses = "\nMasses\n\n1 63.546\n2 91.224\n"
    atoms = read(tmp_path, text(header=HEADER + masses))
    assert atoms.get_chemical_symbols() == ["Cu", "Zr", "Cu"]
    tabs = masses.replace(" ", "\t")
    assert read(tmp_path, text(header=HEADER + tabs)).get_chemical_symbols() == ["Cu", "Zr", "Cu"]
    light = masses.replace("63.546", "4.0").replace("91.224", "1.0")
    assert read(tmp_path, text(header=HEADER + light)).get_chemical_symbols() == ["He", "H", "He"]
    with pytest.raises(InputError, match="Masses: line 12: mass: expected a number; found 'x'"):
        read(tmp_path, text(header=HEADER + masses.replace("63.546", "x")))
    # Equal masses, as of LJ particles, tell no elements.
    equal = masses.replace("63.546", "1").replace("91.224", "1")
    assert read(tmp_path, text(header=HEADER + equal)).numbers.tolist() == TYPES


def test_other_sections_and_boxes(tmp_path):
    header = HEADER.replace(
        "0 3 zlo zhi\n", "0 3 zlo zhi\n1 0 0.5 xy xz yz\n1 bonds\n1 bond types\n"
    )
    more = "\nVelocities\n\n2 1 0 0\n1 2 0 0\n3 3 0 0\n\nBonds\n\n1 1 1 2\n\nd_mine\n\n1 0.5\n"
    atoms = read(tmp_path, text(header=header) + more)
    np.testing.assert_array_equal(atoms.cell.array, [[3, 0, 0], [1, 3, 0], [0, 0.5, 3]])
    np.testing.assert_array_equal(atoms.arrays["velocities"][:, 0], [2, 1, 3])
    general = HEADER.split("0 3 xlo")[0] + "3 0 0 avec\n1 3 0 bvec\n0 0 3 cvec\n0 0 0 abc origin\n"
    atoms = read(tmp_path, text(header=general), pbc=(True, True, False))
    np.testing.assert_array_equal(atoms.cell.array, [[3, 0, 0], [1, 3, 0], [0, 0, 3]])
    assert atoms.pbc.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("3 atoms", "4 atoms", "Atoms: number of particles: expected 4, as the file .* found 3"),
        ("3 atoms", "2 atoms", "Atoms: number of particles: expected 2, as the file .* found 3"),
        ("2 atom types", "1 atom types", "type: expected types of 1 to 1, as the file states; "),
        ("2 2 1.1", "1 2 1.1", "id: expected 3 different ids; found 2, and 1 2 times"),
        (
            "0 3 ylo yhi\n",
            "",
            "box: expected lines xlo xhi, .*; found none for ylo yhi. Add '-0.5 0.5",
        ),
        ("0 3 ylo yhi", "3 0 ylo yhi", "box: expected bounds with low < high"),
        ("0 3 ylo yhi", "0 ylo yhi", "ylo yhi: expected 2 numbers"),
        ("0.4\n", "0.4", "last line is complete; found an end within the line '2 2 1.1 1.2 0.4'"),
        ("2 2 1.1 1.2 0.4", "2 2 1.1 1.2", "line 14: expected a row of 5 columns; found 4"),
        ("Atoms # atomic", "Atom # atomic", "expected a section Atoms; found none"),
        ("2 atom types", "2 atom types\nof A and B", "line 5: expected a line of the header"),
    ],
)
def test_what_the_file_states_and_holds_must_agree(tmp_path, before, after, message):
    content = text()
    assert content.count(before) == 1
    with pytest.raises(InputError, match=message):
        read(tmp_path, content.replace(before, after))


def test_velocities_are_those_of_the_atoms(tmp_path):
    content = text()
    velocities = "\nVelocities\n\n1 0 0 0\n2 0 0 0\n"
    with pytest.raises(InputError, match="Velocities: number of particles: expected 3"):
        read(tmp_path, content + velocities)
    with pytest.raises(InputError, match="Velocities: id: expected the ids of the section Atoms"):
        read(tmp_path, content + velocities + "2 0 0 0\n")


def test_the_first_line_is_a_remark(tmp_path):
    with pytest.raises(InputError, match=r"'\.\.\. atoms' in the header; found none \(the first"):
        read(tmp_path, text().partition("\n\n")[2], kind="lammps-data")


def test_a_flat_box(tmp_path):
    flat = text(header=HEADER.replace("0 3 zlo", "0 0 zlo"))
    assert read(tmp_path, flat, pbc=(True, True, False)).cell.array[2].tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="box: expected bounds with low < high"):
        read(tmp_path, flat)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ka.data.extxyz", "extxyz"), ("run.data.xyz", "extxyz"), ("x.data.vasp", "vasp")],
)
def test_names_with_data_in_their_middle(tmp_path, name, kind):
    atoms = Atoms("HHe", positions=POSITIONS[:2], cell=[3, 3, 3], pbc=True)
    ase.io.write(tmp_path / name, atoms, format=kind)
    opened = open_frames(tmp_path / name)
    assert opened.format == kind
    ((_, found),) = opened.frames
    np.testing.assert_allclose(found.positions, atoms.positions, atol=1e-8)


@pytest.mark.parametrize("name", ["melt.data", "melt.data.gz"])
def test_a_damaged_header_does_not_make_it_another_format(tmp_path, name):
    """ASE takes such files for those of RuNNer, in which it finds no frames."""
    content = text().replace("2 atom types", "2 atomtypes").encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(InputError, match=r"expected a line '\.\.\. atom types' in the header"):
        list(open_frames(path).frames)

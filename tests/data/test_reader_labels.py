"""Labels in files of their own, beside structures of LAMMPS and others."""

from __future__ import annotations

from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms

from glassml.data import ReadOptions, SpeciesMap, convert, read_configurations
from glassml.errors import InputError

DUMP = (
    "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n3\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 5\n0 6\n"
    "ITEM: ATOMS id type x y z\n30 1 3 3 3\n10 2 1 1 1\n20 1 2 2 2\n"
)
DATA = (
    "# LAMMPS data file\n\n3 atoms\n2 atom types\n\n0 4 xlo xhi\n0 5 ylo yhi\n0 6 zlo zhi\n\n"
    "Atoms # atomic\n\n30 1 3 3 3\n10 2 1 1 1\n20 1 2 2 2\n"
)
# Every particle's label at the second time is its id, and its x is a tenth of it.
TEXT = "id 0.5 4.0\n20 0.2 20\n10 0.1 10  # a comment\n\n30,0.3,30\n"
SPECIES = SpeciesMap(("A", "B"))


def read_one(path: Path, labels: Path | str, **options):
    options = ReadOptions(labels=str(labels), **{"species": SPECIES, **options})
    (configuration,) = read_configurations(path, options=options)
    return configuration


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "melt.dump"
    path.write_text(DUMP)
    return path


def write(path: Path, ids=(20, 10, 30), labels=((0.2, 20), (0.1, 10), (0.3, 30)), **others) -> Path:
    arrays = {"id": np.array(ids), "propensity": np.array(labels), **others}
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    return path


@pytest.mark.parametrize("structure", ["melt.dump", "melt.data"])
@pytest.mark.parametrize("form", ["labels.txt", "labels.npz", "labels.h5"])
def test_labels_follow_the_ids(tmp_path, structure, form):
    path, labels = tmp_path / structure, tmp_path / form
    path.write_text({"melt.dump": DUMP, "melt.data": DATA}[structure])
    if form == "labels.txt":
        labels.write_text(TEXT)
    else:
        write(labels, times=np.array([0.5, 4.0]))
    configuration = read_one(path, labels)
    np.testing.assert_array_equal(
        10 * configuration.positions[:, 0], configuration.propensity[:, 1]
    )
    assert sorted(configuration.propensity[:, 0]) == [0.1, 0.2, 0.3]
    assert configuration.times.tolist() == [0.5, 4.0]
    given = read_one(path, labels, times=(1.0, 2.0))
    assert given.times.tolist() == [1.0, 2.0]


def test_a_file_without_ids_is_counted(tmp_path):
    ase.io.write(
        tmp_path / "melt.extxyz", Atoms("HHeH", positions=np.eye(3), cell=[4, 4, 4], pbc=1)
    )
    labels = tmp_path / "melt.txt"
    labels.write_text("3 0.3\n1 0.1\n2 0.2\n")
    configuration = read_one(
        *(tmp_path / "melt.extxyz", tmp_path / "{stem}.txt"),
        species=SpeciesMap({"H": "A", "He": "B"}),
        times=(7.0,),
    )
    assert configuration.propensity[:, 0].tolist() == [0.1, 0.2, 0.3]


def test_one_column_may_be_a_vector(dump, tmp_path):
    labels = write(tmp_path / "l.npz", labels=(0.2, 0.1, 0.3))
    assert read_one(dump, labels, times=(1.0,)).propensity.shape == (3, 1)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffid,0.5,4.0\n20,0.2,20\n10,0.1,10\n30,0.3,30\n",
        "ID;0,5;4\r\n20;0,2;20\r\n10;0,1;10,0\r\n30;0,3;30\r\n",
        '"Id";"0.5";"4.0";\n"20";"0.2";"20";\n"10";"0.1";"10";\n"30";"0.3";"30";\n',
        'sep=,\n"id","0,5","4"\n"20","0,2","20"\n"10","0,1","10"\n"30","0,3","30"\n',
        "id\t0,5\t4\n20\t0,2\t20\n10\t0,1\t10\n30\t0,3\t30\n",
        "id\t0.5 4\n20 0.2\t20\n10\t 0.1 10\n30 0.3\t\t30\n",
        "id,\t0.5,\t4\n20,\t0.2,\t20\n10\t,0.1,10\n30,0.3 ,\t30\n",
        "id, 0.5, 4.0\n20.0, 0.2, 20\n10.0, 0.1, 10\n30.0, 0.3, 3e1\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_tables_of_spreadsheets(dump, tmp_path, text, encoding):
    labels = tmp_path / "labels.csv"
    labels.write_bytes(text.encode(encoding))
    configuration = read_one(dump, labels)
    assert configuration.times.tolist() == [0.5, 4.0]
    np.testing.assert_allclose(
        configuration.propensity, np.outer(10 * configuration.positions[:, 0], [0.01, 1])
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id\t1\t2\n10\t\t1\n20\t\t2\n",
            "line 2: expected numbers; found: could not convert .* ''",
        ),
        ("10 0,5\n20 0,5\n30 0,5\n", "line 1: expected commas or blanks between numbers, and"),
        ("10,,1\n20,,2\n30,,3\n", "line 1: expected numbers; found: could not convert .* ''"),
        (
            "10 1\n20 2\n30 3",
            "expected a table whose last line is complete; found an end within the line '30 3'",
        ),
        ("nan 1\n20 2\n30 3\n", "line 1: expected a whole number .* the first nan"),
        ("10 1_0\n20 2\n30 3\n", "line 1: expected numbers; found: .*'1_0'"),
        ("id 0.5\n10 1\n20 2\n", "1 particles without a label .such as 30. and 0 labels without"),
        ("id 0.5\n10 1\n20 2\n30 3\n40 4\n", "1 labels without a particle .such as 40."),
        ("id 0.5\n10 1\n10 2\n30 3\n", "id: expected different ids; found 10 more than once"),
        (
            "id 0.5\n10 1\n20 2 3\n30 3\n",
            "line 3: expected a whole number .* 1 labels; found 3 ",
        ),
        ("id 0.5\n10.5 1\n", "line 2: expected a whole number .* the first 10.5"),
        ("id 0.5\n10 one\n", "line 2: expected numbers; found: could not convert"),
        ("id x\n10 1\n", "line 1: expected numbers"),
        ("# nothing\n", "expected lines with an id and labels; found none"),
        ("id 0.5\n", r"expected an entry 'id'; found \['times'\]"),
        ("id 0.5 4.0\n10 1\n20 2\n30 3\n", r"times: expected shape \[1\]; found shape \[2\]"),
        ("10 1\n20 nan\n30 3\n", "propensity: expected finite numbers; found nan"),
    ],
)
def test_wrong_labels(dump, tmp_path, text, message):
    labels = tmp_path / "labels.csv"
    labels.write_text(text)
    with pytest.raises(InputError, match=f"labels.csv: {message}|labels.csv: id: .*{message}"):
        read_one(dump, labels)


def test_files_that_are_none(dump, tmp_path, write_botan):
    with pytest.raises(InputError, match=r"absent\.txt: expected a file of labels; found none"):
        read_one(dump, tmp_path / "absent.txt")
    for suffix, words in ((".npz", "expected a complete npz"), (".h5", "expected an HDF5 file")):
        broken = tmp_path / f"broken{suffix}"
        broken.write_text("text")
        with pytest.raises(InputError, match=words):
            read_one(dump, broken)
    (tmp_path / "t.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="expected a text file of labels"):
        read_one(dump, tmp_path / "t.txt")
    with pytest.raises(InputError, match=r"labels: expected a structure file .*BOTAN"):
        read_one(write_botan(), tmp_path / "t.txt", species=None)


def test_labels_are_of_one_frame(dump, tmp_path):
    dump.write_text(2 * DUMP)
    (tmp_path / "l.txt").write_text(TEXT)
    with pytest.raises(InputError, match=r"melt\.dump: expected one frame, .*found several"):
        read_one(dump, tmp_path / "l.txt")


def test_every_structure_needs_labels_of_its_own(dump, tmp_path):
    second = tmp_path / "second.dump"
    second.write_text(DUMP)
    for stem in ("melt", "second"):
        (tmp_path / f"{stem}.txt").write_text(TEXT)
    paths = [dump, second]
    with pytest.raises(InputError, match="labels: expected a file for each of the 2 inputs"):
        convert(
            paths,
            tmp_path / "all.h5",
            options=ReadOptions(species=SPECIES, labels=str(tmp_path / "melt.txt")),
        )
    options = ReadOptions(species=SPECIES, labels=str(tmp_path / "{stem}.txt"))
    assert convert(paths, tmp_path / "all.h5", options=options) == 2


def test_two_dimensional_dumps_are_told_to_be_so(tmp_path):
    rows = "".join(f"{i} 1 {i % 5} {i // 5} 0\n" for i in range(25))
    header = DUMP.partition("ITEM: ATOMS")[0].replace("\n3\n", "\n25\n")
    path = tmp_path / "flat.dump"
    path.write_text(f"{header}ITEM: ATOMS id type x y z\n{rows}")
    with pytest.raises(InputError, match="which --pbc T,T,F states"):
        list(read_configurations(path, options=ReadOptions(species=SPECIES)))
    options = ReadOptions(species=SPECIES, pbc=(True, True, False))
    (configuration,) = read_configurations(path, options=options)
    assert configuration.plane == 2

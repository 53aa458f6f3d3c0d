"""Structure files through ASE: extxyz, LAMMPS dump and data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from glassml.data import (
    DatasetWriter,
    ReadOptions,
    SpeciesMap,
    atoms_from_configuration,
    read_configurations,
)
from glassml.errors import InputError

TWO_SPECIES = SpeciesMap(("A", "B"))

DUMP = """ITEM: TIMESTEP
{step}
ITEM: NUMBER OF ATOMS
3
ITEM: BOX BOUNDS pp pp pp
-1 3
-1 4
-1 5
ITEM: ATOMS id type x y z c_pe
3 1 0.5 -0.5 {step} -3
1 2 1.0 1.5 2.0 -1
2 1 2.0 3.5 4.5 -2
"""

SCALED_DUMP = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS xy xz yz pp pp pp
0 5 1
0 4 0
0 6 0
ITEM: ATOMS id type xs ys zs
2 2 0.5 0.5 0.5
1 1 0.25 0 0
"""

DATA = """A LAMMPS data file

3 atoms
2 atom types
0 4 xlo xhi
0 5 ylo yhi
0 6 zlo zhi

Masses

1 1.0
2 1.0

Atoms # atomic

3 1 1 1 1 0 0 0
1 2 2 1 1 0 0 0
2 1 3 1 2 0 0 1
"""


@pytest.fixture
def text_file(tmp_path):
    def make(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


def read_all(path, **options):
    return list(read_configurations(path, options=ReadOptions(**options)))


@pytest.mark.parametrize("name", ["melt.dump", "melt.lammpstrj", "dump.0", "melt.txt"])
def test_dump_is_sorted_by_id(text_file, name):
    path = text_file(name, DUMP.format(step=0))
    (configuration,) = read_all(path, species=TWO_SPECIES, scalars={"energy": "c_pe"})
    assert configuration.species.tolist() == [1, 0, 0]
    np.testing.assert_array_equal(
        configuration.positions, [[1.0, 1.5, 2.0], [2.0, 3.5, 4.5], [0.5, -0.5, 0.0]]
    )
    np.testing.assert_array_equal(configuration.cell, np.diag([4.0, 5.0, 6.0]))
    assert configuration.scalars["energy"].tolist() == [-1.0, -2.0, -3.0]
    assert configuration.propensity is None
    assert configuration.name == path.stem
    assert configuration.provenance["format"] == "lammps-dump-text"


def test_scaled_triclinic_dump(text_file):
    path = text_file("melt.dump", SCALED_DUMP)
    (configuration,) = read_all(path, species=TWO_SPECIES)
    # LAMMPS writes the bounding box: lx = 5 - xy.
    np.testing.assert_allclose(configuration.cell, [[4, 0, 0], [1, 4, 0], [0, 0, 6]], atol=1e-14)
    np.testing.assert_allclose(configuration.positions, [[1, 0, 0], [2.5, 2, 3]], atol=1e-14)


def test_frames_are_numbered(text_file):
    path = text_file("run.dump", "".join(DUMP.format(step=step) for step in range(3)))
    frames = read_all(path, species=TWO_SPECIES)
    assert [frame.name for frame in frames] == ["run-0", "run-1", "run-2"]
    assert [frame.positions[2, 2] for frame in frames] == [0.0, 1.0, 2.0]
    assert [frame.provenance["frame"] for frame in frames] == [0, 1, 2]


@pytest.mark.parametrize(("units", "unit"), [("lj", "lj"), ("metal", "angstrom"), ("si", "m")])
def test_lammps_tells_its_units(text_file, units, unit):
    header = f"ITEM: UNITS\n{units}\nITEM: TIME\n0\n"
    dump = header + DUMP.format(step=0) + "ITEM: TIME\n1\n" + DUMP.format(step=1)
    frames = read_all(text_file("run.dump", dump), species=TWO_SPECIES)
    assert [frame.length_unit for frame in frames] == [unit, unit]
    data = DATA.replace("file", f"file via write_data, units = {units}")
    (configuration,) = read_all(text_file("melt.data", data), species=TWO_SPECIES)
    assert configuration.length_unit == unit


def test_another_unit_than_the_file_tells(text_file):
    path = text_file("run.dump", "ITEM: UNITS\nmetal\n" + DUMP.format(step=0))
    with pytest.raises(InputError, match=r"length_unit: expected 'nm'; found .*'angstrom'"):
        read_all(path, species=TWO_SPECIES, length_unit="nm")


@pytest.mark.parametrize("name", ["melt.data", "data.melt", "melt.txt"])
def test_lammps_data(text_file, name):
    (configuration,) = read_all(text_file(name, DATA), species=TWO_SPECIES)
    assert configuration.species.tolist() == [1, 0, 0]
    # The image flags of particle 2 are applied.
    np.testing.assert_allclose(configuration.positions, [[2, 1, 1], [3, 1, 8], [1, 1, 1]])


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.7, 0.85, 0.99])
def test_a_dump_that_was_cut_off_is_refused(text_file, kept):
    frame = DUMP.format(step=0)
    path = text_file("run.dump", frame + frame[: int(kept * len(frame))])
    with pytest.raises(
        InputError,
        match=r"run\.dump: frame 1: expected (3 complete|a header and|a frame whose last)",
    ):
        read_all(path, species=TWO_SPECIES)


def test_our_own_extxyz_is_read_back(tmp_path, make_configuration, same):
    configurations = [make_configuration(provenance={}, name=f"melt-{k}") for k in range(2)]
    path = tmp_path / "melt.extxyz"
    write(path, [atoms_from_configuration(configuration) for configuration in configurations])
    found = read_all(path, scalars={"potential_energy": "potential_energy"})
    assert len(found) == 2
    for expected, configuration in zip(configurations, found, strict=True):
        assert configuration.name == expected.name
        assert configuration.species_names == expected.species_names
        assert configuration.pbc == expected.pbc
        assert configuration.n_runs == 32
        np.testing.assert_array_equal(configuration.species, expected.species)
        np.testing.assert_array_equal(configuration.times, expected.times)
        for field in ("positions", "propensity", "cell"):
            # 1e-8: extxyz files hold eight decimals.
            np.testing.assert_allclose(
                getattr(configuration, field), getattr(expected, field), atol=1e-8
            )


def test_one_time_makes_one_column(tmp_path, make_configuration):
    labelled = make_configuration(times=[4.0], propensity=np.full((5, 1), 0.25))
    path = tmp_path / "melt.extxyz"
    write(path, atoms_from_configuration(labelled))
    (configuration,) = read_all(path)
    assert configuration.propensity.tolist() == [[0.25]] * 5
    (configuration,) = read_all(path, times=(8.0,))
    assert configuration.times.tolist() == [8.0]


def test_species_must_be_told(text_file, tmp_path):
    with pytest.raises(InputError, match=r'\(--species "A,B" .*found symbols H, He, types 1 to 2$'):
        read_all(text_file("melt.dump", DUMP.format(step=0)))
    path = tmp_path / "glass.extxyz"
    write(path, Atoms("CuZr", positions=[[0, 0, 0], [1, 1, 1]], cell=[3, 3, 3], pbc=True))
    with pytest.raises(InputError, match=r"glass\.extxyz: species: .*found symbols Cu, Zr$"):
        read_all(path)
    (configuration,) = read_all(path, species=SpeciesMap({"Zr": "B", "Cu": "A"}))
    assert configuration.species.tolist() == [1, 0]


def test_a_dataset_may_be_read_as_a_trajectory(tmp_path, make_configuration, same):
    configurations = [make_configuration(provenance={}, name=f"set-{k}") for k in range(2)]
    with DatasetWriter(tmp_path / "set.h5") as writer:
        for configuration in configurations:
            writer.add(configuration)
    options = ReadOptions(scalars={"potential_energy": "potential_energy"})
    found = list(read_configurations(tmp_path / "set.h5", "ase", options))
    assert [frame.provenance["format"] for frame in found] == ["glassml-dataset"] * 2
    for one, other in zip(found, configurations, strict=True):
        assert same(replace(one, provenance={}), other)


def test_times_without_labels(text_file):
    with pytest.raises(InputError, match=r"frame 0: propensity: expected labels, as times are"):
        read_all(text_file("melt.dump", DUMP.format(step=0)), species=TWO_SPECIES, times=(1.0,))


def test_two_dimensional_dump(text_file):
    flat = DUMP.format(step=0).replace("3\nITEM", "20\nITEM").split("3 1 0.5")[0]
    rows = "".join(f"{k} 1 {k % 4} {k // 4} 0 -1\n" for k in range(1, 21))
    with pytest.raises(InputError, match="expected a three-dimensional system"):
        read_all(text_file("flat.dump", flat + rows), species=TWO_SPECIES)


def test_unreadable_files(text_file, tmp_path):
    with pytest.raises(InputError, match=r"notes\.txt: expected a file of a known format"):
        read_all(text_file("notes.txt", "nothing of interest\n"))
    with pytest.raises(InputError, match=r"notes\.txt: format: expected one that ASE reads"):
        list(read_configurations(tmp_path / "notes.txt", "ase"))
    with pytest.raises(InputError, match=r"absent\.dump: expected a file; found none"):
        read_all(tmp_path / "absent.dump")
    (tmp_path / "noise.gz").write_bytes(bytes(99))
    with pytest.raises(InputError, match=r"noise\.gz: expected a file that can be read; found"):
        read_all(tmp_path / "noise.gz")
    broken = text_file("broken.extxyz", '3\nLattice="1 0 0 0 1 0 0 0 1"\nH 0 0 0\nH 0 0\n')
    with pytest.raises(InputError, match=r"broken\.extxyz: frame 0: expected a complete frame"):
        read_all(broken, species=TWO_SPECIES)


def test_unknown_format_name(tmp_path):
    with pytest.raises(
        InputError, match=r"format: expected one of auto, .*botan, .*; found 'hoomd'"
    ):
        list(read_configurations(tmp_path / "x.gsd", "hoomd"))

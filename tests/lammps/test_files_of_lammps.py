"""Data files and dumps as the real LAMMPS writes them, read back."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from glassml.data import configuration_from_atoms, open_frames
from glassml.data.stated_species import SPECIES_LABEL

# Positions are random, so that no two columns are alike; images differ from zero.
START = """
units metal
atom_style {style}
region box block -1 3 0 5 0 6
create_box 2 box
labelmap atom 1 Si1 2 O2
create_atoms 1 random 12 314 NULL
create_atoms 2 random 8 159 NULL
{mass}
set atom 1 image 1 0 -1
"""
WITH_MASSES = ("atomic", "charge", "full", "molecular", "bond", "angle", "dipole", "spin")
EXACT = 1e-14  # of positions of order 10 in double precision
SCALED = 1e-12  # xsu, as LAMMPS computes them, have 13 digits


def read(path, **options):
    ((_, atoms),) = open_frames(path, **options).frames
    return atoms


def assert_named(atoms, types) -> None:
    found = configuration_from_atoms(atoms, {"Si1": "Si", "O2": "O"}, length_unit="angstrom")
    assert [found.species_names[k] for k in found.species] == [["Si", "O"][k - 1] for k in types]


def whole(scaled: np.ndarray) -> np.ndarray:
    return np.abs(scaled - np.rint(scaled))


def write_and_read(bench, style: str) -> tuple[list, Atoms]:
    """Data files with types as numbers and as labels; and a dump of unwrapped positions."""
    masses = "mass Si1 28.0855\nmass O2 15.999\n" if style in WITH_MASSES else ""
    bench.run(
        START.format(style=style, mass=masses)
        + "write_data plain.data\nwrite_data named.data types labels\n"
        "write_dump all custom ids.dump id type xu yu zu modify sort id format float %20.17g\n"
    )
    found = [read(bench.folder / name) for name in ("plain.data", "named.data")]
    expected = read(bench.folder / "ids.dump", ids=True)
    for atoms in found:
        assert atoms.arrays["id"].tolist() == expected.arrays["id"].tolist()
        assert atoms.arrays["type"].tolist() == [1] * 12 + [2] * 8
        assert (atoms.info["unit_style"], atoms.info["length_unit"]) == ("metal", "angstrom")
        np.testing.assert_array_equal(atoms.cell.array, np.diag([4.0, 5.0, 6.0]))
        np.testing.assert_array_equal(atoms.positions, found[0].positions)
        assert_named(atoms, expected.arrays["type"])
    return found, expected


@pytest.mark.parametrize("style", [*WITH_MASSES, "sphere", "ellipsoid"])
def test_data_files(bench, style):
    found, expected = write_and_read(bench, style)
    for atoms in found:
        np.testing.assert_allclose(atoms.positions, expected.positions, atol=EXACT * 10, rtol=0)


def test_data_files_of_hybrid_styles(bench):
    """Their last columns may be anything, so images are not read."""
    found, expected = write_and_read(bench, "hybrid sphere charge")
    inverse = np.linalg.inv(expected.cell.array)
    for atoms in found:
        assert whole((atoms.positions - expected.positions) @ inverse).max() < EXACT


def test_dumps_with_everything(bench):
    """Units, times, names, tilted boxes, mixed boundaries and compression in several frames."""
    bench.run(
        "boundary p p f\n"
        + START.format(style="atomic", mass="mass * 1.0").replace("image 1 0 -1", "image 1 0 0")
        + "change_box all triclinic xy final 0.5\nset group all type 2\nset atom 1*12 type 1\n"
        "velocity all create 10.0 1\nfix 1 all nve\npair_style zero 2.0\npair_coeff * *\n"
        "comm_modify cutoff 3.0\n"
        "dump 1 all custom 5 run.dump.gz id typelabel x y z vx\n"
        "dump 2 all custom 5 run.dump id type element typelabel xs ys zs ix iy iz\n"
        "dump_modify 1 time yes units yes format float %20.17g\n"
        "dump_modify 2 time yes units yes element A B format float %20.17g\n"
        "run 10\n"
    )
    named, typed = (
        [atoms for _, atoms in open_frames(bench.folder / name, ids=True, unwrapped=True).frames]
        for name in ("run.dump.gz", "run.dump")
    )
    assert [atoms.info["timestep"] for atoms in named] == [0, 5, 10]
    assert [atoms.info["time"] for atoms in typed] == [0.0, 0.005, 0.01]
    for one, other in zip(named, typed, strict=True):
        np.testing.assert_allclose(one.positions, other.positions, atol=EXACT)
        np.testing.assert_allclose(one.cell.array, [[4, 0, 0], [0.5, 5, 0], [0, 0, 6]])
        assert one.pbc.tolist() == other.pbc.tolist() == [True, True, False]
        assert one.arrays["id"].tolist() == other.arrays["id"].tolist() == list(range(1, 21))
        assert one.info["length_unit"] == other.info["length_unit"] == "angstrom"
        assert_named(one, [1] * 12 + [2] * 8)
        assert_named(other, [1] * 12 + [2] * 8)


def test_unwrapped_positions_in_a_tilted_box(bench):
    """The same places in all four kinds of columns; forces beside charges."""
    columns = {
        "x": "x y z ix iy iz",
        "xs": "xs ys zs ix iy iz",
        "xu": "xu yu zu",
        "xsu": "xsu ysu zsu",
    }
    dumps = "".join(
        f"dump {name} all custom 1 {name}.dump id type q {names} fx fy fz\n"
        f"dump_modify {name} format float %20.17g\n"
        for name, names in columns.items()
    )
    bench.run(
        START.format(style="charge", mass="mass * 1.0")
        + "change_box all triclinic xy final 0.5 xz final 0.25 yz final -0.75\n"
        "set atom 1*10 image 2 -1 1\nset group all charge -0.5\n"
        "pair_style soft 2.0\npair_coeff * * 1.0\ncomm_modify cutoff 3.0\n"
        f"{dumps}run 0\n"
    )
    found = {name: read(bench.folder / f"{name}.dump", unwrapped=True) for name in columns}
    expected = found["xu"]
    assert np.abs(expected.get_forces()).max() > 0.1
    inverse = np.linalg.inv(expected.cell.array)
    for atoms in found.values():
        np.testing.assert_allclose(
            atoms.arrays["unwrapped"], expected.positions, atol=SCALED, rtol=0
        )
        assert whole((atoms.positions - expected.positions) @ inverse).max() < SCALED
        np.testing.assert_allclose(atoms.cell.array, [[4, 0, 0], [0.5, 5, 0], [0.25, -0.75, 6]])
        np.testing.assert_array_equal(atoms.get_forces(), expected.get_forces())
        assert set(atoms.get_initial_charges().tolist()) == {-0.5}


def test_dump_extxyz(bench):
    bench.run(
        START.format(style="atomic", mass="mass * 1.0")
        + "dump 1 all extxyz 1 run.extxyz\ndump_modify 1 element Si1 O2 sort id\n"
        "dump 2 all custom 1 run.dump id type x y z\ndump_modify 2 format float %20.17g\n"
        "pair_style zero 2.0\npair_coeff * *\nrun 0\n"
    )
    atoms, expected = read(bench.folder / "run.extxyz"), read(bench.folder / "run.dump")
    assert atoms.arrays[SPECIES_LABEL].tolist() == ["Si1"] * 12 + ["O2"] * 8
    np.testing.assert_allclose(atoms.positions, expected.positions, atol=1e-5)  # as written: %g
    np.testing.assert_allclose(atoms.cell.array, expected.cell.array)
    assert_named(atoms, expected.arrays["type"])

"""Data files and dumps as the real LAMMPS writes them, read back."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.data import configuration_from_atoms, open_frames

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


def read(path, **options):
    ((_, atoms),) = open_frames(path, **options).frames
    return atoms


def assert_named(atoms, types) -> None:
    found = configuration_from_atoms(atoms, {"Si1": "Si", "O2": "O"}, length_unit="angstrom")
    assert [found.species_names[k] for k in found.species] == [["Si", "O"][k - 1] for k in types]


@pytest.mark.parametrize("style", [*WITH_MASSES, "sphere", "ellipsoid", "hybrid sphere charge"])
def test_data_files(bench, style):
    masses = "mass Si1 28.0855\nmass O2 15.999\n" if style in WITH_MASSES else ""
    bench.run(
        START.format(style=style, mass=masses)
        + "write_data plain.data\nwrite_data named.data types labels\n"
        "write_dump all custom ids.dump id type xu yu zu modify sort id format float %20.17g\n"
    )
    expected = read(bench.folder / "ids.dump", ids=True)
    images = read(bench.folder / "plain.data")
    for name in ("plain.data", "named.data"):
        atoms = read(bench.folder / name)
        assert atoms.arrays["id"].tolist() == expected.arrays["id"].tolist()
        assert atoms.arrays["type"].tolist() == [1] * 12 + [2] * 8
        step = atoms.get_scaled_positions(wrap=False) - expected.get_scaled_positions(wrap=False)
        if not style.startswith("hybrid"):  # of which the last columns may be anything
            assert np.abs(step).max() < EXACT
        assert np.abs(step - np.rint(step)).max() < EXACT
        assert (atoms.info["unit_style"], atoms.info["length_unit"]) == ("metal", "angstrom")
        np.testing.assert_array_equal(atoms.cell.array, np.diag([4.0, 5.0, 6.0]))
        np.testing.assert_array_equal(atoms.positions, images.positions)
        assert_named(atoms, expected.arrays["type"])


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

"""Frames of files of any format: the right ones, whole, and one at a time."""

from __future__ import annotations

import dataclasses
import gzip
import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from systems import liquid

from glassml.data import (
    Configuration,
    DatasetWriter,
    Frames,
    atoms_from_configuration,
    configuration_from_atoms,
    open_frames,
)
from glassml.errors import InputError


def trajectory(n_frames: int = 5, **options: object) -> list[Configuration]:
    """Configurations of different sizes."""
    return [liquid(40 + 5 * k, seed=k, name=f"frame{k}", **options) for k in range(n_frames)]


def dump_text(configurations: list[Configuration], style: str = "x") -> str:
    """A LAMMPS text dump as LAMMPS writes it, the atoms in any order; type 1 is A, 2 is B."""
    frames = []
    for step, c in enumerate(configurations):
        (lx, _, _), (xy, ly, _), (xz, yz, lz) = c.cell
        low = np.array([min(0, xy, xz, xy + xz), min(0, yz), 0])
        high = np.array([lx + max(0, xy, xz, xy + xz), ly + max(0, yz), lz])
        bounds = zip(low, high, (xy, xz, yz), strict=True)
        box = [f"{lo:.17g} {hi:.17g} {tilt:.17g}" for lo, hi, tilt in bounds]
        shown = c.positions @ np.linalg.inv(c.cell) if style == "xs" else c.positions
        order = np.random.default_rng(step).permutation(c.n_particles)
        lines = [
            f"{i + 1} {c.species[i] + 1} {' '.join(f'{x:.17g}' for x in shown[i])} {i / 10}"
            for i in order
        ]
        names = {"x": "x y z", "xs": "xs ys zs", "xu": "xu yu zu"}[style]
        frames.append(
            f"ITEM: TIMESTEP\n{100 * step}\nITEM: NUMBER OF ATOMS\n{c.n_particles}\n"
            "ITEM: BOX BOUNDS xy xz yz pp pp pp\n"
            + "\n".join(box)
            + f"\nITEM: ATOMS id type {names} c_pe\n"
            + "\n".join(lines)
            + "\n"
        )
    return "".join(frames)


def write_dataset(path: Path, configurations: list[Configuration]) -> None:
    with DatasetWriter(path) as writer:
        for configuration in configurations:
            writer.add(configuration)


def assert_frames(frames: Frames, expected: list[Configuration], tolerance: float = 1e-12) -> None:
    """The frames are these configurations; 1e-12 allows for scaled coordinates."""
    found = [
        frame if isinstance(frame, Configuration) else configuration_from_atoms(frame, ("A", "B"))
        for _, frame in frames.frames
    ]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.species, other.species)
        np.testing.assert_allclose(one.positions, other.positions, atol=tolerance)
        np.testing.assert_allclose(one.cell, other.cell, atol=tolerance)


# --- formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["x", "xs", "xu"])
@pytest.mark.parametrize("triclinic", [False, True])
def test_lammps_dump(tmp_path: Path, style: str, triclinic: bool) -> None:
    source = tmp_path / "run.lammpstrj"
    configurations = trajectory(triclinic=triclinic)
    if style == "xu":  # particles that have left the box
        configurations = [
            dataclasses.replace(c, positions=c.positions + (np.arange(3) - 1) @ c.cell)
            for c in configurations
        ]
    source.write_text(dump_text(configurations, style))
    frames = open_frames(source)
    assert (frames.path, frames.format, frames.total) == (source, "lammps-dump-text", 5)
    assert_frames(frames, configurations)
    found = [atoms for _, atoms in open_frames(source).frames]
    assert [atoms.info["timestep"] for atoms in found] == [0, 100, 200, 300, 400]
    np.testing.assert_array_equal(found[0].arrays["c_pe"], np.arange(40) / 10)


def test_lammps_dump_of_forces_gets_no_made_up_energy(tmp_path: Path) -> None:
    source = tmp_path / "run.dump"
    head, _, rows = dump_text(trajectory(1)).partition(" c_pe\n")
    source.write_text(f"{head} fx fy fz\n" + rows.replace("\n", " 0 0\n"))
    ((_, atoms),) = open_frames(source).frames
    assert atoms.calc.results.keys() == {"forces"}


def test_lammps_dump_with_units_and_time(tmp_path: Path) -> None:
    source = tmp_path / "any.name"
    parts = dump_text(trajectory(3)).split("ITEM: TIMESTEP")[1:]
    timed = [f"ITEM: TIME\n{0.5 * k}\nITEM: TIMESTEP{part}" for k, part in enumerate(parts)]
    source.write_text("ITEM: UNITS\nreal\n" + "".join(timed))
    assert_frames(open_frames(source), trajectory(3))
    found = [atoms.info["length_unit"] for _, atoms in open_frames(source, "1:").frames]
    assert found == ["angstrom"] * 2  # although LAMMPS says so but once
    assert [atoms.info["time"] for _, atoms in open_frames(source).frames] == [0.0, 0.5, 1.0]
    assert [atoms.info["time"] for _, atoms in open_frames(source, "::-2").frames] == [1.0, 0.0]
    source.write_text(dump_text(trajectory(1)))
    assert "time" not in next(open_frames(source).frames)[1].info


def test_lammps_dump_from_windows(tmp_path: Path) -> None:
    source = tmp_path / "run.dump"
    source.write_bytes(dump_text(trajectory(2)).replace("\n", "\r\n").encode())
    assert_frames(open_frames(source), trajectory(2))


def test_compressed_dump(tmp_path: Path) -> None:
    source = tmp_path / "run.dump.gz"
    source.write_bytes(gzip.compress(dump_text(trajectory(3)).encode()))
    assert_frames(open_frames(source), trajectory(3))
    assert_frames(open_frames(source, "::-2"), trajectory(3)[::-2])


@pytest.mark.parametrize("masses", [False, True])
def test_lammps_data(tmp_path: Path, masses: bool) -> None:
    source = tmp_path / "start.data"
    atoms = atoms_from_configuration(liquid())
    # With the masses of both types equal to one, ASE takes all particles for hydrogen.
    atoms.set_masses(np.ones(len(atoms)))
    ase.io.write(source, atoms, format="lammps-data", atom_style="atomic", masses=masses)
    frames = open_frames(source)
    assert (frames.format, frames.total) == ("lammps-data", 1)
    assert_frames(frames, [liquid()])


@pytest.mark.parametrize("name", ["run.extxyz", "run.traj", "run@1.extxyz"])
def test_what_ase_writes(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    ase.io.write(source, [atoms_from_configuration(c) for c in trajectory()])
    frames = open_frames(source)
    assert frames.total == 5
    assert_frames(frames, trajectory(), tolerance=1e-8)  # extxyz files hold eight decimals


def test_dataset(tmp_path: Path) -> None:
    source = tmp_path / "set.h5"
    write_dataset(source, trajectory(3))
    frames = open_frames(source)
    assert (frames.format, frames.total) == ("glassml-dataset", 3)
    assert [name for name, _ in frames.frames] == [f"{source}: frame{k}" for k in range(3)]
    assert_frames(open_frames(source), trajectory(3), tolerance=0)


# --- which frames -------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["extxyz", "traj", "lammpstrj", "h5"])
@pytest.mark.parametrize(
    ("index", "wanted"),
    [
        ("0", [0]),
        ("-1", [4]),
        ("1:3", [1, 2]),
        ("::2", [0, 2, 4]),
        ("-2:", [3, 4]),
        (":", [0, 1, 2, 3, 4]),
        ("7", []),
    ],
)
def test_index(tmp_path: Path, suffix: str, index: str, wanted: list[int]) -> None:
    source = tmp_path / f"run.{suffix}"
    configurations = trajectory()
    if suffix == "h5":
        write_dataset(source, configurations)
    elif suffix == "lammpstrj":
        source.write_text(dump_text(configurations))
    else:
        ase.io.write(source, [atoms_from_configuration(c) for c in configurations])
    frames = open_frames(source, index)
    assert frames.total == len(wanted)
    assert_frames(frames, [configurations[k] for k in wanted], tolerance=1e-8)
    names = [name for name, _ in open_frames(source, index).frames]
    separator = "frame" if suffix == "h5" else "frame "
    assert names == [f"{source}: {separator}{k}" for k in wanted]


@pytest.mark.parametrize(
    ("index", "wanted"),
    [(":", [0, 1, 2, 3, 4]), ("1::2", [1, 3]), ("-2:", [-2, -1]), ("::-2", [-1, -3, -5])],
)
def test_frames_that_are_not_counted(tmp_path: Path, index: str, wanted: list[int]) -> None:
    source = tmp_path / "run.pdb"
    atoms = [atoms_from_configuration(liquid(40, seed=k)) for k in range(5)]
    ase.io.write(source, atoms, format="proteindatabank")
    frames = open_frames(source, index)
    assert frames.total is None
    found = list(frames.frames)
    assert [name for name, _ in found] == [f"{source}: frame {k}" for k in wanted]
    for (_, frame), k in zip(found, wanted, strict=True):
        np.testing.assert_allclose(frame.positions, atoms[k].positions, atol=6e-4)  # three decimals


def test_frames_are_read_one_at_a_time(tmp_path: Path) -> None:
    source = tmp_path / "run.dump"
    first, second = dump_text(trajectory(1)), dump_text(trajectory(1)).replace(" 2 ", " x ")
    source.write_text(first + second)
    frames = open_frames(source).frames
    assert len(next(frames)[1]) == 40
    with pytest.raises(
        InputError, match=r"run\.dump: frame 1: line \d+: type: expected a whole number; found 'x'"
    ):
        next(frames)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.7, 0.85, 0.999])
def test_a_dump_that_was_cut_off_is_refused(tmp_path: Path, kept: float) -> None:
    source = tmp_path / "run.dump"
    text = dump_text(trajectory(1))
    source.write_text(text + text[: int(kept * len(text))])
    frames = open_frames(source).frames
    next(frames)
    expected = (
        rf"^{re.escape(str(source))}: frame 1: expected (40 complete lines|a frame whose last line)"
    )
    with pytest.raises(InputError, match=expected):
        next(frames)


def test_a_frame_that_was_cut_off_before_the_run_was_continued_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "run.dump"
    text = "ITEM: TIME\n0.5\n" + dump_text(trajectory(1))
    rows = text.splitlines(keepends=True)
    source.write_text("".join(rows[:-1]) + text)  # the next frame's time is no particle
    with pytest.raises(InputError, match=r"frame 0: expected 40 complete lines .*; found 39 and"):
        next(open_frames(source).frames)
    assert_frames(open_frames(source, "1"), trajectory(1))


def write_files(folder: Path) -> None:
    (folder / "noise.bin").write_bytes(bytes(range(256)))
    (folder / "noise.gz").write_bytes(bytes(range(256)))
    (folder / "noise.dump.gz").write_bytes(bytes(range(256)))
    (folder / "empty.xyz").write_text("")
    (folder / "blank.extxyz").write_text("\n")
    (folder / "names.xyz").write_text("1\n\nA 0 0 x\n")
    (folder / "broken.extxyz").write_text("3\n\nH 0 0 0\nH 0 0\n")
    (folder / "cut.dump").write_text(dump_text(trajectory(2))[:-1])
    (folder / "cut.traj").write_bytes(b"- of Ulm")
    (folder / "headless.dump").write_text("ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n")
    (folder / "none.dump").write_text("ITEM: UNITS\nlj\n")
    (folder / "good.dump").write_text(dump_text(trajectory(2)))
    (folder / "other.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")


@pytest.mark.parametrize(
    ("name", "index", "message"),
    [
        ("absent.dump", ":", "absent.dump: expected a file of configurations; found no such file"),
        (".", ":", "expected a file of configurations; found a folder"),
        ("noise.bin", ":", r"noise.bin: format: expected one that ASE reads .* \(.h5\); found an"),
        ("noise.gz", ":", "noise.gz: expected a file that can be read; found: Not a gzipped file"),
        ("noise.dump.gz", ":", "noise.dump.gz: expected a .*; found: Not a gzipped file"),
        ("empty.xyz", ":", "empty.xyz: format: expected one that ASE reads"),
        ("blank.extxyz", ":", r"blank.extxyz: expected frames in this file \(extxyz\); found none"),
        (
            "names.xyz",
            ":",
            "names.xyz: frame 0: expected a complete frame of ASE's format 'extxyz'; .*'x'",
        ),
        (
            "broken.extxyz",
            ":",
            r"broken.extxyz: frame 0: expected a complete frame of 3 particles; found 2 and then",
        ),
        ("cut.dump", ":", "cut.dump: frame 1: expected a frame whose last line is complete"),
        ("cut.traj", ":", "cut.traj: expected a complete file of ASE's format 'traj'"),
        ("headless.dump", ":", "headless.dump: frame 0: expected a header and complete lines"),
        ("none.dump", ":", "none.dump: expected frames in this file .*; found none"),
        ("other.h5", ":", "other.h5: expected an HDF5 dataset"),
        ("good.dump", "first", "index: expected a number or a slice .*'first'"),
        ("good.dump", "1:x", "index: .*'1:x'"),
        ("good.dump", "::0", "index: .*'::0'"),
    ],
)
def test_bad_input(tmp_path: Path, name: str, index: str, message: str) -> None:
    write_files(tmp_path)
    with pytest.raises(InputError, match=message):
        list(open_frames(tmp_path / name, index).frames)


def test_format_may_be_named(tmp_path: Path) -> None:
    source = tmp_path / "run.txt"
    ase.io.write(source, atoms_from_configuration(liquid()), format="extxyz")
    assert_frames(open_frames(source, kind="extxyz"), [liquid()], tolerance=1e-8)
    for kind in ("nonsense", "pdf", "png"):  # ASE writes pictures, but does not read them
        with pytest.raises(InputError, match=rf"run\.txt: format: expected .*; found '{kind}'"):
            open_frames(source, kind=kind)


@pytest.mark.parametrize("kind", ["gromacs", "rmc6f"])
def test_numbers_that_other_formats_state(tmp_path: Path, kind: str) -> None:
    """ASE itself reads such files without a row, or with a number that was cut."""
    source = tmp_path / "any.name"
    ase.io.write(source, atoms_from_configuration(liquid(20)), format=kind)
    ((_, atoms),) = open_frames(source, kind=kind).frames
    assert len(atoms) == 20
    text = source.read_text()
    rows = text.splitlines(keepends=True)
    source.write_text("".join(rows[:-4] + rows[-3:]))
    with pytest.raises(InputError, match=r"number of particles: expected 20, as .*; found 19"):
        list(open_frames(source, kind=kind).frames)
    source.write_text(text[:-3])
    with pytest.raises(InputError, match="last line is complete; found an end within the line"):
        list(open_frames(source, kind=kind).frames)


def test_other_formats_without_a_cell_are_no_droplets(tmp_path: Path) -> None:
    source = tmp_path / "coord"
    ase.io.write(source, atoms_from_configuration(liquid(20)), format="turbomole")
    with pytest.raises(InputError, match="periodicity: expected a periodic cell"):
        list(open_frames(source, kind="turbomole").frames)
    ((_, atoms),) = open_frames(source, kind="turbomole", pbc=(False, False, False)).frames
    assert len(atoms) == 20
    droplet = tmp_path / "droplet.traj"  # states it
    ase.io.write(droplet, Atoms("H2", positions=np.eye(3)[:2]))
    ((_, atoms),) = open_frames(droplet).frames
    assert not atoms.pbc.any()

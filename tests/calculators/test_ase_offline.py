"""Reading files frame by frame and writing predictions for each frame."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from systems import liquid

from glassml.calculators import GlassMLCalculator, open_frames, predict_file
from glassml.data import Configuration, DatasetWriter, atoms_from_configuration
from glassml.errors import InputError

MakeModel = Callable[..., Path]


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


@pytest.fixture
def calculator(analytic: MakeModel) -> GlassMLCalculator:
    return GlassMLCalculator(analytic(), species=("A", "B"), device="cpu")


def predicted(calculator: GlassMLCalculator, source: Path, index: str = ":") -> list[Atoms]:
    output = source.parent / "out.extxyz"
    predict_file(calculator, open_frames(source, index), output, batch=2)
    return ase.io.read(output, index=":")


def assert_predictions(
    calculator: GlassMLCalculator, found: list[Atoms], expected: list[Configuration]
) -> None:
    assert len(found) == len(expected)
    for atoms, configuration in zip(found, expected, strict=True):
        values = calculator.predictor.predict([configuration])[0]["propensity"]
        # 1e-7: the eight decimals of an extxyz file, of positions and of propensities
        np.testing.assert_allclose(atoms.arrays["propensity"], values, atol=1e-7)


@pytest.mark.parametrize("style", ["x", "xs", "xu"])
@pytest.mark.parametrize("triclinic", [False, True])
def test_lammps_dump(
    calculator: GlassMLCalculator, tmp_path: Path, style: str, triclinic: bool
) -> None:
    source = tmp_path / "run.lammpstrj"
    configurations = trajectory(triclinic=triclinic)
    if style == "xu":  # particles that have left the box
        configurations = [
            dataclasses.replace(c, positions=c.positions + (np.arange(3) - 1) @ c.cell)
            for c in configurations
        ]
    source.write_text(dump_text(configurations, style))
    found = predicted(calculator, source)
    assert_predictions(calculator, found, configurations)
    assert [atoms.info["timestep"] for atoms in found] == [0, 100, 200, 300, 400]
    np.testing.assert_allclose(found[0].arrays["c_pe"], np.arange(40) / 10)


def test_lammps_dump_of_forces_gets_no_made_up_energy(
    calculator: GlassMLCalculator, tmp_path: Path
) -> None:
    source = tmp_path / "run.dump"
    text = dump_text(trajectory(1)).replace(" x y z c_pe", " x y z fx")
    source.write_text(text.replace(" fx", " fx fy fz").replace(".0\n", ".0 0 0\n"))
    lines = source.read_text().splitlines()
    rows = [line if line.endswith(" 0 0") else f"{line} 0 0" for line in lines[9:]]
    source.write_text("\n".join(lines[:9] + rows) + "\n")
    found = predicted(calculator, source)[0]
    assert found.calc.results.keys() == {"forces"}


@pytest.mark.parametrize("masses", [False, True])
def test_lammps_data(calculator: GlassMLCalculator, tmp_path: Path, masses: bool) -> None:
    source = tmp_path / "start.data"
    configuration = liquid()
    atoms = atoms_from_configuration(configuration)
    # With the masses of both types equal to one, ASE takes all particles for hydrogen.
    atoms.set_masses(np.ones(len(atoms)))
    ase.io.write(source, atoms, format="lammps-data", atom_style="atomic", masses=masses)
    frames = open_frames(source)
    assert (frames.format, frames.total) == ("lammps-data", 1)
    assert_predictions(calculator, predicted(calculator, source), [configuration])


@pytest.mark.parametrize("name", ["run.extxyz", "run.traj", "run@1.extxyz"])
def test_what_ase_writes(calculator: GlassMLCalculator, tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    configurations = trajectory()
    ase.io.write(source, [atoms_from_configuration(c) for c in configurations])
    assert open_frames(source).total == 5
    assert_predictions(calculator, predicted(calculator, source), configurations)


def test_compressed_dump(calculator: GlassMLCalculator, tmp_path: Path) -> None:
    source = tmp_path / "run.dump.gz"
    source.write_bytes(gzip.compress(dump_text(trajectory(3)).encode()))
    assert_predictions(calculator, predicted(calculator, source), trajectory(3))


def test_dataset_keeps_its_labels(calculator: GlassMLCalculator, tmp_path: Path) -> None:
    source = tmp_path / "set.h5"
    labels = [np.random.default_rng(k).random((40 + 5 * k, 1)) for k in range(3)]
    with DatasetWriter(source) as writer:
        for c, label in zip(trajectory(3), labels, strict=True):
            writer.add(dataclasses.replace(c, times=[7.0], propensity=label))
    found = predicted(calculator, source, "1:")
    assert_predictions(calculator, found, trajectory(3)[1:])
    np.testing.assert_allclose(found[0].arrays["propensity_label"], labels[1][:, 0], atol=6e-9)


@pytest.mark.parametrize("suffix", ["extxyz", "lammpstrj", "h5"])
@pytest.mark.parametrize("index", ["0", "-1", "1:3", "::2", "-2:", ":"])
def test_index(calculator: GlassMLCalculator, tmp_path: Path, suffix: str, index: str) -> None:
    source = tmp_path / f"run.{suffix}"
    configurations = trajectory()
    if suffix == "h5":
        with DatasetWriter(source) as writer:
            for c in configurations:
                writer.add(c)
    elif suffix == "extxyz":
        ase.io.write(source, [atoms_from_configuration(c) for c in configurations])
    else:
        source.write_text(dump_text(configurations))
    wanted = {"0": [0], "-1": [4], "1:3": [1, 2], "::2": [0, 2, 4], "-2:": [3, 4]}
    expected = [configurations[k] for k in wanted.get(index, range(5))]
    frames = open_frames(source, index)
    assert frames.total == len(expected)
    assert_predictions(calculator, predicted(calculator, source, index), expected)


def test_dump_with_units_and_time(calculator: GlassMLCalculator, tmp_path: Path) -> None:
    source = tmp_path / "any.name"
    text = dump_text(trajectory(3)).replace("ITEM: TIMESTEP", "ITEM: TIME\n0.5\nITEM: TIMESTEP")
    source.write_text("ITEM: UNITS\nlj\n" + text)
    assert_predictions(calculator, predicted(calculator, source), trajectory(3))


def test_unit_that_lammps_states_is_checked(calculator: GlassMLCalculator, tmp_path: Path) -> None:
    dump, data = tmp_path / "run.dump", tmp_path / "start.data"
    dump.write_text("ITEM: UNITS\nmetal\n" + dump_text(trajectory(1)))
    ase.io.write(data, atoms_from_configuration(liquid()), format="lammps-data")
    lines = data.read_text().split("\n")
    lines[0] = "LAMMPS data file via write_data, version 22 Jul 2025, timestep = 0, units = metal"
    data.write_text("\n".join(lines))
    for source in (dump, data):
        with pytest.raises(InputError, match=r"'angstrom', but .* trained with lengths in 'lj'"):
            predicted(calculator, source)


def test_report(calculator: GlassMLCalculator, tmp_path: Path) -> None:
    source = tmp_path / "run.dump"
    source.write_text(dump_text(trajectory(3)))
    ticks: list[int] = []
    report = predict_file(
        calculator,
        open_frames(source),
        tmp_path / "new" / "out.extxyz",
        on_frame=lambda: ticks.append(1),
    )
    assert (report.frames, report.particles, len(ticks)) == (3, 40 + 45 + 50, 3)
    assert report.output.is_file()


def test_frames_are_read_one_at_a_time(calculator: GlassMLCalculator, tmp_path: Path) -> None:
    source = tmp_path / "run.dump"
    source.write_text(dump_text(trajectory(4))[:-200])
    output = tmp_path / "out.extxyz"
    output.write_text("an earlier result")
    ticks: list[int] = []
    with pytest.raises(InputError, match=r"run\.dump: frame 3: .*expected 55 complete lines"):
        predict_file(calculator, open_frames(source), output, on_frame=lambda: ticks.append(1))
    assert len(ticks) == 3  # the good frames had been done before the bad one was reached
    assert output.read_text() == "an earlier result"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.extxyz", "run.dump"]


def test_bad_frame_is_named(calculator: GlassMLCalculator, tmp_path: Path) -> None:
    source = tmp_path / "run.extxyz"
    frames = [atoms_from_configuration(c) for c in trajectory(3)]
    frames[1].positions[5] = np.nan
    ase.io.write(source, frames)
    with pytest.raises(InputError, match=r"run\.extxyz: frame 1: positions: expected finite"):
        predicted(calculator, source)
    with pytest.raises(InputError, match=r"run\.extxyz: frame 1: positions"):
        predicted(calculator, source, "1:")


def write_files(folder: Path) -> None:
    (folder / "noise.bin").write_bytes(bytes(range(256)))
    (folder / "empty.xyz").write_text("")
    (folder / "names.xyz").write_text("1\n\nA 0 0 0\n")
    (folder / "cut.dump").write_text(dump_text(trajectory(2))[:-1])
    (folder / "headless.dump").write_text("ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n")
    (folder / "none.extxyz").write_text('0\nLattice="9 0 0 0 9 0 0 0 9" pbc="T T T"\n')
    (folder / "good.dump").write_text(dump_text(trajectory(2)))
    (folder / "two.dump").write_text(dump_text([_flat()]))
    (folder / "other.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")


def _flat() -> Configuration:
    flat = liquid(50)
    positions = flat.positions * [1, 1, 0]
    return dataclasses.replace(flat, positions=positions)


@pytest.mark.parametrize(
    ("name", "index", "message"),
    [
        ("absent.dump", ":", "absent.dump: expected a file of configurations; found no such file"),
        ("noise.bin", ":", "noise.bin: expected a format that ASE reads"),
        ("empty.xyz", ":", "empty.xyz: "),
        ("none.extxyz", ":", "none.extxyz: frame 0: "),
        ("names.xyz", ":", "names.xyz: frame 0: .*'A'.* chemical symbols only"),
        ("cut.dump", ":", "cut.dump: frame 1: .*found 44 and then the end of the file"),
        ("headless.dump", ":", "headless.dump: frame 0: cannot be read as lammps-dump-text"),
        ("two.dump", ":", "two.dump: frame 0: .*two-dimensional"),
        ("other.h5", ":", "other.h5: expected an HDF5 dataset"),
        ("good.dump", "7", "good.dump: expected frames to predict on; found none chosen"),
        ("good.dump", "first", "index: expected a number or a slice .*'first'"),
        ("good.dump", "1:x", "index: .*'1:x'"),
    ],
)
def test_bad_input(
    calculator: GlassMLCalculator, tmp_path: Path, name: str, index: str, message: str
) -> None:
    write_files(tmp_path)
    with pytest.raises(InputError, match=message):
        predicted(calculator, tmp_path / name, index)
    assert not (tmp_path / "out.extxyz").exists()


def test_bad_output(calculator: GlassMLCalculator, tmp_path: Path) -> None:
    source = tmp_path / "run.extxyz"
    ase.io.write(source, atoms_from_configuration(liquid()))
    with pytest.raises(InputError, match=r"ends in \.extxyz; found .*out\.dump"):
        predict_file(calculator, open_frames(source), tmp_path / "out.dump")
    with pytest.raises(InputError, match="another file than the input"):
        predict_file(calculator, open_frames(source), source)
    with pytest.raises(InputError, match="batch: expected a positive number"):
        predict_file(calculator, open_frames(source), tmp_path / "out.extxyz", batch=0)
    with pytest.raises(InputError, match=r"format: expected .*'nonsense'"):
        open_frames(source, kind="nonsense")

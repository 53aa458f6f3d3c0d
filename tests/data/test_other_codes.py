"""docs/howto/other_codes.md: trajectories of HOOMD and GROMACS become the labels of their paths."""

from __future__ import annotations

from pathlib import Path

import gsd.hoomd
import numpy as np
import pytest
from pages import command_lines, executed
from trajectories import BOX, random_walk, write_trajectory

from glassml.data import Clock, Dataset, LabelOptions, SpeciesMap, label_trajectory, open_frames

# Of two species and nine frames; labels are at two frames' distance.
PATHS = random_walk(np.full(64, 0.1), 9)
KINDS = (np.arange(64) % 5 == 4).astype(int)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def labels_of_lammps(time: float) -> np.ndarray:
    """The labels [C, N] that `glassml data label` makes of the same paths in a LAMMPS dump."""
    write_trajectory(Path("run.dump"), PATHS, images=True, times=0.5 * time * np.arange(9))
    options = LabelOptions(times=(time,), clock=Clock(), species=SpeciesMap.parse("A,B"))
    label_trajectory([Path("run.dump")], "reference.h5", options)
    with Dataset("reference.h5") as dataset:
        return np.stack([c.propensity[:, 0] for c in dataset])


def labels_by(commands: str, glassml) -> tuple[Dataset, str]:
    """The dataset that commands make, and what the first one printed."""
    printed = []
    for words in command_lines(commands):
        run = glassml(*words[1:])
        assert run.code == 0, run.err
        printed.append(run.out)
    return Dataset("train.h5"), " ".join(printed[0].split())


def test_hoomd(glassml):
    """The file is written by the package gsd, as HOOMD does; HOOMD itself is not installed."""
    with gsd.hoomd.open("run.gsd", "w") as file:
        for k, path in enumerate(PATHS):
            frame = gsd.hoomd.Frame()
            frame.configuration.step = 10_000 * k  # times 0.005: a frame every 50
            frame.configuration.box = [BOX, BOX, BOX, 0, 0, 0]
            frame.particles.N = 64
            frame.particles.types = ["A", "B"]
            frame.particles.typeid = KINDS
            image = np.floor(path / BOX + 0.5).astype(int)  # HOOMD's box is around the origin
            frame.particles.position = path - image * BOX
            frame.particles.image = image
            file.append(frame)
    (commands,) = executed("docs/howto/other_codes.md", "sh", "HOOMD")
    dataset, printed = labels_by(commands, glassml)
    assert "periodic wrapping undone by: images" in printed
    assert dataset.species_names == ("A", "B")
    assert dataset[0].times.tolist() == [100.0]
    found = np.stack([c.propensity[:, 0] for c in dataset])
    # 1e-5: GSD holds float32
    np.testing.assert_allclose(found, labels_of_lammps(100.0), atol=1e-5)


def test_gromacs(glassml):
    """A .gro and an .xtc file, written and read by MDAnalysis."""
    mda = pytest.importorskip(
        "MDAnalysis", reason="needs MDAnalysis, which [test] installs for Python >= 3.11"
    )
    universe = mda.Universe.empty(64, n_residues=64, atom_resindex=np.arange(64), trajectory=True)
    names = np.array(["A", "B"])[KINDS]
    for name, values in (("names", names), ("resnames", names), ("resids", np.arange(1, 65))):
        universe.add_TopologyAttr(name, values)
    universe.dimensions = [3 * BOX] * 3 + [90] * 3
    universe.atoms.positions = 3 * PATHS[0]
    universe.atoms.write("run.gro")
    with mda.Writer("run.xtc", 64) as writer:
        for k, path in enumerate(PATHS):
            universe.atoms.positions = (3 * path) % (3 * BOX)
            universe.trajectory.ts.time = 2.0 * k  # [ps]
            writer.write(universe.atoms)
    (code,) = executed("docs/howto/other_codes.md", "python")
    exec(compile(code, "docs/howto/other_codes.md", "exec"), {})
    times = [atoms.info["time"] for _, atoms in open_frames("run.extxyz").frames]
    assert times == [2.0 * k for k in range(9)]
    (commands,) = executed("docs/howto/other_codes.md", "sh", "GROMACS")
    dataset, printed = labels_by(commands, glassml)
    assert "nearest images" in printed
    assert (dataset.species_names, dataset[0].length_unit) == (("A", "B"), "angstrom")
    found = np.stack([c.propensity[:, 0] for c in dataset])
    # An xtc file rounds to 0.001 nm, which is 0.005 angstrom in each direction of both ends.
    np.testing.assert_allclose(found, 3 * labels_of_lammps(4.0), atol=0.005 * 2 * np.sqrt(3))
    assert found.std() > 0.1


def test_ase_reads_a_gro_file_with_chemical_symbols(glassml):
    symbols = np.array(["Cu", "Zr"])[KINDS]
    rows = [
        f"{k + 1:5d}{name:<5s}{name:>5s}{k + 1:5d}" + "".join(f"{c:8.3f}" for c in place)
        for k, (name, place) in enumerate(zip(symbols, PATHS[0], strict=True))
    ]
    Path("run.gro").write_text("\n".join(["title", "64", *rows, f"{BOX} {BOX} {BOX}"]) + "\n")
    options = ("--species", "Cu=Cu,Zr=Zr", "--length-unit", "angstrom")
    run = glassml("data", "convert", "run.gro", "-o", "run.h5", *options)
    assert run.code == 0, run.err
    configuration = Dataset("run.h5")[0]
    assert configuration.species.tolist() == KINDS.tolist()
    np.testing.assert_allclose(configuration.positions, 10 * PATHS[0], atol=0.005)

"""`glassml predict` on trajectories: averages over frames, and what it says about them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from vibrating import (
    averaged_model,
    frames_of,
    seen_by_model,
    vibrating,
    write_trajectory_dump,
)

from glassml.data import Configuration, DatasetWriter, open_frames
from glassml.inference import Predictor, write_frame
from glassml.simulation import run_lammps

Run = Callable[..., Any]
MakeModel = Callable[..., Path]

ENERGY = ("--species", "A,B", "--scalar", "average_energy=c_pe")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return averaged_model(tmp_path_factory.mktemp("model") / "average.pt")


def expected(model: Path, samples: Sequence[Configuration]) -> np.ndarray:
    view = seen_by_model(samples)
    return Predictor(model, device="cpu").predict([view], as_given=True)[0]["propensity"]


def read(path: Path) -> list[np.ndarray]:
    return [atoms.arrays["propensity"] for atoms in ase.io.read(path, index=":")]


def assert_windows(path: Path, model: Path, windows: Sequence[Sequence[Configuration]]) -> None:
    found = read(path)
    assert len(found) == len(windows)
    for values, samples in zip(found, windows, strict=True):
        # 1e-10: ASE's reader of dumps takes the box off the positions and adds it again
        np.testing.assert_allclose(values, expected(model, samples), rtol=1e-10)


def test_the_window_of_the_model(model: Path, glassml: Run, tmp_path: Path) -> None:
    moving, out = vibrating(11), tmp_path / "out.extxyz"
    source = write_trajectory_dump(tmp_path / "run.dump", moving)
    done = glassml("predict", source, "-m", model, "-o", out, *ENERGY)
    assert (done.code, done.err) == (0, "")
    text = f"{out}: 2 of 11 frames, 120 particles, averages over 5 samples every 0.1, "
    assert done.out.startswith(text)
    assert_windows(out, model, [moving[:5], moving[5:10]])
    last = ase.io.read(out, index=-1)
    assert (last.info["timestep"], last.info["time"]) == (180, pytest.approx(0.9))
    np.testing.assert_array_equal(last.arrays["id"], np.arange(60) + 1)


def test_every_window_at_the_end_of_its_steps(model: Path, glassml: Run, tmp_path: Path) -> None:
    """Without the frame of step 0, evaluations are at multiples of 100 steps, as by the fix."""
    moving, out = vibrating(11), tmp_path / "out.extxyz"
    source = write_trajectory_dump(tmp_path / "run.dump", moving)
    done = glassml("predict", source, "-m", model, "-o", out, *ENERGY, "--index", "1:")
    assert done.code == 0
    assert_windows(out, model, [moving[1:6], moving[6:11]])
    assert [a.info["timestep"] for a in ase.io.read(out, ":")] == [100, 200]


def test_steps_become_times(model: Path, glassml: Run, tmp_path: Path) -> None:
    moving, out = vibrating(9), tmp_path / "out.extxyz"
    source = write_trajectory_dump(tmp_path / "run.dump", moving, stride=10, timestep=None)
    common = ["predict", source, "-m", model, "-o", out, *ENERGY]
    refused = glassml(*common)
    assert refused.code == 1
    assert "found steps only; add --timestep TIME. Give the number of frames" in refused.err
    done = glassml(*common, "--timestep", "0.005", "--every", "9")
    assert (done.code, done.err) == (0, "")
    assert_windows(out, model, [moving[:9:2]])


def test_given_numbers(model: Path, glassml: Run, tmp_path: Path) -> None:
    moving, out = vibrating(20), tmp_path / "out.extxyz"
    source = write_trajectory_dump(tmp_path / "run.dump", moving)
    options = ["--average", "4", "--every", "6", "--smooth", "2", "--batch", "2"]
    done = glassml("predict", source, "-m", model, "-o", out, *ENERGY, *options)
    assert done.code == 0
    assert done.err == (
        "note: average.pt was trained on averages over 5 samples every 0.1; found averages over 4 "
        "samples every 0.1: its predictions are less accurate for these\n"
    )
    alone = [expected(model, moving[k - 4 : k]) for k in (6, 12, 18)]
    found = ase.io.read(out, index=":")
    assert len(found) == 3
    for k, atoms in enumerate(found):
        last = alone[max(k - 1, 0) : k + 1]
        # 1e-10: as above; the spread is a difference of nearly equal numbers
        np.testing.assert_allclose(atoms.arrays["propensity"], np.mean(last, axis=0), rtol=1e-10)
        np.testing.assert_allclose(
            atoms.arrays["propensity_spread"], np.std(last, axis=0), atol=1e-9
        )


def test_extxyz_with_times(model: Path, glassml: Run, tmp_path: Path) -> None:
    moving, out = vibrating(5), tmp_path / "out.extxyz"
    with (tmp_path / "run.extxyz").open("w") as stream:
        for atoms in frames_of(moving):
            write_frame(stream, atoms)
    scalar = ["--scalar", "average_energy=pe"]
    done = glassml("predict", tmp_path / "run.extxyz", "-m", model, "-o", out, *scalar)
    assert (done.code, done.err) == (0, "")
    assert_windows(out, model, [moving])


def test_averages_in_the_file(model: Path, glassml: Run, tmp_path: Path) -> None:
    moving, out = vibrating(5), tmp_path / "out.extxyz"
    with (tmp_path / "mean.extxyz").open("w") as stream:
        write_frame(stream, frames_of([seen_by_model(moving)], None)[0])
    done = glassml("predict", tmp_path / "mean.extxyz", "-m", model, "-o", out, "--average", "0")
    assert done.code == 0
    assert done.err.startswith("note: the model reads positions averaged over 5 samples every 0.1;")
    assert_windows(out, model, [moving])


def test_thermal_models(analytic: MakeModel, glassml: Run, tmp_path: Path) -> None:
    moving, out = vibrating(6), tmp_path / "out.extxyz"
    source = write_trajectory_dump(tmp_path / "run.dump", moving, timestep=None)
    common = ["predict", source, "-m", analytic(), "-o", out, "--species", "A,B"]
    done = glassml(*common, "--smooth", "3", "--every", "2")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{out}: 3 of 6 frames, 180 particles, ")
    predictor = Predictor(analytic(), device="cpu")
    alone = [v["propensity"] for v in predictor.predict(moving[1::2])]
    np.testing.assert_allclose(read(out)[2], np.mean(alone, axis=0), rtol=1e-10)  # as above


def test_as_lammps_averages(glassml: Run, tmp_path: Path) -> None:
    """The real program; its own `fix ave/atom` measures mean positions and energies."""
    script = """
        units lj
        lattice sc 1.1
        region box block 0 5 0 5 0 5
        create_box 2 box
        create_atoms 1 box
        set type 1 type/fraction 2 0.2 17
        mass * 1.0
        pair_style lj/cut 2.5
        pair_coeff * * 1.0 1.0 2.5
        pair_coeff 1 2 1.5 0.8 2.0
        minimize 0 0 50 100
        reset_timestep 0
        velocity all create 1.0 4 mom yes
        fix move all nve
        timestep 0.005
        compute pe all pe/atom
        compute path all property/atom xu yu zu
        fix mean all ave/atom 20 5 100 c_path[*] c_pe
        dump all all custom 20 run.lammpstrj id type x y z c_pe
        dump_modify all time yes units yes format float %.17g
        dump mean all custom 100 mean.dump id type f_mean[*]
        dump_modify mean format float %.17g sort id
        run 200
    """
    run_lammps("\n".join(line.strip() for line in script.splitlines()), cwd=tmp_path)
    assert "ITEM: TIME\n" in (tmp_path / "run.lammpstrj").read_text()
    model = averaged_model(tmp_path / "m.pt", scalars=("average_energy",))
    out = tmp_path / "out.extxyz"
    done = glassml(
        *("predict", tmp_path / "run.lammpstrj", "-m", model, "-o", out, *ENERGY, "--index", "1:")
    )
    assert (done.code, done.err) == (0, "")
    predictor, found = Predictor(model, device="cpu"), read(out)
    (_, last), *_ = open_frames(tmp_path / "run.lammpstrj", "-1").frames
    blocks = (tmp_path / "mean.dump").read_text().split("ITEM: ATOMS")[1:]
    tables = [np.array([row.split() for row in b.splitlines()[1:126]], float) for b in blocks]
    means = [table for table in tables if np.any(table[:, 2:5])]  # none at step 0
    assert len(means) == len(found) == 2
    for values, table in zip(found, means, strict=True):
        configuration = Configuration(
            positions=table[:, 2:5],
            cell=last.cell.array,
            species=table[:, 1].astype(int) - 1,
            species_names=("A", "B"),
            scalars={"average_energy": table[:, 5]},
        )
        wanted = predictor.predict([configuration], as_given=True)[0]["propensity"]
        assert np.abs(table[:, 5]).max() > 1
        # 1e-8: the drift, which LAMMPS does not take off, is rounding of the velocities
        np.testing.assert_allclose(values, wanted, rtol=1e-8)


def test_the_line_of_info_is_a_command(model: Path, glassml: Run, tmp_path: Path) -> None:
    shown = glassml("info", model).out.splitlines()
    command = shlex.split(next(line for line in shown if line.startswith("glassml predict")))
    assert command[-4:] == ["--average", "5", "--scalar", "average_energy=c_energy"]
    moving, out = vibrating(5), tmp_path / "out.extxyz"
    source = write_trajectory_dump(tmp_path / "run.dump", moving)
    source.write_text(source.read_text().replace("c_pe", "c_energy"))
    places = {"INPUT": source, "OUT.extxyz": out}
    done = glassml(*(places.get(word, word) for word in command[1:]))
    assert (done.code, done.err) == (0, "")
    assert_windows(out, model, [moving])


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("plain.dump", [], "plain.dump: expected frames with times .*found steps only"),
        ("plain.dump", ["--average", "6"], "expected 6 or more frames, .* found 5"),
        ("run.dump", ["--every", "4"], "every: expected 5 or more, as a window of 5 samples"),
        ("run.dump", ["--index", "::2"], "expected frames 0.1 apart or a whole .* found 0.2 from"),
        ("run.dump", ["--index", "::-1"], "run.dump: frame 3: time: expected one after 0.4, that"),
        ("run.dump", ["--scalar", "vibration=c_pe"], "'vibration': expected no source"),
        ("run.dump", ["--smooth", "0"], "smooth: expected a positive number of evaluations"),
        ("run.dump", ["--timestep", "-1"], "timestep: expected a positive time; found -1"),
        ("noid.dump", [], "noid.dump: frame 0: expected the column id, as averages follow"),
        ("set.h5", ["--average", "5"], "average: expected a trajectory; found the dataset"),
        ("one.data", [], "one.data: expected frames with times .* found a single frame"),
    ],
)
def test_mistakes(
    model: Path, glassml: Run, tmp_path: Path, source: str, options: list[str], message: str
) -> None:
    moving = vibrating(5)
    write_trajectory_dump(tmp_path / "run.dump", moving)
    write_trajectory_dump(tmp_path / "plain.dump", moving, timestep=None)
    write_trajectory_dump(tmp_path / "noid.dump", moving, ids=False)
    ase.io.write(tmp_path / "one.data", frames_of(moving)[0], format="lammps-data", masses=True)
    with DatasetWriter(tmp_path / "set.h5") as writer:
        writer.add(moving[0])
    (tmp_path / "out.extxyz").write_text("an earlier result")
    before = sorted(tmp_path.iterdir())
    arguments = ["-m", model, "-o", tmp_path / "out.extxyz", *ENERGY, *options]
    done = glassml("predict", tmp_path / source, *arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert len(done.err.splitlines()) == 1
    assert re.search(message, done.err)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "out.extxyz").read_text() == "an earlier result"


def test_energies_are_named(model: Path, glassml: Run, tmp_path: Path) -> None:
    source = write_trajectory_dump(tmp_path / "run.dump", vibrating(5))
    out = tmp_path / "out.extxyz"
    done = glassml("predict", source, "-m", model, "-o", out, "--species", "A,B")
    assert done.code == 1
    assert "c_pe" in done.err
    assert "(on the command line: --scalar average_energy=c_pe)" in done.err
    assert not out.exists()

"""`glassml predict` on files as users have them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from pages import executed
from systems import liquid, write_dump
from vibrating import averaged_model, vibrating, write_trajectory_dump

from glassml.data import Configuration, Dataset, DatasetWriter, Window, atoms_from_configuration
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import build

Run = Callable[..., Any]
MakeModel = Callable[..., Path]
TOLERANCE = 1e-7  # the extxyz files that ASE writes for these tests hold eight decimals


def trajectory() -> list[Configuration]:
    return [liquid(60, seed=k, name=f"frame{k}") for k in range(4)]


def expected(model: Path, configurations: list[Configuration]) -> list[np.ndarray]:
    return [v["propensity"] for v in Predictor(model, device="cpu").predict(configurations)]


def read_predictions(path: Path) -> list[np.ndarray]:
    return [atoms.arrays["propensity"] for atoms in ase.io.read(path, index=":")]


def test_command_on_a_dump(analytic: MakeModel, tmp_path: Path) -> None:
    """The installed command, in a process of its own."""
    write_dump(tmp_path / "run.dump", trajectory())
    command = [sys.executable, "-c", "from glassml.cli import main; main()", "predict"]
    arguments = ["run.dump", "-m", analytic(), "-o", "run.extxyz", "--species", "A,B"]
    done = subprocess.run(
        [*command, *arguments, "--device", "cpu", "--threads", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("run.extxyz: 4 frames, 240 particles, ")
    found = ase.io.read(tmp_path / "run.extxyz", index=":")
    for atoms, values in zip(found, expected(analytic(), trajectory()), strict=True):
        np.testing.assert_allclose(atoms.arrays["propensity"], values, atol=TOLERANCE)
        assert atoms.info["propensity_times"].tolist() == [1, 2]
        assert atoms.info["propensity_model"] == "analytic"
        assert len(set(atoms.arrays["type"])) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.dump"], "missing.dump: expected a file of configurations; found no such file"),
        (["run.dump", "-m", "missing.pt"], "missing.pt: expected a model file"),
    ],
)
def test_command_fails_without_a_traceback(
    analytic: MakeModel,
    glassml: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = glassml("predict", "-m", analytic(), "-o", "out.extxyz", "--species", "A,B", *arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: {message}")
    assert len(done.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_extxyz_by_symbol(analytic: MakeModel, glassml: Run, tmp_path: Path) -> None:
    frames = [atoms_from_configuration(c) for c in trajectory()]
    for atoms in frames:
        del atoms.arrays["type"]
        atoms.info.clear()
    ase.io.write(tmp_path / "in.extxyz", frames)
    out = tmp_path / "out.extxyz"
    common = ["predict", tmp_path / "in.extxyz", "-m", analytic(), "-o", out]
    done = glassml(*common, "--species", "H=A,He=B", "--index", "1::2", "--batch", "2")
    assert (done.code, done.err) == (0, "")
    assert "2 frames, 120 particles" in done.out
    found = read_predictions(out)
    for values, wanted in zip(found, expected(analytic(), trajectory()[1::2]), strict=True):
        np.testing.assert_allclose(values, wanted, atol=TOLERANCE)


def test_its_own_output_has_the_names_of_species(
    analytic: MakeModel, glassml: Run, tmp_path: Path
) -> None:
    """Of a dump, whose types have no names: its output needs no --species any more."""
    write_dump(tmp_path / "run.dump", trajectory())
    common = ["-m", analytic(), "--device", "cpu", "--quantity", "propensity,descriptors"]
    once, twice = tmp_path / "once.extxyz", tmp_path / "twice.extxyz"
    done = glassml("predict", tmp_path / "run.dump", *common, "-o", once, "--species", "A,B")
    assert (done.code, done.err) == (0, "")
    done = glassml("predict", once, *common, "-o", twice)
    assert (done.code, done.err) == (0, "")
    assert twice.read_text() == once.read_text()
    rows = [line.split() for line in once.read_text().splitlines()]
    names = [row[0] for row in rows if row[0] in {"A", "B", "H", "He"}]
    assert names == ["AB"[k] for c in trajectory() for k in c.species]
    for atoms, configuration in zip(ase.io.iread(once), trajectory(), strict=True):
        assert atoms.arrays["type"].tolist() == (configuration.species + 1).tolist()
        assert atoms.arrays["propensity"].shape == (60, 2)  # one column per time
    glassml("data", "convert", once, "-o", tmp_path / "set.h5")
    assert [c.species_names for c in Dataset(tmp_path / "set.h5")] == [("A", "B")] * 4


def test_species_that_do_not_occur_are_noted(
    analytic: MakeModel, glassml: Run, tmp_path: Path
) -> None:
    source = write_dump(tmp_path / "in.dump", trajectory())
    common = ["predict", source, "-m", analytic(), "-o", tmp_path / "out.extxyz"]
    done = glassml(*common, "--species", "A,B,B,A")
    assert done.code == 0
    assert done.err == "note: --species: not used: type 3 -> B, type 4 -> A\n"
    for values, wanted in zip(
        read_predictions(tmp_path / "out.extxyz"), expected(analytic(), trajectory()), strict=True
    ):
        np.testing.assert_array_equal(values, wanted)


def test_lengths_in_metres_keep_their_digits(
    analytic: MakeModel, glassml: Run, tmp_path: Path
) -> None:
    metre = 3e-10  # of one unit of length of the liquid
    model = analytic(length_unit="m", cutoff=2.0 * metre)
    scaled = [
        replace(c, positions=c.positions * metre, cell=c.cell * metre, length_unit="m")
        for c in trajectory()
    ]
    source = write_dump(tmp_path / "si.dump", scaled)
    out = tmp_path / "out.extxyz"
    done = glassml(
        *["predict", source, "-m", model, "-o", out, "--species", "A,B", "--length-unit", "m"]
    )
    assert (done.code, done.err) == (0, "")
    for atoms, c, values in zip(
        ase.io.read(out, index=":"), scaled, expected(model, scaled), strict=True
    ):
        # Of the positions ASE's reader of dumps takes the box off and adds it again.
        np.testing.assert_allclose(atoms.positions, c.positions, rtol=1e-7, atol=1e-7 * metre)
        np.testing.assert_allclose(atoms.arrays["propensity"], values, rtol=1e-7)


def test_several_outputs(analytic: MakeModel, glassml: Run, tmp_path: Path) -> None:
    atoms = atoms_from_configuration(liquid())
    ase.io.write(tmp_path / "in.data", atoms, format="lammps-data", masses=True)
    out = tmp_path / "out.extxyz"
    done = glassml(
        *["predict", tmp_path / "in.data", "-m", analytic(), "-o", out, "--species", "A,B"],
        *["--quantity", "propensity, descriptors,equivariant"],
    )
    assert done.code == 0
    assert "1 frame, 60 particles" in done.out
    arrays = ase.io.read(out).arrays
    assert [arrays[n].shape for n in ("propensity", "descriptors", "equivariant")] == [
        (60, 2),
        (60, 3),
        (60, 4),
    ]


def test_scalar_from_a_column(analytic: MakeModel, glassml: Run, tmp_path: Path) -> None:
    model = analytic(scalar_inputs=("potential_energy",))
    source = write_dump(tmp_path / "in.dump", trajectory()[:1])
    out = tmp_path / "out.extxyz"
    common = ["predict", source, "-m", model, "-o", out, "--species", "A,B"]
    done = glassml(*common, "--scalar", "potential_energy=c_pe")
    assert done.code == 0
    with_energy = liquid(60, scalars={"potential_energy": np.arange(60) / 64})
    np.testing.assert_allclose(
        read_predictions(out)[0], expected(model, [with_energy])[0], atol=TOLERANCE
    )
    out.unlink()
    done = glassml(*common)
    assert done.code == 1
    assert "scalar 'potential_energy': expected an array 'potential_energy'" in done.err
    assert not out.exists()


def test_dataset(analytic: MakeModel, glassml: Run, tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "set.h5") as writer:
        for c in trajectory():
            writer.add(c)
    out = tmp_path / "out.extxyz"
    done = glassml("predict", tmp_path / "set.h5", "-m", analytic(), "-o", out)
    assert (done.code, done.err) == (0, "")
    for values, wanted in zip(
        read_predictions(out), expected(analytic(), trajectory()), strict=True
    ):
        np.testing.assert_allclose(values, wanted, atol=TOLERANCE)


def test_predictions_do_not_become_labels(
    analytic: MakeModel, glassml: Run, tmp_path: Path
) -> None:
    labelled = [
        replace(
            c, times=[7.0], propensity=np.random.default_rng(9).random((60, 1)) + 5.0, n_runs=32
        )
        for c in trajectory()[:2]
    ]
    unlabelled = [replace(c, name=f"plain-{c.name}") for c in trajectory()[2:]]
    with DatasetWriter(tmp_path / "set.h5") as writer:
        for c in [*labelled, *unlabelled]:
            writer.add(c)
    predicted, again = tmp_path / "out.extxyz", tmp_path / "again.h5"
    glassml("predict", tmp_path / "set.h5", "-m", analytic(), "-o", predicted)
    done = glassml("data", "convert", predicted, "-o", again)
    assert (done.code, done.err) == (0, "")
    found = list(Dataset(again))
    for c, wanted in zip(found[:2], labelled, strict=True):
        np.testing.assert_allclose(c.propensity, wanted.propensity, atol=TOLERANCE)
        assert (c.times.tolist(), c.n_runs) == ([7.0], 32)
    assert [(c.propensity, c.times, c.n_runs) for c in found[2:]] == [(None, None, None)] * 2
    done = glassml("data", "convert", predicted, "-o", tmp_path / "no.h5", "--time", "7")
    assert done.code == 1
    assert "frame 2: propensity: expected labels" in done.err
    assert "found predictions of a model" in done.err


def test_documentation_runs(
    analytic: MakeModel, glassml: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.pt").symlink_to(analytic())
    Path("with_energy.pt").symlink_to(analytic(scalar_inputs=("potential_energy",)))
    write_dump(Path("run.lammpstrj"), trajectory())
    atoms = atoms_from_configuration(liquid())
    ase.io.write("liquid.extxyz", atoms)
    with DatasetWriter("set.h5") as writer:
        writer.add(liquid())
    averaged_model(Path("average.pt"), ("average_energy", "vibration"), Window(0.1, 20))
    write_trajectory_dump(Path("moving.lammpstrj"), vibrating(101))
    commands = "".join(executed("docs/howto/predict.md", "sh")).replace("\\\n", " ").splitlines()
    assert len(commands) == 7
    for command in commands:
        done = glassml(*shlex.split(command)[1:])
        assert (done.code, done.err) == (0, ""), command
    (script,) = executed("docs/howto/predict.md", "python")
    exec(compile(script, "docs/howto/predict.md", "exec"), {})
    assert len(ase.io.read("run.extxyz", index=":")) == 4
    assert [a.info["timestep"] for a in ase.io.read("all.extxyz", ":")] == [
        380,
        780,
        1180,
        1580,
        1980,
    ]
    assert [a.info["timestep"] for a in ase.io.read("some.extxyz", ":")] == [2000]


def nan_frame() -> Atoms:
    atoms = atoms_from_configuration(liquid())
    atoms.positions[3, 1] = np.nan
    return atoms


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("good.dump", [], "frame 0: species: expected a map from the symbols H, He"),
        ("good.dump", [], r"species=\['A', 'B'\] \(on the command line: --species A,B\)"),
        ("good.dump", ["--species", "A"], "species: expected one for type 2 "),
        ("good.dump", ["--species", "A,C"], "one of the model's species .*; found 'C'"),
        ("good.dump", ["--species", "A=,B"], "species: expected names of the types"),
        ("good.dump", ["--species", "A,B", "--quantity", "colour"], "quantity: .*found 'colour'"),
        ("good.dump", ["--species", "A,B", "--index", "x"], "index: expected a number"),
        ("good.dump", ["--species", "A,B", "--device", "abacus"], "device: expected cpu"),
        ("good.dump", ["--species", "A,B", "--threads", "0"], "threads: expected a positive"),
        ("good.dump", ["--species", "A,B", "--batch", "0"], "batch: expected a positive"),
        ("good.dump", ["--species", "A,B", "--scalar", "pe="], "--scalar: expected NAME=COLUMN"),
        (
            "good.dump",
            ["--species", "A,B", "--scalar", "pe=c_pe"],
            "expected inputs of the model .*found 'pe'",
        ),
        ("good.dump", ["--species", "A,B", "--format", "vinyl"], "format: expected .*'vinyl'"),
        (
            "good.dump",
            ["--species", "A,B", "--length-unit", "nm"],
            "expected 'lj'.*trained with; found 'nm'",
        ),
        ("nan.extxyz", ["--species", "A,B"], r"nan.extxyz: frame 1: positions: expected finite"),
        ("empty.dump", ["--species", "A,B"], "empty.dump: .*found"),
        ("text.txt", ["--species", "A,B"], "text.txt: format: expected one that ASE reads"),
    ],
)
def test_mistakes(
    analytic: MakeModel,
    glassml: Run,
    tmp_path: Path,
    name: str,
    options: list[str],
    message: str,
) -> None:
    write_dump(tmp_path / "good.dump", trajectory())
    ase.io.write(tmp_path / "nan.extxyz", [atoms_from_configuration(liquid()), nan_frame()])
    (tmp_path / "empty.dump").write_text("")
    (tmp_path / "text.txt").write_text("Dear diary\n")
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "out.extxyz"
    done = glassml("predict", tmp_path / name, "-m", analytic(), "-o", out, *options)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert re.search(message, done.err)
    assert sorted(tmp_path.iterdir()) == before


def test_positions_of_a_model_of_inherent_structures(glassml: Run, tmp_path: Path) -> None:
    model = build("analytic")
    model.positions = "inherent"
    save_model(model, tmp_path / "model.pt", dtype="float64")
    common = ["-m", tmp_path / "model.pt", "-o", tmp_path / "out.extxyz"]
    source = write_dump(tmp_path / "in.dump", trajectory())
    done = glassml("predict", source, *common, "--species", "A,B")
    assert done.code == 0
    assert done.err.startswith("note: the model reads positions of an inherent structure, that is")
    with DatasetWriter(tmp_path / "in.h5") as writer:
        for thermal in trajectory():
            quenched = thermal.positions + 0.1 * np.sin(np.arange(180.0)).reshape(60, 3)
            writer.add(replace(thermal, structures={"inherent": quenched}))
    assert glassml("predict", tmp_path / "in.h5", *common).err == ""
    found = read_predictions(tmp_path / "out.extxyz")
    inherent = [replace(c, positions=c.structures["inherent"]) for c in Dataset(tmp_path / "in.h5")]
    predictor = Predictor(tmp_path / "model.pt", device="cpu")
    for values, wanted in zip(found, predictor.predict(inherent, as_given=True), strict=True):
        np.testing.assert_array_equal(values, wanted["propensity"])
    assert "atom type, after minimize)" in glassml("info", tmp_path / "model.pt").out

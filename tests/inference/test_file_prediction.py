"""Predictions for files: the right numbers, frame by frame, in complete files or none."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
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
    open_frames,
)
from glassml.errors import InputError
from glassml.export import save_model
from glassml.inference import ModelInputs, Predictor, annotate_atoms, predict_file
from glassml.models import build
from glassml.progress import Advance, Progress


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """The analytic model in float64."""
    path = tmp_path_factory.mktemp("model") / "analytic.pt"
    save_model(build("analytic"), path, dtype="float64")
    return Predictor(path, device="cpu")


class Counted(Progress):
    """Counts what is reported as done."""

    done = 0

    @contextmanager
    def stage(self, what: str, total: float | None = None) -> Iterator[Advance]:
        def advance(amount: float = 1.0, note: str = "") -> None:
            self.done += 1

        yield advance


def trajectory(n_frames: int = 5) -> list[Configuration]:
    """Configurations of different sizes."""
    return [liquid(40 + 5 * k, seed=k, name=f"frame{k}") for k in range(n_frames)]


def write_trajectory(path: Path, configurations: list[Configuration]) -> Path:
    ase.io.write(path, [atoms_from_configuration(c) for c in configurations])
    return path


def predicted(predictor: Predictor, source: Path, index: str = ":") -> list[Atoms]:
    output = source.parent / "out.extxyz"
    inputs = ModelInputs(predictor.manifest, species=("A", "B"))
    predict_file(predictor, open_frames(source, index), output, inputs=inputs, batch=2)
    return ase.io.read(output, index=":")


def assert_predictions(
    predictor: Predictor, found: list[Atoms], expected: list[Configuration]
) -> None:
    assert len(found) == len(expected)
    for atoms, configuration in zip(found, expected, strict=True):
        values = predictor.predict([configuration])[0]["propensity"]
        # 1e-7: some of the inputs are extxyz files of ASE, whose positions have eight decimals
        np.testing.assert_allclose(atoms.arrays["propensity"], values, atol=1e-7)


@pytest.mark.parametrize("name", ["run.extxyz", "run.traj"])
def test_trajectory(predictor: Predictor, tmp_path: Path, name: str) -> None:
    source = write_trajectory(tmp_path / name, trajectory())
    found = predicted(predictor, source)
    assert_predictions(predictor, found, trajectory())
    assert found[4].info["propensity_times"].tolist() == [1, 2]
    assert (found[4].info["propensity_model"], found[4].info["propensity_unit"]) == (
        "analytic",
        "lj",
    )


def test_chosen_frames(predictor: Predictor, tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "run.extxyz", trajectory())
    assert_predictions(predictor, predicted(predictor, source, "-3::2"), trajectory()[-3::2])


def test_species_and_outputs(predictor: Predictor, tmp_path: Path) -> None:
    source = tmp_path / "swapped.extxyz"
    atoms = atoms_from_configuration(liquid())
    atoms.numbers, atoms.info = 3 - atoms.numbers, {}
    del atoms.arrays["type"]
    ase.io.write(source, atoms)
    output = tmp_path / "out.extxyz"
    inputs = ModelInputs(predictor.manifest, species={"He": "A", "H": "B"})
    names = ("descriptors", "equivariant")
    predict_file(predictor, open_frames(source), output, inputs=inputs, outputs=names)
    found = ase.io.read(output)
    assert "propensity" not in found.arrays
    for name in names:
        values = predictor.predict([liquid()], names)[0][name]
        np.testing.assert_allclose(found.arrays[name], values, atol=1e-7)  # as above


def test_dataset_keeps_its_labels(predictor: Predictor, tmp_path: Path) -> None:
    source = tmp_path / "set.h5"
    labels = [np.random.default_rng(k).random((40 + 5 * k, 1)) for k in range(3)]
    with DatasetWriter(source) as writer:
        for c, label in zip(trajectory(3), labels, strict=True):
            writer.add(dataclasses.replace(c, times=[7.0], propensity=label))
    found = predicted(predictor, source, "1:")
    assert_predictions(predictor, found, trajectory(3)[1:])
    np.testing.assert_array_equal(found[0].arrays["propensity_label"], labels[1][:, 0])


def test_annotations(predictor: Predictor) -> None:
    atoms = Atoms("H2")
    atoms.set_array("propensity", np.array([1.0, 2.0]))
    annotate_atoms(atoms, {"propensity": np.zeros((2, 1))}, predictor.manifest)
    annotate_atoms(atoms, {"propensity": np.ones((2, 3))}, predictor.manifest)
    assert atoms.arrays["propensity"].tolist() == [[1.0] * 3] * 2
    assert atoms.arrays["propensity_label"].tolist() == [1.0, 2.0]  # not the first prediction


def test_unit_that_lammps_states_is_checked(predictor: Predictor, tmp_path: Path) -> None:
    source = tmp_path / "start.data"
    ase.io.write(source, atoms_from_configuration(liquid()), format="lammps-data")
    lines = source.read_text().split("\n")
    lines[0] = "LAMMPS data file via write_data, version 22 Jul 2025, timestep = 0, units = metal"
    source.write_text("\n".join(lines))
    with pytest.raises(
        InputError, match=r"length unit: expected 'lj', .* trained with; found 'angstrom'"
    ):
        predicted(predictor, source)


def test_report(predictor: Predictor, tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "run.extxyz", trajectory(3))
    progress = Counted()
    report = predict_file(
        predictor, open_frames(source), tmp_path / "new" / "out.extxyz", progress=progress
    )
    assert (report.frames, report.particles, progress.done) == (3, 40 + 45 + 50, 3)
    assert report.output.is_file()


def test_frames_are_predicted_one_at_a_time(predictor: Predictor, tmp_path: Path) -> None:
    source, output = tmp_path / "run.dump", tmp_path / "out.extxyz"
    source.write_text("")
    output.write_text("an earlier result")
    progress = Counted()
    written_before: list[int] = []

    def frames() -> Iterator[tuple[str, Configuration]]:
        for k, configuration in enumerate(trajectory(3)):
            written_before.append(progress.done)
            yield f"frame {k}", configuration
        raise InputError("frame 3: cut off")

    with pytest.raises(InputError, match="frame 3: cut off"):
        predict_file(
            predictor,
            Frames(source, "any", None, frames()),
            output,
            progress=progress,
        )
    assert (written_before, progress.done) == ([0, 1, 2], 3)
    assert output.read_text() == "an earlier result"
    assert sorted(tmp_path.iterdir()) == [output, source]


def test_bad_frame_is_named(predictor: Predictor, tmp_path: Path) -> None:
    frames = [atoms_from_configuration(c) for c in trajectory(3)]
    frames[1].positions[5] = np.nan
    ase.io.write(tmp_path / "run.extxyz", frames)
    for index in (":", "1:"):
        with pytest.raises(InputError, match=r"run\.extxyz: frame 1: positions: expected finite"):
            predicted(predictor, tmp_path / "run.extxyz", index)
    assert not (tmp_path / "out.extxyz").exists()


def _flat() -> Atoms:
    flat = atoms_from_configuration(liquid(50))
    flat.positions[:, 2] = 0.0
    return flat


@pytest.mark.parametrize(
    ("name", "index", "message"),
    [
        ("none.extxyz", ":", "none.extxyz: frame 0: positions: expected at least one particle"),
        ("two.extxyz", ":", "two.extxyz: frame 0: .*two-dimensional"),
        ("cut.dump", ":", "cut.dump: frame 0: expected a header and complete lines"),
        ("good.extxyz", "7", "good.extxyz: expected one or more frames; found none chosen"),
    ],
)
def test_bad_input(
    predictor: Predictor, tmp_path: Path, name: str, index: str, message: str
) -> None:
    lattice = 'Lattice="9 0 0 0 9 0 0 0 9" pbc="T T T"'
    (tmp_path / "none.extxyz").write_text(f"0\n{lattice}\n")
    (tmp_path / "cut.dump").write_text("ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n")
    ase.io.write(tmp_path / "two.extxyz", _flat())
    write_trajectory(tmp_path / "good.extxyz", trajectory(2))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        predicted(predictor, tmp_path / name, index)
    assert sorted(tmp_path.iterdir()) == before


def test_bad_arguments(predictor: Predictor, tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "run.extxyz", [liquid()])
    output = tmp_path / "out.extxyz"
    with pytest.raises(InputError, match=r"ends in \.extxyz; found .*out\.dump"):
        predict_file(predictor, open_frames(source), tmp_path / "out.dump")
    with pytest.raises(InputError, match="a file other than the input"):
        predict_file(predictor, open_frames(source), source)
    with pytest.raises(InputError, match="batch: expected a positive number"):
        predict_file(predictor, open_frames(source), output, batch=0)
    with pytest.raises(
        InputError, match=r"expected one of propensity, descriptors, .* found 'colour'"
    ):
        predict_file(predictor, open_frames(source), output, outputs=["colour"])
    assert list(tmp_path.iterdir()) == [source]

"""Averages over the frames of a trajectory: the right frames, and no others without a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from vibrating import averaged_model, frames_of, seen_by_model, vibrating

from glassml.data import Configuration, DatasetWriter, Frames, Window, open_frames
from glassml.errors import InputError
from glassml.export import save_model
from glassml.inference import (
    FrameAverages,
    ModelInputs,
    PredictionReport,
    Predictor,
    predict_file,
)
from glassml.models import build

ENERGY = {"average_energy": "pe"}


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    path = averaged_model(tmp_path_factory.mktemp("model") / "average.pt")
    return Predictor(path, device="cpu")


@pytest.fixture(scope="module")
def thermal(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    path = tmp_path_factory.mktemp("model") / "thermal.pt"
    save_model(build("analytic"), path, dtype="float64")
    return Predictor(path, device="cpu")


def in_memory(frames: Sequence[Atoms], kind: str = "any") -> Frames:
    named = ((f"run: frame {k}", atoms) for k, atoms in enumerate(frames))
    return Frames(Path("run"), kind, len(frames), named)


def predicted(
    predictor: Predictor, frames: Sequence[Atoms], folder: Path, **options: Any
) -> tuple[list[Atoms], PredictionReport]:
    """The frames that were evaluated: the same objects, with predictions."""
    scalars = {k: v for k, v in ENERGY.items() if predictor.manifest.window}
    report = predict_file(
        predictor,
        in_memory(frames),
        folder / "out.extxyz",
        inputs=ModelInputs(predictor.manifest, scalars=scalars),
        batch=options.pop("batch", 1),
        averages=FrameAverages(**options),
    )
    return [atoms for atoms in frames if "propensity" in atoms.arrays], report


def expected(predictor: Predictor, samples: Sequence[Configuration]) -> np.ndarray:
    return predictor.predict([seen_by_model(samples)], as_given=True)[0]["propensity"]


def assert_windows(
    predictor: Predictor, found: list[Atoms], windows: list[list[Configuration]]
) -> None:
    assert len(found) == len(windows)
    for atoms, samples in zip(found, windows, strict=True):
        # 1e-12: the same arithmetic, but atoms of ASE have been through their own containers,
        # and sums over neighbours may be in another order in a batch
        np.testing.assert_allclose(
            atoms.arrays["propensity"], expected(predictor, samples), rtol=1e-12
        )


@pytest.mark.parametrize("batch", [1, 3])
def test_frames_of_given_windows(predictor: Predictor, tmp_path: Path, batch: int) -> None:
    moving = vibrating(25)
    found, report = predicted(
        predictor, frames_of(moving), tmp_path, samples=5, every=8, batch=batch
    )
    # Frames count from 1: number 8 is the one at index 7.
    assert_windows(predictor, found, [moving[3:8], moving[11:16], moving[19:24]])
    assert (report.frames, report.frames_read, report.particles) == (3, 25, 180)
    assert report.window is not None
    assert report.window.same_as(Window(0.1, 5))


def test_the_window_of_the_model_by_times(predictor: Predictor, tmp_path: Path) -> None:
    """Frames are twice as dense as the samples of the model."""
    moving = vibrating(31)
    found, report = predicted(predictor, frames_of(moving, 0.05), tmp_path)
    assert_windows(predictor, found, [moving[k - 9 : k : 2] for k in (10, 20, 30)])
    assert report.window is not None
    assert report.window.same_as(Window(0.1, 5))


def test_the_window_of_the_model_by_steps(predictor: Predictor, tmp_path: Path) -> None:
    moving = vibrating(12)
    frames = frames_of(moving, None, timestep=range(1000, 1240, 20))
    found, _ = predicted(predictor, frames, tmp_path, timestep=0.005, every=6)
    assert_windows(predictor, found, [moving[1:6], moving[7:12]])


@pytest.mark.parametrize(
    ("stated", "timestep"),
    [
        ({"Time": np.arange(12) * 0.1}, None),
        ({"Timestep": range(0, 240, 20)}, 0.005),
        ({"Step": range(0, 240, 20)}, 0.005),
    ],
)
def test_names_of_other_programs(
    predictor: Predictor, tmp_path: Path, stated: dict[str, Any], timestep: float | None
) -> None:
    """Frames are at the same times as for `glassml data label`."""
    moving = vibrating(12)
    frames = frames_of(moving, None, **stated)
    found, _ = predicted(predictor, frames, tmp_path, timestep=timestep, every=6)
    assert_windows(predictor, found, [moving[1:6], moving[7:12]])


def test_bursts_with_gaps_between_windows(predictor: Predictor, tmp_path: Path) -> None:
    moving = vibrating(10)
    times = [0.0, 0.1, 0.2, 0.3, 0.4, 50.0, 50.1, 50.2, 50.3, 50.4]
    found, _ = predicted(predictor, frames_of(moving, None, time=times), tmp_path, samples=5)
    assert_windows(predictor, found, [moving[:5], moving[5:]])


def test_thermal_energy_beside_the_mean(tmp_path: Path) -> None:
    path = averaged_model(tmp_path / "m.pt", ("potential_energy", "average_energy"))
    predictor, moving = Predictor(path, device="cpu"), vibrating(5)
    frames = frames_of(moving)
    inputs = ModelInputs(
        predictor.manifest, scalars={"average_energy": "pe", "potential_energy": "pe"}
    )
    out = tmp_path / "out.extxyz"
    predict_file(predictor, in_memory(frames), out, inputs=inputs, averages=FrameAverages(5))
    assert_windows(predictor, [frames[4]], [moving])


def test_thermal_positions_with_vibrations(tmp_path: Path) -> None:
    path = averaged_model(tmp_path / "m.pt", ("vibration",), positions="thermal")
    predictor, moving = Predictor(path, device="cpu"), vibrating(5)
    frames = frames_of(moving)
    out = tmp_path / "out.extxyz"
    predict_file(predictor, in_memory(frames), out, averages=FrameAverages(5))
    view = seen_by_model(moving, "thermal")
    np.testing.assert_array_equal(view.positions, moving[-1].positions)
    values = predictor.predict([view], as_given=True)[0]["propensity"]
    np.testing.assert_allclose(frames[4].arrays["propensity"], values, rtol=1e-12)  # as above


@pytest.mark.parametrize("batch", [1, 2])
def test_smoothed_predictions(predictor: Predictor, tmp_path: Path, batch: int) -> None:
    moving = vibrating(20)
    found, _ = predicted(predictor, frames_of(moving), tmp_path, samples=5, smooth=3, batch=batch)
    alone = [expected(predictor, moving[k : k + 5]) for k in (0, 5, 10, 15)]
    for k, atoms in enumerate(found):
        last = alone[max(k - 2, 0) : k + 1]
        # as above; the spread is a difference of nearly equal numbers
        np.testing.assert_allclose(atoms.arrays["propensity"], np.mean(last, axis=0), rtol=1e-12)
        np.testing.assert_allclose(
            atoms.arrays["propensity_spread"], np.std(last, axis=0), atol=1e-11
        )


def test_thermal_models_may_be_smoothed(thermal: Predictor, tmp_path: Path) -> None:
    moving = vibrating(9)
    found, report = predicted(thermal, frames_of(moving, None), tmp_path, every=2, smooth=2)
    alone = [v["propensity"] for v in thermal.predict(moving[1::2])]
    assert (report.frames, report.frames_read, report.window) == (4, 9, None)
    np.testing.assert_allclose(  # 1e-12: as above
        found[3].arrays["propensity"], np.mean(alone[2:4], axis=0), rtol=1e-12
    )


def test_positions_as_they_are(predictor: Predictor, tmp_path: Path) -> None:
    """For files that hold averaged positions and their scalars."""
    moving = vibrating(5)
    view = seen_by_model(moving)
    atoms = frames_of([view], None)[0]
    out = tmp_path / "out.extxyz"
    report = predict_file(predictor, in_memory([atoms]), out)
    np.testing.assert_allclose(
        atoms.arrays["propensity"], expected(predictor, moving), rtol=1e-12
    )  # as above
    assert report.window is None


def test_another_window_warns_once(predictor: Predictor, tmp_path: Path) -> None:
    text = r"average\.pt was trained on averages over 5 samples every 0\.1; found averages over "
    with pytest.warns(UserWarning, match=text + r"4 samples every 0\.3") as caught:
        predicted(predictor, frames_of(vibrating(12), 0.3), tmp_path, samples=4)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("info", "found"),
    [
        ({"timestep": range(5)}, r"found steps only; give the time step \(--timestep\)"),
        ({}, "found none"),
    ],
)
def test_a_window_that_cannot_be_compared_warns(
    predictor: Predictor, tmp_path: Path, info: dict, found: str
) -> None:
    frames = frames_of(vibrating(5), None, **info)
    with pytest.warns(
        UserWarning, match=f"averages over 4 of .* 5 samples every 0.1, .*{found}. Fr"
    ):
        predicted(predictor, frames, tmp_path, samples=4)
    assert "propensity" in frames[3].arrays


def with_ids(frames: list[Atoms], first: int = 1) -> list[Atoms]:
    for k, atoms in enumerate(frames):
        atoms.set_array("id", np.arange(60) + (first if k == 3 else 1))
    return frames


TIMES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize(
    ("info", "options", "message"),
    [
        (
            {"time": [0.0, 0.1, 0.2, 0.2, 0.3, 0.4]},
            {"samples": 5},
            r"run: frame 3: time: expected one after 0\.2, that of run: frame 2; found 0\.2\. "
            "Bring the frames into order, and leave out those that occur twice",
        ),
        (
            {"timestep": [0, 20, 40, 60, 100, 120]},
            {"samples": 5},
            "run: frame 4: step: expected 80, which is 20 after run: frame 3, .* found 100. "
            "Averages need evenly spaced frames. Choose such frames with the index",
        ),
        (
            {"time": [0.0, 0.1, 0.2, 0.35, 0.4, 0.5]},
            {"samples": 3, "every": 6},
            r"run: frame 5: time: expected 0\.45, which is 0\.05 after run: frame 4",
        ),
        (
            {},
            {},
            r"run: expected frames with times \(ITEM: TIME in a LAMMPS dump, .* as the model reads "
            r"averages over 5 samples every 0\.1; found neither\. Give the number .* --average 5, "
            "or --average 0 if the positions in the file are averages",
        ),
        ({"timestep": range(6)}, {}, "found steps only; add --timestep TIME. Give the number"),
        (
            {"time": [0.0, 0.3, 0.6, 0.9, 1.2, 1.5]},
            {},
            "run: expected frames 0.1 apart or a whole part of it, .* found 0.3 from run: frame 0 "
            "to run: frame 1. Give the number of frames to average over",
        ),
        ({"time": [0.0, 0.07, 0.14, 0.21, 0.28, 0.35]}, {}, "found 0.07 from run: frame 0"),
        (
            {"time": TIMES},
            {"every": 4},
            "every: expected 5 or more, as a window of 5 samples must fit .*; found 4",
        ),
        ({"time": TIMES}, {"samples": 7}, "run: expected 7 or more frames, .* found 6"),
        ({"time": TIMES}, {"every": 8}, "first evaluation is at frame 8 of those chosen; found 6"),
        ({"time": TIMES}, {"samples": -1}, "average: expected a number of frames, or 0 .*found -1"),
        ({"time": TIMES}, {"smooth": 0}, "smooth: expected a positive number of evaluations"),
        (
            {"time": TIMES, "timestep": range(6)},
            {"timestep": 0.005},
            r"frame 0: --timestep: expected none, as the frames state their times; found 0\.005",
        ),
        ({"timestep": range(6)}, {"timestep": 0.0}, "timestep: expected a positive time; found 0"),
    ],
)  # fmt: skip
def test_frames_that_do_not_fit(
    predictor: Predictor, tmp_path: Path, info: dict, options: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        predicted(predictor, frames_of(vibrating(6), None, **info), tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_frame_without_a_time(predictor: Predictor, tmp_path: Path) -> None:
    frames = frames_of(vibrating(6))
    del frames[2].info["time"]
    frames[2].info["step"] = 7
    with pytest.raises(InputError, match=r"frame 2: expected a time, as the .*; found a step"):
        predicted(predictor, frames, tmp_path, samples=5)
    del frames[2].info["step"]
    with pytest.raises(InputError, match=r"frame 2: expected a time, .*; found neither a time nor"):
        predicted(predictor, frames, tmp_path, samples=5)


def test_a_single_frame(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found a single frame\. Give the number of frames"):
        predicted(predictor, frames_of(vibrating(1)), tmp_path)


def test_other_particles(predictor: Predictor, thermal: Predictor, tmp_path: Path) -> None:
    moving = vibrating(5)
    moving[3] = replace(
        moving[3],
        positions=moving[3].positions[:-1],
        species=moving[3].species[:-1],
        scalars={"pe": moving[3].scalars["pe"][:-1]},
    )
    message = "run: frame 3: particles: expected the 60 of run: frame 0, as averages .*; found 59"
    for model, options in ((predictor, {"samples": 5}), (thermal, {"smooth": 2})):
        with pytest.raises(InputError, match=message):
            predicted(model, frames_of(moving), tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_particles_are_known_by_their_ids(
    predictor: Predictor, thermal: Predictor, tmp_path: Path
) -> None:
    message = "run: frame 3: id: expected the particles of run: frame 0 in the .* found 2 instead"
    for model, options in ((predictor, {"samples": 5}), (thermal, {"smooth": 2})):
        with pytest.raises(InputError, match=message):
            predicted(model, with_ids(frames_of(vibrating(5)), first=2), tmp_path, **options)
    predicted(predictor, with_ids(frames_of(vibrating(5))), tmp_path, samples=5)


def test_dumps_without_ids(thermal: Predictor, tmp_path: Path) -> None:
    frames = in_memory(frames_of(vibrating(3)), kind="lammps-dump-text")
    with pytest.raises(InputError, match=r"run: frame 0: expected the column id, .* found none"):
        predict_file(thermal, frames, tmp_path / "out.extxyz", averages=FrameAverages(smooth=2))


def test_energies_are_named(predictor: Predictor, tmp_path: Path) -> None:
    frames = in_memory(frames_of(vibrating(5)))
    with pytest.raises(
        InputError,
        match=r"run: frame 0: scalar 'average_energy': expected the potential energy of each "
        r"particle, .*'average_energy'; found numbers, pe, positions, type\. Name .*--scalar "
        "average_energy=c_pe",
    ):
        predict_file(predictor, frames, tmp_path / "out.extxyz", averages=FrameAverages(5))
    inputs = ModelInputs(predictor.manifest, scalars={"vibration": "pe"})
    with pytest.raises(InputError, match="'vibration': expected no source, as it comes from the"):
        predict_file(
            predictor, frames, tmp_path / "out.extxyz", inputs=inputs, averages=FrameAverages(5)
        )


def test_models_without_averages(thermal: Predictor, tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"average: expected a model of averaged positions; found thermal\.pt, which reads "
        r"thermal positions\. Leave the option out; --smooth averages its predictions",
    ):
        predicted(thermal, frames_of(vibrating(5)), tmp_path, samples=5)


@pytest.mark.parametrize("option", ["samples", "every", "smooth"])
def test_datasets_are_no_trajectories(thermal: Predictor, tmp_path: Path, option: str) -> None:
    with DatasetWriter(tmp_path / "set.h5") as writer:
        writer.add(vibrating(1)[0])
    frames = open_frames(tmp_path / "set.h5")
    with pytest.raises(InputError, match=r": expected a trajectory; found the dataset .*set\.h5"):
        predict_file(
            thermal, frames, tmp_path / "out.extxyz", averages=FrameAverages(**{option: 2})
        )
    assert not (tmp_path / "out.extxyz").exists()

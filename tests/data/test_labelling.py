"""Labels from trajectories whose paths are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded_progress import Recorded
from trajectories import BOX, harmonic, lattice, random_walk, straight, write_trajectory

from glassml.data import (
    Clock,
    Configuration,
    Dataset,
    LabelledTrajectory,
    LabelOptions,
    SpeciesMap,
    complaints,
    label_trajectory,
    number_of_windows,
    summarise,
    window_of,
)
from glassml.data.labelling.stationarity import drift_warnings
from glassml.physics import PositionAverage

N = 64
AB = SpeciesMap.parse("A,B")
STEP = Clock(timestep=0.01)  # frames 100 steps apart are 1 apart in time


def labelled(
    files: Path | list[Path], folder: Path, **options: Any
) -> tuple[LabelledTrajectory, list[Configuration]]:
    """What `label_trajectory` says and writes; the dataset is checked too."""
    output = folder / "labelled.h5"
    settings = {"species": AB, "clock": STEP, "length_unit": "lj", **options}
    paths = files if isinstance(files, list) else [files]
    result = label_trajectory(paths, output, LabelOptions(**settings))
    with Dataset(output) as dataset:
        assert list(complaints(dataset, 1e-9)) == []
        return result, list(dataset)


@pytest.fixture
def velocities() -> np.ndarray:
    """Velocities [N, 3] without drift, up to 0.2: a frame later, particles are 0.2 away."""
    drawn = np.random.default_rng(3).uniform(-0.1, 0.1, (N, 3))
    return drawn - drawn.mean(axis=0)


def test_straight_paths(velocities: np.ndarray, tmp_path: Path) -> None:
    """Ballistic particles: v t in both directions, and the mean displacement vanishes."""
    file = write_trajectory(tmp_path / "run.dump", straight(velocities, np.arange(21.0)))
    result, found = labelled(file, tmp_path, times=(5.0, 1.0, 10.0))
    assert (result.configurations, result.frames, result.length) == (1, 21, 20.0)
    (only,) = found
    assert only.provenance["frame_time"] == 10.0
    assert only.times.tolist() == [1.0, 5.0, 10.0]
    assert only.n_runs == 2
    expected = np.linalg.norm(velocities, axis=1)[:, None] * [1.0, 5.0, 10.0]
    # The dump holds all digits; lengths are differences of coordinates up to 4.
    np.testing.assert_allclose(only.propensity, expected, atol=1e-13)
    np.testing.assert_allclose(only.statistics["square_displacement"], expected**2, atol=1e-12)
    np.testing.assert_allclose(only.statistics["mean_displacement"], 0.0, atol=1e-13)
    np.testing.assert_allclose(only.statistics["propensity_halves"][:, :, 0], expected, atol=1e-13)
    assert only.species.tolist() == [int(k % 5 == 4) for k in range(N)]
    np.testing.assert_allclose(only.cell, BOX * np.eye(3))


def test_harmonic_paths(tmp_path: Path) -> None:
    """|sin(w (t + dt)) - sin(w t)| times the amplitude, and the same backward."""
    amplitudes = np.random.default_rng(5).normal(0, 0.1, (N, 3))
    amplitudes -= amplitudes.mean(axis=0)
    times = np.arange(40.0)
    file = write_trajectory(tmp_path / "run.dump", harmonic(amplitudes, 0.07, times))
    _, found = labelled(file, tmp_path, times=(3.0,))
    assert [c.provenance["frame_time"] for c in found] == [float(t) for t in range(3, 37, 3)]
    wave = np.sin(2 * np.pi * 0.07 * times)
    length = np.linalg.norm(amplitudes, axis=1)
    for c in found:
        t = int(c.provenance["frame_time"])
        forward, backward = (abs(wave[t + s] - wave[t]) * length for s in (3, -3))
        halves = c.statistics["propensity_halves"][:, 0]
        np.testing.assert_allclose(halves, np.stack([forward, backward], axis=1), atol=1e-13)
        np.testing.assert_allclose(c.propensity[:, 0], (forward + backward) / 2, atol=1e-13)


def test_random_walk_gives_its_propensity(tmp_path: Path) -> None:
    """The mean of |dr| of a Gaussian walk of n steps of width s is s sqrt(8 n / pi)."""
    widths = np.random.default_rng(7).uniform(0.1, 0.2, N)
    file = write_trajectory(tmp_path / "run.dump", random_walk(widths, 401), images=True)
    result, found = labelled(file, tmp_path, times=(4.0,))
    assert len(found) == 99
    expected = widths * np.sqrt(8 * 4 / np.pi)
    mean = np.mean([c.propensity[:, 0] for c in found], axis=0)
    # The standard deviation of |dr| is 0.42 of its mean: 100 independent runs give 4 % per
    # particle, and 64 particles at most 4 such errors (p = 0.004).
    np.testing.assert_allclose(mean, expected, rtol=0.17)
    np.testing.assert_allclose(mean.mean(), expected.mean(), rtol=0.016)
    assert result.warnings == ()


@pytest.mark.parametrize(
    ("style", "images"), [("x", True), ("xs", True), ("xu", False), ("xsu", False)]
)
def test_images_and_continuity_agree(style: str, images: bool, tmp_path: Path) -> None:
    walk = random_walk(np.full(N, 0.15), 61)
    file = write_trajectory(tmp_path / "run.dump", walk, style=style, images=images)
    assert (np.floor(walk / BOX) != 0).any()  # particles do leave the box
    stated, found = labelled(file, tmp_path, times=(3.0, 9.0))
    assert stated.unwrapping == "images or unwrapped coordinates of the file"
    wrapped = write_trajectory(tmp_path / "wrapped.dump", walk)
    followed, others = labelled(wrapped, tmp_path, times=(3.0, 9.0))
    assert followed.unwrapping == "nearest images from frame to frame"
    assert len(found) == len(others) == 5
    for one, other in zip(found, others, strict=True):
        np.testing.assert_allclose(one.propensity, other.propensity, atol=1e-13)


def test_time_reversal(tmp_path: Path) -> None:
    """The same trajectory backwards gives the same labels, with the two directions exchanged."""
    walk = random_walk(np.full(N, 0.15), 21)
    paths = [
        write_trajectory(tmp_path / f"{name}.dump", frames, style="xu")
        for name, frames in (("forward", walk), ("backward", walk[::-1]))
    ]
    found = [labelled(path, tmp_path, times=(10.0, 4.0))[1][0] for path in paths]
    assert [c.provenance["frame_time"] for c in found] == [10.0, 10.0]
    one, other = (c.statistics["propensity_halves"] for c in found)
    np.testing.assert_array_equal(one, other[:, :, ::-1])
    np.testing.assert_array_equal(found[0].propensity, found[1].propensity)
    np.testing.assert_array_equal(found[0].positions, found[1].positions)


def test_drift_is_removed(velocities: np.ndarray, tmp_path: Path) -> None:
    times = np.arange(11.0)
    for name, drift in (("still", 0.0), ("moving", 0.7)):
        moved = straight(velocities, times) + times[:, None, None] * drift
        write_trajectory(tmp_path / f"{name}.dump", moved)
    one, other = (
        labelled(tmp_path / f"{name}.dump", tmp_path, times=(5.0,))[1][0]
        for name in ("still", "moving")
    )
    np.testing.assert_allclose(one.propensity, other.propensity, atol=1e-13)


def test_boxes_that_fluctuate_are_followed_in_scaled_coordinates(
    velocities: np.ndarray, tmp_path: Path
) -> None:
    """The lattice expands with the box: that is no displacement. Lengths are in the own cell."""
    boxes = BOX * (1 + 0.01 * np.sin(np.arange(11.0)))
    scaled = straight(velocities, np.arange(11.0)) / BOX
    file = write_trajectory(tmp_path / "run.dump", scaled * boxes[:, None, None], boxes=boxes)
    (found,) = labelled(file, tmp_path, times=(5.0,))[1]
    expected = 5 * np.linalg.norm(velocities, axis=1) * boxes[5] / BOX
    np.testing.assert_allclose(found.propensity[:, 0], expected, atol=1e-13)
    np.testing.assert_allclose(np.diag(found.cell), boxes[5])


def test_both_directions_or_one(tmp_path: Path) -> None:
    walk = random_walk(np.full(N, 0.1), 11)
    file = write_trajectory(tmp_path / "run.dump", walk, images=True)
    both = labelled(file, tmp_path, times=(4.0,), spacing=1.0)[1]
    assert [c.provenance["frame_time"] for c in both] == [4.0, 5.0, 6.0]
    assert {c.n_runs for c in both} == {2}
    some = labelled(file, tmp_path, times=(4.0,), spacing=1.0, one_sided=True)[1]
    assert [c.n_runs for c in some] == [1] * 4 + [2] * 3 + [1] * 4
    assert "propensity_halves" not in some[0].statistics
    path = walk - walk.mean(axis=1, keepdims=True)
    for c, way in ((some[0], path[4] - path[0]), (some[-1], path[6] - path[10])):
        expected = np.linalg.norm(way, axis=1)
        np.testing.assert_allclose(c.propensity[:, 0], expected, atol=1e-13)
    (whole, _) = labelled(file, tmp_path, times=(10.0,), one_sided=True)[1]
    assert whole.provenance["frame_time"] == 0.0


def test_spacing_start_and_stop(tmp_path: Path) -> None:
    file = write_trajectory(tmp_path / "run.dump", random_walk(np.full(N, 0.1), 41))

    def times(**options: Any) -> list[float]:
        found = labelled(file, tmp_path, times=(2.0,), **options)[1]
        return [float(c.provenance["frame_time"]) for c in found]

    assert times() == [float(t) for t in range(2, 39, 2)]
    assert times(spacing=7.0) == [2.0, 9.0, 16.0, 23.0, 30.0, 37.0]
    limits = Clock(timestep=0.01, start=10.0, stop=19.0)
    assert times(clock=limits) == [12.0, 14.0, 16.0]


def test_frames_in_groups(tmp_path: Path) -> None:
    """Frames need not be evenly spaced: a window before every tenth frame is enough."""
    walk = random_walk(np.full(N, 0.02), 61)
    chosen = [k for k in range(61) if k % 10 in (0, 8, 9)]
    steps = [100 * k for k in chosen]
    file = write_trajectory(tmp_path / "run.dump", walk[chosen], steps=steps, images=True)
    _, found = labelled(file, tmp_path, times=(10.0, 20.0), samples=3)
    assert [c.provenance["frame_time"] for c in found] == [20.0, 40.0]
    assert all(number_of_windows(c) == 1 for c in found)


def averaged(path: np.ndarray, samples: range) -> np.ndarray:
    """Mean positions along drift-free paths [F, N, 3] as they are defined: without wrapping."""
    return path[list(samples)].mean(axis=0)


def test_windows(tmp_path: Path) -> None:
    """Past, future seen backwards, further past: their mean positions, near the present ones."""
    walk = random_walk(np.full(N, 0.05), 31)
    energies = np.random.default_rng(2).normal(size=(31, N))
    file = write_trajectory(tmp_path / "run.dump", walk, images=True, energies=energies)
    options = {"times": (15.0,), "samples": 4, "windows": 4, "sample_interval": 2.0}
    result, (found,) = labelled(file, tmp_path, **options)
    assert result.energy == "c_pe"
    assert number_of_windows(found) == 4
    assert str(window_of(found)) == "4 samples every 2"
    path = walk - walk.mean(axis=1, keepdims=True)
    stretches = [range(9, 16, 2), range(15, 22, 2), range(1, 8, 2), range(23, 30, 2)]
    for number, samples in enumerate(stretches, start=1):
        tag = "" if number == 1 else f"_{number}"
        shift = averaged(path, samples) - path[15]
        expected = found.positions + shift
        np.testing.assert_allclose(found.structures[f"average{tag}"], expected, atol=1e-13)
        moved = path[list(samples)] - averaged(path, samples)
        spread = np.sqrt((moved**2).sum(axis=2).mean(axis=0))
        # A difference of squares loses half of the digits.
        np.testing.assert_allclose(found.scalars[f"vibration{tag}"], spread, atol=1e-7)
        mean = energies[list(samples)].mean(axis=0)
        np.testing.assert_allclose(found.scalars[f"average_energy{tag}"], mean, atol=1e-13)
    np.testing.assert_array_equal(found.scalars["potential_energy"], energies[15])


def test_the_first_window_is_what_a_fix_would_average(tmp_path: Path) -> None:
    """The same as `PositionAverage` of the frames as they are in the file, wrapped."""
    walk = random_walk(np.full(N, 0.1), 21)
    file = write_trajectory(tmp_path / "run.dump", walk)
    (found,) = labelled(file, tmp_path, times=(10.0,), samples=5)[1]
    average = PositionAverage()
    for k in range(6, 11):
        average.add(walk[k] % BOX, BOX * np.eye(3))
    shift, vibration, *_ = average.result()
    moved = found.structures["average"] - found.positions
    np.testing.assert_allclose(moved, shift, atol=1e-13)
    np.testing.assert_allclose(found.scalars["vibration"], vibration, atol=1e-7)


def test_several_files(tmp_path: Path) -> None:
    """Compressed pieces whose last frame is the first one of the next give the same dataset."""
    walk = random_walk(np.full(N, 0.1), 31)
    whole = write_trajectory(tmp_path / "whole.dump", walk, images=True)
    expected = labelled(whole, tmp_path, times=(5.0,))[1]
    for images in (True, False):
        pieces = []
        for number, (first, last) in enumerate(((0, 11), (10, 21), (20, 31))):
            path = tmp_path / f"piece{number}.dump.gz"
            steps = range(100 * first, 100 * last, 100)
            write_trajectory(path, walk[first:last], steps=steps, images=images)
            pieces.append(path)
        result, found = labelled(pieces, tmp_path, times=(5.0,))
        assert (result.frames, len(found)) == (31, len(expected))
        for one, other in zip(found, expected, strict=True):
            assert one.provenance["frame_time"] == other.provenance["frame_time"]
            np.testing.assert_allclose(one.propensity, other.propensity, atol=1e-13)
        assert {c.provenance["source"] for c in found} == {f"piece{k}.dump.gz" for k in range(3)}


def test_times_of_frames(tmp_path: Path) -> None:
    """ITEM: TIME, steps, times in extxyz, or an interval: the same trajectory."""
    import ase.io
    from ase import Atoms

    walk = random_walk(np.full(N, 0.1), 21)
    expected = labelled(write_trajectory(tmp_path / "a.dump", walk), tmp_path, times=(10.0,))[1]
    times = np.arange(21.0)
    stated = write_trajectory(tmp_path / "b.dump", walk, times=times.tolist())
    plain = [
        Atoms(np.where(np.arange(N) % 5 == 4, 2, 1), frame, cell=[BOX] * 3, pbc=True)
        for frame in walk
    ]
    ase.io.write(tmp_path / "d.traj", plain)
    for time, atoms in zip(times, plain, strict=True):
        atoms.info["Time"] = float(time)
    ase.io.write(tmp_path / "c.extxyz", plain)
    kinds = SpeciesMap.parse("H=A,He=B")
    for file, options in (
        (stated, {"clock": Clock()}),
        (tmp_path / "c.extxyz", {"clock": Clock(), "species": kinds}),
        (tmp_path / "d.traj", {"clock": Clock(frame_interval=1.0), "species": kinds}),
        (tmp_path / "a.dump", {"clock": Clock(frame_interval=1.0)}),
    ):
        found = labelled(file, tmp_path, times=(10.0,), **options)[1]
        assert found[0].provenance["frame_time"] == 10.0
        # extxyz files hold eight decimals
        np.testing.assert_allclose(found[0].propensity, expected[0].propensity, atol=1e-7)


def test_gsd(tmp_path: Path) -> None:
    gsd = pytest.importorskip("gsd.hoomd")
    walk = random_walk(np.full(N, 0.15), 21)
    for images in (True, False):
        file = tmp_path / f"run{images}.gsd"
        with gsd.open(file, "w") as stream:
            for step, positions in enumerate(walk):
                frame = gsd.Frame()
                frame.configuration.step = 100 * step
                frame.configuration.box = [BOX, BOX, BOX, 0, 0, 0]
                frame.particles.N = N
                frame.particles.types = ["A", "B"]
                frame.particles.typeid = np.arange(N) % 5 == 4
                image = np.floor(positions / BOX + 0.5)
                frame.particles.position = positions - BOX * image
                frame.particles.image = image if images else None
                stream.append(frame)
        result, (found,) = labelled(file, tmp_path, times=(10.0,), species=None)
        assert result.unwrapping.startswith("images" if images else "nearest images")
        path = walk - walk.mean(axis=1, keepdims=True)
        halves = [np.linalg.norm(path[k] - path[10], axis=1) for k in (20, 0)]
        # GSD files hold single precision.
        np.testing.assert_allclose(found.propensity[:, 0], np.mean(halves, axis=0), atol=1e-5)


def test_two_dimensions(tmp_path: Path) -> None:
    walk = random_walk(np.full(N, 0.1), 21)
    walk[:, :, 2] = 0.0
    walk[:, :, :2] += 0.01 * np.random.default_rng(0).normal(size=(N, 2))
    file = write_trajectory(tmp_path / "run.dump", walk)
    (found,) = labelled(file, tmp_path, times=(10.0,), pbc=(True, True, False))[1]
    assert found.dimension == 2
    path = (walk - walk.mean(axis=1, keepdims=True))[:, :, :2]
    expected = [np.linalg.norm(path[k] - path[10], axis=1) for k in (20, 0)]
    np.testing.assert_allclose(found.propensity[:, 0], np.mean(expected, axis=0), atol=1e-13)


def test_the_dataset_says_where_it_comes_from(tmp_path: Path) -> None:
    walk = random_walk(np.linspace(0.05, 0.2, N), 21)
    file = write_trajectory(tmp_path / "run.dump", walk)
    labelled(file, tmp_path, times=(2.0,), samples=2)
    with Dataset(tmp_path / "labelled.h5") as dataset:
        summary = summarise(dataset)
        made = dataset.description["labelled"]
        assert dataset[0].provenance == {
            "source": "run.dump",
            "frame": 2,
            "frame_time": 2.0,
            "average_interval": 1.0,
            "average_samples": 2,
        }
    assert [entry["file"] for entry in made["files"]] == ["run.dump"]
    assert (made["frames"], made["first_frame"], made["last_frame"]) == (21, 0.0, 20.0)
    assert (made["times"], made["spacing"]) == ([2.0], 2.0)
    assert made["spacing_rule"] == "the longest time of the labels"
    assert summary.n_runs == (2, 2)
    assert any(row.noise_ceiling is not None for row in summary.labels)


def test_progress_and_memory(tmp_path: Path) -> None:
    """Only frames that labels still need are kept, however long the trajectory is."""
    from glassml.data.labelling.labelling import _Labeller

    file = write_trajectory(tmp_path / "run.dump", random_walk(np.full(N, 0.05), 100))
    kept: list[int] = []
    original = _Labeller._labelled

    def counting(self: _Labeller, labelled: Any) -> Configuration:
        kept.append(len(self.kept))
        return original(self, labelled)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Labeller, "_labelled", counting)
        progress = Recorded()
        options = LabelOptions(times=(2.0, 4.0), spacing=1.0, species=AB, clock=STEP)
        label_trajectory([file], tmp_path / "labelled.h5", options, progress)
    assert len(kept) == 92
    assert max(kept) == 9  # from 4 before to 4 after
    (stage,) = [s for s in progress.stages if s.what == "labelling"]
    assert (stage.total, stage.done, stage.ended) == (100, 100, True)


# --- is it equilibrium, and are the configurations different? -----------------------------------


def test_a_system_that_ages_is_reported(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    widths = np.linspace(0.1, 0.05, 121)[:, None, None]
    walk = lattice() + np.cumsum(widths * rng.normal(size=(121, N, 3)), axis=0)
    energies = rng.normal(-6 - np.linspace(0, 0.5, 121)[:, None], 1.0, (121, N))
    file = write_trajectory(tmp_path / "run.dump", walk, energies=energies)
    result, _ = labelled(file, tmp_path, times=(5.0,))
    of_motion, of_energy = (w for w in result.warnings if "seems to age" in w)
    assert "the mean displacement after 5 is 0.3" in of_motion
    assert "and 0.2" in of_motion
    assert "the potential energy per particle is -6.1" in of_energy
    assert "and -6.3" in of_energy
    with Dataset(tmp_path / "labelled.h5") as dataset:
        assert dataset.description["warnings"] == list(result.warnings)
    equilibrium = rng.normal(-6, 1.0, (121, N))
    walk = random_walk(np.full(N, 0.12), 121)
    file = write_trajectory(tmp_path / "still.dump", walk, energies=equilibrium)
    assert labelled(file, tmp_path, times=(5.0,))[0].warnings == ()


def test_configurations_that_resemble_each_other_are_reported(tmp_path: Path) -> None:
    file = write_trajectory(tmp_path / "run.dump", random_walk(np.full(N, 0.02), 41))
    close, _ = labelled(file, tmp_path, times=(1.0,))
    assert close.similarity is not None
    # F_s of Gaussian displacements: exp(-k^2 s^2 / 2) with k = 2 pi
    np.testing.assert_allclose(close.similarity, np.exp(-((2 * np.pi * 0.02) ** 2) / 2), atol=2e-3)
    (warning,) = close.warnings
    assert "F_s is 0.99 between one and the next" in warning
    walk = random_walk(np.full(N, 0.15), 41)
    file = write_trajectory(tmp_path / "run.dump", walk)
    far, _ = labelled(file, tmp_path, times=(5.0,))
    assert far.similarity is not None
    assert far.similarity < 0.2
    assert far.warnings == ()


def test_windows_that_share_much_of_the_labels_are_reported(tmp_path: Path) -> None:
    """Half of a label is along the path of the window: below ten lengths of it there is a word."""
    file = write_trajectory(tmp_path / "run.dump", random_walk(np.full(N, 0.15), 81))
    window = {"samples": 3, "sample_interval": 1.0}  # of length 2
    short, _ = labelled(file, tmp_path, times=(30.0, 19.0), **window)
    (warning,) = short.warnings
    assert warning.startswith("Labels at 19 and windows of 2 share a stretch of the trajectory.")
    assert "Give times of 20 or more (--time)" in warning
    assert "label without --average" in warning
    with Dataset(tmp_path / "labelled.h5") as dataset:
        assert dataset.description["warnings"] == [warning]
    assert labelled(file, tmp_path, times=(30.0, 20.0), **window)[0].warnings == ()
    assert labelled(file, tmp_path, times=(1.0,), spacing=5.0)[0].warnings == ()  # no windows
    present = {"samples": 1, "spacing": 5.0}  # the frame itself
    assert labelled(file, tmp_path, times=(1.0,), **present)[0].warnings == ()


def test_overlapping_labels_are_no_ageing() -> None:
    """Moving averages of noise: a test that took them as independent would warn ten times as often.

    Of 1000 series the test may warn of 1 by its definition; estimates of the autocorrelation from
    20 values make it a few more: 6 in 1000 on average.
    """
    rng = np.random.default_rng(8)
    warned = sum(
        len(drift_warnings({"x": np.convolve(rng.normal(size=41), [0.5, 0.5], "valid")}))
        for _ in range(1000)
    )
    assert warned <= 12
    trend = rng.normal(size=40) + np.linspace(0.0, 6.0, 40)
    assert len(drift_warnings({"x": trend})) == 1
    assert drift_warnings({"x": [1.0, 2.0, 5.0, 6.0]}) == []  # too few
    assert drift_warnings({"x": [1.0] * 20}) == []

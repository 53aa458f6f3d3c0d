"""What frames of dumps hold besides positions: times, ids, and where particles are unwrapped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from trajectories import BOX, random_walk, write_trajectory

from glassml.data import open_frames
from glassml.data.readers.frame_clock import FrameClock

WALK = random_walk(np.full(64, 0.3), 4)


@pytest.mark.parametrize(
    ("style", "images"), [("x", True), ("xs", True), ("xu", False), ("xsu", False)]
)
def test_unwrapped_positions(style: str, images: bool, tmp_path: Path) -> None:
    """In the order of the ids, although the rows of the file are in another one."""
    assert (np.floor(WALK / BOX) != 0).any()  # particles do leave the box
    file = write_trajectory(tmp_path / "run.dump", WALK, style=style, images=images)
    for (_, atoms), expected in zip(
        open_frames(file, ids=True, unwrapped=True).frames, WALK, strict=True
    ):
        np.testing.assert_allclose(atoms.arrays["unwrapped"], expected, atol=1e-13)
        assert atoms.arrays["id"].tolist() == list(range(1, 65))
    (_, plain) = next(open_frames(file).frames)
    assert not {"unwrapped", "id"} & set(plain.arrays)


def test_a_file_that_does_not_say(tmp_path: Path) -> None:
    file = write_trajectory(tmp_path / "run.dump", WALK)
    (_, atoms) = next(open_frames(file, unwrapped=True).frames)
    assert "unwrapped" not in atoms.arrays


def test_clocks_are_known_before_reading(tmp_path: Path) -> None:
    steps, times = [0, 10, 30, 100], [0.0, 0.05, 0.15, 0.5]
    file = write_trajectory(tmp_path / "run.dump.gz", WALK, steps=steps, times=times)
    frames = open_frames(file)
    expected = tuple(map(FrameClock, steps, times))
    assert frames.clocks == expected
    found = [(atoms.info["timestep"], atoms.info["time"]) for _, atoms in frames.frames]
    assert found == list(expected)
    plain = open_frames(write_trajectory(tmp_path / "plain.dump", WALK, steps=steps))
    assert plain.clocks == tuple(FrameClock(step, None) for step in steps)
    assert all("time" not in atoms.info for _, atoms in plain.frames)


def test_frames_by_number(tmp_path: Path) -> None:
    file = write_trajectory(tmp_path / "run.dump", WALK, style="xu")
    frames = open_frames(file)
    assert frames.select is not None
    found = list(frames.select([1, 3]))
    assert [name for name, _ in found] == [f"{file}: frame {k}" for k in (1, 3)]
    np.testing.assert_allclose(found[1][1].positions, WALK[3], atol=1e-13)

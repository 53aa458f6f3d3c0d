"""Trajectories and options that give no labels: every message says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trajectories import BOX, random_walk, write_trajectory

from glassml.data import Clock, LabelOptions, SpeciesMap, label_trajectory
from glassml.errors import InputError

N = 64
WALK = random_walk(np.full(N, 0.1), 21)
STEP = Clock(timestep=0.01)


def refused(files: Path | list[Path], **options: Any) -> str:
    """The message of a trajectory that gives no labels; nothing is left behind."""
    paths = files if isinstance(files, list) else [files]
    folder = paths[0].parent / "written"
    settings = {"times": (5.0,), "clock": STEP, "species": SpeciesMap.parse("A,B"), **options}
    with pytest.raises(InputError) as caught:
        label_trajectory(paths, folder / "labelled.h5", LabelOptions(**settings))
    assert not folder.exists() or list(folder.iterdir()) == []
    return str(caught.value)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_trajectory(tmp_path / "run.dump", WALK)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": ()}, "--time: expected one or more different times; found none"),
        ({"times": (1.0, 1.0)}, "--time: expected one or more different times; found 1, 1"),
        ({"times": (-1.0,)}, "--time: expected a positive time; found -1"),
        (
            {"times": (2.7,)},
            "--time: expected the time between two frames, such as 2 or 3; found 2.7 (the frames "
            "are 1 apart)",
        ),
        (
            {"times": (0.3,)},
            "--time: expected the time between two frames, such as 1; found 0.3 (the frames are 1 "
            "apart)",
        ),
        (
            {"times": (30.0,)},
            "--time: expected at most 20, the time from the first to the last frame; found 30",
        ),
        (
            {"times": (15.0,)},
            "--time: expected at most 10, half of the time from the first to the last frame, as "
            "labels are taken in both directions; found 15. --one-sided takes one direction where "
            "the other is too short, up to 20",
        ),
        ({"spacing": 0.0}, "--spacing: expected a positive time; found 0"),
        ({"unwrap": "maybe"}, "--unwrap: expected one of auto, continuity, none; found 'maybe'"),
        (
            {"windows": 2},
            "--windows, --sample-interval: expected the number of samples of a window (--average "
            "SAMPLES); found none",
        ),
        (
            {"samples": 0},
            "--average, --windows: expected at least one sample and one window; found 0 and 1",
        ),
        (
            {"samples": 3, "sample_interval": 0.1},
            "--average: expected 1 window(s) of 3 samples every 0.1, all of whose samples are "
            "frames; found frames 1 apart, and none that precede another one in this way. Write "
            "frames more often, or average fewer samples or at a longer --sample-interval",
        ),
        (
            {"samples": 8, "windows": 4, "times": (10.0,)},
            "--average: expected frames with 4 window(s) of 8 samples every 1 that also have "
            "frames at all times of the labels; found none among 21 frames",
        ),
        (
            {"species": None},
            "species: expected names for the file's symbols or types (--species \"",
        ),
        ({"energy": "c_epot"}, "energy: expected a column 'c_epot' (--energy names the column);"),
        (
            {"clock": Clock()},
            "frame 0: time: expected a time; found the number of a time step alone (0). Give the "
            "length of a step (--timestep)",
        ),
        (
            {"clock": Clock(timestep=0.01, start=30.0)},
            "frames: expected two or more at different times from --start to --stop; found 0 of "
            "21, which were written between 0 and 20",
        ),
    ],
)
def test_options(run: Path, options: dict[str, Any], message: str) -> None:
    assert message in refused(run, **options)


def test_clock() -> None:
    with pytest.raises(InputError, match="--timestep, --frame-interval: expected one of them"):
        Clock(timestep=0.1, frame_interval=1.0)
    with pytest.raises(InputError, match="--frame-interval: expected a positive time; found -1"):
        Clock(frame_interval=-1.0)


def test_times_that_are_stated_twice_or_not_at_all(tmp_path: Path) -> None:
    stated = write_trajectory(tmp_path / "a.dump", WALK, times=np.arange(21.0).tolist())
    found = refused(stated)
    assert "frame 0: --timestep: expected none, as the frames state their times" in found
    import ase.io
    from ase import Atoms

    ase.io.write(tmp_path / "a.traj", [Atoms(["H"] * N, x, cell=[BOX] * 3) for x in WALK])
    found = refused(tmp_path / "a.traj")
    assert "time: expected a time or the number of a time step; found neither" in found
    assert "(--frame-interval)" in found


def test_frames_that_are_too_far_apart(tmp_path: Path) -> None:
    """The message says which frame, and how far."""
    walk = WALK.copy()
    walk[7:, 5, 1] += 0.4 * BOX
    file = write_trajectory(tmp_path / "run.dump", walk)
    found = refused(file)
    step = walk[7, 5, 1] - walk[6, 5, 1]
    assert f"{file}: frame 7: positions: expected steps of at most a third of the box" in found
    assert f"found {step:.3g} for particle 5" in found
    assert "images (ix iy iz)" in found
    frames = WALK.copy()
    frames[3] = frames[3][np.random.default_rng(0).permutation(N)]
    mixed = write_trajectory(
        tmp_path / "mixed.dump", frames, ids=False, types=np.ones(N, dtype=int)
    )
    assert "frame 3: positions: expected steps" in refused(mixed, species=SpeciesMap.parse("A"))


def test_images_without_ids(tmp_path: Path) -> None:
    """Atoms in another order would not show where only some frames are read."""
    file = write_trajectory(tmp_path / "run.dump", WALK, style="xu", ids=False)
    found = refused(file)
    assert f"{file}: ids: expected a column id, as LAMMPS changes the order" in found


def test_frames_in_groups_that_have_no_partners(tmp_path: Path) -> None:
    chosen = [k for k in range(21) if k % 10 in (0, 1)]
    steps = [100 * k for k in chosen]
    file = write_trajectory(tmp_path / "run.dump", WALK[chosen], steps=steps, images=True)
    found = refused(file, times=(1.0, 10.0))
    assert "--time: expected times for which some frame has others before and after it" in found
    assert "found 1, 10, and no such frame among 5" in found
    assert "on one side" in refused(file, times=(9.0, 10.0, 11.0, 20.0), one_sided=True)


def test_images_that_were_reset(tmp_path: Path) -> None:
    walk = WALK + np.array([0.9 * BOX, 0.0, 0.0])
    pieces = [walk[:11], walk[11:] - np.array([BOX, 0.0, 0.0])]
    files = [
        write_trajectory(
            tmp_path / f"{k}.dump",
            piece,
            steps=range(1100 * k, 1100 * k + 100 * len(piece), 100),
            images=True,
        )
        for k, piece in enumerate(pieces)
    ]
    found = refused(files)
    assert f"{files[1]}: frame 0: positions: expected images that continue those" in found
    assert f"found {N} particles displaced by whole boxes" in found
    assert "--unwrap continuity" in found
    options = LabelOptions(
        times=(10.0,), clock=STEP, species=SpeciesMap.parse("A,B"), unwrap="continuity"
    )
    result = label_trajectory(files, tmp_path / "labelled.h5", options)
    assert result.configurations == 1


def test_wrapped_positions_that_are_said_not_to_be(run: Path) -> None:
    assert "particles displaced by whole boxes" in refused(run, unwrap="none")


def test_order_of_files(tmp_path: Path) -> None:
    one = write_trajectory(tmp_path / "1.dump", WALK[:11])
    other = write_trajectory(tmp_path / "2.dump", WALK[11:], steps=range(1100, 2100, 100))
    found = refused([other, one])
    assert f"{one}: frame 0: time: expected one after 20, that of the frame before" in found
    assert "found 0. Give the files in order" in found
    assert "independent trajectories" in found
    mixed = write_trajectory(
        tmp_path / "3.dump", WALK, steps=[*range(0, 1100, 100), *range(0, 1000, 100)]
    )
    assert "3.dump: frame 11: time: expected one after 10" in refused(mixed)


def test_a_joint_of_two_different_frames(tmp_path: Path) -> None:
    one = write_trajectory(tmp_path / "1.dump", WALK[:11])
    other = write_trajectory(tmp_path / "2.dump", WALK[11:], steps=range(1000, 2000, 100))
    found = refused([one, other])
    assert f"{other}: frame 0: time: expected the positions of the frame before" in found


def test_frames_that_occur_twice(tmp_path: Path) -> None:
    walk = WALK.copy()
    walk[4] = walk[3]
    found = refused(write_trajectory(tmp_path / "run.dump", walk))
    assert "frame 4: positions: expected particles that moved; found those of the frame" in found


def test_other_particles(tmp_path: Path) -> None:
    def joined(**second: Any) -> str:
        one = write_trajectory(tmp_path / "1.dump", WALK[:11])
        walk = second.pop("walk", WALK)[11:]
        other = write_trajectory(tmp_path / "2.dump", walk, steps=range(1100, 2100, 100), **second)
        return refused([one, other])

    assert "2.dump: frame 0: particles: expected 64 as in the first frame; found 63" in joined(
        walk=WALK[:, :63]
    )
    assert "2.dump: frame 0: species: expected those of the first frame" in joined(
        types=np.ones(N, dtype=int)
    )
    assert "2.dump: frame 0: ids: expected those of the first frame" in joined(
        ids=False, types=np.where(np.arange(N) % 5 == 4, 2, 1)
    )
    found = joined(boxes=[1.05 * BOX] * 10)
    assert "2.dump: frame 0: cell: expected that of the first frame within 2%" in found
    assert "constant volume" in found


def test_energies_in_some_frames_only(tmp_path: Path) -> None:
    one = write_trajectory(tmp_path / "1.dump", WALK[:11], energies=np.zeros((11, N)))
    other = write_trajectory(tmp_path / "2.dump", WALK[11:], steps=range(1100, 2100, 100))
    found = refused([one, other], samples=10)
    assert "2.dump: frame" in found
    assert "energy: expected a column 'c_pe' as in the frames before" in found


def test_zstandard(tmp_path: Path) -> None:
    file = tmp_path / "run.dump.zst"
    file.write_bytes(b"\x28\xb5\x2f\xfd and more")
    assert "compression: expected none, .gz, .bz2 or .xz; found Zstandard" in refused(file)


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    file = write_trajectory(tmp_path / "run.dump", WALK)
    text = file.read_text()
    file.write_text(text[: int(0.97 * len(text))])
    assert "frame 20: expected 64 complete lines of particles" in refused(file, times=(2.0,))

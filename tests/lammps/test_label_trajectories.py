"""Labels of real trajectories, and docs/howto/labels.md: from a trajectory to a model in LAMMPS."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from pages import executed
from systems import liquid
from typer.testing import CliRunner

from glassml.cli import app
from glassml.data import (
    Clock,
    Configuration,
    Dataset,
    LabelOptions,
    SpeciesMap,
    complaints,
    label_trajectory,
    number_of_windows,
)
from glassml.export import read_manifest

# A hot liquid that relaxes in a few time units, in equilibrium after a hundred.
EQUILIBRATE = (
    "minimize 0.0 1.0e-2 50 200\nvelocity all create 2.0 71\nfix nve all nve\n"
    "fix bath all langevin 2.0 2.0 0.2 91\ntimestep 0.005\nthermo 1000\nrun 2000\nunfix bath\n"
    "reset_timestep 0\n"
)
# What makes the page's commands small: a group every 2.5 units of time, and 16 of them.
SMALLER = {
    "20000": "500",
    "4000000": "8000",
    "--time 100": "--time 2.5",
    "times=(100.0,)": "times=(2.5,)",
    "15000": "30",
}


def smaller(text: str) -> str:
    pattern = "|".join(re.escape(key) for key in sorted(SMALLER, key=len, reverse=True))
    return re.sub(pattern, lambda found: SMALLER[found[0]], text)


def test_three_ways_of_unwrapping_agree_on_a_real_trajectory(bench) -> None:
    dumps = {"images": "x y z ix iy iz", "unwrapped": "xu yu zu", "continuity": "x y z"}
    commands = "".join(
        f"dump {name} all custom 20 {name}.dump id type {columns} c_pe\n"
        f"dump_modify {name} format float %.15g\n"
        for name, columns in dumps.items()
    )
    run = f"compute pe all pe/atom\n{commands}run 4000\n"
    bench.run(bench.start(liquid(108, seed=2)) + EQUILIBRATE + run)
    found: dict[str, list[Configuration]] = {}
    for name in dumps:
        options = LabelOptions(
            times=(0.5, 2.0),
            clock=Clock(timestep=0.005),
            samples=5,
            species=SpeciesMap.parse("A,B"),
        )
        label_trajectory([bench.folder / f"{name}.dump"], bench.folder / f"{name}.h5", options)
        with Dataset(bench.folder / f"{name}.h5") as dataset:
            assert list(complaints(dataset)) == []
            found[name] = list(dataset)
    assert [c.provenance["frame_time"] for c in found["images"]] == [2.0 * k for k in range(1, 10)]
    for name in ("unwrapped", "continuity"):
        for one, other in zip(found["images"], found[name], strict=True):
            # 15 digits of positions of up to 10
            np.testing.assert_allclose(one.propensity, other.propensity, atol=1e-12)
            shift = one.structures["average"] - one.positions
            others = other.structures["average"] - other.positions
            np.testing.assert_allclose(shift, others, atol=1e-12)
    frames = bench.frames("unwrapped.dump")
    paths = np.array(
        [np.stack([f["xu"], f["yu"], f["zu"]], 1)[np.argsort(f["id"])] for f in frames]
    )
    paths -= paths.mean(axis=1, keepdims=True)
    ways = paths[[120, 80]] - paths[100]
    third = found["unwrapped"][4]
    assert third.provenance["frame_time"] == 10.0
    expected = np.linalg.norm(ways, axis=2)
    np.testing.assert_allclose(third.propensity[:, 1], expected.mean(axis=0), atol=1e-12)
    energy = frames[100]["c_pe"][np.argsort(frames[100]["id"])]
    np.testing.assert_allclose(third.scalars["potential_energy"], energy, rtol=1e-12)


@pytest.fixture
def trajectory(bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the page's first snippet writes, for a small liquid."""
    (snippet,) = executed("docs/howto/labels.md", "lammps", "1. A trajectory")
    bench.run(bench.start(liquid(125, seed=3)) + EQUILIBRATE + smaller(snippet))
    monkeypatch.chdir(bench.folder)
    return bench.folder


def test_the_page_leads_to_a_model_in_lammps(bench, trajectory: Path, capsys) -> None:
    code = "".join(executed("docs/howto/labels.md", "sh")).replace("\\\n", " ")
    lines = code.splitlines()
    assert [shlex.split(line)[1] for line in lines] == [
        *["data"] * 4,
        *["refit", "evaluate", "info"],
        *["data", "refit"],
    ]
    printed = {}
    for line in lines:
        result = CliRunner().invoke(app, shlex.split(smaller(line))[1:])
        assert result.exit_code == 0, (line, result.output, result.exception)
        printed[line] = result.output
    assert "configurations at least 2.5 apart (the longest time of the labels)" in printed[lines[0]]
    assert "corrected" in printed[lines[5]]
    assert "which average over 2 runs" in " ".join(printed[lines[5]].split())
    train, test = Dataset("train.h5"), Dataset("test.h5")
    times = [c.provenance["frame_time"] for c in train]
    # the ends of groups that have one before and one after them
    np.testing.assert_allclose(times, 1.9 + 2.5 * np.arange(1, 11), atol=1e-9)
    assert [c.provenance["frame_time"] for c in test] == pytest.approx([34.4, 36.9])
    assert all(number_of_windows(c) == 1 and c.n_runs == 2 for c in (*train, *test))
    window = read_manifest("model.pt").window
    assert window is not None
    assert str(window) == "20 samples every 0.1"
    (snippet,) = executed("docs/howto/labels.md", "python")
    exec(compile(smaller(snippet), "docs/howto/labels.md", "exec"), {})
    assert f"{len(train)} images or unwrapped coordinates" in capsys.readouterr().out
    assert Dataset("python.h5").sha256 == train.sha256
    averaged, thermal = executed("docs/howto/labels.md", "lammps", "4. In LAMMPS")
    # An equilibrium liquid moves as its labels say; averages begin with the first full window.
    for commands, labels, first in (
        (averaged + "run 2000\n", "train.h5", 400),
        (thermal, "thermal.h5", 0),
    ):
        done = bench.run(bench.start(liquid(125, seed=3)) + EQUILIBRATE + commands)
        assert "WARNING: fix ml" not in done.stdout  # the window is that of the labels
        values = [frame["f_ml[1]"] for frame in bench.frames("mobile.dump")]
        assert len(values) == 6
        expected = np.mean([c.propensity.mean() for c in Dataset(labels)])
        np.testing.assert_allclose(np.mean(values[1:]), expected, rtol=0.2)
        assert [bool(np.any(frame)) for frame in values] == [first == 0, *[True] * 5]


def test_a_continued_run_in_several_files(bench) -> None:
    """Two runs of LAMMPS, the second from a restart file: its first frame is known already."""
    dump = (
        "dump frames all custom 100 part{k}.dump.gz id type xu yu zu\ndump_modify frames sort id\n"
    )
    first = dump.format(k=1) + "run 2000\nwrite_restart half.restart\n"
    bench.run(bench.start(liquid(108, seed=5)) + EQUILIBRATE + first)
    pair = re.findall(r"(pair_\w+ .*\n)", bench.start(liquid(108, seed=5)))
    second = "".join(pair) + "timestep 0.005\nfix nve all nve\n" + dump.format(k=2) + "run 2000\n"
    bench.run("read_restart half.restart\n" + second)
    paths = [bench.folder / f"part{k}.dump.gz" for k in (1, 2)]
    options = LabelOptions(
        times=(5.0,), clock=Clock(timestep=0.005), species=SpeciesMap.parse("A,B")
    )
    result = label_trajectory(paths, bench.folder / "labelled.h5", options)
    assert (result.frames, result.length, result.configurations) == (41, 20.0, 3)
    with Dataset(bench.folder / "labelled.h5") as dataset:
        assert [c.provenance["source"] for c in dataset] == [
            "part1.dump.gz",
            "part1.dump.gz",
            "part2.dump.gz",
        ]

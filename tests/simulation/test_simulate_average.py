"""The section `average` of a simulation: windows of short runs, or of isoconfigurational runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulation.simulations import liquid_config

from glassml.data import Dataset, Window, number_of_windows, window_of
from glassml.errors import ConfigError
from glassml.simulation.pipeline import simulate
from glassml.simulation.pipeline.liquid import liquid_of
from glassml.simulation.pipeline.stage_tasks import (
    LiquidSample,
    State,
    cage_task,
    label_tasks,
    melt,
    structure_task,
)

QUICK = (
    "temperatures=[2.5]",
    "replicas=1",
    "configurations=2",
    "separation=1.0",
    "equilibration.length=4.0",
    "equilibration.budget=4.0",
    "quench=null",
    "cage=null",
    "ensemble.times=[0.02, 0.1]",
)
# Steps 0, 4, 8, 12, 16 and 20 of the runs, with labels at steps 4 and 20.
RUNS = ("average.interval=0.02", "average.samples=6", "average.windows=runs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulation with windows of its runs, then changed to two windows of short runs."""
    return tmp_path_factory.mktemp("averages")


@pytest.fixture(scope="module")
def of_runs(folder: Path) -> Dataset:
    return Dataset(simulate(liquid_config(folder / "runs", *QUICK, *RUNS)).datasets[0])


def test_every_run_gives_a_window(of_runs: Dataset):
    assert of_runs.description["settings"]["average"]["windows"] == "runs"
    for name in of_runs.names:
        c = of_runs.read(name, final_positions=True)
        assert number_of_windows(c) == c.n_runs == 2
        assert window_of(c) == Window(0.02, 6)
        assert c.final_positions is not None
        for k, suffix in enumerate(("", "_2")):
            shift = c.structures["average" + suffix] - c.positions
            np.testing.assert_allclose(
                c.scalars["average_displacement" + suffix], np.linalg.norm(shift, axis=1)
            )
            # In a window of 0.1 a particle moves on a curve: its mean is within the path to its
            # end (the drift of the end and the float32 of final positions are negligible).
            end = c.final_positions[k, -1] - c.positions
            along = (shift * end).sum(axis=1) / (end * end).sum(axis=1)
            assert 0.3 < np.median(along) < 0.7
            vibration = c.scalars["vibration" + suffix]
            assert vibration.min() > 0
            assert vibration.max() < np.linalg.norm(end, axis=1).max()
            assert (
                np.abs(c.scalars["average_energy" + suffix] - c.scalars["potential_energy"]).mean()
                < c.scalars["potential_energy"].std()
            )
        assert np.abs(c.structures["average"] - c.structures["average_2"]).min() > 0


def test_windows_of_short_runs_need_no_other_task_again(of_runs: Dataset, folder: Path):
    plain = simulate(liquid_config(folder / "runs", *QUICK)).datasets[0]
    work = folder / "runs" / "work"
    before = {path.name for path in work.iterdir()}
    short = ("average.interval=0.02", "average.samples=5", "average.windows=2")
    again = simulate(liquid_config(folder / "runs", *QUICK, *short)).datasets[0]
    new = {path.name for path in work.iterdir()} - before
    assert sorted(file.name for name in new for file in (work / name).glob("*.npz")) == [
        "T2.5-0001-average.npz",
        "T2.5-0002-average.npz",
    ]
    with Dataset(plain) as a, Dataset(again) as b:
        for name in a.names:
            one, other = a[name], b[name]
            assert number_of_windows(other) == 2
            np.testing.assert_array_equal(one.positions, other.positions)
            np.testing.assert_array_equal(one.propensity, other.propensity)
            # The second window is later, so farther away.
            near, far = (
                np.linalg.norm(other.structures[f"average{s}"] - other.positions, axis=1).mean()
                for s in ("", "_2")
            )
            assert 0 < near < far
    assert all(not list(path.glob("*.bin")) for path in work.iterdir())


def test_tasks_without_the_section_are_those_of_earlier_versions(tmp_path: Path):
    """The keys that these tasks had before the section existed: their results are used again."""
    liquid = liquid_of(liquid_config(tmp_path))
    sample = LiquidSample("T2-0001", 2.0, 1, State("start.restart", "0" * 16))
    runs, labels = label_tasks(liquid, sample, (2, 20))
    assert liquid.config.cage is not None
    assert structure_task(liquid, sample).key == "9edb390b17f355e4"
    assert [run.key for run in runs] == ["9178b5770e53f2f2", "aab3d326085f1707"]
    assert labels.key == "626190ca8a68ad4a"
    assert cage_task(liquid, sample, liquid.config.cage).key == "ff9c3413a6c2ed0a"
    assert melt(liquid, 1)[1][-1].key == "620e0de8de901e01"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("average.interval=0.012",), "average.interval: expected a multiple of the timestep"),
        (("average.windows=runs", "ensemble=null"), "average.windows: expected a number, as there"),
        (
            (*RUNS, "ensemble.dynamics=nvt"),
            "average.windows: expected a number, .* runs of constant energy, .* nvt; found 'runs'",
        ),
        (
            ("average.windows=runs", "ensemble.times=[0.1]"),
            "average.samples: expected a window within the runs of 0.1; found 20 samples every 0.1",
        ),
    ],
)
def test_mistakes_are_named_before_any_work(overrides, message, tmp_path: Path):
    config = liquid_config(tmp_path / "run", *QUICK, *overrides)
    with pytest.raises(ConfigError, match=message):
        simulate(config)
    assert not list((tmp_path / "run" / "work").glob("*/*.restart"))

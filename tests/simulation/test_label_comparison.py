"""The script that compares labels of a trajectory with isoconfigurational ones, made small."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from glassml.data import Dataset
from glassml.progress import SILENT

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "labels" / "compare.py"
SMALLEST = [
    *("--time", "0.5", "--frames", "5", "--configurations", "3", "--runs", "4", "--test", "2"),
    *("--samples", "3", "--draws", "2"),
]


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    specification = importlib.util.spec_from_file_location("compare", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    sys.modules["compare"] = module
    specification.loader.exec_module(module)
    return module


def test_all_trials_are_reported_and_nothing_is_done_twice(
    compare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare.main([str(tmp_path), *SMALLEST])
    first = (tmp_path / "trials.csv").read_text()
    rows = list(csv.DictReader(first.splitlines()))
    # Two draws of 2 and of 4 frames of the trajectory, one of all 5; two draws of 2 frames and one
    # of all 3 with four runs, and with three of them; two species
    assert len(rows) == (2 * 2 + 1 + 2 * (2 + 1)) * 2
    costs = {(row["labels"], int(row["frames"])): int(row["cost"]) for row in rows}
    assert costs == {
        **{("trajectory", n): n + 1 for n in (2, 4, 5)},
        **{("4 runs", n): 5 * n for n in (2, 3)},
        **{("3 runs", n): 4 * n for n in (2, 3)},
    }
    assert np.isfinite([float(row["pearson_mean"]) for row in rows]).all()
    frames, ensembles = Dataset(tmp_path / "train_frames.h5"), Dataset(tmp_path / "train.h5")
    assert len(frames) == 5
    assert [c.n_runs for c in ensembles] == [4] * 3
    for one, other in zip(frames, ensembles, strict=False):
        np.testing.assert_array_equal(one.positions, other.positions)
        # Means over 1000 particles of two and of four runs of the same liquid.
        np.testing.assert_allclose(one.propensity.mean(), other.propensity.mean(), rtol=0.1)
    assert (tmp_path / "curve.png").is_file()
    (tmp_path / "train.h5").unlink()
    for name in ("run_lammps", "label_trajectory"):
        monkeypatch.delattr(compare, name)
    compare.main([str(tmp_path), *SMALLEST])
    assert (tmp_path / "trials.csv").read_text() == first


def test_few_runs(compare: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three runs are compared once; two would be taken for labels of the trajectory."""
    work = tmp_path / "work"
    with pytest.raises(SystemExit):
        compare.main([str(work), "--runs", "2"])
    assert "--runs: expected 3 or more" in capsys.readouterr().err
    assert not work.exists()
    work.mkdir()
    # Empty files stand in for data that are made already: only their existence counts here.
    made = ("train.dump.gz", "train_frames.h5", "train.h5", "test.dump.gz", "test_frames.h5")
    for name in (*made, "test.h5"):
        (work / name).touch()
    options = argparse.Namespace(runs=3, time=0.5, frames=5, configurations=3, test=2, samples=3)
    found = compare.make_data(work, options, SILENT)
    assert found == {2: work / "train_frames.h5", 3: work / "train.h5", 0: work / "test.h5"}

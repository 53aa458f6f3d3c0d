"""Sweeps that run: numbers, interruptions, failures and pictures."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure
from scoring import find
from training.tiny_dataset import sweep_settings
from typer.testing import CliRunner

from glassml.analysis import pearson_all, pearson_mean
from glassml.cli import app
from glassml.data import Dataset
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.scores import Score
from glassml.studies.sweep import (
    SweepResults,
    load_sweep_config,
    parse_sweep_config,
    plan,
    sweep,
)
from glassml.studies.sweep.sweep_picture import sweep_figure
from glassml.studies.sweep.sweep_results import SettingScores
from glassml.studies.sweep.sweep_runs import PREDICTIONS
from glassml.training import load_trained_model

pytestmark = pytest.mark.usefixtures("one_thread")


def run(settings: dict[str, Any], **options: int) -> SweepResults:
    return sweep(parse_sweep_config(settings), **options)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def done(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SweepResults]:
    """The folder and the results of a sweep of two folds and two seeds."""
    settings = sweep_settings(dataset, tmp_path_factory.mktemp("done") / "sweep")
    settings |= {"axes": {}, "seeds": [0, 1]}
    return Path(settings["output"]), run(settings, threads=1)


def test_numbers_are_those_of_the_checkpoints(done, dataset, tmp_path: Path) -> None:
    """Cross-validated coefficients, computed again with exported models."""
    folder, _ = done
    config = load_sweep_config(folder / "sweep.yaml")
    configurations = {c.name: c for c in Dataset(dataset)}
    for kind in ("last", "best"):
        found = [r for r in rows_of(folder / "results.csv") if r["epoch"] == kind]
        assert [(r["species"], r["time"], r["kind"], r["error_kind"]) for r in found] == [
            (species, time, kind_of_mean, f"standard deviation over {spread}")
            for species in "AB"
            for time in ("0.5", "100.0")
            for kind_of_mean in ("all", "mean")
            for spread in ("seeds", "folds")
        ]
        expected: dict[str, list[np.ndarray]] = {"all": [], "mean": []}
        for seed in (0, 1):
            predicted, labels, species = [], [], []
            for point in (p for p in plan(config).points if p.seed == seed):
                checkpoint = folder / "runs" / point.key / f"checkpoints/{kind}.ckpt"
                save_model(load_trained_model(checkpoint).model, tmp_path / "m.pt", dtype="float64")
                model = Predictor(tmp_path / "m.pt", device="cpu")
                for name in point.config.data.validation:
                    predicted.append(model.predict([configurations[name]])[0]["propensity"])
                    labels.append(configurations[name].propensity)
                    species.append(configurations[name].species)
            assert len(predicted) == 6
            for name, statistic in (("all", pearson_all), ("mean", pearson_mean)):
                expected[name].append(statistic(predicted, labels, species, 2).ravel())
        for name, values in expected.items():
            # The runs compute in float32.
            for spread in ("seeds", "folds"):
                key = (name, f"standard deviation over {spread}")
                numbers = [float(r["value"]) for r in found if (r["kind"], r["error_kind"]) == key]
                np.testing.assert_allclose(numbers, np.mean(values, axis=0), atol=1e-5)


def test_spread_over_seeds_and_folds(done) -> None:
    _, results = done
    chosen = [run for run in results.runs if run.epoch == "last"]
    (setting,) = (s for s in results.settings if s.epoch == "last")
    assert (setting.seeds, setting.folds, len(chosen)) == (2, 2, 4)
    by_seed = [
        [find(run.scores, "mean", "A", 100.0).value for run in chosen if run.seed == seed]
        for seed in (0, 1)
    ]
    over_seeds, over_folds = (
        score
        for score in setting.scores
        if (score.species, score.time, score.kind) == ("A", 100.0, "mean")
    )
    # Folds of three configurations each, so averages of folds are averages of configurations.
    assert over_seeds.value == over_folds.value == pytest.approx(np.mean(by_seed), rel=1e-9)
    expected = np.std(np.mean(by_seed, axis=1), ddof=1)
    assert over_seeds.error == pytest.approx(expected, rel=1e-9)
    assert over_seeds.error_kind == "standard deviation over seeds"
    expected = np.std(by_seed, axis=1, ddof=1).mean()
    assert over_folds.error == pytest.approx(expected, rel=1e-9)
    assert over_folds.error_kind == "standard deviation over folds"
    assert over_seeds.error > 0
    assert over_seeds.configurations == 6


def without_seconds(path: Path) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows_of(path)]


def assert_identical(one: Path, other: Path) -> None:
    for name in ("results.csv", "results.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    assert without_seconds(one / "runs.csv") == without_seconds(other / "runs.csv")
    keys = sorted(path.parent.name for path in one.glob(f"runs/*/{PREDICTIONS}"))
    assert len(keys) == 3
    for key in keys:
        arrays, others = (
            np.load(folder / "runs" / key / PREDICTIONS, allow_pickle=False)
            for folder in (one, other)
        )
        assert sorted(arrays) == sorted(others)
        for name in arrays:
            np.testing.assert_array_equal(arrays[name], others[name])


def test_killed_and_gone_on_with_two_jobs_is_as_never_interrupted(settings, tmp_path: Path) -> None:
    settings |= {"axes": {}, "folds": 3}
    settings["base"]["training"]["epochs"] = 6
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(settings))
    code = "from glassml.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "sweep", str(tmp_path / "s.yaml"), "--threads", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    folder = Path(settings["output"])
    # One run is done and the second one is between its first and its last epoch.
    while len(list(folder.glob("runs/*/checkpoints/last.ckpt"))) < 2:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    done = {
        path.parent.name: path.stat().st_mtime_ns for path in folder.glob(f"runs/*/{PREDICTIONS}")
    }
    assert len(done) == 1
    assert not (folder / "results.csv").exists()
    results = run(settings, jobs=2, threads=1)
    assert (results.missing, results.failed) == (0, {})
    for key, written in done.items():  # what was done is not done again
        assert (folder / "runs" / key / PREDICTIONS).stat().st_mtime_ns == written
    starts = [json.loads(p.read_text()) for p in folder.glob("runs/*/versions.json")]
    assert sorted(len(entries) for entries in starts) == [1, 1, 2]
    settings["output"] = str(tmp_path / "other")
    run(settings, threads=1)
    assert_identical(folder, tmp_path / "other")


def test_dask_trains_the_same_models(done, settings) -> None:
    pytest.importorskip("distributed", reason='needs pip install "glassml[cluster]"')
    results = run(settings | {"axes": {}, "cluster": {"kind": "local"}}, jobs=2, threads=1)
    assert (results.missing, results.failed) == (0, {})
    paths = list(Path(settings["output"]).glob(f"runs/*/{PREDICTIONS}"))
    assert len(paths) == 2
    for path in paths:
        expected = done[0] / "runs" / path.parent.name / PREDICTIONS
        for kind in ("last", "best"):
            np.testing.assert_array_equal(np.load(path)[kind], np.load(expected)[kind])


def test_a_failing_run_does_not_stop_the_others(settings, tmp_path: Path) -> None:
    settings |= {"axes": {}, "variants": {"broken": {"training.optimiser.lr": 1e30}}}
    points = plan(parse_sweep_config(settings)).points
    # As if it had been killed in the milliseconds before ``config.yaml`` is there.
    left = Path(settings["output"]) / "runs" / points[0].key
    left.mkdir(parents=True)
    (left / "data.json").write_text("{}")
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(settings))
    said = CliRunner().invoke(app, ["sweep", str(tmp_path / "s.yaml")])
    assert said.exit_code == 1
    assert "4 runs of 4 points, 0 of them done" in said.stdout
    assert "[2/4] base, 3 configurations, seed 0, fold 2" in said.stdout
    content = json.loads((tmp_path / "sweep" / "results.json").read_text())
    assert set(content["failed"]) == {p.key for p in points if p.variant == "broken"}
    assert all("expected a finite number" in why for why in content["failed"].values())
    assert content["missing"] == 2
    scores = {s["setting"]: s for s in content["scores"] if s["epoch"] == "last"}
    assert (scores["base"]["seeds"], scores["broken"]["seeds"]) == (1, 0)
    assert scores["base"]["value"] is not None
    assert scores["broken"]["value"] is None


def test_learning_curve_on_a_fixed_validation_set(settings, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(settings))
    result = CliRunner().invoke(
        app,
        ["sweep", str(tmp_path / "s.yaml"), "base.training.epochs=1", "axes={}", "epoch=best",
         "folds=null", "base.data.validation=[sample_0, sample_3]", "sizes=[1, 3]"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "[2/2] base, 3 configurations, seed 0, fold 1" in result.stdout
    assert "too good" in " ".join(result.stdout.split())
    folder = tmp_path / "sweep"
    assert (folder / "results.png").read_bytes().startswith(b"\x89PNG")
    assert {row["size"] for row in rows_of(folder / "results.csv")} == {"1.0", "3.0"}
    again = CliRunner().invoke(app, ["sweep", str(folder / "sweep.yaml")])
    assert "2 runs of 2 points, 2 of them done" in again.stdout


def found(setting: str, size: float, value: float) -> SettingScores:
    scores = (
        Score(
            species="A", time=0.5, kind=kind, value=value + shift, error=0.1 + shift,
            error_kind="standard deviation over folds",
        )
        for kind, shift in (("all", 0.0), ("mean", 0.1))
    )  # fmt: skip
    return SettingScores(setting, size, "last", 1, 2, tuple(scores))


def figure_of(settings: dict[str, Any], found: list[SettingScores]) -> Figure:
    config = parse_sweep_config(settings | {"time": 0.5})
    figure = sweep_figure(config, plan(config), SweepResults((), tuple(found), {}, 0))
    assert figure is not None
    assert figure.get_suptitle().endswith("bars: standard deviation over folds")
    return figure


def test_there_is_no_figure_before_there_are_results(settings) -> None:
    config = parse_sweep_config(settings)
    assert sweep_figure(config, plan(config), SweepResults((), (), {}, 4)) is None


def test_the_figure_of_an_ablation(settings) -> None:
    names = ("base", "model.channels=2", "model.channels=3")
    values = [found(name, 3.0, 0.1 * k) for k, name in enumerate(names)]
    (axes,) = figure_of(settings, values).axes
    mean, pooled = (c.lines[0].get_xydata()[:, 0] for c in axes.containers)
    np.testing.assert_allclose(mean, [0.2, 0.3])
    np.testing.assert_allclose(pooled, [0.1, 0.2])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["2", "3"]


def test_the_figure_of_a_learning_curve(settings) -> None:
    settings |= {"axes": {}, "sizes": [1, 2]}
    values = [found("base", size, 0.2 * size) for size in (1.0, 2.0)]
    pooled, mean = figure_of(settings, values).axes
    assert pooled.get_xscale() == mean.get_xscale() == "log"
    curve = mean.containers[0].lines[0].get_xydata()
    np.testing.assert_allclose(curve, [[1, 0.3], [2, 0.5]])

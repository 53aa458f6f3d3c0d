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
import torch
import yaml
from rich.console import Console
from typer.testing import CliRunner

from glassml.analysis import pearson_all, pearson_mean
from glassml.analysis.sweep import SweepResults, parse_sweep_config, plan, sweep
from glassml.analysis.sweep.picture import sweep_picture
from glassml.analysis.sweep.results import SweepScore
from glassml.analysis.sweep.runner import PREDICTIONS
from glassml.cli import app
from glassml.data import Dataset
from glassml.export import Predictor, save_model
from glassml.training import load_trained_model

pytestmark = pytest.mark.usefixtures("one_thread")


def run(settings: dict[str, Any], **options: int) -> SweepResults:
    return sweep(parse_sweep_config(settings), console=Console(quiet=True), **options)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_numbers_are_those_of_the_checkpoints(settings, dataset, tmp_path: Path) -> None:
    """Cross-validated coefficients, computed again with exported models."""
    settings["axes"] = {}
    run(settings)
    folder = Path(settings["output"])
    configurations = {c.name: c for c in Dataset(dataset)}
    for kind in ("last", "best"):
        predicted, labels, species = [], [], []
        for point in plan(parse_sweep_config(settings)).points:
            checkpoint = folder / "runs" / point.key / f"checkpoints/{kind}.ckpt"
            save_model(load_trained_model(checkpoint).model, tmp_path / "m.pt", dtype="float64")
            for name in point.config.data.validation:
                c = configurations[name]
                model = Predictor(tmp_path / "m.pt", device="cpu")
                predicted.append(model.predict([c])[0]["propensity"])
                labels.append(c.propensity)
                species.append(c.species)
        assert len(predicted) == 6
        found = [r for r in rows_of(folder / "results.csv") if r["epoch"] == kind]
        assert [(r["species"], r["time"]) for r in found] == [
            (s, t) for s in "AB" for t in ("0.5", "100.0")
        ]
        for statistic, column in ((pearson_all, "pearson_all"), (pearson_mean, "pearson_mean")):
            expected = statistic(predicted, labels, species, 2).ravel()
            # The runs compute in float32.
            np.testing.assert_allclose([float(r[column]) for r in found], expected, atol=1e-5)


def test_spread_over_seeds_and_folds(settings) -> None:
    settings |= {"axes": {}, "seeds": [0, 1]}
    results = run(settings)
    chosen = [r for r in results.runs if (r.epoch, r.species, r.time) == ("last", "A", 100.0)]
    score = next(s for s in results.scores if (s.epoch, s.species, s.time) == ("last", "A", 100.0))
    assert (score.seeds, score.folds, len(chosen)) == (2, 2, 4)
    by_seed = [[r.pearson_mean for r in chosen if r.seed == seed] for seed in (0, 1)]
    # Folds of three configurations each, so averages of folds are averages of configurations.
    assert score.pearson_mean == pytest.approx(np.mean(by_seed), rel=1e-9)
    over_seeds = np.std(np.mean(by_seed, axis=1), ddof=1)
    assert score.pearson_mean_seeds == pytest.approx(over_seeds, rel=1e-9)
    over_folds = np.std(by_seed, axis=1, ddof=1).mean()
    assert score.pearson_mean_folds == pytest.approx(over_folds, rel=1e-9)
    assert score.pearson_mean_seeds > 0


def without_seconds(path: Path) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows_of(path)]


def assert_identical(one: Path, other: Path) -> None:
    for name in ("results.csv", "results.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    assert without_seconds(one / "runs.csv") == without_seconds(other / "runs.csv")
    keys = sorted(path.parent.name for path in one.glob(f"runs/*/{PREDICTIONS}"))
    assert len(keys) == 4
    for key in keys:
        arrays, others = (
            np.load(folder / "runs" / key / PREDICTIONS, allow_pickle=False)
            for folder in (one, other)
        )
        assert sorted(arrays) == sorted(others)
        for name in arrays:
            np.testing.assert_array_equal(arrays[name], others[name])


def test_killed_and_gone_on_with_two_jobs_is_as_never_interrupted(settings, tmp_path: Path) -> None:
    settings["base"]["training"]["epochs"] = 12
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
    assert sorted(len(entries) for entries in starts) == [1, 1, 1, 2]
    settings["output"] = str(tmp_path / "other")
    run(settings, threads=1)
    assert_identical(folder, tmp_path / "other")


def test_a_run_without_a_configuration_starts_afresh(settings) -> None:
    """Killed in the milliseconds before ``config.yaml`` is there."""
    settings["axes"] = {}
    config = parse_sweep_config(settings)
    left = Path(settings["output"]) / "runs" / plan(config).points[0].key
    left.mkdir(parents=True)
    (left / "data.json").write_text("{}")
    assert run(settings).missing == 0


def test_a_failing_run_does_not_stop_the_others(settings, tmp_path: Path) -> None:
    settings["axes"] = {}
    settings["variants"] = {"broken": {"training.optimiser.lr": 1e30}}
    results = run(settings)
    points = plan(parse_sweep_config(settings)).points
    broken = {p.key for p in points if p.variant == "broken"}
    assert set(results.failed) == broken
    assert all("loss became" in why for why in results.failed.values())
    assert results.missing == 2
    scores = {s.setting: s for s in results.scores if s.epoch == "last"}
    assert (scores["base"].seeds, scores["broken"].seeds) == (1, 0)
    assert np.isfinite(scores["base"].pearson_all)
    assert np.isnan(scores["broken"].pearson_all)
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(settings))
    said = CliRunner().invoke(app, ["sweep", str(tmp_path / "s.yaml")])
    assert said.exit_code == 1
    assert "2 of them done" in said.stdout
    assert said.output.count("failed: ") >= 2


def test_command(settings, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(settings))
    result = CliRunner().invoke(
        app,
        ["sweep", str(tmp_path / "s.yaml"), "base.training.epochs=1", "axes={}", "epoch=best",
         "sizes=[1, 3]"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "4 runs of 4 points, 0 of them done" in result.stdout
    assert "[4/4] base, 3 configurations, seed 0, fold 2" in result.stdout
    assert "too good" in " ".join(result.stdout.split())
    folder = tmp_path / "sweep"
    assert (folder / "results.png").read_bytes().startswith(b"\x89PNG")
    assert {row["size"] for row in rows_of(folder / "results.csv")} == {"1.0", "3.0"}
    assert torch.get_num_threads() == 1


def score(setting: str, size: float, value: float) -> SweepScore:
    return SweepScore(
        setting, size, "last", "A", 0.5, 1, 2, value, np.nan, 0.1, value + 0.1, np.nan, 0.2
    )


def drawn_figure(monkeypatch, settings: dict[str, Any], scores: list[SweepScore]):
    from matplotlib.figure import Figure

    config = parse_sweep_config(settings | {"time": 0.5})
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **k: figures.append(figure))
    results = SweepResults((), tuple(scores), {}, 0)
    sweep_picture(config, plan(config), results, Path(settings["output"]) / "p.png")
    return figures[0]


def test_the_picture_of_an_ablation(settings, monkeypatch) -> None:
    names = ("base", "model.channels=2", "model.channels=3")
    scores = [score(name, 3.0, 0.1 * k) for k, name in enumerate(names)]
    (axes,) = drawn_figure(monkeypatch, settings, scores).axes
    mean, pooled = (c.lines[0].get_xdata() for c in axes.containers)
    np.testing.assert_allclose(mean, [0.2, 0.3])
    np.testing.assert_allclose(pooled, [0.1, 0.2])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["2", "3"]


def test_the_picture_of_a_learning_curve(settings, monkeypatch) -> None:
    settings |= {"axes": {}, "sizes": [1, 2]}
    scores = [score("base", size, 0.2 * size) for size in (1.0, 2.0)]
    pooled, mean = drawn_figure(monkeypatch, settings, scores).axes
    assert pooled.get_xscale() == mean.get_xscale() == "log"
    curve = mean.containers[0].lines[0].get_xydata()
    np.testing.assert_allclose(curve, [[1, 0.3], [2, 0.5]])

"""`glassml evaluate`: the analytic model against labels that are made from its predictions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from scoring import find, scores_of
from systems import liquid, moved
from typer.testing import CliRunner

from glassml.analysis import ModelPredictions, compare
from glassml.cli import app
from glassml.data import Configuration, Dataset, DatasetWriter
from glassml.errors import InputError
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import build
from glassml.provenance import KnownConfiguration, Side, TrainingRecord

TIMES = (1.0, 10.0)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    save_model(build("analytic", times=TIMES), path, dtype="float64")
    return path


def _configurations() -> list[Configuration]:
    return [moved(liquid(60, seed=k), name=f"c{k}") for k in range(3)]


def _write(path: Path, labels: list[np.ndarray], times: tuple[float, ...]) -> Dataset:
    with DatasetWriter(path) as writer:
        for configuration, label in zip(_configurations(), labels, strict=True):
            writer.add(moved(configuration, times=np.array(times), propensity=label))
    return Dataset(path)


def _predicted(model: Path) -> list[np.ndarray]:
    predictions = Predictor(model, "cpu").predict(_configurations())
    return [p["propensity"] for p in predictions]


def test_labels_that_are_linear_in_the_predictions_correlate_fully(
    model: Path, tmp_path: Path
) -> None:
    labels = [np.abs(2 * p + 3) for p in _predicted(model)]
    dataset = _write(tmp_path / "d.h5", labels, TIMES)
    sources = [ModelPredictions(Predictor(model, "cpu"), dataset)]
    (result,) = compare(dataset, sources, resamples=0).evaluations
    expected = [("A", 1.0), ("A", 10.0), ("B", 1.0), ("B", 10.0)]
    assert [(s.species, s.time) for s in result.samples] == expected
    assert list(dict.fromkeys((s.species, s.time) for s in result.scores)) == expected
    assert sum(s.particles for s in result.samples if s.time == 1.0) == 180
    correlations = [s for s in result.scores if s.statistic != "r2"]
    assert len(correlations) == 4 * 2 * 2
    for score in correlations:
        assert score.value == pytest.approx(1.0)
        assert score.error is None


def test_one_time_of_several_finds_its_column(model: Path, tmp_path: Path) -> None:
    """Noise in the label of the other time shows if the wrong column is compared."""
    labels = [p[:, 1:] for p in _predicted(model)]
    dataset = _write(tmp_path / "d.h5", labels, TIMES[1:])
    scores = scores_of(Predictor(model, "cpu"), dataset)
    assert {s.time for s in scores} == {10.0}
    for species in "AB":
        assert find(scores, "all", species, 10.0).value == pytest.approx(1.0)


def test_labels_at_other_times_are_refused(model: Path, tmp_path: Path) -> None:
    dataset = _write(tmp_path / "d.h5", _predicted(model), (2.0, 20.0))
    with pytest.raises(
        InputError, match=r"d\.h5: times: .*model\.pt predicts \(1, 10\); found 2, 20"
    ):
        scores_of(Predictor(model, "cpu"), dataset)


def test_labels_are_needed(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "bare.h5"
    with DatasetWriter(path) as writer:
        writer.add(_configurations()[0])
    with pytest.raises(InputError, match=r"bare\.h5"):
        scores_of(Predictor(model, "cpu"), Dataset(path))


def test_a_configuration_without_finite_predictions_is_named(tmp_path: Path) -> None:
    save_model(
        build("analytic", times=TIMES, scalar_inputs=["charge"]), tmp_path / "m.pt", dtype="float64"
    )
    labels = np.random.default_rng(0).uniform(1.0, 2.0, (60, 2))
    # The sum over neighbours of the second one's charges overflows.
    with DatasetWriter(tmp_path / "d.h5") as writer:
        for configuration, charge in zip(_configurations(), (1.0, 1e308, 1.0), strict=True):
            scalars = {"charge": np.full(60, charge)}
            fields = {"times": np.array(TIMES), "propensity": labels, "scalars": scalars}
            writer.add(moved(configuration, **fields))
    with pytest.raises(InputError, match=r"^c1: output 'propensity' of m\.pt: expected finite"):
        scores_of(Predictor(tmp_path / "m.pt", "cpu"), Dataset(tmp_path / "d.h5"))


def test_a_damaged_configuration_is_named(model: Path, tmp_path: Path) -> None:
    dataset = _write(tmp_path / "d.h5", _predicted(model), TIMES)
    dataset.close()
    with h5py.File(dataset.path, "r+") as file:
        file["configurations/c1/propensity"][3] += 1.0
    with pytest.raises(InputError, match=r"d\.h5: c1: .* found others, by their checksum"):
        scores_of(Predictor(model, "cpu"), Dataset(dataset.path))


def test_the_command_shows_a_table_and_writes_the_numbers(model: Path, tmp_path: Path) -> None:
    labels = [np.stack([p[:, 0], np.full(60, 0.5)], axis=1) for p in _predicted(model)]
    _write(tmp_path / "d.h5", labels, TIMES)
    files = {name: tmp_path / f"scores.{name}" for name in ("json", "csv")}
    command = ["evaluate", str(model), str(tmp_path / "d.h5"), "--device", "cpu"]
    for path in files.values():
        command += ["--table", str(path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "model.pt on d.h5 (3 configurations)" in result.stdout
    assert "1.000" in result.stdout
    content = json.loads(files["json"].read_text(encoding="utf-8"))
    assert content["sha256"] == Dataset(tmp_path / "d.h5").sha256
    for time, kind, value in ((1.0, "all", 1.0), (1.0, "mean", 1.0), (10.0, "all", None)):
        (row,) = (r for r in content["scores"] if _key(r) == ("A", str(time), "pearson", kind))
        assert row["value"] == pytest.approx(value)  # equal labels have no coefficient
    with files["csv"].open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(content["scores"]) == 2 * 2 * 3 * 2
    found = {_key(row): row for row in rows}
    assert found["A", "10.0", "pearson", "all"]["value"] == "nan"
    assert found["A", "10.0", "pearson", "all"]["error"] == ""
    bootstrapped = found["A", "1.0", "spearman", "mean"]
    assert bootstrapped["error_kind"] == "bootstrap over configurations"
    assert "Error bars in brackets: bootstrap over configurations" in " ".join(
        result.stdout.split()
    )


def _key(row: dict) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("species", "time", "statistic", "kind"))


def test_models_are_compared_at_the_times_that_they_predict(model: Path, tmp_path: Path) -> None:
    """Two files of one name are named by their paths; a time that is not predicted is left out."""
    _write(tmp_path / "d.h5", _predicted(model), (1.0, 20.0))
    paths = [tmp_path / folder / "model.pt" for folder in ("one", "other")]
    for path in paths:
        path.parent.mkdir()
        path.symlink_to(model)
    numbers = tmp_path / "scores.json"
    command = ["evaluate", *map(str, paths), str(tmp_path / "d.h5"), "--table", str(numbers)]
    result = CliRunner().invoke(app, [*command, "--device", "cpu"])
    assert result.exit_code == 0, result.output
    content = json.loads(numbers.read_text(encoding="utf-8"))
    assert [source["name"] for source in content["models"]] == [str(path) for path in paths]
    found = {(s["model"], *_key(s)): s for s in content["scores"]}
    for path in paths:
        assert found[str(path), "A", "1.0", "pearson", "all"]["value"] == pytest.approx(1.0)
        assert found[str(path), "A", "20.0", "pearson", "all"]["configurations"] == 0
        assert found[str(path), "A", "20.0", "pearson", "all"]["value"] is None


def test_an_overlap_with_the_training_data_is_reported(model: Path, tmp_path: Path) -> None:
    labels = [p * (1 + 0.1 * np.sin(np.arange(60))[:, None]) for p in _predicted(model)]
    dataset = _write(tmp_path / "d.h5", labels, TIMES)
    first, _, last = map(KnownConfiguration.of, _configurations())
    training = TrainingRecord(train=Side.of([first]), validation=Side.of([last]))
    save_model(build("analytic", times=TIMES), tmp_path / "knows.pt", training=training)
    files = [str(model), str(tmp_path / "knows.pt"), str(dataset.path)]
    options = ["--seeds", "-o", str(tmp_path / "report"), "--device", "cpu"]
    result = CliRunner().invoke(app, ["evaluate", *files, *options], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.split())  # captions are broken into lines
    warning = "No test: the model was trained or validated on 2 of the 3 configurations"
    assert shown.count(warning) == 1
    assert shown.count("No test: one of its seeds was trained or validated on 2 of the 3") == 1
    content = json.loads((tmp_path / "report" / "scores.json").read_text(encoding="utf-8"))
    assert [source["seen_in_training"] for source in content["models"]] == [0, 2]
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert f"knows.pt: {warning}." in page
    assert f"model.pt: {warning}" not in page

"""`glassml export RUN RUN`: several runs as one committee, with all that they were made from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_dataset import labelled
from typer.testing import CliRunner, Result

from glassml.cli import app
from glassml.data import Dataset
from glassml.errors import ConfigError, GlassMLError, InputError, ModelFileError
from glassml.export import read_manifest
from glassml.inference import Predictor, summary_of
from glassml.provenance import TrainingRecord, read_accuracy
from glassml.studies.refit import refit, untrained
from glassml.training import load_trained_model, parse_config, train


def _export(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *(str(a) for a in arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def runs(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three runs of one epoch: two seeds of one network, and another network with a scalar."""
    folder = tmp_path_factory.mktemp("trained")
    variants = [
        ("first", 0, {"n_layers": 2}, []),
        ("second", 1, {"n_layers": 2}, []),
        ("other", 2, {"n_layers": 1, "l_max": 2, "cutoff": 1.5}, ["potential_energy"]),
    ]
    result = []
    for name, seed, model, scalars in variants:
        settings = {
            "data": {"train": str(dataset), "validation": 0.25, "scalars": scalars},
            "model": {"name": "se3gnn-v2", "l_max": 1, "channels": 2} | model,
            "training": {"epochs": 1, "seed": seed, "accelerator": "cpu"},
            "output": str(folder / name),
        }
        result.append(train(parse_config(settings)).folder)
    return result


def test_runs_become_one_file(runs: list[Path], tmp_path: Path) -> None:
    options = ["-o", tmp_path / "committee.pt", "--dtype", "float64", "--weights", "1,1,2"]
    result = _export(*runs, *options)
    assert result.exit_code == 0, result.output
    assert "committee.pt: committee, " in result.stdout
    here = labelled(50)
    values = []
    for run in runs:
        _export(run, "-o", tmp_path / "alone.pt", "--dtype", "float64")
        predictor = Predictor(tmp_path / "alone.pt", device="cpu")
        values.append(predictor.predict([here])[0]["propensity"])
    committee = Predictor(tmp_path / "committee.pt", device="cpu")
    names = ("propensity", "propensity_std", "propensity_members")
    found = committee.predict([here], names)[0]
    w = np.array([1, 1, 2]).reshape(3, 1, 1) / 4
    mean = (w * values).sum(axis=0)
    variance = (w * (values - mean) ** 2).sum(axis=0) / (1 - (w**2).sum())
    assert variance.min() > 0
    # 1e-12: float64, the same operations but for the order of sums.
    np.testing.assert_allclose(found["propensity"], mean, rtol=1e-12)
    np.testing.assert_allclose(found["propensity_std"], np.sqrt(variance), rtol=1e-10)
    np.testing.assert_allclose(found["propensity_members"], np.concatenate(values, 1), rtol=1e-12)


def test_the_manifest_names_the_members(runs: list[Path], tmp_path: Path) -> None:
    _export(*runs, "-o", tmp_path / "m.pt")
    manifest = read_manifest(tmp_path / "m.pt")
    assert manifest.times == (0.5, 100.0)
    assert manifest.output("propensity_std").times == manifest.times
    assert [s.name for s in manifest.scalar_inputs] == ["potential_energy"]
    members = manifest.hyperparameters["members"]
    assert [m["hyperparameters"]["n_layers"] for m in members] == [2, 2, 1]
    assert manifest.n_parameters == sum(m["parameters"] for m in members)
    record = manifest.training
    assert record.members == tuple(load_trained_model(run).record for run in runs)
    assert record == TrainingRecord(members=record.members)
    assert record.temperatures == (0.44,)
    assert [member.recipe["seed"] for member in record.members] == [0, 1, 2]
    assert all(member.validation.scores for member in record.members)


def test_a_refitted_model_becomes_a_member(runs: list[Path], dataset: Path, tmp_path: Path) -> None:
    with Dataset(dataset) as data:
        untrained("structural", data, tmp_path / "blank.pt", "thermal", ())
        refit(Predictor(tmp_path / "blank.pt"), data, tmp_path / "ridge.pt")
    members = [runs[0], tmp_path / "ridge.pt"]
    assert _export(*members, "-o", tmp_path / "both.pt", "--exact").exit_code == 0
    _export(runs[0], "-o", tmp_path / "network.pt", "--exact")
    here = labelled(50)
    both, network, ridge = (
        Predictor(tmp_path / f"{name}.pt", device="cpu").predict([here])[0]["propensity"]
        for name in ("both", "network", "ridge")
    )
    assert np.abs(network - ridge).max() > 1e-3
    np.testing.assert_allclose(both, (network + ridge) / 2, rtol=1e-5)  # float32
    record = read_manifest(tmp_path / "both.pt").training
    assert record.members[1] == read_manifest(tmp_path / "ridge.pt").training
    score = {"species": "A", "time": 0.5, "kind": "mean", "value": 0.61}
    measured = tmp_path / "accuracy.json"
    measured.write_text(json.dumps({"protocol": "one other configuration", "scores": [score]}))
    _export(tmp_path / "ridge.pt", "-o", tmp_path / "measured.pt", "--accuracy", measured)
    assert read_manifest(tmp_path / "measured.pt").training.accuracy == read_accuracy(measured)
    again = Predictor(tmp_path / "measured.pt", device="cpu").predict([here])[0]["propensity"]
    np.testing.assert_array_equal(again, ridge)
    with pytest.raises(ModelFileError, match=r"network\.pt: .*Give its run folder or checkpoint"):
        _export(runs[0], tmp_path / "network.pt", "-o", tmp_path / "twice.pt")


def test_an_accuracy_that_was_measured_goes_into_the_file(runs: list[Path], tmp_path: Path) -> None:
    error = {"error": 0.02, "error_kind": "bootstrap over configurations"}
    score = {"species": "A", "time": 0.5, "kind": "mean", "value": 0.61, **error}
    measured = tmp_path / "accuracy.json"
    measured.write_text(json.dumps({"protocol": "two other configurations", "scores": [score]}))
    model = tmp_path / "m.pt"
    options = ["--accuracy", measured, "--exact"]
    assert _export(*runs[:2], "-o", model, *options).exit_code == 0
    assert summary_of(model).pearson == ("0.610 ± 0.020", "not measured")
    assert read_manifest(model).training.accuracy == read_accuracy(measured)
    measured.write_text(json.dumps({"protocol": "none", "scores": [score | {"value": "?"}]}))
    with pytest.raises(InputError, match=r"accuracy\.json: scores\.0\.value: expected a number"):
        _export(runs[0], "-o", model, *options)
    with pytest.raises(InputError, match=r"absent\.json: cannot be read .No such file"):
        _export(runs[0], "-o", model, "--accuracy", tmp_path / "absent.json")


def test_tables_keep_the_bound(runs: list[Path], tmp_path: Path) -> None:
    _export(*runs, "-o", tmp_path / "table.pt", "--tolerance", "1e-5", "--dtype", "float64")
    _export(*runs, "-o", tmp_path / "exact.pt", "--dtype", "float64")
    entry = read_manifest(tmp_path / "table.pt").radial_table
    assert 0 < entry.measured_error <= 1e-5
    names = ("propensity", "propensity_std")
    table, exact = (
        Predictor(tmp_path / f"{form}.pt", device="cpu").predict([labelled(50)], names)[0]
        for form in ("table", "exact")
    )
    for name in names:
        # Both in units of the propensity; 3: the worst particle of another system is another one.
        difference = abs(table[name] - exact[name]).max() / abs(exact["propensity"]).max()
        assert 0 < difference < 3e-5


@pytest.mark.parametrize(
    ("chosen", "options", "error", "message"),
    [
        ([0, 0], [], ModelFileError, "expected each run once, .*first twice.*--weights"),
        ([0, 1], ["--weights", "1"], ConfigError, "weights: expected one for each of the 2"),
        ([0, 1], ["--weights", "1,-2"], ConfigError, "weights: expected positive .* 1, -2"),
        ([0, 1], ["--weights", "a,b"], InputError, "--weights: expected numbers .* 'a,b'"),
    ],
)
def test_impossible_committees_are_explained_and_write_nothing(
    runs: list[Path],
    tmp_path: Path,
    chosen: list[int],
    options: list[str],
    error: type[GlassMLError],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        _export(*(runs[k] for k in chosen), "-o", tmp_path / "m.pt", *options)
    assert list(tmp_path.iterdir()) == []

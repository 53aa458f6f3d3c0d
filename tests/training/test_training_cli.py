"""`glassml train` and `glassml export` as a user types them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_dataset import labelled, write_dataset
from typer.testing import CliRunner, Result

from glassml.cli import app, main
from glassml.data import Dataset
from glassml.errors import ConfigError, ModelFileError
from glassml.export import FORMAT_VERSION, read_manifest
from glassml.inference import Predictor
from glassml.settings import write_yaml
from glassml.training import RunResult, load_trained_model, parse_config, train

FORMAT_3 = Path(__file__).parents[1] / "export" / "format_3" / "kob_andersen_T0.44_average.pt"


def _glassml(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_run_is_trained_resumed_and_exported(settings: dict[str, Any], tmp_path: Path) -> None:
    write_yaml(parse_config(settings), tmp_path / "c.yaml")
    trained = _glassml("train", tmp_path / "c.yaml", "training.epochs=1", "model.channels=3")
    assert trained.exit_code == 0, trained.output
    assert "6 configurations for training, 2 for validation" in trained.stdout
    assert "epoch 1/1" in trained.stdout
    run = tmp_path / "run"
    resumed = _glassml("train", "--resume", run, "training.epochs=2")
    assert resumed.exit_code == 0, resumed.output
    assert "resumed after epoch 1" in resumed.stdout
    assert "epoch 2/2" in resumed.stdout
    exported = _glassml("export", run, "-o", tmp_path / "model.pt", "--dtype", "float64")
    assert exported.exit_code == 0, exported.output
    manifest = read_manifest(tmp_path / "model.pt")
    assert manifest.dtype == "float64"
    assert manifest.hyperparameters["channels"] == 3
    assert manifest.training.epoch in (1, 2)
    last = _glassml("export", run / "checkpoints" / "last.ckpt", "-o", tmp_path / "last.pt")
    assert last.exit_code == 0, last.output
    assert read_manifest(tmp_path / "last.pt").training.epoch == 2


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one epoch."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    settings = {
        "data": {"train": str(dataset), "validation": 0.25},
        "model": {"name": "se3gnn-v2", "l_max": 1, "channels": 2, "n_layers": 2},
        "training": {"epochs": 1, "accelerator": "cpu"},
        "output": str(folder),
    }
    return train(parse_config(settings)).folder


def test_a_model_file_is_written_anew_with_its_record(tmp_path: Path) -> None:
    """A file of format 3, whose code makes the same descriptors by other operators."""
    result = _glassml("export", FORMAT_3, "-o", tmp_path / "new.pt")
    assert result.exit_code == 0, result.output
    before, after = read_manifest(FORMAT_3), read_manifest(tmp_path / "new.pt")
    assert (before.format_version, after.format_version) == (3, FORMAT_VERSION)
    assert before.training.accuracy is not None
    for field in ("training", "domain", "positions", "window", "hyperparameters", "outputs"):
        assert getattr(after, field) == getattr(before, field), field
    old, new = (
        Predictor(file, "cpu", check_domain=False).predict([labelled(50)], as_given=True)[0]
        for file in (FORMAT_3, tmp_path / "new.pt")
    )
    difference = np.abs(new["propensity"] - old["propensity"]).max()
    assert 0 < difference < 1e-4 * np.abs(old["propensity"]).max()


@pytest.mark.parametrize(
    ("options", "tolerance", "says"),
    [
        ([], 1e-4, "(tolerance: 1.0e-04)"),
        (["--tolerance", "1e-2"], 1e-2, "(tolerance: 1.0e-02)"),
        (["--tolerance", "1e-6", "--dtype", "float64"], 1e-6, "(tolerance: 1.0e-06)"),
    ],
)
def test_tables_are_as_fine_as_asked_for(
    trained: Path, tmp_path: Path, options: list[str], tolerance: float, says: str
) -> None:
    result = _glassml("export", trained, "-o", tmp_path / "m.pt", *options)
    assert result.exit_code == 0, result.output
    table = read_manifest(tmp_path / "m.pt").radial_table
    assert table.tolerance == tolerance
    assert 0 < table.measured_error <= tolerance
    assert f"radial tables with {table.knots} knots" in result.stdout
    assert says in result.stdout


@pytest.mark.parametrize("options", [["--exact"], ["--dtype", "float64"]])
def test_networks_are_kept(trained: Path, tmp_path: Path, options: list[str]) -> None:
    result = _glassml("export", trained, "-o", tmp_path / "m.pt", *options)
    assert result.exit_code == 0, result.output
    assert "table" not in result.stdout
    assert read_manifest(tmp_path / "m.pt").radial_table is None


def test_network_and_table_predict_the_same_within_the_tolerance(
    trained: Path, tmp_path: Path
) -> None:
    options = {"exact": ["--exact"], "table": ["--tolerance", "1e-3"]}
    values = []
    for name, chosen in options.items():
        _glassml("export", trained, "-o", tmp_path / f"{name}.pt", *chosen)
        predictor = Predictor(tmp_path / f"{name}.pt", device="cpu")
        values.append(predictor.predict([labelled(50)])[0]["propensity"])
    difference = abs(values[0] - values[1]).max() / abs(values[0]).max()
    assert 0 < difference < 3e-3  # the bound is measured on another system


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tolerance", "0"], "tolerance: expected a positive number; found 0.0"),
        (["--tolerance", "-1e-4"], "tolerance: expected a positive number; found -0.0001"),
        (["--tolerance", "nan"], "tolerance: expected a positive number; found nan"),
        (["--tolerance", "inf"], "tolerance: expected a positive number; found inf"),
        (
            ["--tolerance", "1e-12"],
            "within 1.0e-12 of .*; found an error of .* in float32",
        ),
        (["--exact", "--tolerance", "1e-3"], "--tolerance, --exact: expected one of them"),
        (["--dtype", "float16"], "dtype: expected float32 or float64; found 'float16'"),
    ],
)
def test_impossible_exports_are_explained_and_write_nothing(
    trained: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    with pytest.raises((ConfigError, ModelFileError), match=message):
        CliRunner().invoke(
            app, ["export", str(trained), "-o", str(tmp_path / "m.pt"), *options],
            catch_exceptions=False,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_tolerance_that_is_no_number_is_a_mistake_of_usage(trained: Path, tmp_path: Path) -> None:
    result = _glassml("export", trained, "-o", tmp_path / "m.pt", "--tolerance", "fine")
    assert result.exit_code == 2
    assert "Invalid value for '--tolerance'" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a configuration file"),
        (["training.epochs=2"], "expected a configuration file"),
        (["--resume", "runs/x", "c.yaml"], "--resume: .*'c.yaml'"),
        (["nowhere.yaml"], "nowhere.yaml: cannot read"),
        (["--resume", "nowhere"], "--resume: nowhere: expected a run folder"),
    ],
)
def test_a_wrong_command_is_explained(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CliRunner().invoke(app, ["train", *arguments], catch_exceptions=False)


def test_mistakes_are_printed_without_a_traceback(
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_yaml(parse_config(settings), tmp_path / "c.yaml")
    monkeypatch.setattr("sys.argv", ["glassml", "train", str(tmp_path / "c.yaml"), "epochs"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert capsys.readouterr().err.startswith("error: override 'epochs': expected section.field")
    assert not (tmp_path / "run").exists()


def test_an_interrupted_export_leaves_the_old_model(
    run: Callable[[], RunResult],
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings["training"]["epochs"] = 1
    folder = run().folder
    model = tmp_path / "model.pt"
    model.write_bytes(b"old")

    def interrupted(archive: object, partial: Path) -> None:
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("glassml.export.archive._copy_with_manifest", interrupted)
    _glassml("export", folder, "-o", model)
    assert model.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.pt", "run"]


def test_the_validation_file_is_named_without_its_folder(
    settings: dict[str, Any], run: Callable[[], RunResult], tmp_path: Path
) -> None:
    path = write_dataset(tmp_path / "held_out.h5", [labelled(99)])
    settings["data"]["validation"] = str(path)
    settings["training"]["epochs"] = 1
    record = load_trained_model(run().folder).record
    assert record.split is not None
    assert record.split.validation == "held_out.h5"
    assert record.validation.names == Dataset(path).names

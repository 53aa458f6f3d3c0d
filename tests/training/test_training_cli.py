"""`glassml train` and `glassml export` as a user types them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_dataset import labelled, write_dataset
from typer.testing import CliRunner, Result

from glassml.cli import app, main
from glassml.data import Dataset
from glassml.errors import ConfigError
from glassml.export import read_manifest
from glassml.training import RunResult, load_trained_model, parse_config
from glassml.training.config_file import write_config


def _glassml(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_run_is_trained_resumed_and_exported(settings: dict[str, Any], tmp_path: Path) -> None:
    write_config(parse_config(settings), tmp_path / "c.yaml")
    trained = _glassml("train", tmp_path / "c.yaml", "training.epochs=1", "model.channels=3")
    assert trained.exit_code == 0, trained.output
    assert "6 configurations for training, 2 for validation" in trained.stdout
    assert "epoch 1/1" in trained.stdout
    run = tmp_path / "run"
    resumed = _glassml("train", "--resume", run, "training.epochs=2")
    assert resumed.exit_code == 0, resumed.output
    assert "going on after epoch 1" in resumed.stdout
    assert "epoch 2/2" in resumed.stdout
    exported = _glassml("export", run, "-o", tmp_path / "model.pt", "--dtype", "float64")
    assert exported.exit_code == 0, exported.output
    manifest = read_manifest(tmp_path / "model.pt")
    assert manifest.dtype == "float64"
    assert manifest.hyperparameters["channels"] == 3
    assert manifest.training["epoch"] in (1, 2)
    last = _glassml("export", run / "checkpoints" / "last.ckpt", "-o", tmp_path / "last.pt")
    assert last.exit_code == 0, last.output
    assert read_manifest(tmp_path / "last.pt").training["epoch"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a configuration file"),
        (["training.epochs=2"], "expected a configuration file"),
        (["--resume", "runs/x", "c.yaml"], "--resume: .*'c.yaml'"),
        (["nowhere.yaml"], "nowhere.yaml: cannot read"),
        (["--resume", "nowhere"], "--resume: expected a run folder.*nowhere"),
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
    write_config(parse_config(settings), tmp_path / "c.yaml")
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

    monkeypatch.setattr("glassml.export.archive._copy_without_traces", interrupted)
    _glassml("export", folder, "-o", model)
    assert model.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.pt", "run"]


def test_the_validation_file_is_named_without_its_folder(
    settings: dict[str, Any], run: Callable[[], RunResult], tmp_path: Path
) -> None:
    path = write_dataset(tmp_path / "held_out.h5", [labelled(99)])
    settings["data"]["validation"] = str(path)
    settings["training"]["epochs"] = 1
    provenance = load_trained_model(run().folder).provenance
    assert provenance["split"]["validation"] == "held_out.h5"
    assert provenance["validation"] == list(Dataset(path).names)

"""Whole runs: learning, resuming, exporting, several processes."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from file_formats import documented
from recorded_progress import Recorded

from glassml.data import Dataset
from glassml.errors import ConfigError, InputError, ModelFileError
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import build
from glassml.provenance import SplitSettings, TrainingRecord
from glassml.settings import write_yaml
from glassml.training import RunResult, load_trained_model, parse_config, resume, train
from glassml.training.checkpoint import BEST, LAST, read_checkpoint
from glassml.training.module import PropensityModule
from glassml.training.pearson_metric import metric_name

Run = Callable[[], RunResult]

# Of a loss: rounding in single precision; metrics are logged in float32 whatever the model is.
TOLERANCE = {"float32": 1e-4, "float64": 1e-6}

_FILES = {
    ".lock",
    "config.yaml",
    "data.json",
    "versions.json",
    "metrics.csv",
    "curves.png",
    "tensorboard",
    "checkpoints",
}


def _curves(folder: Path) -> list[dict[str, str]]:
    """The table without wall times, every number as it was printed."""
    with (folder / "metrics.csv").open(encoding="utf-8") as stream:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(stream)]


def _script(folder: Path, text: str) -> list[str]:
    path = folder / "script.py"
    path.write_text(text, encoding="utf-8")
    return [sys.executable, str(path)]


def _single_threaded() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def predicted_loss(model: Path, settings: dict[str, Any]) -> float:
    """The validation loss of an exported model, worked out from its predictions alone.

    All configurations have equally many particles, so the loss is the mean over them.
    """
    data = Dataset(settings["data"]["train"])
    names = json.loads((Path(settings["output"]) / "data.json").read_text(encoding="utf-8"))
    train = [data[name] for name in names["train"]]
    species = np.concatenate([c.species for c in train])
    labels = np.concatenate([np.asarray(c.propensity) for c in train])
    scale = np.stack([labels[species == s].std(axis=0) for s in range(2)])
    if not settings["training"].get("standardise", True):
        scale = np.ones_like(scale)
    validation = [data[name] for name in names["validation"]]
    predicted = Predictor(model, "cpu").predict(validation)
    losses = [
        (((p["propensity"] - c.propensity) / scale[c.species]) ** 2).mean(axis=0).sum()
        for p, c in zip(predicted, validation, strict=True)
    ]
    return float(np.mean(losses))


def test_a_run_learns_and_keeps_its_records(settings: dict[str, Any], run: Run) -> None:
    settings["model"]["dropout"] = 0.0
    settings["training"] |= {"epochs": 10, "schedule": {"milestones": []}}
    result = run()
    rows = _curves(result.folder)
    assert [int(row["epoch"]) for row in rows] == list(range(1, 11))
    # The labels follow from the number of neighbours, which a convolution can count.
    assert float(rows[-1]["train/loss"]) < 0.5 * float(rows[0]["train/loss"])
    assert result.metrics["validation/pearson_mean"] > 0.6
    assert {path.name for path in result.folder.iterdir()} == _FILES
    data = json.loads((result.folder / "data.json").read_text(encoding="utf-8"))
    assert data["files"][0]["sha256"] == Dataset(settings["data"]["train"]).sha256
    assert len(data["train"]) == 6


def test_each_epoch_is_a_stage_that_notes_the_coefficients_of_the_last(
    settings: dict[str, Any],
) -> None:
    settings["training"]["epochs"] = 2
    progress = Recorded()
    result = train(parse_config(settings), progress)
    first = _curves(result.folder)[0]
    columns = [c for c in first if c.startswith("validation/pearson_mean/A/")]
    pearson = " ".join(f"{float(first[c]):.3f}" for c in columns)
    assert len(columns) == len(Dataset(settings["data"]["train"])[0].times)
    stages = [(s.what, s.total, s.done, s.ended) for s in progress.stages]
    assert stages == [
        ("reading configurations", 8, 8, True),
        ("epoch 1/2", 6, 6, True),
        ("epoch 2/2", 6, 6, True),
    ]
    _, one, two = progress.stages
    assert not any("Pearson" in note for note in one.notes)
    assert all(note.endswith(f"  Pearson {pearson}") for note in two.notes)
    assert [line[:9] for line in progress.lines if line.startswith("epoch")] == [
        "epoch 1/2",
        "epoch 2/2",
    ]
    lines = [line for line in progress.lines if line.startswith("epoch")]
    assert re.fullmatch(rf"epoch 1/2 .* Pearson {re.escape(pearson)}  left \d:\d\d:\d\d", lines[0])
    assert lines[1].endswith("  left 0:00:00")


def test_an_interrupted_run_ends_its_bar(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PropensityModule, "training_step", interrupted)
    progress = Recorded()
    with pytest.raises(KeyboardInterrupt):
        train(parse_config(settings), progress)
    assert [(s.what, s.done, s.ended) for s in progress.stages[1:]] == [("epoch 1/4", 0, True)]


def test_the_schedule_halves_the_rate_at_its_milestones(run: Run) -> None:
    rates = [float(row["learning_rate"]) for row in _curves(run().folder)]
    assert rates == [1e-2, 1e-2, 5e-3, 5e-3]


_KILLED = """
import os, signal
from glassml.training import load_config, train
from glassml.training.module import PropensityModule

step = PropensityModule.training_step

def killed(self, batch, batch_idx):
    if (self.current_epoch, batch_idx) == (2, 3):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, batch_idx)

PropensityModule.training_step = killed
train(load_config({config!r}))
"""


def test_a_killed_run_resumes_to_the_same_curves(
    settings: dict[str, Any], run: Run, tmp_path: Path
) -> None:
    whole = _curves(run().folder)
    settings["output"] = str(tmp_path / "killed")
    write_yaml(parse_config(settings), tmp_path / "killed.yaml")
    script = _KILLED.format(config=str(tmp_path / "killed.yaml"))
    process = subprocess.run(_script(tmp_path, script), env=_single_threaded(), check=False)
    assert process.returncode == -signal.SIGKILL
    assert _curves(tmp_path / "killed") == whole[:2]
    # The folder may be moved in between.
    (tmp_path / "killed").rename(tmp_path / "moved")
    result = resume(tmp_path / "moved")
    assert result.epochs == 4
    assert _curves(tmp_path / "moved") == whole
    assert not list(tmp_path.rglob("*.partial*"))
    left = load_trained_model(tmp_path / "moved").model.state_dict()
    for name, value in load_trained_model(tmp_path / "run").model.state_dict().items():
        assert torch.equal(left[name], value), name


def test_a_finished_run_can_be_made_longer(settings: dict[str, Any], run: Run) -> None:
    whole = _curves(run().folder)
    settings |= {"output": settings["output"] + "_short"}
    settings["training"]["epochs"] = 2
    folder = run().folder
    assert resume(folder).epochs == 2
    resume(folder, ["training.epochs=4"])
    assert _curves(folder) == whole
    starts = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
    assert [start["epoch"] for start in starts] == [0, 2]


def test_a_resumed_run_stays_what_it_was(
    settings: dict[str, Any], run: Run, tmp_path: Path
) -> None:
    settings["training"]["epochs"] = 1
    folder = run().folder
    with pytest.raises(ConfigError, match=r"found model\.channels"):
        resume(folder, ["model.channels=3"])
    with pytest.raises(ConfigError, match=r"expected a new folder; .*--resume"):
        run()
    with pytest.raises(ConfigError, match=r"which holds config\.yaml; found no such"):
        resume(tmp_path / "nowhere")
    record = folder / "data.json"
    record.write_text(record.read_text(encoding="utf-8").replace('"sha256": "', '"sha256": "0'))
    with pytest.raises(InputError, match=r"data\.json: expected the datasets"):
        resume(folder, ["training.epochs=2"])


def recorded(record: TrainingRecord) -> dict[str, float | None]:
    """The entries of a record about the last epoch, under the names that the run gives them."""
    found: dict[str, float | None] = {}
    for stage, side in (("train", record.train), ("validation", record.validation)):
        found[f"{stage}/loss"] = side.loss
        if side.weighted_loss is not None:
            found[f"{stage}/weighted_loss"] = side.weighted_loss
        for score in side.scores:
            found[metric_name(stage, score.kind, score.species, score.time)] = score.value
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("standardise", [True, False])
def test_the_exported_model_predicts_physical_units(
    settings: dict[str, Any], run: Run, dtype: str, standardise: bool
) -> None:
    settings["model"]["dropout"] = 0.0
    settings["data"]["scalars"] = ["potential_energy"]
    settings["training"] |= {"dtype": dtype, "standardise": standardise, "epochs": 6}
    result = run()
    trained = load_trained_model(result.folder)
    path = result.folder / "model.pt"
    manifest = save_model(trained.model, path, dtype=dtype, training=trained.record)
    record = manifest.training
    assert recorded(record) == {k: v for k, v in result.metrics.items() if k.count("/") != 1} | {
        k: v for k, v in result.metrics.items() if k.endswith("loss")
    }
    (file,) = record.data
    assert (file.file, file.configurations, file.role) == ("tiny.h5", 8, "configurations")
    assert record.train.number == 6
    names = json.loads((result.folder / "data.json").read_text(encoding="utf-8"))
    assert list(record.train.names) == names["train"]
    assert list(record.validation.names) == names["validation"]
    hashes = {c.name: c.positions_sha256 for c in Dataset(settings["data"]["train"])}
    known = (*record.train.configurations, *record.validation.configurations)
    assert {c.name: c.positions_sha256 for c in known} == hashes
    assert sorted(names["train"] + names["validation"]) == sorted(
        Dataset(settings["data"]["train"]).names
    )
    assert record.split == SplitSettings(validation=0.25, split_seed=0)
    assert record.origin == {"n_runs": (32,), "temperature": (0.44,)}
    assert record.epoch == result.best_epoch
    assert predicted_loss(path, settings) == pytest.approx(
        result.metrics["validation/loss"], rel=TOLERANCE[dtype]
    )


@pytest.mark.parametrize(("batch_size", "steps"), [(1, 6), (4, 2)])
def test_several_configurations_make_a_batch(
    settings: dict[str, Any], run: Run, batch_size: int, steps: int
) -> None:
    settings["training"] |= {"batch_size": batch_size, "epochs": 1}
    checkpoint = read_checkpoint(run().folder / LAST)
    assert checkpoint["global_step"] == steps


def _first_epoch(settings: dict[str, Any], run: Run, clip: float | None) -> torch.Tensor:
    """How far the decoder's weights move in an epoch."""
    settings["training"] |= {"epochs": 1, "gradient_clip": clip}
    settings["training"]["optimiser"]["weight_decay"] = 0.0
    settings["output"] += "_next"
    model = load_trained_model(run().folder).model
    torch.manual_seed(0)
    start = build(model.name, **model.hyperparameters)
    return (model.decoder.weight - start.decoder.weight).abs().max()


def test_gradients_are_clipped(settings: dict[str, Any], run: Run) -> None:
    """Adam divides by the gradient's size plus 1e-8, so that tiny gradients make tiny steps."""
    assert _first_epoch(settings, run, None) > 1e-3
    assert _first_epoch(settings, run, 1e-12) < 1e-5


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("training", {"batch_size": 7}, r"training\.batch_size: expected at most 6, .*; found 7"),
        ("training", {"devices": 3}, r"training\.devices: expected at most 2, .*; found 3"),
        ("training", {"species_weight": {"C": 1.0}}, r"species_weight\.C: .*\(A, B\)"),
        ("training", {"species_weight": {"A": 0, "B": 0}}, "positive weight"),
        ("model", {"channels": 0}, r"^model\.channels: .*from 1 to 65536; found 0"),
        ("model", {"cutoff": 1e300}, r"^model\.cutoff: expected .* at most 1e\+06; found 1e\+300"),
        ("model", {"channels": 10**8}, r"^model\.channels: expected .* from 1 to 65536; found 1"),
        ("model", {"cutoff": -1}, r"^model\.cutoff: expected a positive length .*; found -1"),
    ],
)
def test_settings_that_do_not_fit_leave_no_folder(
    settings: dict[str, Any], run: Run, section: str, values: dict[str, Any], message: str
) -> None:
    settings[section] |= values
    with pytest.raises(ConfigError, match=message):
        run()
    assert not Path(settings["output"]).exists()


def test_a_model_without_parameters_cannot_be_trained(settings: dict[str, Any], run: Run) -> None:
    settings["model"] = {"name": "analytic"}
    with pytest.raises(ConfigError, match=r"model\.name: .*; found analytic"):
        run()
    assert not Path(settings["output"]).exists()


def test_a_checkpoint_gets_its_name_by_renaming_alone(
    settings: dict[str, Any], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder for temporary files may be on another file system; here it is of no use."""
    renamed = []
    replace = Path.replace

    def spy(self: Path, target: Path) -> Path:
        renamed.append((self.parent, target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", spy)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    settings["training"]["epochs"] = 1
    folder = run().folder / "checkpoints"
    for name in ("best.ckpt", "last.ckpt"):
        assert (folder.absolute(), folder.absolute() / name) in renamed
        assert read_checkpoint(folder / name)["glassml"]["epoch"] == 1


def test_species_weights_choose_what_is_learned(settings: dict[str, Any], run: Run) -> None:
    settings["training"] |= {"species_weight": {"B": 0.0}, "epochs": 1}
    settings["training"]["optimiser"] = {"lr": 1e-30, "weight_decay": 0.0}
    start = load_trained_model(run().folder).model
    settings["output"] += "_learned"
    settings["training"]["optimiser"]["lr"] = 1e-2
    learned = load_trained_model(run().folder).model
    before, after = (m.decoder.weight.reshape(2, 2, -1) for m in (start, learned))
    assert not torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])


_MAIN = """
import os
import torch
from glassml.cli import main
from glassml.training.module import PropensityModule

step = PropensityModule.training_step
average = PropensityModule.on_validation_epoch_start
rank = int(os.environ.get("LOCAL_RANK", 0))
seen = []

def buffers(self):
    found = self.model.norms.buffers()
    return torch.cat([b.reshape(-1).clone() for b in found if b.is_floating_point()])

def recorded_step(self, batch, batch_idx):
    before = buffers(self)
    loss = step(self, batch, batch_idx)
    seen.append(("step", before, buffers(self)))
    return loss

def recorded_average(self):
    before = buffers(self)
    average(self)
    seen.append(("average", before, buffers(self)))
    torch.save(seen, {folder!r} + f"/buffers_{{rank}}.pt")

PropensityModule.training_step = recorded_step
PropensityModule.on_validation_epoch_start = recorded_average
main()
"""


def test_two_processes_share_a_run(settings: dict[str, Any], tmp_path: Path) -> None:
    settings["training"] |= {"devices": 2, "epochs": 2}
    write_yaml(parse_config(settings), tmp_path / "two.yaml")
    script = _MAIN.format(folder=str(tmp_path))
    command = [*_script(tmp_path, script), "train", str(tmp_path / "two.yaml")]
    process = subprocess.run(
        command, env=_single_threaded(), capture_output=True, text=True, timeout=300, check=False
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("best epoch") == 1  # the second process is silent
    rows = _curves(tmp_path / "run")
    assert [row["epoch"] for row in rows] == ["1", "2"]
    # Every validation configuration was seen once, by one of the two, with the same parameters.
    trained = load_trained_model(tmp_path / "run")
    save_model(trained.model, tmp_path / "model.pt")
    assert predicted_loss(tmp_path / "model.pt", settings) == pytest.approx(
        trained.record.validation.loss, rel=TOLERANCE["float32"]
    )
    _check_batch_statistics(*(torch.load(tmp_path / f"buffers_{rank}.pt") for rank in (0, 1)))


def _check_batch_statistics(first: list[Any], second: list[Any]) -> None:
    """Each process keeps its own statistics until they are averaged, in each of two epochs."""
    assert [kind for kind, *_ in first] == (["step"] * 3 + ["average"]) * 2
    for own in (first, second):
        for (_, _, after), (_, before, _) in itertools.pairwise(own):
            assert torch.equal(after, before)
    for k in (3, 7):
        (_, left, mean), (_, right, other) = first[k], second[k]
        assert not torch.allclose(left, right)
        torch.testing.assert_close(mean, (left + right) / 2)
        assert torch.equal(mean, other)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "damaged or of another kind"), (b"PK\x03\x04 not really", "damaged or of another")],
)
def test_a_damaged_checkpoint_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "best.ckpt"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"best\.ckpt: .*{message}"):
        load_trained_model(path)


def as_format_1(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint as the first format had it, whose loss of training was what is minimised."""
    about = checkpoint["glassml"]
    (history,) = (c["rows"] for c in checkpoint["callbacks"].values() if "rows" in c)
    for metrics in (about["metrics"], *history):
        metrics["train/loss"] = metrics.pop("train/weighted_loss")
    training = about.pop("training")
    files = [{k: v for k, v in f.items() if k != "role"} for f in training["data"]]
    provenance = {
        "data": files,
        "train_configurations": training["train"]["number"],
        "reversed_runs": 0,
        "validation_configurations": training["validation"]["number"],
        "train": [c["name"] for c in training["train"]["configurations"]],
        "validation": [c["name"] for c in training["validation"]["configurations"]],
        **{key: training[key] for key in ("split", "origin", "recipe", "versions")},
    }
    return {**checkpoint, "glassml": about | {"format_version": 1, "provenance": provenance}}


def test_a_run_of_format_1_is_loaded_and_resumed(settings: dict[str, Any], run: Run) -> None:
    settings["training"]["epochs"] = 2
    folder = run().folder
    now = load_trained_model(folder / LAST).record
    for name in (BEST, LAST):
        torch.save(as_format_1(read_checkpoint(folder / name)), folder / name)
    data = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    for file in data["files"]:
        del file["role"]
    (folder / "data.json").write_text(json.dumps(data))
    before = load_trained_model(folder / LAST).record
    assert recorded(before) == recorded(now) | {"train/loss": None}
    assert before.train.names == now.train.names
    for field in ("data", "split", "origin", "recipe", "versions", "epoch"):
        assert getattr(before, field) == getattr(now, field)
    result = resume(folder, ["training.epochs=3"])
    assert result.epochs == 3
    again = load_trained_model(folder / LAST).record
    assert again.epoch == 3
    rows = _curves(folder)
    assert [bool(row["train/loss"]) for row in rows] == [False, False, True]
    assert [bool(row["train/weighted_loss"]) for row in rows] == [True, True, True]
    assert again.train.configurations == now.train.configurations  # with their hashes


def test_a_wrong_record_in_a_checkpoint_is_named(settings: dict[str, Any], run: Run) -> None:
    settings["training"]["epochs"] = 1
    path = run().folder / LAST
    checkpoint = read_checkpoint(path)
    checkpoint["glassml"]["training"]["train"]["number"] = "many"
    torch.save(checkpoint, path)
    with pytest.raises(
        ModelFileError, match=r"last\.ckpt: training\.train\.number: expected a who"
    ):
        load_trained_model(path)
    checkpoint["glassml"]["format_version"] = 3
    torch.save(checkpoint, path)
    with pytest.raises(ModelFileError, match=r"expected 1 or 2, .*; found 3"):
        load_trained_model(path)


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(ModelFileError, match=r"expected a checkpoint of .*; found one of another"):
        load_trained_model(tmp_path / "other.ckpt")
    with pytest.raises(ModelFileError, match=r"expected a run folder with checkpoints/best\.ckpt"):
        load_trained_model(tmp_path)
    with pytest.raises(
        ModelFileError, match=r"expected a run folder or a checkpoint .*; found no such file"
    ):
        load_trained_model(tmp_path / "nowhere.ckpt")


def test_the_reference_names_everything_in_a_run_folder(run: Run) -> None:
    folder = run().folder
    known = documented("The folder of a training")
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "checkpoints/best.ckpt" in files
    assert {name for name in files if not name.startswith("tensorboard/")} <= known
    with (folder / "metrics.csv").open(encoding="utf-8") as stream:
        columns = next(csv.reader(stream))
    pattern = r"\w+/pearson_\w+/[AB]/t=.*"
    assert {name for name in columns if not re.fullmatch(pattern, name)} <= known
    assert set(json.loads((folder / "data.json").read_text())) <= known

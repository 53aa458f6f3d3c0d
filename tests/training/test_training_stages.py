"""Stages of a training: their settings, the best epoch of each as the next start, resuming."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from systems import moved
from tiny_dataset import labelled, write_dataset

from glassml.errors import ConfigError
from glassml.training import parse_config, resume, train
from glassml.training.checkpoint import BEST, LAST, OF_STAGE, load_trained_model, read_checkpoint
from glassml.training.module import PropensityModule
from glassml.training.stages import stages_of


@pytest.fixture
def staged(settings: dict[str, Any]) -> dict[str, Any]:
    """A run of three stages of one, two and one epochs."""
    settings["training"] = {
        "optimiser": {"lr": 1e-2},
        "schedule": {"milestones": []},
        "accelerator": "cpu",
        "monitor": "loss",
        "stages": [
            {"epochs": 1, "loss": {"name": "absolute"}},
            {"epochs": 2, "lr": 1e-3, "loss": {"name": "absolute", "spatial": {}}},
            {"epochs": 1, "lr": 1e-4, "monitor": "pearson_all"},
        ],
    }
    return settings


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def without_seconds(folder: Path) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows_of(folder)]


def test_settings_of_stages() -> None:
    values = {
        "data": {"train": "a.h5"},
        "training": {
            "monitor": "loss",
            "early_stopping": {"patience": 3},
            "optimiser": {"betas": [0.8, 0.99]},
            "stages": [
                {"epochs": 4, "lr": 0.5, "early_stopping": {"patience": 7}},
                {"epochs": 6, "monitor": "pearson_all", "loss": {"name": "absolute"}},
            ],
        },
    }
    training = parse_config(values).training
    assert training.epochs == 10
    first, second = stages_of(training)
    assert (first.epochs, first.optimiser.lr, first.monitor) == (4, 0.5, "loss")
    assert first.optimiser.betas == (0.8, 0.99)
    assert first.early_stopping is not None
    assert first.early_stopping.patience == 7
    assert (second.epochs, second.optimiser.lr, second.monitor) == (6, 1e-2, "pearson_all")
    assert second.early_stopping is not None
    assert second.early_stopping.patience == 3
    assert (first.loss.name, second.loss.name) == ("squared", "absolute")
    assert stages_of(first) == [first]


def test_stages_follow_each_other(staged: dict[str, Any]) -> None:
    result = train(parse_config(staged))
    rows = rows_of(result.folder)
    assert [(row["epoch"], row["stage"]) for row in rows] == [
        ("1", "1"), ("2", "2"), ("3", "2"), ("4", "3"),
    ]  # fmt: skip
    assert [float(row["learning_rate"]) for row in rows] == [1e-2, 1e-3, 1e-3, 1e-4]
    last = read_checkpoint(result.folder / LAST)["glassml"]
    assert (last["epoch"], last["stage"], last["epochs_before"]) == (4, 2, 3)
    assert read_checkpoint(result.folder / BEST)["glassml"]["epoch"] == result.best_epoch == 4
    best = min(rows[1:3], key=lambda row: float(row["validation/loss"]))
    kept = read_checkpoint(result.folder / OF_STAGE.format(2))["glassml"]
    assert kept["epoch"] == int(best["epoch"])
    assert not (result.folder / OF_STAGE.format(3)).exists()
    assert load_trained_model(result.folder / OF_STAGE.format(1)).record.epoch == 1


def test_a_stage_begins_with_the_best_epoch_before(
    staged: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With steps that ruin the model in the second epoch, and none in the second stage."""
    staged["training"] |= {"weight_averaging": 0, "gradient_clip": None}
    staged["training"]["stages"] = [
        {"epochs": 2, "schedule": {"milestones": [1], "gamma": 1.0}},
        {"epochs": 1, "lr": 1e-30},
    ]
    original = PropensityModule.on_train_epoch_start

    def ruining(self: PropensityModule) -> None:
        original(self)
        if self.epoch == 1:
            with torch.no_grad():
                self.model.decoder.weight.mul_(100.0)

    monkeypatch.setattr(PropensityModule, "on_train_epoch_start", ruining)
    result = train(parse_config(staged))
    first, ruined, third = (float(row["validation/loss"]) for row in rows_of(result.folder))
    assert ruined > 10 * first
    # Batch statistics still move; from the second epoch it would be that large again.
    assert third < 2 * first


def interrupted(settings: dict[str, Any], epoch: int) -> Path:
    """A run that is killed at the beginning of an epoch, counted from 1."""
    original = PropensityModule.on_train_epoch_start

    def killed(self: PropensityModule) -> None:
        if self.epoch == epoch - 1:
            raise KeyboardInterrupt
        original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PropensityModule, "on_train_epoch_start", killed)
        with pytest.raises(KeyboardInterrupt):
            train(parse_config(settings))
    return Path(settings["output"])


def check_same(found: Path, expected: Path, names: list[str]) -> None:
    assert without_seconds(found) == without_seconds(expected)
    for name in names:
        ours = read_checkpoint(found / name)["state_dict"]
        theirs = read_checkpoint(expected / name)["state_dict"]
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            torch.testing.assert_close(ours[key], value, rtol=0, atol=0)


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_resumed_as_uninterrupted(staged: dict[str, Any], tmp_path: Path, epoch: int) -> None:
    """Killed at the beginning of every epoch, within stages and at their ends."""
    whole = train(parse_config({**staged, "output": str(tmp_path / "whole")})).folder
    folder = interrupted(staged, epoch)
    resume(folder)
    check_same(folder, whole, [BEST, LAST, OF_STAGE.format(1), OF_STAGE.format(2)])


def test_killed_between_the_first_checkpoints_of_a_stage(
    staged: dict[str, Any], tmp_path: Path
) -> None:
    """The best checkpoint is already of a later stage, the last one still of stage 1."""
    whole = train(parse_config({**staged, "output": str(tmp_path / "whole")})).folder
    folder = interrupted(staged, 2)
    (folder / BEST).write_bytes((whole / BEST).read_bytes())
    resume(folder)
    check_same(folder, whole, [LAST, OF_STAGE.format(1)])


def test_early_stopping_begins_the_next_stage(staged: dict[str, Any]) -> None:
    """Without steps nothing improves: each stage ends after its patience."""
    staged["training"] |= {"optimiser": {"lr": 1e-30}, "weight_averaging": 0}
    staged["model"] |= {"dropout": 0.0, "batchnorm_momentum": 1.0}
    constant = {"epochs": 9, "early_stopping": {"patience": 1}, "monitor": "pearson_all"}
    staged["training"]["stages"] = [constant, {**constant, "lr": 1e-31}]
    result = train(parse_config(staged))
    rows = rows_of(result.folder)
    assert 4 <= len(rows) < 18
    assert {row["stage"] for row in rows} == {"1", "2"}
    assert [int(row["epoch"]) for row in rows] == list(range(1, len(rows) + 1))
    assert resume(result.folder).epochs == len(rows)


def test_mistakes_with_stages() -> None:
    def refused(training: dict[str, Any]) -> str:
        with pytest.raises(ConfigError) as caught:
            parse_config({"data": {"train": "a.h5"}, "training": training})
        return str(caught.value)

    message = refused({"epochs": 10, "stages": [{"epochs": 3}, {"epochs": 4}]})
    assert "training.stages: expected stages of 10 epochs together, as training.epochs" in message
    assert "training.stages" in refused({"stages": [{"epochs": 0}]})
    assert "epoch" in refused({"stages": [{"epoch": 3}]})
    assert "increasing distances" in refused({"loss": {"spatial": {"distances": [4.0, 2.0]}}})
    assert "squared" in refused({"loss": {"name": "l3"}})
    message = refused({"stages": [{"epochs": 3, "monitor": "bond_loss"}]})
    assert "training.monitor: expected a quantity of particles" in message


def test_lengths_of_a_loss_follow_the_material(staged: dict[str, Any], tmp_path: Path) -> None:
    """All lengths and labels twice as long: the same losses."""
    folders = []
    for factor in (1.0, 2.0):
        configurations = [
            moved(
                one, positions=factor * one.positions, cell=factor * one.cell,
                propensity=factor * one.propensity,
            )
            for one in map(labelled, range(4))
        ]  # fmt: skip
        data = {
            "train": str(write_dataset(tmp_path / f"{factor:g}.h5", configurations)),
            "validation": ["sample_3"],
        }
        settings = {**staged, "data": data, "output": str(tmp_path / f"run_{factor:g}")}
        settings["model"] = {"name": "glassmlp", "averaging_lengths": [0.0, factor],
                             "cutoff": 2.0 * factor, "variance_of": []}  # fmt: skip
        folders.append(train(parse_config(settings)).folder)
    one, two = (rows_of(folder) for folder in folders)
    for a, b in zip(one, two, strict=True):
        # Default lengths have three digits, and the spacing of this liquid is not exactly 1.2.
        assert float(a["validation/loss"]) == pytest.approx(float(b["validation/loss"]), rel=1e-2)

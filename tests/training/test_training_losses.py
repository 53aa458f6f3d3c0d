"""The losses that are shown: those of training and validation are defined in the same way."""

from __future__ import annotations

import csv
import math
from functools import partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from recorded_progress import Recorded
from systems import moved
from tiny_dataset import RUNS, labelled, write_dataset, write_runs

from glassml.training import parse_config, train
from glassml.training.checkpoint import LAST, read_checkpoint
from glassml.training.epoch_progress import EpochProgress
from glassml.training.losses import propensity_loss
from glassml.training.module import PropensityModule


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_runs(tmp_path_factory.mktemp("losses"))


@pytest.fixture
def noisy(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A run with reversed runs, whose labels have weights."""
    settings["data"] = {
        "train": str(folder / "runs.h5"),
        "reversed": str(folder / "back.h5"),
        "validation": ["sample_1", "sample_4"],
    }
    settings["training"] |= {"label_noise": 12, "epochs": 2}
    return settings


def rows_of(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(encoding="utf-8") as stream:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]


def test_both_losses_agree_on_the_same_configurations(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels of three runs have the weight 3 / (3 + 12), which must not show.

    Without dropout, with steps of no length and with one batch whose statistics become the running
    ones (momentum 1), training and validation make the same predictions.
    """
    of_radial_networks = partialmethod(torch.nn.BatchNorm1d.__init__, momentum=1.0)
    monkeypatch.setattr(torch.nn.BatchNorm1d, "__init__", of_radial_networks)
    train_on = [moved(labelled(seed), n_runs=RUNS) for seed in range(4)]
    # Duplicates of configurations are refused; 1e-9 is lost in float32.
    others = [
        moved(c, positions=c.positions + 1e-9, name=f"copy_of_{c.name}", n_runs=RUNS)
        for c in train_on
    ]
    settings["data"] = {
        "train": str(write_dataset(tmp_path / "train.h5", train_on)),
        "validation": str(write_dataset(tmp_path / "validation.h5", others)),
    }
    settings["model"] |= {"dropout": 0.0, "batchnorm_momentum": 1.0}
    settings["training"] |= {"batch_size": 4, "optimiser": {"lr": 1e-30}, "label_noise": 12}
    rows = rows_of(train(parse_config(settings)).folder)
    assert len(rows) == 4
    for row in rows:
        # Running variances are unbiased, those of a batch are not; there are thousands of edges.
        # With weights in one of the losses, the ratio would be 5.
        assert row["train/loss"] == pytest.approx(row["validation/loss"], rel=1e-2)
        assert row["train/weighted_loss"] == pytest.approx(row["train/loss"] / 5, rel=1e-5)


def test_reversed_runs_do_not_count_in_the_loss_that_is_shown(noisy: dict[str, Any]) -> None:
    """Their labels are single runs, so their errors are noise that validation does not have."""
    noisy["model"]["dropout"] = 0.0
    noisy["training"] |= {"epochs": 1, "optimiser": {"lr": 1e-30}}
    errors: list[float] = []
    of_runs: list[bool] = []
    step = PropensityModule.training_step

    def observed(self: PropensityModule, batch: Any, batch_idx: int) -> Any:
        result = step(self, batch, batch_idx)
        errors.append(float(result["error"]))
        of_runs.append(bool(batch.is_reversed.all()))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PropensityModule, "training_step", observed)
        progress = Recorded()
        (row,) = rows_of(train(parse_config(noisy), progress).folder)
    # Four configurations and twice as many runs, one per step.
    assert sorted(of_runs) == [False] * 4 + [True] * 8
    assert [math.isnan(error) for error in errors] == of_runs
    assert row["train/loss"] == pytest.approx(np.nanmean(errors), rel=1e-6)
    notes = progress.stages[1].notes
    shown = ""
    for note, error in zip(notes, errors, strict=True):
        shown = shown if math.isnan(error) else f"loss {error:.4f}"
        assert note == shown
    (line,) = [line for line in progress.lines if line.startswith("epoch 1/1")]
    assert f"loss {row['train/loss']:.4f}  validation {row['validation/loss']:.4f}" in line


def test_what_is_minimised_is_the_weighted_loss_to_the_last_bit(
    noisy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parameters are those of a training that computes nothing but the weighted loss."""

    def plain_step(self: PropensityModule, batch: Any, batch_idx: int) -> torch.Tensor:
        prediction, _ = self.predict(batch)
        return propensity_loss(
            prediction,
            batch.y,
            self.scale[batch.species],
            self.weight[batch.species],
            batch.trust * batch.stands_for,
        )

    class Plain(PropensityModule):
        training_step = plain_step

        def on_validation_epoch_end(self) -> None:
            self.log("train/loss", torch.zeros(()))  # what the lines of progress name
            super().on_validation_epoch_end()

    train(parse_config(noisy))
    monkeypatch.setattr("glassml.training.run.PropensityModule", Plain)
    monkeypatch.setattr(EpochProgress, "on_train_batch_end", lambda *_: None)
    train(parse_config({**noisy, "output": str(tmp_path / "plain")}))
    one, other = (
        read_checkpoint(tmp_path / name / LAST)["state_dict"] for name in ("run", "plain")
    )
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(other[name], value), name


@pytest.mark.parametrize(("labels", "said"), [("noise", 1), ("structure", 0)])
def test_learning_by_heart_is_noticed(
    settings: dict[str, Any], tmp_path: Path, labels: str, said: int
) -> None:
    """Labels without any relation to the structure can only be learnt by heart."""
    data = [labelled(seed) for seed in range(4)]
    if labels == "noise":
        random = np.random.default_rng(0)
        data = [moved(c, propensity=random.uniform(1, 2, c.propensity.shape)) for c in data]
    settings["data"] = {"train": str(write_dataset(tmp_path / "d.h5", data)), "validation": 0.5}
    settings["model"] |= {"dropout": 0.0, "channels": 4, "batchnorm_momentum": 0.1}
    settings["training"] |= {"epochs": 40, "optimiser": {"lr": 2e-2}}
    progress = Recorded()
    rows = rows_of(train(parse_config(settings), progress).folder)
    lines = [line for line in progress.lines if "learnt these data by heart" in line]
    assert len(lines) == said
    lowest = min(row["validation/loss"] for row in rows)
    risen = f"rose from {lowest:.4f} in epoch "
    assert all(risen in line for line in lines)

"""Runs that end before their last epoch: nothing improves, or the numbers are broken."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from recorded_progress import Recorded

from glassml.errors import GlassMLError
from glassml.training import RunResult, parse_config, resume, train
from glassml.training.module import PropensityModule

Run = Callable[[], RunResult]


def test_the_run_stops_when_nothing_improves(settings: dict[str, Any], run: Run) -> None:
    settings["training"] |= {
        "epochs": 50,
        "early_stopping": {"patience": 2, "min_delta": 10.0},
        "monitor": "loss",
    }
    result = run()
    # No loss falls by 10 after the first epoch, and two more are waited for.
    assert result.epochs == 3
    assert resume(result.folder).epochs == 3


def test_a_stopped_run_goes_on_with_more_patience(settings: dict[str, Any], run: Run) -> None:
    settings["training"] |= {
        "epochs": 50,
        "early_stopping": {"patience": 2, "min_delta": 10.0},
        "monitor": "loss",
    }
    folder = run().folder
    override = "training.early_stopping.patience=6"
    assert resume(folder, [override]).epochs == 7
    assert resume(folder).epochs == 7


def test_an_early_stop_is_reported(settings: dict[str, Any]) -> None:
    settings["training"] |= {
        "epochs": 4,
        "early_stopping": {"patience": 2, "min_delta": 10.0},
        "monitor": "loss",
    }
    first, again, longer = (Recorded() for _ in range(3))
    folder = train(parse_config(settings), first).folder
    resume(folder, progress=again)
    # With more patience the run gets to its last epoch, which is no early stop.
    resume(folder, ["training.early_stopping.patience=3"], longer)
    reason = "stopped early: loss did not improve for 2 epoch(s)"
    for progress in (first, again):
        assert reason in progress.lines
        assert "epochs are done" not in "\n".join(progress.lines)
    assert "stopped early" not in "\n".join(longer.lines)


@pytest.mark.parametrize(("monitor", "sign"), [("loss", -1), ("pearson_mean", 1)])
def test_the_run_goes_on_while_the_monitored_quantity_improves(
    settings: dict[str, Any], run: Run, monitor: str, sign: int
) -> None:
    settings["model"]["dropout"] = 0.0
    settings["training"] |= {
        "epochs": 200,
        "early_stopping": {"patience": 2},
        "monitor": monitor,
        "schedule": {"milestones": []},
    }
    result = run()
    with (result.folder / "metrics.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    values = np.array([sign * float(row[f"validation/{monitor}"]) for row in rows])
    best = np.maximum.accumulate(values)
    without = np.flatnonzero(best[2:] == best[:-2])
    assert result.epochs > 3
    assert (without + 3).tolist() == [result.epochs]
    assert result.best_epoch == values.argmax() + 1


def test_a_diverging_run_says_what_to_change(settings: dict[str, Any], run: Run) -> None:
    settings["training"]["optimiser"]["lr"] = 1e30
    with pytest.raises(GlassMLError, match=r"found .* Lower training\.optimiser\.lr"):
        run()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_validation_loss_that_is_not_finite_stops_the_run(
    settings: dict[str, Any], run: Run, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    predict = PropensityModule.predict

    def broken(self: PropensityModule, batch: Any) -> tuple[torch.Tensor, None]:
        prediction, bonds = predict(self, batch)
        return prediction * (1.0 if self.training else value), bonds

    monkeypatch.setattr(PropensityModule, "predict", broken)
    with pytest.raises(GlassMLError, match=r"loss of validation: .* in epoch 1. Lower"):
        run()
    assert not list(Path(settings["output"]).rglob("*.ckpt"))

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


class _Ticks:
    """In place of the clock of `glassml.training.clock`: each look is ten seconds later."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 10.0
        return self.now

    def process_time(self) -> float:
        return 2 * self.now


def test_the_run_ends_before_an_epoch_that_would_exceed_the_time_limit(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassml.training.clock.time", _Ticks())
    settings["training"] |= {"epochs": 20, "time_limit": 35.0}
    first, again = Recorded(), Recorded()
    result = train(parse_config(settings), first)
    # Every epoch takes ten seconds, and a fourth one would end at 40.
    assert (result.epochs, result.ended_by) == (3, "the time limit")
    assert (result.seconds, result.processor_seconds) == (30.0, 60.0)
    assert result.best_epoch <= 3
    assert any(line.startswith("stopped after 30.0 s (60.0 s of") for line in first.lines)
    same = resume(result.folder, progress=again)
    assert (same.epochs, same.ended_by, same.seconds) == (3, "the time limit", 30.0)
    longer = resume(result.folder, ["training.time_limit=60"])
    assert (longer.epochs, longer.seconds) == (6, 60.0)
    rest = resume(result.folder, ["training.time_limit=null", "training.epochs=8"])
    assert (rest.epochs, rest.ended_by, rest.seconds) == (8, "the last epoch", 80.0)


def test_the_time_of_the_processor_may_be_limited(
    settings: dict[str, Any], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassml.training.clock.time", _Ticks())
    settings["training"] |= {"epochs": 20, "processor_limit": 85.0}
    result = run()
    # Twenty seconds for every epoch, and a fifth one would end at 100.
    assert (result.epochs, result.ended_by, result.processor_seconds) == (4, "the time limit", 80.0)


def test_one_epoch_runs_however_short_the_time_is(settings: dict[str, Any], run: Run) -> None:
    settings["training"]["time_limit"] = 1e-6
    assert run().epochs == 1

"""How long a run has trained, over all its starts, and when its time is over."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from glassml.training.train_config import TrainingConfig

__all__ = ["Clock", "out_of_time", "trained_for"]


class Clock(Callback):
    """Counts the time of finished epochs, with their validation, and keeps it in checkpoints.

    With a limit, the run ends after the epoch whose successor would not be over in time, if it took
    as long as the longest one so far. The first epoch always runs.

    Args:
        limit: largest time of all epochs together [s]; None: no limit.

    Attributes:
        seconds: time of the finished epochs [s].
        processor_seconds: time that this process computed for them, in all its threads [s].
        longest: time of the longest epoch [s].
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self.seconds = self.processor_seconds = self.longest = 0.0
        self._begun = 0.0, 0.0

    @property
    def is_over(self) -> bool:
        """Whether another epoch would exceed the limit."""
        return self.limit is not None and self.seconds + self.longest > self.limit

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._begun = time.monotonic(), time.process_time()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add this epoch, and end the run if its time is over."""
        took = time.monotonic() - self._begun[0]
        self.seconds += took
        self.processor_seconds += time.process_time() - self._begun[1]
        self.longest = max(self.longest, took)
        if trainer.strategy.reduce_boolean_decision(self.is_over, all=False):
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """The times, for a checkpoint."""
        return {
            "seconds": self.seconds,
            "processor_seconds": self.processor_seconds,
            "longest": self.longest,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The times of a checkpoint."""
        self.seconds = state_dict["seconds"]
        self.processor_seconds = state_dict["processor_seconds"]
        self.longest = state_dict["longest"]


def trained_for(checkpoint: dict[str, Any]) -> tuple[float, float]:
    """Time and processor time [s] of the epochs behind a checkpoint; 0 if it does not say."""
    clock = _clock(None, checkpoint)
    return clock.seconds, clock.processor_seconds


def out_of_time(training: TrainingConfig, checkpoint: dict[str, Any]) -> bool:
    """Whether the time limit has ended the run of a checkpoint before its last epoch."""
    ended = checkpoint["glassml"]["epoch"] >= training.epochs
    return not ended and _clock(training.time_limit, checkpoint).is_over


def _clock(limit: float | None, checkpoint: dict[str, Any]) -> Clock:
    clock = Clock(limit)
    state = checkpoint["callbacks"].get(clock.state_key)
    if state is not None:  # absent in checkpoints of older versions
        clock.load_state_dict(state)
    return clock

"""How long a run has trained, over all its starts, and when its time is over."""

from __future__ import annotations

import math
import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from glassml.training.train_config import TrainingConfig

__all__ = ["Clock", "clock_of"]


class Clock(Callback):
    """Counts the time of finished epochs, with their validation, and keeps it in checkpoints.

    With a limit, the run ends after the epoch whose successor would not be over in time, if it took
    as long as the longest one so far. The first epoch always runs. The time is that of all stages.

    Args:
        limit: largest time of all epochs together [s]; None: no limit.
        processor_limit: the same for the processor time [s].

    Attributes:
        seconds: time of the finished epochs [s].
        processor_seconds: time that this process computed for them, in all its threads [s].
        longest: time of the longest epoch [s].
        longest_processor: largest processor time of an epoch [s].
    """

    def __init__(self, limit: float | None, processor_limit: float | None) -> None:
        self.limit, self.processor_limit = limit, processor_limit
        self.seconds = self.processor_seconds = self.longest = self.longest_processor = 0.0
        self._begun = 0.0, 0.0

    @property
    def is_over(self) -> bool:
        """Whether another epoch would exceed a limit."""
        limit = math.inf if self.limit is None else self.limit
        processor_limit = math.inf if self.processor_limit is None else self.processor_limit
        return (
            self.seconds + self.longest > limit
            or self.processor_seconds + self.longest_processor > processor_limit
        )

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._begun = time.monotonic(), time.process_time()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add this epoch, and end the run if its time is over."""
        took = time.monotonic() - self._begun[0]
        computed = time.process_time() - self._begun[1]
        self.seconds += took
        self.processor_seconds += computed
        self.longest = max(self.longest, took)
        self.longest_processor = max(self.longest_processor, computed)
        if trainer.strategy.reduce_boolean_decision(self.is_over, all=False):
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """The times, for a checkpoint."""
        return {
            "seconds": self.seconds,
            "processor_seconds": self.processor_seconds,
            "longest": self.longest,
            "longest_processor": self.longest_processor,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The times of a checkpoint."""
        self.seconds = state_dict["seconds"]
        self.processor_seconds = state_dict["processor_seconds"]
        self.longest = state_dict["longest"]
        self.longest_processor = state_dict["longest_processor"]


def clock_of(training: TrainingConfig, checkpoint: dict[str, Any] | None) -> Clock:
    """A clock that continues from a checkpoint; from 0 without one, or if it does not say."""
    clock = Clock(training.time_limit, training.processor_limit)
    state = checkpoint["callbacks"].get(clock.state_key) if checkpoint else None
    if state is not None:  # absent in checkpoints of older versions
        clock.load_state_dict(state)
    return clock

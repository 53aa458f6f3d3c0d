"""How far a run has come: a bar for the current epoch and a line for each finished one."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ProgressBar

from glassml.progress import SILENT, Advance, Progress, duration
from glassml.training.pearson_metric import metric_name

__all__ = ["EpochProgress"]


class EpochProgress(ProgressBar):
    """A stage for the steps of each epoch, then a line with its loss and Pearson coefficients.

    The line ends with the time left until the last epoch, at the speed so far.

    The note of the stage has the loss of the latest step and the coefficients of the last epoch.
    Losses of training are ``train/loss``, which compares with that of validation.

    Args:
        progress: shows the stages and lines; processes other than the first show nothing.
        species: the species whose coefficients are shown.
        times: times [time] of the labels.
        stage: which one begins each line, such as "stage 1/2, "; the time left is its own.
    """

    def __init__(
        self, progress: Progress, species: str, times: Sequence[float], stage: str = ""
    ) -> None:
        super().__init__()
        self.stage = stage
        self.progress = progress
        self.names = [metric_name("validation", "mean", species, time) for time in times]
        self.heading = (
            f"Pearson: of {species} in validation, mean over configurations, at t = "
            + ", ".join(f"{time:g}" for time in times)
        )
        self._open = ExitStack()
        self._advance: Advance | None = None
        self._last_loss = self._last_epoch = ""
        self._started, self._first_epoch = time.monotonic(), 0

    def disable(self) -> None:
        """Silence this process; Lightning calls it in all processes but the first."""
        self.progress = SILENT

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Explain the lines, and start the clock."""
        self.progress.say(self.heading)
        self._started, self._first_epoch = time.monotonic(), trainer.current_epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the stage of this epoch."""
        what = f"{self.stage}epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        stage = self.progress.stage(what, self.total_train_batches)
        self._advance = self._open.enter_context(stage)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count the step; one without training configurations leaves the loss that is shown."""
        error = float(outputs["error"])
        if math.isfinite(error):
            self._last_loss = f"loss {error:.4f}"
        if self._advance is not None:
            self._advance(note=f"{self._last_loss}{self._last_epoch}")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the stage, and write the line of this epoch."""
        self._open.close()
        values = trainer.callback_metrics
        pearson = " ".join(f"{float(values[name]):.3f}" for name in self.names)
        self._last_epoch = f"  Pearson {pearson}"
        width = len(str(trainer.max_epochs))
        self.progress.say(
            f"{self.stage}epoch {trainer.current_epoch + 1:{width}}/{trainer.max_epochs}  "
            f"loss {float(values['train/loss']):.4f}  "
            f"validation {float(values['validation/loss']):.4f}  Pearson {pearson}  "
            f"left {duration(self._time_left(trainer))}"
        )

    def _time_left(self, trainer: pl.Trainer) -> float:
        done = trainer.current_epoch + 1
        per_epoch = (time.monotonic() - self._started) / (done - self._first_epoch)
        return per_epoch * ((trainer.max_epochs or done) - done)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """End the stage."""
        self._open.close()

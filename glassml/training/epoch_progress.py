"""How far a run has come: a bar for the current epoch and a line for each one done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from glassml.training.pearson_metric import metric_name

__all__ = ["EpochProgress", "progress_bar", "watch"]


def progress_bar(console: Console) -> Progress:
    """A bar with counts and times, shown only where it can be redrawn."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),  # leaves a line room for the coefficients
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def watch(console: Console, items: Iterable[Any], total: int, text: str) -> Iterable[Any]:
    """The items, with a bar that shows how many have been taken."""
    with progress_bar(console) as progress:
        task = progress.add_task(text, total=total, values="")
        for item in items:
            yield item
            progress.advance(task)


class EpochProgress(ProgressBar):
    """A bar over the steps of the epoch, and a line with loss and Pearson coefficients after it.

    The bar shows the loss of the step and the coefficients of the last epoch.

    Args:
        console: where to write; other processes than the first are silent.
        species: the species whose coefficients are shown.
        times: times [time] of the labels.
        folder: run folder, named when the run is interrupted.
    """

    def __init__(
        self, console: Console, species: str, times: Sequence[float], folder: Path
    ) -> None:
        super().__init__()
        self.console = console
        self.folder = folder
        self.names = [metric_name("validation", "mean", species, time) for time in times]
        self.heading = (
            f"Pearson: of {species} in validation, mean over configurations, at t = "
            + ", ".join(f"{time:g}" for time in times)
        )
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._last_epoch = ""

    def disable(self) -> None:
        """Silence this process (Lightning calls it in all but the first)."""
        self.console = Console(quiet=True)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Explain the lines, and show the bar."""
        self._print(self.heading)
        self._progress = progress_bar(self.console)
        self._progress.start()
        self._task = self._progress.add_task("", total=None, values="")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Set the bar back."""
        if self._progress is not None:
            text = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            self._progress.reset(self._task, description=text, total=self.total_train_batches)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Advance the bar."""
        if self._progress is not None:
            values = f"loss {float(outputs['loss']):.4f}{self._last_epoch}"
            self._progress.update(self._task, completed=batch_idx + 1, values=values)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A line for the epoch."""
        values = trainer.callback_metrics
        pearson = " ".join(f"{float(values[name]):.3f}" for name in self.names)
        self._last_epoch = f"  Pearson {pearson}"
        width = len(str(trainer.max_epochs))
        self._print(
            f"epoch {trainer.current_epoch + 1:{width}}/{trainer.max_epochs}  "
            f"loss {float(values['train/loss']):.4f}  "
            f"validation {float(values['validation/loss']):.4f}  Pearson {pearson}"
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the bar away."""
        self._stop()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Take the bar away, and say how to go on after an interruption."""
        self._stop()
        if isinstance(exception, KeyboardInterrupt):
            self._print(f"interrupted; continue with: glassml train --resume {self.folder}")

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _print(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

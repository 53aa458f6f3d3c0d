"""The learning curves of a run: a table that survives interruptions, and its figure."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from glassml.files import atomic_write
from glassml.plotting import save_figure
from glassml.training.curves import curves_figure

__all__ = ["History", "overfitting_note", "write_table"]

# The figure takes about half a second; an epoch of a small system takes less.
_SECONDS_BETWEEN_PICTURES = 15.0
_RISE = 1.1  # of the validation loss above its minimum; it fluctuates by some per cent


class History(Callback):
    """Keeps one row of metrics per epoch, in ``metrics.csv``, ``curves.png`` and checkpoints.

    A resumed run continues the rows of the checkpoint that it starts from, so the table has every
    epoch exactly once. Earlier versions wrote the loss that is minimised as ``train/loss``, which
    does not compare with that of validation. It becomes ``train/weighted_loss``, as it is called
    now; the present ``train/loss`` is not known for these epochs.

    Args:
        folder: run folder; None keeps the rows in memory only (as processes other than the first
            do).
        species: names of the species.
        times: times [time] of the labels.
        time_unit: how their unit is written; "" if it has none, or it is unknown.
        has_stages: rows have a column for the stage of the training.

    Attributes:
        rows: one mapping per epoch, from the names of the metrics to their values.
    """

    def __init__(
        self,
        folder: Path | None,
        species: Sequence[str],
        times: Sequence[float],
        time_unit: str = "",
        has_stages: bool = False,
    ) -> None:
        self.has_stages = has_stages
        self.folder = folder
        self.species = tuple(species)
        self.times = tuple(times)
        self.time_unit = time_unit
        self.rows: list[dict[str, float]] = []
        self._started = time.monotonic()
        self._drawn = -math.inf

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock and note the learning rate, which changes at the end of an epoch."""
        self._started = time.monotonic()
        self._learning_rate = float(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add this epoch's row."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        stage, before = getattr(pl_module, "stage", 0), getattr(pl_module, "epochs_before", 0)
        row = {
            "epoch": before + trainer.current_epoch + 1,
            **({"stage": stage + 1} if self.has_stages else {}),
            "seconds": round(time.monotonic() - self._started, 3),
            "learning_rate": self._learning_rate,
        }
        self.rows.append(row | dict(sorted(metrics.items())))
        self._write(final=False)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the final figure."""
        self._write(final=True)

    def state_dict(self) -> dict[str, Any]:
        """The rows, for a checkpoint."""
        return {"rows": [dict(row) for row in self.rows]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The rows of a checkpoint; later ones of an interrupted run are dropped."""
        self.rows = [_present_names(row) for row in state_dict["rows"]]

    def _write(self, final: bool) -> None:
        if self.folder is None or not self.rows:
            return
        write_table(self.rows, self.folder / "metrics.csv")
        if final or time.monotonic() - self._drawn > _SECONDS_BETWEEN_PICTURES:
            figure = curves_figure(self.rows, self.species[0], self.times, self.time_unit)
            save_figure(figure, self.folder / "curves.png")
            self._drawn = time.monotonic()


def _present_names(row: Mapping[str, float]) -> dict[str, float]:
    if "train/weighted_loss" in row:
        return dict(row)
    renamed = {"train/loss": "train/weighted_loss"}
    return {renamed.get(name, name): value for name, value in row.items()}


def overfitting_note(rows: Sequence[Mapping[str, float]]) -> str | None:
    """What to say if the network has learnt the training data by heart; None if it has not.

    It has if the loss of validation rose again by more than a tenth, while that of training fell.

    Args:
        rows: one mapping per epoch, as in ``metrics.csv``.
    """
    known = [row for row in rows if "validation/loss" in row and "train/loss" in row]
    if not known:
        return None
    best, last = min(known, key=lambda row: row["validation/loss"]), known[-1]
    low, now = best["validation/loss"], last["validation/loss"]
    if not (now > _RISE * low and last["train/loss"] < best["train/loss"]):
        return None
    return (
        f"note: the validation loss rose from {low:.4f} in epoch {best['epoch']:g} to {now:.4f}, "
        "as the network learnt these data by heart. More configurations help; with few, "
        "`glassml refit structural` is often better (docs/howto/own_liquid.md)"
    )


def write_table(rows: Sequence[dict[str, float]], path: Path) -> None:
    """Write rows as CSV, with every name that occurs as a column and all digits."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_write(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names, restval="")
        writer.writeheader()
        writer.writerows(rows)

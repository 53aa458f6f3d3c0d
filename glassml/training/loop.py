"""Lightning's trainer, set up so that a run can be repeated and resumed exactly."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy

from glassml.training.allocator import keep_freed_memory
from glassml.training.checkpoint import BEST, LAST, AtomicCheckpointIO, saver
from glassml.training.clock import clock_of
from glassml.training.data_module import DataModule
from glassml.training.devices import Devices
from glassml.training.module import PropensityModule
from glassml.training.stages import epochs_before
from glassml.training.train_config import TrainingConfig

__all__ = [
    "early_stopping",
    "fit",
    "is_done",
    "is_finished",
    "savers",
    "stopped_early",
    "weight_averaging",
]


class _EarlyStopping(EarlyStopping):
    """Continues the count of a checkpoint, up to the patience of the present settings."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the count and the best value; Lightning would also restore the old patience."""
        super().load_state_dict({**state_dict, "patience": self.patience})


def fit(
    module: PropensityModule,
    data: DataModule,
    folder: Path,
    devices: Devices,
    callbacks: list[Callback],
    last: Path | None,
) -> None:
    """Train until all epochs are done, or until early stopping or the time limit ends the run.

    Args:
        module: the model in training.
        data: what it is trained on, prepared.
        folder: run folder.
        devices: what it is trained on.
        callbacks: called during the run, in this order.
        last: checkpoint to continue from; None starts a new run.
    """
    keep_freed_memory()
    with _quiet_lightning():
        trainer = _trainer(module.settings, folder, devices, callbacks)
        try:
            trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
        except SystemExit:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from None


def early_stopping(training: TrainingConfig) -> list[EarlyStopping]:
    """The callback that ends a run early, if the configuration asks for one."""
    if training.early_stopping is None:
        return []
    monitor, mode = _monitor(training)
    return [
        _EarlyStopping(
            monitor,
            mode=mode,
            patience=training.early_stopping.patience,
            min_delta=training.early_stopping.min_delta,
            check_finite=False,
            check_on_train_epoch_end=True,
        )
    ]


def weight_averaging(training: TrainingConfig) -> list[WeightAveraging]:
    """The callback that validates and saves a moving average, if the configuration asks for it."""
    decay = training.weight_averaging
    if not decay:
        return []

    def average(mean: torch.Tensor, new: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
        # Indices among the buffers must not pass through floating-point numbers.
        if not mean.is_floating_point():
            return new
        # A plain mean at first: with the decay alone, the start would count for too long.
        return torch.lerp(mean, new, 1 - min(decay, (1 + int(count)) / (10 + int(count))))

    return [WeightAveraging(avg_fn=average)]


def savers(training: TrainingConfig, folder: Path) -> list[Callback]:
    """The callbacks that keep the best and the last checkpoint."""
    # The last checkpoint is saved after the best one, so it records which that is.
    return [saver(folder, BEST, *_monitor(training)), saver(folder, LAST)]


def is_finished(training: TrainingConfig, checkpoint: dict[str, Any]) -> bool:
    """Whether the stage of a checkpoint, which has these settings, has ended, early or not."""
    done = is_done(training, checkpoint)
    return done or stopped_early(training, checkpoint) or clock_of(training, checkpoint).is_over


def stopped_early(training: TrainingConfig, checkpoint: dict[str, Any]) -> bool:
    """Whether early stopping has ended the stage of a checkpoint before its last epoch."""
    if is_done(training, checkpoint):
        return False
    states = checkpoint["callbacks"]
    return any(
        states.get(stop.state_key, {}).get("wait_count", 0) >= stop.patience
        for stop in early_stopping(training)
    )


def is_done(training: TrainingConfig, checkpoint: dict[str, Any]) -> bool:
    """Whether the last epoch of the stage of a checkpoint is over."""
    done = int(checkpoint["glassml"]["epoch"]) - epochs_before(checkpoint)
    return done >= training.epochs


def _trainer(
    training: TrainingConfig, folder: Path, devices: Devices, callbacks: list[Callback]
) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=training.epochs,
        accelerator=devices.accelerator,
        devices=devices.per_node,
        num_nodes=devices.nodes,
        # Broadcasting would replace all batch statistics by those of the first process.
        strategy=DDPStrategy(broadcast_buffers=False) if devices.total > 1 else "auto",
        plugins=[AtomicCheckpointIO()],
        precision="64-true" if training.dtype == "float64" else "32-true",
        gradient_clip_val=training.gradient_clip,
        logger=TensorBoardLogger(folder, name="", version="tensorboard"),
        callbacks=callbacks,
        num_sanity_val_steps=0,  # it would draw random numbers before the first epoch
        use_distributed_sampler=False,  # the data module distributes the configurations itself
        enable_model_summary=False,
        log_every_n_steps=1,
    )


def _monitor(training: TrainingConfig) -> tuple[str, str]:
    """Name of the monitored metric, and whether the largest or the smallest value is the best."""
    return f"validation/{training.monitor}", "min" if training.monitor.endswith("loss") else "max"


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Hide Lightning's notices and advice, but not its other warnings."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Graphs are in memory, so loader processes would only copy them.
        warnings.filterwarnings("ignore", message=".*does not have many workers")
        warnings.filterwarnings("ignore", message=".*exists and is not empty")
        warnings.filterwarnings("ignore", message=".*treespec, LeafSpec")
        yield

"""The stages of a run, one after the other, from the beginning or from a checkpoint."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_only

from glassml.files import atomic_write
from glassml.models import GlassModel
from glassml.progress import Progress
from glassml.training.checkpoint import BEST, OF_STAGE, read_checkpoint
from glassml.training.clock import clock_of
from glassml.training.data_module import DataModule
from glassml.training.devices import Devices
from glassml.training.epoch_progress import EpochProgress
from glassml.training.history import History
from glassml.training.loop import (
    early_stopping,
    fit,
    is_finished,
    savers,
    weight_averaging,
)
from glassml.training.module import PropensityModule
from glassml.training.split import Split
from glassml.training.stages import epochs_before, stage_of, stages_of
from glassml.training.train_config import TrainingConfig

__all__ = ["Resumed", "load_parameters", "train_stages"]


@dataclass(frozen=True)
class Resumed:
    """Where an interrupted run continues.

    Attributes:
        path: the last checkpoint.
        checkpoint: its contents.
    """

    path: Path
    checkpoint: dict[str, Any]


def train_stages(
    training: TrainingConfig,
    module: PropensityModule,
    data: DataModule,
    split: Split,
    folder: Path,
    devices: Devices,
    history: History,
    progress: Progress,
    resumed: Resumed | None,
) -> None:
    """Train until all epochs of all stages are done, early stopping ends the last, or time is over.

    Each stage begins with the parameters of the best epoch of the one before. That checkpoint is
    kept, so a run that is interrupted at any moment repeats the same.

    Args:
        training: settings of all stages.
        module: the model in training.
        data: what it is trained on, prepared.
        split: its configurations.
        folder: run folder.
        devices: what it is trained on.
        history: gets a row for each epoch.
        progress: shows how far the run has come.
        resumed: where it continues; None starts a new run.
    """
    stages = stages_of(training)
    clock = clock_of(training, resumed.checkpoint if resumed else None)
    number, before, last = 0, 0, None
    if resumed is not None:
        number, last = stage_of(resumed.checkpoint), resumed.path
        before = epochs_before(resumed.checkpoint)
        if is_finished(stages[number], resumed.checkpoint):
            _end(number, folder, module.model)
            before, last = int(resumed.checkpoint["glassml"]["epoch"]), None
            history.load_state_dict(resumed.checkpoint["callbacks"][history.state_key])
            number += 1
    for k, settings in enumerate(stages[number:], start=number):
        module.begin_stage(k, settings, before)
        data.epochs_before = before
        shown = f"stage {k + 1}/{len(stages)}, " if len(stages) > 1 else ""
        callbacks = [
            EpochProgress(progress, split.species[0], split.times, shown),
            history,
            *weight_averaging(settings),
            *early_stopping(settings),
            clock,
            *savers(settings, folder),
        ]
        fit(module, data, folder, devices, callbacks, last)
        last = None
        before = int(history.rows[-1]["epoch"])
        if clock.is_over:
            return
        if k + 1 < len(stages):
            best = _end(k, folder, module.model)
            progress.say(f"stage {k + 1} ends; the next begins with epoch {best}")


def _end(number: int, folder: Path, model: GlassModel) -> int:
    """Keep the best checkpoint of a stage, and load its parameters.

    Returns:
        Its epoch.
    """
    kept = folder / OF_STAGE.format(number + 1)
    if getattr(rank_zero_only, "rank", 0) == 0 and not kept.is_file():
        with atomic_write(kept) as partial:
            shutil.copyfile(folder / BEST, partial)
    checkpoint = read_checkpoint(kept if kept.is_file() else folder / BEST)
    load_parameters(model, checkpoint)
    return int(checkpoint["glassml"]["epoch"])


def load_parameters(model: GlassModel, checkpoint: dict[str, Any]) -> None:
    """Give a model the parameters, means and scales of a checkpoint of the same model."""
    prefix, state = "model.", checkpoint["state_dict"]
    own = {name.removeprefix(prefix): x for name, x in state.items() if name.startswith(prefix)}
    model.load_state_dict(own)

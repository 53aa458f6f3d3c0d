"""What ended a run, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from glassml.progress import Progress
from glassml.training.checkpoint import BEST, LAST, read_checkpoint
from glassml.training.clock import clock_of
from glassml.training.loop import is_done, is_finished, stopped_early
from glassml.training.stages import stage_of, stages_of
from glassml.training.train_config import TrainingConfig

__all__ = ["Ending", "RunResult", "ending_of", "is_over", "run_result"]

#: What may end a run.
Ending = Literal["the last epoch", "early stopping", "the time limit"]


@dataclass(frozen=True)
class RunResult:
    """Where a run ended.

    Attributes:
        folder: run folder.
        epochs: number of epochs done, those of earlier starts included.
        best_epoch: the epoch of the best checkpoint.
        metrics: metrics of that epoch.
        ended_by: what ended it.
        seconds: time of all epochs, with their validation [s].
        processor_seconds: time that the process computed for them, in all its threads [s].
    """

    folder: Path
    epochs: int
    best_epoch: int
    metrics: dict[str, float]
    ended_by: Ending = "the last epoch"
    seconds: float = 0.0
    processor_seconds: float = 0.0


def run_result(
    folder: Path, epochs: int, training: TrainingConfig, progress: Progress
) -> RunResult:
    """What came of the run in a folder, which is also said.

    Args:
        folder: run folder.
        epochs: number of epochs done.
        training: settings of the run.
        progress: where it is said.
    """
    last = read_checkpoint(folder / LAST)
    ending = ending_of(training, last)
    stage = stages_of(training)[-1]
    if stage.early_stopping and ending == "early stopping":
        patience = stage.early_stopping.patience
        progress.say(f"stopped early: {stage.monitor} did not improve for {patience} epoch(s)")
    clock = clock_of(training, last)
    if ending == "the time limit":
        progress.say(
            f"stopped after {clock.seconds:.1f} s ({clock.processor_seconds:.1f} s of the "
            "processor): another epoch would exceed training.time_limit or training.processor_limit"
        )
    record = read_checkpoint(folder / BEST)["glassml"]
    result = RunResult(
        folder,
        epochs,
        record["epoch"],
        record["metrics"],
        ending,
        clock.seconds,
        clock.processor_seconds,
    )
    loss, pearson = (
        result.metrics.get(f"validation/{name}", math.nan) for name in ("loss", "pearson_mean")
    )
    progress.say(
        f"best epoch {result.best_epoch} of {epochs}: validation loss "
        f"{loss:.4f}, Pearson coefficient {pearson:.3f}"
    )
    progress.say(f"export it with: glassml export {folder} -o model.pt")
    return result


def is_over(training: TrainingConfig, checkpoint: dict[str, Any]) -> bool:
    """Whether the run of its last checkpoint has nothing more to do."""
    stages, at = stages_of(training), stage_of(checkpoint)
    last = at == len(stages) - 1 and is_finished(stages[at], checkpoint)
    return last or clock_of(training, checkpoint).is_over


def ending_of(training: TrainingConfig, checkpoint: dict[str, Any]) -> Ending:
    """What ended the run of its last checkpoint."""
    stages, at = stages_of(training), stage_of(checkpoint)
    if at == len(stages) - 1:
        if stopped_early(stages[at], checkpoint):
            return "early stopping"
        if is_done(stages[at], checkpoint):
            return "the last epoch"
    return "the time limit" if clock_of(training, checkpoint).is_over else "the last epoch"

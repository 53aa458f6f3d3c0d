"""One training run of a sweep as a task: its key, its training and its predictions."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from glassml.files import atomic_write
from glassml.studies.threads import cpu_threads
from glassml.training import TrainConfig, parse_config, resume, train
from glassml.training.checkpoint import BEST, LAST
from glassml.training.held_out import predict_held_out
from glassml.work import Task, evaluator

__all__ = ["EPOCHS", "PREDICTIONS", "training_task", "with_threads"]

PREDICTIONS = "predictions.npz"
EPOCHS = {"last": LAST, "best": BEST}

# Settings that change where a run takes place and how fast, but not its outcome.
_NO_DIFFERENCE = {
    "data": ("train", "reversed", "cache", "graph_cache", "graph_cache_gb"),
    "training": ("accelerator", "devices"),
}


def training_task(config: TrainConfig, checksums: Sequence[str]) -> Task:
    """The task of training one model and predicting the configurations that it held out.

    Its folder is a run folder of `glassml.training`, in which an interrupted run continues.

    Args:
        config: configuration of the run, without its folder.
        checksums: checksums of the data files; the key contains them in place of the paths.
    """
    settings = config.model_dump(mode="json", exclude={"output"})
    for section, names in _NO_DIFFERENCE.items():
        for name in names:
            del settings[section][name]
    if isinstance(settings["data"]["validation"], str):
        settings["data"]["validation"] = Path(settings["data"]["validation"]).name
    return Task(
        evaluators=(train_and_predict,),
        outputs=(PREDICTIONS,),
        facts={"settings": settings, "data": list(checksums)},
        payload={"config": config.model_dump(mode="json"), "threads": None},
        resumable=True,
    )


def with_threads(task: Task, threads: int | None) -> Task:
    """The same task with a number of CPU threads; None keeps torch's setting."""
    return replace(task, payload={**task.payload, "threads": threads})


@evaluator(version=1)
def train_and_predict(task: Task, folder: Path) -> None:
    """Train, or continue the run in the folder; then predict the held-out configurations."""
    config = parse_config(task.payload["config"])
    with cpu_threads(task.payload["threads"]):
        _train(folder, config.model_copy(update={"output": folder}))
        _write_predictions(folder, config)


def _train(folder: Path, config: TrainConfig) -> None:
    if (folder / "config.yaml").is_file():
        resume(folder)
        return
    shutil.rmtree(folder)  # without config.yaml there is nothing to resume
    train(config)


def _write_predictions(folder: Path, config: TrainConfig) -> None:
    """Write what the last and the best epoch predict for the held-out configurations."""
    arrays: dict[str, Any] = {}
    for kind, checkpoint in EPOCHS.items():
        held_out = list(predict_held_out(config, folder / checkpoint))
        arrays[kind] = np.concatenate([h.prediction for h in held_out])
        arrays["labels"] = np.concatenate([h.labels for h in held_out])
        arrays["species"] = np.concatenate([h.species for h in held_out])
        arrays["names"] = np.array([h.name for h in held_out])
        arrays["particles"] = np.array([len(h.species) for h in held_out])
    with atomic_write(folder / PREDICTIONS) as partial:
        np.savez(partial, **arrays)

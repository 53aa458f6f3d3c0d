"""Running the points of a sweep: each once, in its own folder, again where it was interrupted."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from glassml.errors import GlassMLError
from glassml.files import atomic_write, exclusive
from glassml.studies.sweep.sweep_plan import Point
from glassml.training import TrainConfig, parse_config, resume, train
from glassml.training.checkpoint import BEST, LAST
from glassml.training.held_out import predict_held_out

__all__ = ["EPOCHS", "PREDICTIONS", "failure", "is_done", "run_point", "run_points"]

PREDICTIONS = "predictions.npz"
EPOCHS = {"last": LAST, "best": BEST}


def is_done(folder: Path) -> bool:
    """Whether the run of a point has come to its end."""
    return (folder / PREDICTIONS).is_file()


def failure(folder: Path) -> str | None:
    """Why the run of a point failed; None if it did not."""
    note = _failure_file(folder)
    return note.read_text(encoding="utf-8").strip() if note.is_file() else None


def run_points(
    points: Sequence[Point],
    folder: Path,
    *,
    jobs: int = 1,
    threads: int | None = None,
    on_done: Callable[[Point], None] = lambda point: None,
) -> None:
    """Run what is not done yet.

    A run that fails, for instance as its loss diverged, does not stop the others; it leaves a note
    and is tried again the next time.

    Args:
        points: of the sweep.
        folder: holds one folder a run.
        jobs: how many runs at once, each a process of its own if there are several.
        threads: CPU threads a run; None: all cores, shared out among the jobs.
        on_done: called after each run, whether it failed or not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first: dict[str, Point] = {}
    for point in points:
        first.setdefault(point.key, point)
    waiting = [point for key, point in first.items() if not is_done(folder / key)]
    if jobs == 1:
        before = torch.get_num_threads()
        for point in waiting:
            run_point(folder / point.key, point.config, threads)
            on_done(point)
        torch.set_num_threads(before)
        return
    threads = threads or max(1, (os.cpu_count() or 1) // jobs)
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    running: dict[BaseProcess, Point] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                point = waiting.pop(0)
                values = point.config.model_dump(mode="json")
                process = context.Process(target=_child, args=(folder / point.key, values, threads))
                process.start()
                running[process] = point
            wait([one.sentinel for one in running])
            for ended in [one for one in running if not one.is_alive()]:
                point = running.pop(ended)
                _note_death(folder / point.key, ended)
                on_done(point)
    finally:
        for left in running:
            left.terminate()
        for left in running:
            left.join()


def run_point(folder: Path, config: TrainConfig, threads: int | None = None) -> None:
    """Train one point from where it stands, and predict what it held out.

    Only one process at a time works in a folder: what a killed sweep left running is waited for.

    Args:
        folder: of the run.
        config: of the run.
        threads: CPU threads; None leaves torch's setting alone.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(folder.parent / f"{folder.name}.lock", lambda: _say_waiting(folder)):
        if is_done(folder):
            return
        _failure_file(folder).unlink(missing_ok=True)
        try:
            _train(folder, config.model_copy(update={"output": folder}))
            _write_predictions(folder, config)
        except GlassMLError as error:
            _note_failure(folder, str(error))


def _say_waiting(folder: Path) -> None:
    text = f"{folder}: another process is at this run; waiting until it ends"
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)


def _train(folder: Path, config: TrainConfig) -> None:
    if (folder / "config.yaml").is_file():
        resume(folder)
        return
    if folder.exists():  # killed before the run had written what it is made from
        shutil.rmtree(folder)
    train(config)


def _write_predictions(folder: Path, config: TrainConfig) -> None:
    """Keep what the last and the best epoch predict for the held-out configurations."""
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


def _child(folder: Path, values: dict[str, Any], threads: int) -> None:
    try:
        run_point(folder, parse_config(values), threads)
    except KeyboardInterrupt:  # the parent says so
        raise SystemExit(130) from None


def _note_death(folder: Path, process: BaseProcess) -> None:
    """A process that ended without a result and without a message of its own."""
    if process.exitcode and failure(folder) is None and not is_done(folder):
        _note_failure(
            folder,
            f"the process of this run ended with exit status {process.exitcode}; a negative one is "
            "a signal, and 9 is often a lack of memory",
        )


def _note_failure(folder: Path, message: str) -> None:
    with atomic_write(_failure_file(folder)) as partial:
        partial.write_text(message + "\n", encoding="utf-8")


def _failure_file(folder: Path) -> Path:
    return folder.parent / f"{folder.name}.failed.txt"

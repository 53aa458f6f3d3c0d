"""Evaluators that other processes can import, and the tasks that use them."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from glassml.errors import InputError
from glassml.work import Evaluator, Task, evaluator

__all__ = [
    "count_up",
    "die",
    "fail",
    "join_inputs",
    "slow_parts",
    "task",
    "text_of",
    "write_process",
    "write_text",
]


@evaluator(version=1)
def write_text(task: Task, folder: Path) -> None:
    """Write the fact ``text`` into the only output."""
    (folder / task.outputs[0]).write_text(task.facts["text"])


@evaluator(version=1)
def join_inputs(task: Task, folder: Path) -> None:
    """Write the texts of all inputs, one after the other."""
    (folder / task.outputs[0]).write_text("".join((folder / n).read_text() for n in task.inputs))


@evaluator(version=1)
def write_process(task: Task, folder: Path) -> None:
    """Write the number of this process."""
    (folder / task.outputs[0]).write_text(str(os.getpid()))


@evaluator(version=1)
def fail(task: Task, folder: Path) -> None:
    """Fail as a user's mistake does."""
    (folder / "rubbish.txt").write_text("half of it")
    raise InputError(f"text: expected another one; found {task.facts['text']}")


@evaluator(version=1)
def die(task: Task, folder: Path) -> None:
    """End the process without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


@evaluator(version=1)
def slow_parts(task: Task, folder: Path) -> None:
    """Write two outputs, the second one only when the file ``go`` is there."""
    (folder / task.outputs[0]).write_text("first")
    while not Path(task.payload, "go").exists():
        time.sleep(0.01)
    (folder / task.outputs[1]).write_text("second")


@evaluator(version=1)
def slow_parts_with_lightning(task: Task, folder: Path) -> None:
    """As `slow_parts`; SIGTERM interrupts it, as it does what Lightning trains."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    slow_parts(task, folder)


@evaluator(version=1)
def count_up(task: Task, folder: Path) -> None:
    """Add a line for each attempt; the third one writes the output."""
    lines = folder / "attempts.txt"
    with lines.open("a") as stream:
        stream.write(f"{threading.get_native_id()}\n")
    if len(lines.read_text().splitlines()) < 3:
        raise InputError("not yet")
    (folder / task.outputs[0]).write_text("done")


def task(text: str, function: Evaluator = write_text, **fields: Any) -> Task:
    """A task with one output, which an evaluator writes."""
    return Task((function,), **{"outputs": ("out.txt",), "facts": {"text": text}, **fields})


def text_of(folder: Path, done: Task) -> str:
    """What the task has written."""
    return (folder / done.key / "out.txt").read_text()

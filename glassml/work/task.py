"""A task: what is computed, from what, and by which version of which function."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

__all__ = ["Evaluator", "Task", "evaluator"]

_KEY_LENGTH = 16  # hexadecimal digits: two of a million tasks agree with a chance of 1 in 10^7


class Evaluator(Protocol):
    """A function that writes outputs of a task, and states its version; see `evaluator`."""

    __name__: str
    __qualname__: str
    version: int

    def __call__(self, task: Task, folder: Path, /) -> None:
        """Do a part of a task.

        Args:
            task: the task.
            folder: contains the inputs; the outputs are written there.
        """
        ...


def evaluator(*, version: int) -> Callable[[Callable[[Task, Path], None]], Evaluator]:
    """Declare a function to be an evaluator of this version.

    Raise the version when you change the function so that it computes something else: tasks of the
    earlier version are then done again.

    Args:
        version: a positive number.
    """

    def declare(function: Callable[[Task, Path], None]) -> Evaluator:
        declared = cast(Evaluator, function)
        declared.version = version
        return declared

    return declare


@dataclass(frozen=True)
class Task:
    """A piece of work whose outputs depend only on values that are hashed into its key.

    Attributes:
        evaluators: functions that do it, one after the other; their modules, names and versions
            are in the key.
        outputs: files that are kept.
        facts: plain values that decide what the outputs are; in the key.
        inputs: files of other tasks: name -> key of the task that writes it.
        payload: further input of the evaluators that changes no output or that the facts identify,
            such as a number of threads or a large object. Not in the key.
        label: put before the messages of errors; empty if they name the task themselves.
        resumable: whether the evaluators continue from the files of an earlier attempt. Otherwise
            they start from nothing, in a folder that appears only when everything is written.
        consumes: whether the inputs may be removed once it is done, as no other task needs them.
        cost: estimate of the time that it takes, in any unit, for progress.

    Raises:
        TypeError: an evaluator has no version; or, when the key is computed, the facts are not
            plain values.
    """

    evaluators: tuple[Evaluator, ...]
    outputs: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    payload: Any = None
    label: str = ""
    resumable: bool = False
    consumes: bool = False
    cost: float = 1.0

    def __post_init__(self) -> None:
        for function in self.evaluators:
            version = getattr(function, "version", None)
            if not isinstance(version, int) or version < 1:
                raise TypeError(
                    f"{function.__name__}: expected a positive version, declared by "
                    f"@evaluator(version=1); found {version!r}"
                )

    @cached_property
    def key(self) -> str:
        """Hash of everything that the outputs depend on."""
        parts = {
            "evaluators": [[_name(function), function.version] for function in self.evaluators],
            "facts": dict(self.facts),
            "inputs": dict(self.inputs),
            "outputs": self.outputs,
        }
        text = json.dumps(parts, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]


def _name(function: Evaluator) -> str:
    return f"{function.__module__}.{function.__qualname__}"

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
            task: what to do.
            folder: where the inputs are, and into which the outputs are written.
        """
        ...


def evaluator(*, version: int) -> Callable[[Callable[[Task, Path], None]], Evaluator]:
    """Declare a function to be an evaluator, and its version.

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
    """A piece of work with outputs that follow from what is hashed into its key, and nothing else.

    Attributes:
        evaluators: functions that do it, one after the other; their modules, names and versions
            are in the key.
        outputs: files that are kept.
        facts: plain values that decide what the outputs are; in the key.
        inputs: files of other tasks: name -> key of the task that writes it.
        payload: what the evaluators need besides, but which changes no output, or which the facts
            identify: a large object, a number of threads. Not in the key.
        label: put before the messages of errors; empty if they name the task themselves.
        resumable: the evaluators go on from what an earlier attempt left in the folder. Otherwise
            they start afresh, in a folder that appears only when everything is written.
        consumes: whether the inputs may be removed once it is done, as no other task needs them.
        cost: estimate of the time that it takes, in any unit, for progress.

    Raises:
        TypeError: an evaluator states no version; or, when the key is asked for, the facts are not
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
        """Hash of everything that decides what the outputs are."""
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

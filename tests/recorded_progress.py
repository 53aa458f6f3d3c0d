"""A `Progress` that remembers what it was told, shared by the tests of several rooms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from glassml.progress import Advance, Progress

__all__ = ["Recorded", "Stage"]


@dataclass
class Stage:
    """One stage: what was reported in it, and whether it has ended."""

    what: str
    total: float | None
    done: float = 0.0
    notes: list[str] = field(default_factory=list)
    ended: bool = False


class Recorded(Progress):
    """Keeps the lines and the stages, in the order in which they came."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stages: list[Stage] = []

    @contextmanager
    def stage(self, what: str, total: float | None = None) -> Iterator[Advance]:
        """Record a stage."""
        stage = Stage(what, total)
        self.stages.append(stage)

        def advance(amount: float = 1.0, note: str = "") -> None:
            stage.done += amount
            stage.notes.append(note)

        try:
            yield advance
        finally:
            stage.ended = True

    def say(self, text: str) -> None:
        """Record a line."""
        self.lines.append(text)

"""Progress of long work: one protocol for all functions that take long.

Such functions report to a `Progress`, whether or not anything is shown. The base class shows
nothing; `TerminalProgress` draws bars on a terminal, and elsewhere writes a line from time to time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["SILENT", "Advance", "Clock", "Progress", "TerminalProgress", "duration"]

T = TypeVar("T")

# What is reported within this time [s] of the start of a stage was done before, by an earlier run
# for instance, and says nothing about the speed.
_AT_ONCE = 0.5


class Advance(Protocol):
    """Reports that a part of a stage is done."""

    def __call__(self, amount: float = 1.0, note: str = "") -> None:
        """Report progress.

        Args:
            amount: how much was done since the last report, in the units of the stage's total.
            note: current information, such as a loss; it replaces the previous note.
        """
        ...


class Progress:
    """Receives progress reports and shows nothing."""

    def stage(self, what: str, total: float | None = None) -> AbstractContextManager[Advance]:
        """One piece of work: a context manager that gives a function for reports.

        Args:
            what: description of the work, for people.
            total: number of steps, or another measure of the work; None: unknown.
        """
        return _silent_stage()

    def watch(self, items: Iterable[T], what: str, total: float | None = None) -> Iterator[T]:
        """The items one by one; each counts as done when the next one is requested."""
        with self.stage(what, total) as advance:
            for item in items:
                yield item
                advance()

    def say(self, text: str) -> None:
        """A line for the user."""


#: Progress that shows nothing, the default everywhere in Python.
SILENT = Progress()


class Clock:
    """The time, for lines that come from time to time; tests replace it."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wait(self, ended: threading.Event, seconds: float) -> bool:
        """Wait until something has ended, or for some time; whether it has ended."""
        return ended.wait(seconds)


class TerminalProgress(Progress):
    """Lines, and bars on a terminal.

    Where the output cannot redraw bars (a file, a pipe, the log of a cluster's job), a stage writes
    a line with what is done and the time left whenever nothing was written for a minute.

    Args:
        console: where to write; None: standard error.
        interval: time between such lines [s].
        clock: gives the time.
    """

    def __init__(
        self, console: Console | None = None, interval: float = 60.0, clock: Clock | None = None
    ) -> None:
        from rich.console import Console

        self.console = console or Console(stderr=True)
        self.interval = interval
        self.clock = clock or Clock()
        self._last_line = self.clock.now()

    def stage(self, what: str, total: float | None = None) -> AbstractContextManager[Advance]:
        """A bar with the time taken and the time left, removed at the end; or lines."""
        return self._bar(what, total) if self._redraws() else self._lines(what, total)

    def say(self, text: str) -> None:
        """A line for the user."""
        self._last_line = self.clock.now()
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _redraws(self) -> bool:
        # Rich takes FORCE_COLOR for a terminal. Jupyter sets it for colours, but its shell cells
        # are pipes, in which each state of a bar would stay.
        forced = bool(os.environ.get("FORCE_COLOR")) and not self.console.file.isatty()
        return self.console.is_terminal and not self.console.is_dumb_terminal and not forced

    @contextmanager
    def _bar(self, what: str, total: float | None) -> Iterator[Advance]:
        from rich import progress as bars

        columns = (
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=20),
            bars.TaskProgressColumn(show_speed=False),
            bars.TimeElapsedColumn(),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[note]}"),
        )
        with bars.Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(what, total=total, note="")

            def advance(amount: float = 1.0, note: str = "") -> None:
                fields = {"note": note} if note else {}
                bar.update(task, advance=amount, **fields)  # type: ignore[arg-type]

            yield advance

    @contextmanager
    def _lines(self, what: str, total: float | None) -> Iterator[Advance]:
        stage = _Stage(what, total, self.clock)
        ended = threading.Event()
        # A thread, because a single step may take longer than the interval.
        writer = threading.Thread(target=self._write_lines, args=(stage, ended), daemon=True)
        try:
            writer.start()  # in here, as Ctrl-C may come while it waits for the thread
            yield stage.advance
        finally:
            ended.set()
            if writer.is_alive():
                writer.join()

    def _write_lines(self, stage: _Stage, ended: threading.Event) -> None:
        while True:
            due = self._last_line + self.interval - self.clock.now()
            if due <= 0:
                self.say(stage.line())
            elif self.clock.wait(ended, due):
                return


class _Stage:
    """What is known of a stage: a line of text at any moment.

    Args:
        what: description of the work.
        total: a measure of all of it; None: unknown.
        clock: gives the time.
    """

    def __init__(self, what: str, total: float | None, clock: Clock) -> None:
        self.what, self.total, self.clock = what, total, clock
        self.start = clock.now()
        self.done = self.done_at_once = 0.0
        self.note = ""

    def advance(self, amount: float = 1.0, note: str = "") -> None:
        """Report progress; see `Advance`."""
        self.done += amount
        if self.clock.now() - self.start < _AT_ONCE:
            self.done_at_once = self.done
        self.note = note or self.note

    def line(self) -> str:
        """How far the stage has come, and how long it will take at its speed so far."""
        elapsed = self.clock.now() - self.start
        done = f"{100 * self.done / self.total:.1f} %" if self.total else f"{self.done:g} done"
        parts = [done, f"{duration(elapsed)} so far"]
        new = self.done - self.done_at_once
        if self.total and new > 0:
            left = (self.total - self.done) * elapsed / new
            parts.append(f"about {duration(left)} left")
        return f"{self.what}: {', '.join(parts)}" + (f"; {self.note}" if self.note else "")


def duration(seconds: float) -> str:
    """A time for people: 0:01:30, or 2 days, 3:00:00."""
    return str(timedelta(seconds=max(0, round(seconds))))


@contextmanager
def _silent_stage() -> Iterator[Advance]:
    yield lambda amount=1.0, note="": None

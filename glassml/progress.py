"""Progress of long work: one protocol for all functions that take long.

Such functions report to a `Progress`, whether or not anything is shown. The base class shows
nothing; `TerminalProgress` draws bars.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["SILENT", "Advance", "Progress", "TerminalProgress"]

T = TypeVar("T")


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


SILENT = Progress()


class TerminalProgress(Progress):
    """Lines and bars on a terminal; lines alone if the output cannot redraw bars.

    Args:
        console: where to write; None: standard error.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self.console = console or Console(stderr=True)

    @contextmanager
    def stage(self, what: str, total: float | None = None) -> Iterator[Advance]:
        """A bar with the time taken and the time left, removed at the end."""
        from rich import progress as bars

        columns = (
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=20),
            bars.TaskProgressColumn(show_speed=False),
            bars.TimeElapsedColumn(),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[note]}"),
        )
        silent = not self.console.is_terminal
        with bars.Progress(*columns, console=self.console, transient=True, disable=silent) as bar:
            task = bar.add_task(what, total=total, note="")

            def advance(amount: float = 1.0, note: str = "") -> None:
                fields = {"note": note} if note else {}
                bar.update(task, advance=amount, **fields)  # type: ignore[arg-type]

            yield advance

    def say(self, text: str) -> None:
        """A line for the user."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _silent_stage() -> Iterator[Advance]:
    yield lambda amount=1.0, note="": None

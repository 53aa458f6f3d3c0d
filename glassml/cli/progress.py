"""The progress bar of commands that work off one thing after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from glassml.progress import TerminalProgress

__all__ = ["counted"]


@contextmanager
def counted(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A progress bar on stderr, if that is a terminal.

    Args:
        what: stands before the bar.
        total: number of things, None if it is unknown.

    Yields:
        A function that advances the bar by one.
    """
    with TerminalProgress().stage(what, total) as advance:
        yield lambda: advance()

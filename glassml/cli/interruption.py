"""Ctrl-C and SIGTERM end a command with one line: what is kept, and how to continue.

`Interruptible` prints the line, for every command. A command whose work can be continued says so
with `interruption_keeps`.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = [
    "Interruptible",
    "interruption_keeps",
    "interrupts_survive",
    "sigterm_interrupts",
    "this_command",
]

_KEPT = "no file is half written; to start again: {}"
# Processes that a launcher starts beside the first one have other numbers than 0 in one of these.
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
_terminated = threading.Event()


class _ExplainedError(KeyboardInterrupt):
    """An interruption with what is kept."""


class Interruptible(TyperGroup):
    """Commands that end with one line and the exit status 130 (Ctrl-C) or 143 (SIGTERM)."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as reason:
            kept = str(reason) if isinstance(reason, _ExplainedError) else ""
            if not _is_worker():
                how = "stopped by SIGTERM" if _terminated.is_set() else "interrupted"
                typer.echo(f"{how}: {kept or _KEPT.format(this_command())}", err=True)
            raise typer.Exit(143 if _terminated.is_set() else 130) from None


@contextmanager
def interruption_keeps(what: str | Callable[[], str], command: str | None = None) -> Iterator[None]:
    """Say what an interruption of this block keeps, and which command continues.

    Args:
        what: what is kept, such as "finished runs are kept in runs/a", or a function that finds it
            out after the interruption; empty: nothing that a command could continue.
        command: the command that continues; None: this one, once more.
    """
    try:
        yield
    except KeyboardInterrupt:
        kept = what if isinstance(what, str) else what()
        resume_with = command or this_command()
        raise _ExplainedError(f"{kept}; to continue: {resume_with}" if kept else "") from None


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """SIGTERM, which SLURM sends before it kills a job, interrupts the block as Ctrl-C does.

    Where it is ignored, it stays ignored.
    """
    _terminated.clear()
    before = signal.getsignal(signal.SIGTERM)
    if before is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def interrupts_survive() -> Iterator[None]:
    """An interruption that Python drops comes again.

    Python drops exceptions in functions that it calls while it clears objects away. An interruption
    that arrives in one of them would have no effect.
    """
    before = sys.unraisablehook

    def hook(dropped: Any) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            before(dropped)
            return
        number = signal.SIGTERM if _terminated.is_set() else signal.SIGINT
        if number == signal.SIGTERM:  # which `_terminate` has ignored since
            signal.signal(number, _terminate)
        # A little later, as this function is called from the same place.
        threading.Timer(0.01, os.kill, (os.getpid(), number)).start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def this_command() -> str:
    """The command line of this process, as a user would type it."""
    return shlex.join(["glassml", *sys.argv[1:]])


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one must not stop the tidying up
    _terminated.set()
    raise KeyboardInterrupt


def _is_worker() -> bool:
    """Whether this is one of several processes that do the same, and not the first."""
    return any(os.environ.get(name, "0") not in ("", "0") for name in _RANKS)

"""Ctrl-C and SIGTERM end a command with one line: what is kept, and how to continue.

`explain` prints the line: `Interruptible` calls it for every command, and the entry point for what
comes before. A command whose work can be continued says so with `interruption_keeps`.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = [
    "Interruptible",
    "explain",
    "interruption_keeps",
    "interrupts_survive",
    "signals_interrupt",
    "this_command",
]

_KEPT = "no file is half written; to start again: {}"
# Processes that a launcher starts beside the first one have other numbers than 0 in one of these.
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
_DELAY = 0.01  # [s]
_received: set[int] = set()  # the signals that have interrupted this command


class _ExplainedError(KeyboardInterrupt):
    """An interruption with what is kept."""


class Interruptible(TyperGroup):
    """Commands that end with one line and the exit status 130 (Ctrl-C) or 143 (SIGTERM)."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the command line."""
        with _explained():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with _explained():
            return super().invoke(ctx)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if not _is_interruption(error):
            raise
        raise typer.Exit(explain(error)) from None


def explain(interruption: BaseException) -> int:
    """Say what an interruption keeps, and how to continue; returns the exit status."""
    kept = str(interruption) if isinstance(interruption, _ExplainedError) else ""
    terminated = signal.SIGTERM in _received
    if not _is_worker():
        how = "stopped by SIGTERM" if terminated else "interrupted"
        typer.echo(f"{how}: {kept or _KEPT.format(this_command())}", err=True)
    return 143 if terminated else 130


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
    except BaseException as error:
        if not _is_interruption(error):
            raise
        kept = what if isinstance(what, str) else what()
        resume_with = command or this_command()
        raise _ExplainedError(f"{kept}; to continue: {resume_with}" if kept else "") from None


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Ctrl-C and SIGTERM, which SLURM sends before it kills a job, interrupt the block alike.

    Where a signal is ignored or handled by somebody else, it stays so.
    """
    _received.clear()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ours = [n for n, x in before.items() if x in (signal.SIG_DFL, signal.default_int_handler)]
    for number in ours:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
        _received.clear()


@contextmanager
def interrupts_survive() -> Iterator[None]:
    """An interruption that Python drops comes again.

    Python drops exceptions in functions that it calls while it clears objects away. An interruption
    that arrives in one of them would have no effect.
    """
    before = sys.unraisablehook
    dropped_signals: SimpleQueue[int | None] = SimpleQueue()

    def send_again() -> None:
        while (number := dropped_signals.get()) is not None:
            time.sleep(_DELAY)
            signal.pthread_kill(threading.main_thread().ident or 0, number)

    def hook(dropped: Any) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            before(dropped)
            return
        number = signal.SIGTERM if signal.SIGTERM in _received else signal.SIGINT
        if number == signal.SIGTERM:  # which `_interrupt` has ignored since
            signal.signal(number, _interrupt)
        # By a thread that waits already. Starting one lets others run, so that the interruption
        # could come before this function has ended, and be dropped with it.
        dropped_signals.put(number)

    threading.Thread(target=send_again, daemon=True).start()
    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
        dropped_signals.put(None)


def this_command() -> str:
    """The command line of this process, as a user would type it."""
    return shlex.join(["glassml", *sys.argv[1:]])


def _interrupt(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGTERM:
        signal.signal(number, signal.SIG_IGN)  # a second one must not stop the tidying up
    _received.add(number)
    raise KeyboardInterrupt


def _is_interruption(error: BaseException) -> bool:
    """Whether an error is an interruption, or what a library made of one.

    Such errors follow where an import is cut off, and where a program that is waited for has
    received the signal, too.
    """
    return isinstance(error, KeyboardInterrupt) or bool(_received)


def _is_worker() -> bool:
    """Whether this is one of several processes that do the same, and not the first."""
    return any(os.environ.get(name, "0") not in ("", "0") for name in _RANKS)

"""Saying which files a command wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

__all__ = ["say_written", "write_wanted"]


def write_wanted(*wanted: tuple[Callable[[Path], None], Path | None]) -> None:
    """Write those files of which the user gave a name, and say so."""
    for write, path in wanted:
        if path is not None:
            write(path)
            say_written(path)


def say_written(path: Path | None) -> None:
    """Name a file that was written, if there is one."""
    if path is not None:
        typer.echo(f"written: {path}")

"""What commands print: notes, warnings, and the files that they write or refuse to overwrite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import typer

__all__ = [
    "check_absent",
    "check_tables",
    "say_error",
    "say_note",
    "say_warning",
    "say_written",
    "write_tables",
]

_ENDINGS = (".csv", ".json")


def check_absent(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file unless the user has asked for it.

    Raises:
        InputError: there is a file, and ``overwrite`` is false.
    """
    from glassml.errors import InputError

    if path.exists() and not overwrite:
        raise InputError(
            f"{path}: expected a file to write; found one that exists. Choose another name (-o), "
            "or give --overwrite"
        )


def check_tables(paths: Sequence[Path] | None) -> None:
    """Refuse names of tables before any work is done.

    Raises:
        InputError: a name does not end in .csv or .json.
    """
    from glassml.errors import InputError

    for path in paths or []:
        if path.suffix not in _ENDINGS:
            raise InputError(
                f"--table: expected a file that ends in {' or '.join(_ENDINGS)}; found {path}"
            )


def write_tables(
    paths: Sequence[Path] | None,
    *,
    csv: Callable[[Path], None],
    json: Callable[[Path], None],
) -> None:
    """Write tables in the formats that the names end in, and report each file.

    Args:
        paths: files that `check_tables` has accepted.
        csv: writes a file as CSV.
        json: writes a file as JSON.
    """
    write: Mapping[str, Callable[[Path], None]] = dict(zip(_ENDINGS, (csv, json), strict=True))
    for path in paths or []:
        write[path.suffix](path)
        say_written(path)


def say_error(text: object) -> None:
    """Print why a command fails."""
    typer.echo(f"error: {text}", err=True)


def say_note(text: str) -> None:
    """Print what a user should know, apart from the results."""
    typer.echo(f"note: {text}", err=True)


def say_warning(text: object) -> None:
    """Print that results may be wrong, apart from the results."""
    typer.echo(f"warning: {text}", err=True)


def say_written(path: Path | None) -> None:
    """Name a file that was written, if there is one."""
    if path is not None:
        typer.echo(f"written: {path}")

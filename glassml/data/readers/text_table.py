"""Rows of particles in text files of LAMMPS, read strictly: every row has every column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassml.errors import InputError

__all__ = ["INTEGER", "REAL", "TEXT", "read_table"]

REAL, INTEGER, TEXT = "f8", "i8", "U"

_LONGEST_WORD = 256  # every word of a column takes the memory of the longest one

_WORDS = {REAL: "a number", INTEGER: "a whole number", TEXT: "a word"}


def read_table(
    lines: Sequence[str], columns: Sequence[tuple[str, str]], where: str, first_line: int
) -> dict[str, np.ndarray]:
    """Read columns separated by blanks.

    Args:
        lines: one per particle.
        columns: name and kind of each column.
        where: the frame, for messages.
        first_line: number of the first line in the file or frame, for messages.

    Returns:
        The columns [N] by name.

    Raises:
        InputError: a line is blank or a remark, or has other columns than these.
    """
    if not lines:
        return {name: np.zeros(0, kind) for name, kind in columns}
    kinds = [
        (name, kind if kind != TEXT else f"U{_width(lines, place, f'{where}: {name}')}")
        for place, (name, kind) in enumerate(columns)
    ]
    try:
        table = np.loadtxt(lines, dtype=kinds, comments=None, ndmin=1)
    except (ValueError, OverflowError) as error:
        raise _wrong_row(lines, columns, where, first_line, str(error)) from None
    if len(table) != len(lines):  # numpy leaves out blank lines
        raise _wrong_row(lines, columns, where, first_line, "")
    return {name: np.ascontiguousarray(table[name]) for name, _ in columns}


def _width(lines: Sequence[str], place: int, where: str) -> int:
    """Length of the longest word in a column; rows without it are found out later."""
    split = (line.split(None, place + 1) for line in lines)
    width = max((len(words[place]) for words in split if len(words) > place), default=1)
    if width > _LONGEST_WORD:
        raise InputError(
            f"{where}: expected words of at most {_LONGEST_WORD} letters; found one of {width}"
        )
    return width


def _wrong_row(
    lines: Sequence[str],
    columns: Sequence[tuple[str, str]],
    where: str,
    first_line: int,
    reason: str,
) -> InputError:
    """The error for the first wrong row, which is looked for only now."""
    for number, line in enumerate(lines, first_line):
        words = line.split()
        row = f"{where}: line {number}: expected a row of {len(columns)} columns"
        if not words:
            return InputError(f"{row}; found a blank line")
        if words[0].startswith("#"):
            return InputError(f"{row}; found the remark {line.strip()[:60]!r}")
        if len(words) != len(columns):
            return InputError(f"{row}; found {len(words)}: {line.strip()[:60]!r}")
        for word, (name, kind) in zip(words, columns, strict=True):
            if not _reads(word, kind):
                return InputError(
                    f"{where}: line {number}: {name}: expected {_WORDS[kind]}; found {word!r}"
                )
    return InputError(f"{where}: expected rows of numbers; found: {reason}")


def _reads(word: str, kind: str) -> bool:
    try:
        return kind == TEXT or bool(np.array([word]).astype(kind).size)
    except (ValueError, OverflowError):
        return False

"""Results as JSON and CSV."""

from __future__ import annotations

import csv
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glassml.files import atomic_write

__all__ = ["ScoreTable", "write_csv", "write_json"]


class ScoreTable(ABC):
    """Results that consist of scores, as a table with one row per coefficient."""

    @abstractmethod
    def rows(self) -> list[dict[str, Any]]:
        """One row per score: its context, then the fields of `glassml.scores.Score`."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """The facts that all scores share, such as the dataset and its checksum."""

    def as_dict(self) -> dict[str, Any]:
        """`facts`, and `rows` under ``scores``: plain dictionaries and lists."""
        return {**self.facts(), "scores": self.rows()}

    def write_json(self, path: str | Path) -> None:
        """Write `as_dict` as JSON; numbers that are not defined become null."""
        write_json(self.as_dict(), path)

    def write_csv(self, path: str | Path) -> None:
        """Write `rows` as CSV; undefined numbers become ``nan``, absent ones are left empty."""
        write_csv(self.rows(), path)


def write_json(content: Any, path: str | Path) -> None:
    """Write plain values as JSON; numbers that are not defined become null."""
    with atomic_write(path) as partial:
        text = json.dumps(_without_nan(content), indent=2)
        partial.write_text(text + "\n", encoding="utf-8")


def write_csv(
    rows: Sequence[Mapping[str, Any]], path: str | Path, columns: Sequence[str] = ()
) -> None:
    """Write rows as CSV, with a column for every name that occurs.

    Undefined numbers become ``nan``; None and missing values are left empty.

    Args:
        rows: one mapping per row.
        path: the file.
        columns: the first columns; they are written even if there is no row.
    """
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    with atomic_write(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Results as JSON and CSV."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glassml.files import atomic_write

__all__ = ["write_csv", "write_json"]


def write_json(content: Any, path: str | Path) -> None:
    """Write plain values as JSON; numbers that are not defined become null."""
    with atomic_write(path) as partial:
        text = json.dumps(_without_nan(content), indent=2)
        partial.write_text(text + "\n", encoding="utf-8")


def write_csv(
    rows: Sequence[Mapping[str, Any]], path: str | Path, columns: Sequence[str] = ()
) -> None:
    """Write rows, with every name that occurs as a column; undefined numbers become ``nan``.

    Args:
        rows: one mapping a row.
        path: the file.
        columns: which come first; they are written even if there is no row.
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

"""What fields of a configuration accept, in more forms than one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["cache_folder", "listed", "optional_paths", "paths", "validation_side"]


def listed(value: Any) -> Any:
    """One name as a list of one."""
    return [value] if isinstance(value, str | Path) else value


def paths(value: Any) -> Any:
    """One path or several."""
    several = listed(value)
    if not isinstance(several, list | tuple) or not several:
        raise ValueError("expected the path of an HDF5 dataset, or a list of paths")
    return several


def optional_paths(value: Any) -> Any:
    """One path, several or none."""
    return () if value in (None, (), []) else paths(value)


def validation_side(value: Any) -> Any:
    """A path, a fraction or names."""
    # A union would give one message per member; this gives a single one.
    if isinstance(value, float) and 0 < value < 1:
        return value
    if isinstance(value, str | Path) and str(value):
        return str(value)
    if isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise ValueError(
        "expected the path of an HDF5 dataset, a fraction of the training configurations between "
        "0 and 1, or a list of names of configurations of data.train"
    )


def cache_folder(value: Any) -> Any:
    """A folder or none."""
    if value is None or (isinstance(value, str | Path) and str(value)):
        return None if value is None else str(value)
    raise ValueError("expected a folder, auto or null")

"""Datasets that ship with glassml; `glassml data info` shows how each was made."""

from __future__ import annotations

from pathlib import Path

from glassml.errors import InputError, not_one_of

__all__ = ["dataset_path", "shipped_names", "shipped_path"]

_FOLDER = Path(__file__).parent


def shipped_names() -> tuple[str, ...]:
    """Names of the datasets that ship with this glassml."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.h5")))


def shipped_path(name: str) -> Path:
    """The file of a dataset that ships with the package.

    Args:
        name: one of `shipped_names`, such as ``"kob_andersen_T0.64"``.

    Raises:
        InputError: there is no such dataset; the message lists the known ones.
    """
    names = shipped_names()
    if name not in names:
        raise InputError(f"shipped dataset: {not_one_of(name, names)}")
    return _FOLDER / f"{name}.h5"


def dataset_path(path: str | Path) -> Path:
    """The path itself, or that of the shipped dataset of this name if no such file exists."""
    file = Path(path)
    return shipped_path(str(path)) if not file.exists() and str(path) in shipped_names() else file

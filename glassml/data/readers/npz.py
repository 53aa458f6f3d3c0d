"""Npz files, read without pickle."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from glassml.errors import InputError

__all__ = ["npz_entries", "npz_names", "npz_shapes"]


# What numpy and zipfile raise for damaged files.
_DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    AttributeError,
    TypeError,
    KeyError,
    RuntimeError,
    SyntaxError,
    MemoryError,
    OverflowError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def npz_names(path: Path) -> set[str]:
    """Names of the arrays of an npz file; empty for other files."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {Path(member).stem for member in archive.namelist()}
    except _DAMAGED:
        return set()


def npz_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of an npz file, from their headers; empty for other files."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {Path(name).stem: _shape(archive, name) for name in archive.namelist()}
    except _DAMAGED:
        return {}


def _shape(archive: zipfile.ZipFile, member: str) -> tuple[int, ...]:
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(stream)[0]
        return np.lib.format.read_array_header_2_0(stream)[0]


def npz_entries(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz file.

    Raises:
        InputError: the file is missing, truncated, not npz, or holds pickled objects.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise InputError(f"{path}: expected an npz file; found no such file") from None
    except _DAMAGED as error:
        raise InputError(
            f"{path}: expected a complete npz file of arrays; found a damaged or other file "
            f"({error})"
        ) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # numpy gives other members as bytes
            raise InputError(f"{path}: expected arrays alone; found another file inside, {name!r}")
    return arrays

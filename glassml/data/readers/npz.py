"""Npz files, read without pickle."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

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

# Beyond this size [bytes], arrays that shrink by more than this factor are no measured numbers.
_LARGE, _LARGEST_RATIO = 2**30, 100


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
        return _header(stream)[0]


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, Fortran order and type of an array."""
    if np.lib.format.read_magic(stream) == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def npz_entries(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz file.

    Raises:
        InputError: the file is missing, truncated, not npz, or holds pickled objects.
    """
    try:
        _check_size(path)
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise InputError(f"{path}: expected an npz file; found no such file") from None
    except _DAMAGED as error:
        raise InputError(
            f"{path}: expected a complete npz file of arrays; found a damaged or other file "
            f"({error})"
        ) from error


def _check_size(path: Path) -> None:
    """Check the sizes of the arrays before memory is taken for them.

    Raises:
        ValueError: a header states another size than the archive, or they would fill the memory.
    """
    with zipfile.ZipFile(path) as archive:
        total = 0
        for member in archive.infolist():
            total += member.file_size
            with archive.open(member) as stream:
                shape, _, dtype = _header(stream)
                stated = math.prod(shape) * dtype.itemsize
                if not dtype.hasobject and stream.tell() + stated != member.file_size:
                    raise ValueError(
                        f"{member.filename}: its header states {stated} bytes of numbers; the "
                        f"archive has {member.file_size - stream.tell()}"
                    )
        if total > max(_LARGE, _LARGEST_RATIO * path.stat().st_size):
            raise ValueError(f"it would take {total / 2**30:.0f} GB of memory")

"""Files that may be compressed, opened by how they begin and not by their name."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import zlib
from pathlib import Path
from typing import IO

from glassml.errors import InputError

__all__ = ["COMPRESSION_ERRORS", "head_of", "open_bytes", "text_of"]

_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
_ZSTD = b"\x28\xb5\x2f\xfd"
_HEAD = 4096  # bytes at the start of a file that show its format

# What damaged files raise, each compression in its own way.
COMPRESSION_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading; .gz, .bz2 and .xz are decompressed, and .zst from Python 3.14 on.

    Raises:
        InputError: this Python cannot decompress the file.
    """
    stream = path.open("rb")
    start = stream.read(6)
    stream.seek(0)
    if start.startswith(_GZIP):
        return gzip.GzipFile(fileobj=stream)  # type: ignore[return-value]
    if start.startswith(_BZIP2):
        return bz2.BZ2File(stream)
    if start.startswith(_XZ):
        return lzma.LZMAFile(stream)
    if start.startswith(_ZSTD):
        return _zstandard(path, stream)
    return stream


def head_of(path: Path) -> bytes:
    """The first bytes of a file, decompressed.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with open_bytes(path) as stream:
            return stream.read(_HEAD)
    except COMPRESSION_ERRORS as error:
        raise InputError(f"{path}: expected a file that can be read; found: {error}") from error


def text_of(path: Path, content: bytes) -> str:
    """Bytes of a text file as text, with line breaks of any system as one character.

    Raises:
        InputError: this is no text.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a text file (UTF-8); found: {error}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _zstandard(path: Path, stream: IO[bytes]) -> IO[bytes]:
    try:
        zstd = importlib.import_module("compression.zstd")
    except ImportError:
        stream.close()
        raise InputError(
            f"{path}: compression: expected none, .gz, .bz2 or .xz; found Zstandard, which Python "
            "reads from version 3.14 on. Decompress the file first (zstd -d)"
        ) from None
    return io.BufferedReader(zstd.ZstdFile(stream))

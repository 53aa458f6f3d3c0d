"""Checkpoints of TensorFlow ("tensor bundles"), read without TensorFlow.

``NAME.index`` is a table of LevelDB: blocks of sorted keys with values, each with a byte for its
compression and a checksum. The last 48 bytes say where the block is that lists the others. A value
is a protocol buffer: type, shape, place, size and checksum of a tensor. The numbers themselves are
in ``NAME.data-00000-of-00001``.

Nothing in the files is believed: every length is compared with what is there before memory is
taken, and every checksum with the bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from glassml.errors import ModelFileError

__all__ = ["INDEX", "TensorBundle", "data_file_of", "masked_crc32c"]

#: The ending of the name of the table.
INDEX = ".index"

_DATA = ".data-00000-of-00001"
_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48  # bytes: two handles, padding, the magic number
_TRAILER = 5  # bytes behind a block: compression, checksum
_LARGEST_INDEX = 2**20  # bytes; that of a network with its optimiser has some thousands
_LARGEST_DATA = 512 * 2**20
_MOST_KEYS = 10_000
_LONGEST_KEY = 512
_MOST_DIMENSIONS = 8
_FLOAT32 = 1
_TYPES = {1: "float32", 2: "float64", 3: "int32", 9: "int64", 14: "bfloat16", 19: "float16"}
_CASTAGNOLI = 0x82F63B78
_NOT_DESCRIBED = "a description that TensorFlow does not write"


class _ProblemError(Exception):
    """What is wrong, to end a message that begins with the file."""


@dataclass(frozen=True)
class _Entry:
    """Where a tensor is: type, shape, number of its file, place and size [bytes], checksum."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    in_slices: bool


class TensorBundle:
    """The tensors of a checkpoint. Their numbers are read when they are asked for.

    Args:
        path: ``NAME.index``, or ``NAME``; ``NAME.data-00000-of-00001`` lies beside it.

    Attributes:
        path: the table.
        data: the file of the numbers.
        shapes: name -> shape of each tensor.

    Raises:
        ModelFileError: a file is missing, damaged, or not of the kind described above.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = _table_of(Path(path))
        self.data = data_file_of(self.path)
        content = _content(self.path)
        try:
            pairs = list(_table(content))
            self._entries = _entries(pairs)
        except _ProblemError as problem:
            raise ModelFileError(
                f"{self.path}: expected the table of a TensorFlow checkpoint; found {problem}. Get "
                "the file again"
            ) from None
        self.shapes = {name: entry.shape for name, entry in self._entries.items()}
        if not self.data.is_file():
            raise ModelFileError(
                f"{self.data}: expected the numbers that belong to {self.path.name}; found no such "
                "file. Copy it into the same folder"
            )

    def read(self, name: str) -> np.ndarray:
        """The numbers of one tensor, float32 of its shape.

        Raises:
            ModelFileError: they are of another type, are not in the file, or differ from their
                checksum.
        """
        entry = self._entries[name]
        try:
            return self._numbers(entry)
        except _ProblemError as problem:
            raise ModelFileError(f"{self.data}: {name}: expected {problem}") from None
        except OSError as error:
            raise _unreadable(self.data, error) from None

    def _numbers(self, entry: _Entry) -> np.ndarray:
        if entry.dtype != _FLOAT32:
            found = _TYPES.get(entry.dtype, f"TensorFlow's type {entry.dtype}")
            raise _ProblemError(f"float32 numbers; found {found}")
        if entry.in_slices:
            raise _ProblemError("a tensor in one piece; found one in slices")
        if entry.shard != 0:
            raise _ProblemError(f"it in the only data file, 0; found it in file {entry.shard}")
        needed, there = 4 * math.prod(entry.shape), self.data.stat().st_size
        if entry.size != needed:
            raise _ProblemError(
                f"{needed} bytes for the shape {list(entry.shape)}; found {entry.size}"
            )
        if entry.offset + entry.size > min(there, _LARGEST_DATA):
            raise _ProblemError(
                f"a file of at least {entry.offset + entry.size} bytes (and at most "
                f"{_LARGEST_DATA}); found {there}. Copy it again"
            )
        with self.data.open("rb") as stream:
            stream.seek(entry.offset)
            content = stream.read(entry.size)
        if masked_crc32c(content) != entry.checksum:
            raise _ProblemError(
                "the bytes that were written; found others (the checksum differs). The file is "
                f"damaged, or not that of {self.path.name}. Copy both again"
            )
        return np.frombuffer(content, "<f4").reshape(entry.shape).astype(np.float32)


def data_file_of(table: Path) -> Path:
    """The file with the numbers of a checkpoint in one part, from the path of its table."""
    return table.with_name(table.name.removesuffix(INDEX) + _DATA)


def masked_crc32c(content: bytes) -> int:
    """The checksum (Castagnoli's polynomial) as LevelDB and TensorFlow store it."""
    table, value = _crc_table(), 0xFFFFFFFF
    for byte in content:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return tuple(table)


def _table_of(path: Path) -> Path:
    """The table of a checkpoint that was named by its table, or as TensorFlow names it."""
    if path.name.endswith(INDEX):
        return path
    beside = path.with_name(path.name + INDEX)
    if not path.is_file() and beside.is_file():
        return beside
    stem = path.name.partition(".data-")[0].removesuffix(".meta")
    found = "another file" if path.is_file() else "no such file"
    raise ModelFileError(
        f"{path}: expected the table of a TensorFlow checkpoint, whose name ends in {INDEX}; "
        f"found {found}. Give {stem}{INDEX}"
    )


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise ModelFileError(
            f"{path}: expected the table of a TensorFlow checkpoint; found no such file"
        )
    try:
        size = path.stat().st_size
        if size > _LARGEST_INDEX:
            raise ModelFileError(
                f"{path}: expected the table of a TensorFlow checkpoint, of at most "
                f"{_LARGEST_INDEX} bytes; found {size}. The numbers are in another file"
            )
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> ModelFileError:
    return ModelFileError(f"{path}: cannot be read ({error.strerror or error})")


class _Reader:
    """Bytes that are read from the front."""

    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, 0

    def __bool__(self) -> bool:
        return self._place < len(self._content)

    def take(self, number: int) -> bytes:
        """The next bytes."""
        end = self._place + number
        if end > len(self._content):
            raise _ProblemError(f"{len(self._content)} bytes where {end} are needed")
        self._place, begin = end, self._place
        return self._content[begin:end]

    def varint(self) -> int:
        """A number of up to 64 bits, seven in each byte, the last without the highest bit."""
        value = 0
        for shift in range(0, 70, 7):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise _ProblemError("a number of more than 64 bits")


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All keys and values of a table, in ascending order of the keys."""
    if len(content) < _FOOTER:
        raise _ProblemError(f"a file of {len(content)} bytes")
    footer = content[-_FOOTER:]
    (magic,) = struct.unpack("<Q", footer[-8:])
    if magic != _MAGIC:
        raise _ProblemError("a file that is truncated or of another kind")
    handles = _Reader(footer[:-8])
    handles.varint(), handles.varint()  # of a block that is empty
    listed = _block(content, handles.varint(), handles.varint())
    end, last, keys = 0, b"", 0
    for _, value in _pairs(listed):
        handle = _Reader(value)
        offset, size = handle.varint(), handle.varint()
        if offset < end:  # or each of many could be the same large one
            raise _ProblemError("blocks that overlap")
        end = offset + size
        for key, inner in _pairs(_block(content, offset, size)):
            if keys and key <= last:
                raise _ProblemError("names that are not in order")
            last, keys = key, keys + 1
            if keys > _MOST_KEYS:
                raise _ProblemError(f"more than {_MOST_KEYS} tensors")
            yield key, inner


def _block(content: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + _TRAILER > len(content) - _FOOTER:
        raise _ProblemError(f"{len(content)} bytes, and a block of {size} bytes at {offset}")
    compression, checksum = struct.unpack("<BI", content[end : end + _TRAILER])
    if masked_crc32c(content[offset : end + 1]) != checksum:
        raise _ProblemError("damaged bytes (a checksum differs)")
    if compression:
        raise _ProblemError(
            f"a block with compression {compression}, which TensorFlow does not use"
        )
    return content[offset:end]


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block. Of a key only the end that is new is stored."""
    if len(block) < 4:
        raise _ProblemError("a block without an end")
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise _ProblemError("a block without an end")
    entries, key = _Reader(block[:end]), b""
    while entries:
        same, new, size = (entries.varint() for _ in range(3))
        if same > len(key) or same + new > _LONGEST_KEY:
            raise _ProblemError("a name that does not fit the one before")
        key = key[:same] + entries.take(new)
        yield key, entries.take(size)


def _entries(pairs: list[tuple[bytes, bytes]]) -> dict[str, _Entry]:
    """The tensors; the value of the empty key is about the checkpoint."""
    if not pairs or pairs[0][0]:
        raise _ProblemError("a table of another kind")
    header = dict(_fields(pairs[0][1]))
    parts, order = _number(header, 1), _number(header, 2)
    if parts != 1:
        raise _ProblemError(f"a checkpoint in {parts} parts, where those in one part are read")
    if order != 0:
        raise _ProblemError("numbers whose bytes are in the other order (big-endian)")
    try:
        return {key.decode("utf-8"): _entry(value) for key, value in pairs[1:]}
    except UnicodeDecodeError:
        raise _ProblemError("a name that is no text") from None


def _entry(content: bytes) -> _Entry:
    fields = dict(_fields(content))
    shape = fields.get(2, b"")
    if isinstance(shape, int):
        raise _ProblemError(_NOT_DESCRIBED)
    dtype, shard, offset, size, checksum = (_number(fields, k) for k in (1, 3, 4, 5, 6))
    return _Entry(dtype, _shape(shape), shard, offset, size, checksum, 7 in fields)


def _shape(content: bytes) -> tuple[int, ...]:
    sizes: list[int] = []
    for number, value in _fields(content):
        if number != 2 or isinstance(value, int) or len(sizes) == _MOST_DIMENSIONS:
            raise _ProblemError("a tensor without a shape")
        sizes.append(_number(dict(_fields(value)), 1))
    return tuple(sizes)


def _number(fields: Mapping[int, int | bytes], key: int) -> int:
    """A field that is a number; those that are 0 are not written."""
    value = fields.get(key, 0)
    if not isinstance(value, int):
        raise _ProblemError(_NOT_DESCRIBED)
    return value


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer: number of the field, and its value."""
    reader = _Reader(content)
    while reader:
        number, wire = divmod(reader.varint(), 8)
        if wire == 0:
            yield number, reader.varint()
        elif wire == 2:
            yield number, reader.take(reader.varint())
        elif wire in (1, 5):
            yield number, int.from_bytes(reader.take(8 if wire == 1 else 4), "little")
        else:
            raise _ProblemError(_NOT_DESCRIBED)

"""A model file is checked before anything of it is loaded: what it holds, and every checksum.

torch's reader of archives checks no checksums, takes any size that an archive states, and reads
memory where a tensor claims to be. `fix glassml` has the same rules
(lammps_plugin/src/archive_check.cpp).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path

import torch

from glassml.errors import ModelFileError
from glassml.export.code_check import check_source
from glassml.export.pickle_check import EXPORT, Writer, check_pickle

__all__ = ["LARGEST_FILE", "MANIFEST", "UNREADABLE", "check_archive", "open_archive"]

MANIFEST = "extra/manifest.json"
LARGEST_FILE = 512 * 2**20  # bytes, also after decompression
LARGEST_MANIFEST = 16 * 2**20
LARGEST_PART = 2 * 2**20  # bytes of code and of pickles

# What zipfile raises for damaged archives.
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)

# All members that `glassml export` writes; .debug_pkl only in files of the first version.
_MEMBERS = re.compile(
    r"extra/manifest\.json|(data|constants)\.pkl|code/[\w/]{1,200}\.py(\.debug_pkl)?"
    r"|(data|constants)/\d{1,9}|version|byteorder|\.data/serialization_id|\.format_version"
    r"|\.storage_alignment",
    re.ASCII,
)


def open_archive(file: Path, content: bytes, writer: Writer = EXPORT) -> zipfile.ZipFile:
    """A model file as an archive whose members can be read, none of them too large.

    Args:
        file: its name, for messages.
        content: its bytes.
        writer: what is expected to have written it.

    Raises:
        ModelFileError: it is no such archive.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except UNREADABLE as error:
        raise ModelFileError(
            f"{file}: expected {writer.archive} written by {writer.name}; found a file that is "
            f"truncated or of another kind ({error})"
        ) from None
    total = 0
    for member in archive.infolist():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            problem = f"compression method {member.compress_type}"
            raise _unexpected(file, problem, member.filename, writer)
        if member.flag_bits & 1:
            raise _unexpected(file, "an encrypted member", member.filename, writer)
        name = member.filename.partition("/")[2]
        limit = LARGEST_FILE if name.startswith(("data/", "constants/")) else LARGEST_PART
        limit = LARGEST_MANIFEST if name == MANIFEST else limit
        total += member.file_size
        if total > LARGEST_FILE or member.file_size > limit:
            raise ModelFileError(
                f"{file}: {name}: expected at most {limit // 2**20} MB; "
                f"found {member.file_size / 2**20:.0f} MB"
            )
    return archive


def check_archive(
    file: Path, content: bytes, *, trust: bool = False, writer: Writer = EXPORT
) -> None:
    """Check all that a model file, or another archive of torch, holds.

    Args:
        file: its name, for messages.
        content: its bytes.
        trust: the code may do anything, and members may have any name.
        writer: what is expected to have written it.

    Raises:
        ModelFileError: it is damaged, or not what the writer writes.
    """
    with open_archive(file, content, writer) as archive:
        checksums = _checksums(file, archive, writer)
    # The reader that loads the model: another one might find other members in the same bytes.
    reader = torch._C.PyTorchFileReader(io.BytesIO(content))
    names = reader.get_all_records()
    if sorted(names) != sorted(checksums):
        raise _unexpected(file, "members that two readers list differently", "archive", writer)
    sizes = {name: reader.get_record_size(name) for name in names}
    for name in names:
        record = reader.get_record(name)
        if zlib.crc32(record) != checksums[name]:
            raise ModelFileError(
                f"{file}: {name}: expected the bytes that were written; found others (the "
                f"checksum differs). The file is damaged. Copy it again, {writer.advice}"
            )
        if trust:
            continue
        if _MEMBERS.fullmatch(name) is None:
            raise _unexpected(file, "an unknown member", name, writer)
        if name.endswith("pkl"):
            check_pickle(file, name, record, sizes, writer)
        elif name.endswith(".py"):
            check_source(file, record)


def _checksums(file: Path, archive: zipfile.ZipFile, writer: Writer) -> dict[str, int]:
    """The checksum of every member, by its name without the folder that holds all."""
    found: dict[str, int] = {}
    same = set()
    for member in archive.infolist():
        name = member.filename.partition("/")[2]
        # torch's reader does not tell apart capital and small letters.
        if name.lower() in same:
            raise _unexpected(file, "a member twice", name, writer)
        same.add(name.lower())
        found[name] = member.CRC
    return found


def _unexpected(file: Path, found: str, name: str, writer: Writer) -> ModelFileError:
    return ModelFileError(
        f"{file}: {name}: expected an archive that {writer.name} wrote; found {found}. Get the "
        f"file again, {writer.advice}"
    )

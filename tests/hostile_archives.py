"""Model files that are damaged, or that state what they do not hold."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["HOSTILE_ARCHIVES", "flipped", "members", "with_member"]

_PROTOCOL = b"\x80\x02"


def members(model: Path) -> list[str]:
    """The names of all members, without the folder that holds them."""
    with zipfile.ZipFile(model) as archive:
        return [name.partition("/")[2] for name in archive.namelist()]


def with_member(model: Path, name: str, content: bytes, output: Path) -> Path:
    """A copy of a model file with another content of a member, or one more; checksums are right."""
    with zipfile.ZipFile(model) as source, zipfile.ZipFile(output, "w") as target:
        folder = source.namelist()[0].partition("/")[0]
        for entry in source.infolist():
            if entry.filename != f"{folder}/{name}":
                target.writestr(entry, source.read(entry))
        target.writestr(f"{folder}/{name}", content)
    return output


def flipped(model: Path, member: str, output: Path) -> Path:
    """A copy of a model file with one bit flipped in the middle of a member."""
    content = bytearray(model.read_bytes())
    with zipfile.ZipFile(model) as archive:
        folder = archive.namelist()[0].partition("/")[0]
        entry = archive.getinfo(f"{folder}/{member}")
    name, extra = struct.unpack_from("<HH", content, entry.header_offset + 26)
    begin = entry.header_offset + 30 + name + extra
    content[begin + entry.compress_size // 2] ^= 4
    output.write_bytes(content)
    return output


def _patched(place: int, value: bytes, member: str) -> Callable[[Path, Path], Path]:
    """Changes bytes of a member's entry in the list of members."""

    def make(model: Path, output: Path) -> Path:
        content = bytearray(model.read_bytes())
        entry = content.rindex(b"PK\x01\x02", 0, content.rindex(b"archive/" + member.encode()))
        content[entry + place : entry + place + len(value)] = value
        output.write_bytes(content)
        return output

    return make


def _member(name: str, content: bytes) -> Callable[[Path, Path], Path]:
    return lambda model, output: with_member(model, name, content, output)


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _tensor(count: int, offset: int, size: int, stride: int, folder: str = "0") -> bytes:
    """A pickle with one tensor of one dimension."""
    storage = _text("storage") + b"ctorch\nDoubleStorage\n" + _text(folder) + _text("cpu")
    return (
        _PROTOCOL + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        + storage + _number(count) + b"tQ"
        + _number(offset) + _number(size) + b"\x85" + _number(stride) + b"\x85"
        + b"\x89ccollections\nOrderedDict\n)RtR."
    )  # fmt: skip


def _long_name(model: Path, output: Path) -> Path:
    # torch's list of members cuts this name before its end, and then it is not a name of code.
    return with_member(model, f"code/__torch__/{'a' * 600}.py", b"", output)


def _cut(model: Path, output: Path) -> Path:
    output.write_bytes(model.read_bytes()[:-100])
    return output


# Makes the file (from a model and a path) and words of the message, if both engines use the same.
HOSTILE_ARCHIVES: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "cut off": (_cut, "truncated"),
    "a size of 4 GB": (_patched(24, b"\xff\xff\xff\xef", "data.pkl"), "expected at most 2 MB"),
    "a size of 1 MB more": (_patched(24, b"\x00\x00\x10\x00", "version"), "saved properly"),
    "a member before the file": (
        # Place of the manifest, so that zipfile looks for it before the beginning.
        _patched(42, b"\xff\xff\xff\x7f", "extra/manifest.json"),
        "",
    ),
    "an unknown compression": (_patched(10, b"\x0e\x00", "data.pkl"), "compression method 14"),
    "encryption": (_patched(8, b"\x01", "data.pkl"), "an encrypted member"),
    "the format of old versions": (_member("model.json", b"{}"), "an unknown member"),
    "capital letters": (_member("CODE/__torch__/x.py", b""), "an unknown member"),
    "the same in capital letters": (_member("DATA.PKL", b""), "a member twice"),
    "a long name": (_long_name, "expected an archive that"),
    "deep lists": (_member("data.pkl", _PROTOCOL + b"]" * 99999 + b"a" * 99998 + b"."), "deeper"),
    "deep tuples": (_member("data.pkl", _PROTOCOL + b")" + b"\x85" * 99999 + b"."), "deeper"),
    "a list in itself": (_member("constants.pkl", _PROTOCOL + b"]q\x00h\x00a."), "damaged"),
    "a function": (_member("data.pkl", b"\x80\x02cos\nsystem\n."), "models do not need (os system"),
    "a C++ class": (
        _member("data.pkl", b"\x80\x02c__torch__.torch.classes.a\nB\n)\x81}b."),
        "a class that models do not need",
    ),
    "a C++ class in two lines": (
        _member("data.pkl", b"\x80\x02c__torch__.torch\nclasses.a.B\n)\x81}b."),
        "a class that models do not need",
    ),
    "a tensor without a storage": (
        _member("data.pkl", _tensor(8, 0, 1, 1, "99")),
        "8 numbers in a storage of 0 bytes",
    ),
    "a storage that is too large": (
        _member("data.pkl", _tensor(2**31 - 1, 0, 1, 1)),
        "2147483647 numbers in a storage of",
    ),
    "a negative offset": (_member("data.pkl", _tensor(1, -1, 1, 1)), "than its storage"),
    "a negative stride": (_member("data.pkl", _tensor(1, 0, 2, -1)), "than its storage"),
    "a tensor that is too large": (_member("data.pkl", _tensor(1, 0, 2**31 - 1, 2**31 - 1)), "its"),
    "a pickle that ends": (_member("data.pkl", b"\x80\x02X\xff\xff\xff\x7fab"), "damaged"),
    "an empty pickle": (_member("data.pkl", b""), "damaged"),
    "deep lists in the manifest": (
        _member("extra/manifest.json", b'{"format": ' + b"[" * 30000 + b"]" * 30000 + b"}"),
        "nested too deeply",
    ),
}

"""Damaged and hostile files from correct ones: the same for the same seed."""

from __future__ import annotations

import io
import json
import random
import zipfile
from typing import Any

__all__ = ["CODE_WAS_RUN", "mutated"]

_NUMBERS = (
    "0",
    "-1",
    "1",
    "2",
    "nan",
    "inf",
    "-inf",
    "1e300",
    "-1e300",
    "1e-300",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "1,5",
    "9223372036854775808",
    "1e999",
    "0x10",
    "1_000",
    "1e",
    "99999999999999999999999",
    "3000000000",
)
_WORDS = (
    *"null true ~ [] {} [[[[]]]] !!int !!timestamp 2001-01-01 &a *a << : - ? | > % @ `".split(),  # noqa: SIM905
    *"A B ITEM: Atoms xlo xhi Masses Properties= Lattice= pbc= \" ' ;".split(),  # noqa: SIM905
    *("{a: *a}", "!!python/object/apply:os.system ['touch code-was-run']", "!!int x"),
    *("!!timestamp x", "\x00", "\x1b", "é", "🜨", "\t"),
)
_YAML_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{','.join([f'*{chr(97 + k)}'] * 9)}]\n" for k in range(8)
)
# A file of this name, where a case is read, shows that code from the case was run.
CODE_WAS_RUN = "code-was-run"
_PICKLE = b"\x80\x02cos\nsystem\nX\x11\x00\x00\x00touch code-was-run\x85R."


def mutated(content: bytes, kind: str, rng: random.Random) -> bytes:
    """One case.

    Args:
        content: bytes of a correct file.
        kind: its kind, a key of `seeds.SEEDS`.
        rng: decides what is done.
    """
    if content[:2] == b"PK" and rng.random() < 0.8:
        return _archive(content, rng)
    if kind in _TEXTS and rng.random() < 0.8:
        return _text(content.decode(), kind, rng).encode(errors="surrogateescape")
    return _bytes(content, rng)


_TEXTS = ("labels table", "dump", "data file", "extxyz", "train yaml", "simulate yaml")


def _bytes(content: bytes, rng: random.Random) -> bytes:
    """Bits flipped, parts cut off, left out, doubled, or replaced."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if not data:
            break
        begin = rng.randrange(len(data))
        end = min(len(data), begin + rng.choice((1, 2, 4, 8, 64, 512)))
        action = rng.randrange(7)
        if action <= 1:
            data[begin] ^= 1 << rng.randrange(8)
        elif action == 2:
            data[begin:end] = bytes([rng.choice((0, 255, 127, 128))]) * (end - begin)
        elif action == 3:
            del data[begin:end]
        elif action == 4:
            data[begin:begin] = data[begin:end]
        elif action == 5:
            data[begin:end] = rng.randbytes(end - begin)
        else:
            del data[begin:]
    return _PICKLE if rng.random() < 0.01 else bytes(data)


def _text(text: str, kind: str, rng: random.Random) -> str:
    """Lines and words left out, doubled, exchanged, or replaced by others."""
    if kind.endswith("yaml") and rng.random() < 0.02:
        return _YAML_BOMB + text
    if rng.random() < 0.02:
        return text + rng.choice("[{(\"'") * rng.choice((10, 1000, 100000))
    lines = text.split("\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        k = rng.randrange(len(lines))
        action = rng.randrange(8)
        if action == 0:
            del lines[k : k + rng.choice((1, 1, 5))]
        elif action == 1:
            lines.insert(k, lines[rng.randrange(len(lines))])
        elif action == 2:
            lines[k] = lines[k][: rng.randrange(len(lines[k]) + 1)]
        else:
            lines[k] = _line(lines[k], rng)
        if not lines:
            lines = [""]
    return "\n".join(lines)


def _line(line: str, rng: random.Random) -> str:
    for sign in (" ", ",", ":"):
        if sign in line and rng.random() < 0.7:
            words = line.split(sign)
            j = rng.randrange(len(words))
            words[j] = rng.choice((*_NUMBERS, *_WORDS, "", words[j] * 2))
            return sign.join(words)
    return line + rng.choice((*_NUMBERS, *_WORDS))


def _archive(content: bytes, rng: random.Random) -> bytes:
    """An archive with one member changed, left out, doubled or renamed; checksums are right."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        entries = source.infolist()
        chosen = rng.choice(entries).filename
        if rng.random() < 0.4:  # there are more tensors than other members
            others = [e.filename for e in entries if e.filename.endswith((".json", ".pkl", ".py"))]
            chosen = rng.choice(others or [chosen])
        with zipfile.ZipFile(target, "w") as archive:
            for entry in entries:
                member = source.read(entry)
                if entry.filename != chosen:
                    archive.writestr(entry, member)
                elif rng.random() < 0.95:
                    name = entry.filename
                    if rng.random() < 0.05:
                        name = rng.choice((name.upper(), name + "x", name * 40, "model.json"))
                    archive.writestr(name, _member(entry.filename, member, rng))
    return target.getvalue()


def _member(name: str, content: bytes, rng: random.Random) -> bytes:
    if name.endswith(".json") and rng.random() < 0.9:
        return _json(content, rng)
    if name.endswith(".py") and rng.random() < 0.1:
        return _with_hostile_line(content.decode(), rng).encode()
    if name.endswith(".py") and rng.random() < 0.8:
        return _text(content.decode(), "code", rng).encode(errors="surrogateescape")
    if rng.random() < 0.03:
        return bytes(2**28)
    return _bytes(content, rng)


def _with_hostile_line(code: str, rng: random.Random) -> str:
    """TorchScript that writes a file or is deeply nested, at some place of a function."""
    lines = code.split("\n")
    places = [k for k, line in enumerate(lines) if line.startswith("    ")] or [0]
    many = rng.choice((10, 1000, 100000))
    line = rng.choice(
        (
            f'torch.from_file("{CODE_WAS_RUN}", True, 8, dtype=6)',
            "(" * many + "1" + ")" * many,
            "[" * many + "]" * many,
            "not " * many + "True",
            "1 + " * many + "1",
        )
    )
    lines.insert(rng.choice(places), f"    _ = {line}")
    return "\n".join(lines)


def _json(content: bytes, rng: random.Random) -> bytes:
    """Another value somewhere in a manifest, or brackets without end."""
    if rng.random() < 0.03:
        return content[:20] + rng.choice((b"[", b'{"a":')) * 100000
    value: Any = json.loads(content)
    place, key = value, rng.choice(list(value))
    while isinstance(place[key], dict | list) and place[key] and rng.random() < 0.8:
        place = place[key]
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = rng.choice(keys)
    if rng.random() < 0.15 and isinstance(place, dict):
        del place[key]
    else:
        others = (0, -1, 1, 2, 2**31, 2**63, 2**64, 1e300, 1e-300, float("nan"), float("inf"))
        texts = ("", "x" * 10000, "lj", "angstrom", "float32", "a\nb", "\x00", "é")
        place[key] = rng.choice(
            (*others, *texts, None, True, [], {}, [[]] * 50, {"a": 1}, 100, 1e5, 3)
        )
    return json.dumps(value).encode()

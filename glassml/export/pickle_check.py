"""The pickles in an archive of torch, read without building anything of what they describe.

torch takes the place and the size of every tensor from a pickle, without a comparison with the
bytes that are there, and builds what it says however deeply it is nested. `fix glassml` has the
same rules (lammps_plugin/src/pickle_check.cpp).
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassml.errors import ModelFileError

__all__ = ["EXPORT", "Writer", "check_pickle"]

_DEEPEST = 100
_ITEM_BYTES = {
    "torch BoolStorage": 1,
    "torch ByteStorage": 1,
    "torch CharStorage": 1,
    "torch DoubleStorage": 8,
    "torch FloatStorage": 4,
    "torch HalfStorage": 2,
    "torch IntStorage": 4,
    "torch LongStorage": 8,
    "torch ShortStorage": 2,
}
_TENSOR = "torch._utils _rebuild_tensor_v2"
_LISTS = {f"torch.jit._pickle build_{kind}list" for kind in ("bool", "double", "int", "tensor")}
_OTHERS = {_TENSOR, "collections OrderedDict", *_LISTS, *_ITEM_BYTES}
_OWN_CLASS = re.compile(r"__torch__[\w. ]*", re.ASCII)


class _ProblemError(Exception):
    """What is wrong, to end a message that begins with the file."""


@dataclass(frozen=True)
class Writer:
    """What writes archives of a kind.

    Attributes:
        name: its name, for messages.
        archive: what such an archive is called in messages.
        advice: what to do about one that is damaged, as the end of a sentence.
        fills_later: its pickles refer to containers before they fill them, as those of Python do.
    """

    name: str
    archive: str
    advice: str
    fills_later: bool = False


EXPORT = Writer("`glassml export`", "a model file", "or export the model again")


@dataclass
class _Value:
    """What matters of a value: its kind, how deeply it is nested, and numbers and texts."""

    kind: str  # number, text, tuple, name, storage, mark or other
    content: Any = None
    depth: int = 0
    complete: bool = False  # the pickle may refer to it again, so nothing is added to it


def check_pickle(
    file: Path, member: str, content: bytes, sizes: Mapping[str, int], writer: Writer = EXPORT
) -> None:
    """Check a pickle of an archive.

    Args:
        file: the archive, for messages.
        member: name of the pickle in it, such as "data.pkl"; its tensors are in ``data/``.
        content: its bytes.
        sizes: number of bytes of all members.
        writer: what is expected to have written it.

    Raises:
        ModelFileError: it holds what torch does not write, or tensors without their bytes.
    """
    folder = member.removesuffix(".pkl") + "/"
    storages = {k[len(folder) :]: n for k, n in sizes.items() if k.startswith(folder)}
    machine = _Machine(storages, writer.fills_later)
    try:
        for operation, argument, _ in pickletools.genops(content):
            machine.run(operation.name, argument)
    except _ProblemError as problem:
        reason = str(problem)
    except (ValueError, IndexError, KeyError, RecursionError):
        reason = "a pickle that is damaged"
    else:
        return
    raise ModelFileError(
        f"{file}: {member}: expected parameters that {writer.name} wrote; found {reason}. Get the "
        f"file again, {writer.advice}"
    )


class _Machine:
    """The machine that a pickle is a program of, without its effects.

    Args:
        sizes: number of bytes of each storage by its name.
        fills_later: see `Writer`.
    """

    def __init__(self, sizes: Mapping[str, int], fills_later: bool) -> None:
        self._sizes = sizes
        self._fills_later = fills_later
        self._stack: list[_Value] = []
        self._memo: dict[int, _Value] = {}

    def run(self, operation: str, argument: Any) -> None:
        """One operation; names as in `pickletools`."""
        if operation in _NUMBERS:
            self._push("number", argument)
        elif operation == "BINUNICODE":
            self._push("text", argument)
        elif operation in _CONSTANTS:
            self._push("other")
        elif operation == "MARK":
            self._push("mark")
        elif operation == "GLOBAL":
            self._push("name", _checked_name(argument))
        elif operation in ("BINPUT", "LONG_BINPUT"):
            self._stack[-1].complete = not self._fills_later
            self._memo[argument] = self._stack[-1]
        elif operation in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif operation in _ACTIONS:
            _ACTIONS[operation](self)
        elif operation not in ("PROTO", "STOP"):
            raise _ProblemError(f"an operation that torch does not write ({operation})")

    def _push(self, kind: str, content: Any = None, parts: list[_Value] | None = None) -> None:
        depth = 1 + max((part.depth for part in parts), default=0) if parts is not None else 0
        if depth > _DEEPEST:
            raise _ProblemError(f"values nested deeper than {_DEEPEST}")
        self._stack.append(_Value(kind, content, depth))

    def _since_mark(self) -> list[_Value]:
        parts = []
        while (value := self._stack.pop()).kind != "mark":
            parts.append(value)
        return parts[::-1]

    def _last(self, n: int) -> list[_Value]:
        return [self._pop() for _ in range(n)][::-1]

    def _pop(self) -> _Value:
        value = self._stack.pop()
        if value.kind == "mark":
            raise ValueError
        return value

    def _tuple(self, parts: list[_Value]) -> None:
        self._push("tuple", parts, parts)

    def _add(self, parts: list[_Value]) -> None:
        """Put parts into the list, dictionary or object that is on the stack."""
        target = self._pop()
        if target.kind != "other" or target.complete:
            raise ValueError
        self._push("other", None, [target, *parts])

    def _storage(self) -> None:
        fields = _contents(self._pop(), ("text", "name", "text", "text", "number"))
        _, kind, name, _, count = fields
        needed = count * _ITEM_BYTES[kind]
        if not 0 <= needed <= self._sizes.get(name, 0):
            raise _ProblemError(
                f"a tensor of {count} numbers in a storage of {self._sizes.get(name, 0)} bytes"
            )
        self._push("storage", count)

    def _reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        if function.kind != "name":
            raise ValueError
        if function.content == _TENSOR:
            _check_tensor(arguments)
        self._push("other", None, [arguments])


def _check_tensor(arguments: _Value) -> None:
    kinds = ("storage", "number", "tuple", "tuple", "other", "other")
    count, offset, *shape, _, _ = _contents(arguments, kinds)
    if len(shape[0]) > 16:
        raise ValueError
    sizes, strides = (_contents(_Value("tuple", s), ("number",) * len(shape[0])) for s in shape)
    last = offset + sum((n - 1) * stride for n, stride in zip(sizes, strides, strict=True))
    if min(offset, *sizes, *strides, 0) < 0 or (0 not in sizes and last >= count):
        raise _ProblemError(f"a tensor of shape {sizes} that is larger than its storage")


def _contents(value: _Value, kinds: tuple[str, ...]) -> list[Any]:
    """The contents of a tuple, checked for their kinds."""
    if value.kind != "tuple" or tuple(part.kind for part in value.content) != kinds:
        raise ValueError
    return [part.content for part in value.content]


def _checked_name(name: str) -> str:
    known = name in _OTHERS or _OWN_CLASS.fullmatch(name) is not None
    if not known or "torch.classes" in name.replace(" ", "."):
        raise _ProblemError(f"a class that models do not need ({name})")
    return name


_NUMBERS = {"BININT", "BININT1", "BININT2", "LONG1"}
_CONSTANTS = {"NONE", "NEWTRUE", "NEWFALSE", "BINFLOAT"}
_CONTAINERS = {"EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"}
_ACTIONS: dict[str, Callable[[_Machine], None]] = {
    "EMPTY_DICT": lambda m: m._push("other"),
    "EMPTY_LIST": lambda m: m._push("other"),
    "EMPTY_TUPLE": lambda m: m._tuple([]),
    "TUPLE": lambda m: m._tuple(m._since_mark()),
    "TUPLE1": lambda m: m._tuple(m._last(1)),
    "TUPLE2": lambda m: m._tuple(m._last(2)),
    "TUPLE3": lambda m: m._tuple(m._last(3)),
    "APPEND": lambda m: m._add(m._last(1)),
    "APPENDS": lambda m: m._add(m._since_mark()),
    "SETITEM": lambda m: m._add(m._last(2)),
    "SETITEMS": lambda m: m._add(m._since_mark()),
    "BUILD": lambda m: m._add(m._last(1)),
    "NEWOBJ": lambda m: m._push("other", None, m._last(2)),
    "BINPERSID": _Machine._storage,
    "REDUCE": _Machine._reduce,
}

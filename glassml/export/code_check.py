"""The code in a model file, read as text before anything of it is loaded.

A TorchScript archive is a program. Most of torch's operators only calculate; some open files, and
one can write to any file of the user. So the code may name only operators that the models of
glassml need. `fix glassml` has the same rules (lammps_plugin/src/code_check.cpp).

TorchScript reaches an operator as ``torch.NAME``, as ``ops.NAMESPACE.NAME``, or as an attribute of
any value: ``value.NAME`` and ``getattr(value, "NAME")`` are the operator if the value has no such
attribute. Custom C++ classes have paths that begin with ``__torch__.torch.classes``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch

from glassml.errors import ModelFileError

__all__ = ["DEEPEST", "LONGEST_STATEMENT", "OPERATORS", "OTHER_OPERATORS", "check_source"]

# Limits of the nesting, which torch reads recursively: some 4000 nested brackets crash it.
# Our own models have 4 brackets, 4 blocks, and statements of 43 names and signs.
DEEPEST = 100  # brackets in brackets, blocks in blocks (each indented by two)
LONGEST_STATEMENT = 3000  # names and signs without commas

# Operators of torch, which only calculate. A test compares them with the copy in C++.
_CALCULATING = """
__and__ __contains__ __derive_index __getitem__ __is__ __isnot__ __len__ __not__ __or__
__range_length abs acos add add_ addmm all any append arange argsort atan2 bincount bmm cat ceil
clamp clamp_max clamp_min clone contiguous copy_ cos count cumsum detach device dim div dtype
einsum empty eq erf exp expand fill_ flatten floor floordiv format full ge gelu gt index index_add
index_add_ index_select is_grad_enabled item keys layer_norm le len linalg_vector_norm linear log
log1p logical_and logical_not logical_or lt masked_fill matmul max mean min mm mul mul_ narrow ne
neg new_zeros nonzero norm numel one_hot ones ones_like pad permute pow reciprocal relu remainder
repeat repeat_interleave reshape rsqrt scatter_add scatter_add_ searchsorted select sigmoid sign
silu silu_ sin sinc size slice softmax softplus sort split sqrt square squeeze stack std sub sub_
sum tanh tensor to transpose tril triu true_divide unbind unsqueeze values var view where zero_
zeros zeros_like
"""
OPERATORS = frozenset(_CALCULATING.split())
OTHER_OPERATORS = frozenset(
    {
        "glassml.edge_update",
        "glassml.edge_update_",
        "glassml.equivariant_convolution",
        "glassml.shell_sums",
        "glassml.tabulated_convolution",
        "glassml.weighted_sums",
        "prim.RaiseException",
        "prim.data",
        "prim.device",
        "prim.dtype",
        "prim.max",
        "prim.min",
        "prim.unchecked_cast",
    }
)

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\n]+|\#[^\n]*)
    |(?P<text>"[^"\\\n]*"(?!"))
    |(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign>[-+*/%=<>!&|^~.,:;@()\[\]{}])""",
    re.VERBOSE | re.ASCII,
)


def check_source(file: Path, content: bytes) -> None:
    """Check that the code in a model file names no operator but those that models need.

    Args:
        file: the model file, for messages.
        content: one of its files of code.

    Raises:
        ModelFileError: it does.
    """
    tokens = list(_tokens(file, content))
    for k, token in enumerate(tokens):
        after_dot = k > 0 and tokens[k - 1] == "."
        if token.startswith('"'):
            if token[1:-1] in _refused():
                raise _refusal(file, token[1:-1])
        elif after_dot:
            _check_attribute(file, tokens, k)
        elif token in ("torch", "ops", "__torch__"):
            _check_path(file, tokens, k)


def _check_attribute(file: Path, tokens: list[str], k: int) -> None:
    """An attribute of a value, or a part of a path that `_check_path` has checked."""
    first = k
    while first > 1 and tokens[first - 1] == "." and re.match(r"\w", tokens[first - 2]):
        first -= 2
    if tokens[first] in ("torch", "ops", "__torch__") and tokens[first - 1 : first] != ["."]:
        return
    if tokens[k] in _refused():
        raise _refusal(file, tokens[k])


def _check_path(file: Path, tokens: list[str], k: int) -> None:
    """A path that begins with ``torch``, ``ops`` or ``__torch__`` at token k."""
    names = [tokens[k]]
    while tokens[k + 1 : k + 2] == ["."] and k + 2 < len(tokens):
        k += 2
        names.append(tokens[k])
    path = ".".join(names)
    if names[0] == "torch":
        known = len(names) == 2 and names[1] in OPERATORS
    elif names[0] == "ops":
        known = ".".join(names[1:]) in OTHER_OPERATORS
    else:
        known = len(names) > 2 and names[1:3] != ["torch", "classes"]
    if not known:
        raise _refusal(file, path)


class _Nesting:
    """How deep the code is nested, token by token."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._brackets = 0
        self._length = 0  # of this statement

    def see(self, kind: str | None, token: str) -> None:
        if kind == "blank" and "\n" in token and self._brackets == 0:
            self._length = 0
            if len(token.rpartition("\n")[2]) > 2 * DEEPEST:
                raise _refusal(self._file, f"blocks nested more than {DEEPEST} deep")
        elif kind in ("name", "sign") and token != ",":
            self._length += 1
            self._brackets = max(0, self._brackets + (token in "([{") - (token in ")]}"))
            if self._brackets > DEEPEST:
                raise _refusal(self._file, f"brackets nested more than {DEEPEST} deep")
            if self._length > LONGEST_STATEMENT:
                raise _refusal(self._file, f"a statement of more than {LONGEST_STATEMENT} parts")


def _tokens(file: Path, content: bytes) -> Iterator[str]:
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        raise _refusal(file, "letters that are not ASCII") from None
    position, nesting = 0, _Nesting(file)
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            line = text[position : position + 20].partition("\n")[0]
            raise _refusal(file, f"text that torch does not write, {line!r}")
        position = match.end()
        nesting.see(match.lastgroup, match[0])
        if match.lastgroup != "blank":
            yield match[0]


@cache
def _refused() -> frozenset[str]:
    """Names of all operators of this torch except those of `OPERATORS`."""
    schemas = torch._C._jit_get_all_schemas()
    return frozenset(schema.name.rpartition("::")[2] for schema in schemas) - OPERATORS


def _refusal(file: Path, found: str) -> ModelFileError:
    return ModelFileError(
        f"{file}: expected a model whose code only calculates; found {found}. Its code could do "
        "anything that you may do, such as overwrite files. If you trust its author, give "
        "trust=True (--trust on the command line)"
    )

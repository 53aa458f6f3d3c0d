"""Read a pickle of plain Python containers and numpy arrays without running code from it.

A pickle is a program, and even numpy's own reconstruction functions trust their arguments (a
forged dtype state can corrupt memory). So the few names that numbers and arrays need are replaced
by stand-ins that check their arguments, and every other name is refused.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from glassml.errors import InputError

__all__ = ["load_arrays", "plain_number"]


def load_arrays(path: Path) -> Any:
    """The object in a pickle file, made of containers, numbers, strings and numpy arrays.

    Arrays and scalars of numpy come as objects that ``numpy.asarray`` converts (see
    `plain_number` for scalars). Pickles may be of any protocol, from 0 to 5.

    Raises:
        InputError: the file is missing, truncated, not a pickle, or contains anything else.
    """
    try:
        stored = path.read_bytes()
        _check_program(stored)
        # Python 2 and protocols 0 to 2 hold bytes as text in this encoding.
        content = _ArrayUnpickler(io.BytesIO(stored), encoding="latin1").load()
        _check_references(content, len(stored))
        return content
    except FileNotFoundError:
        raise InputError(f"{path}: expected a pickle file; found no such file") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise InputError(
            f"{path}: expected a complete pickle of numpy arrays; found a damaged or other file "
            f"({type(error).__name__}: {error})"
        ) from error


def _check_program(stored: bytes) -> None:
    """Read the steps of a pickle without doing them: lengths, and places in its table of objects.

    Python makes the table as long as the largest place, whatever it holds.
    """
    for step, argument, _ in pickletools.genops(stored):
        if step.name in ("PUT", "BINPUT", "LONG_BINPUT"):
            place = int(argument or 0)
            if place > len(stored):
                raise InputError(f"expected at most {len(stored)} objects; found object {place}")


def _check_references(content: Any, size: int) -> None:
    """Check that a pickle of ``size`` bytes holds no more objects, each counted where it is used.

    A few lists that name each other would be arrays without end.
    """
    todo, count = [content], 1
    while todo:
        value = todo.pop()
        inner = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict | list | tuple):
            count += len(value)
            if count > size:
                raise InputError(
                    f"expected plain containers; found lists that name each other, with more than "
                    f"{size} entries in all"
                )
            todo.extend(inner)


def plain_number(value: Any) -> float | None:
    """A number in a pickle, also if it is a scalar of numpy; None if it is none."""
    if isinstance(value, _PickledScalar):
        value = np.asarray(value).item()
    return float(value) if isinstance(value, int | float) else None


class _PickledDtype:
    """Stands in for numpy.dtype: booleans, integers and floats only."""

    _KINDS = "biuf"

    def __init__(self, *arguments: Any) -> None:
        specification = arguments[0] if arguments else None
        if not isinstance(specification, str) or specification[:1] not in self._KINDS:
            raise InputError(f"expected arrays of numbers; found numpy dtype {specification!r}")
        self.value = np.dtype(specification)

    def __setstate__(self, state: Any) -> None:
        byte_order = state[1]
        if byte_order not in ("<", ">", "|", "="):
            raise InputError(f"expected a byte order; found {byte_order!r}")
        self.value = self.value.newbyteorder(byte_order)


class _PickledArray:
    """Stands in for numpy.ndarray and for numpy's function that makes an empty one."""

    def __init__(self, *arguments: Any) -> None:
        self._value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran_order, data = state
        if isinstance(data, str):  # of Python 2
            data = _encoded(data)
        if not isinstance(dtype, _PickledDtype) or not isinstance(data, bytes | bytearray):
            raise InputError("expected arrays of numbers; found an array of other objects")
        flat = np.frombuffer(data, dtype.value).copy()  # a buffer of bytes cannot be written to
        self._value = flat.reshape(shape, order="F" if fortran_order else "C")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self._value is None:
            raise InputError("expected arrays of numbers; found an array without contents")
        return self._value.astype(dtype or self._value.dtype, copy=bool(copy))


class _PickledScalar(_PickledArray):
    """Stands in for numpy's function that makes a scalar."""

    def __init__(self, *arguments: Any) -> None:
        dtype, data = arguments
        super().__init__()
        super().__setstate__((1, (), dtype, False, data))


class _PickledBuffer(_PickledArray):
    """Stands in for numpy's function that makes an array from a buffer (protocol 5)."""

    def __init__(self, *arguments: Any) -> None:
        data, dtype, shape, order = arguments
        if order not in ("C", "F"):
            raise InputError(f"expected an order of elements, C or F; found {order!r}")
        super().__init__()
        super().__setstate__((1, shape, dtype, order == "F", data))


def _encoded(*arguments: Any) -> bytes:
    """Stands in for the function by which protocols before 3 hold bytes."""
    text, encoding = (*arguments, "latin1")[:2]
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise InputError(f"expected bytes as text in latin1; found encoding {encoding!r}")
    return text.encode("latin1")


class _ArrayUnpickler(pickle.Unpickler):
    _STAND_INS: ClassVar[dict[tuple[str, str], Callable[..., Any]]] = {
        ("numpy", "ndarray"): _PickledArray,
        ("numpy", "dtype"): _PickledDtype,
        # The module was renamed in numpy 2.
        ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
        ("numpy._core.multiarray", "_reconstruct"): _PickledArray,
        ("numpy.core.multiarray", "scalar"): _PickledScalar,
        ("numpy._core.multiarray", "scalar"): _PickledScalar,
        ("numpy.core.numeric", "_frombuffer"): _PickledBuffer,
        ("numpy._core.numeric", "_frombuffer"): _PickledBuffer,
        ("_codecs", "encode"): _encoded,
    }

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return self._STAND_INS[module, name]
        except KeyError:
            raise InputError(
                f"expected a pickle of numpy arrays only; found a request for {module}.{name}, "
                "which is refused"
            ) from None

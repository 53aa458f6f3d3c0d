"""The restricted unpickler: numbers come through, programs do not."""

from __future__ import annotations

import codecs
import os
import pickle
import pickletools

import numpy as np
import pytest

from glassml.data.readers.unpickle import load_arrays, plain_number
from glassml.errors import InputError


@pytest.fixture
def load(tmp_path):
    def load(data: bytes):
        path = tmp_path / "file.pickle"
        path.write_bytes(data)
        return load_arrays(path)

    return load


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "i1", "<i4", "u2", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays(load, protocol, dtype, order):
    array = np.arange(-3, 9).reshape(3, 4).astype(dtype, order=order)
    found = np.asarray(load(pickle.dumps({"a": array}, protocol=protocol))["a"])
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert found.flags.writeable


def test_other_numbers_and_containers(load):
    content = {"list": [1, 2.5, None, True], "tuple": ("x", b"y"), "nested": [np.ones(2)] * 2}
    found = load(pickle.dumps(content, protocol=3))
    assert found["list"] == content["list"]
    assert found["tuple"] == content["tuple"]
    np.testing.assert_array_equal(np.asarray(found["nested"]), np.ones((2, 2)))


@pytest.mark.parametrize("protocol", range(6))
def test_numpy_scalars(load, protocol):
    found = load(pickle.dumps([np.float64(0.25), np.int32(-7), 3, "x"], protocol=protocol))
    assert np.asarray(found[0]) == 0.25
    assert np.asarray(found[1]).tolist() == -7
    assert [plain_number(value) for value in found] == [0.25, -7.0, 3.0, None]


@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])  # before and since numpy 2
def test_both_names_of_the_module(load, module):
    array = np.arange(3.0)
    data = pickle.dumps(array, protocol=5)
    assert (b"numpy.core" in data) != (b"numpy._core" in data)
    other = data.replace(b"numpy._core", b"numpy.core").replace(b"numpy.core", module.encode())
    # The length of the name stands before it, and that of the frame at the beginning.
    name = f"{module}.numeric".encode()
    start = other.index(name)
    other = other[:11] + other[11 : start - 1] + bytes([len(name)]) + other[start:]
    framed = other[:3] + (len(other) - 11).to_bytes(8, "little") + other[11:]
    np.testing.assert_array_equal(np.asarray(load(framed)), array)


def test_wrong_arguments_of_the_stand_ins(load):
    frombuffer = np.zeros(0).__reduce_ex__(5)[0]
    for call, message in [
        (Calls(codecs.encode, "abc", "rot13"), "expected bytes as text in latin1; found .*rot13"),
        (Calls(frombuffer, b"12345678", np.dtype(float), (1,), "K"), "an order of elements, C or"),
        (Calls(frombuffer, b"12345678", np.dtype("O"), (1,), "C"), "expected arrays of numbers"),
    ]:
        with pytest.raises(InputError, match=message):
            load(pickle.dumps(call, protocol=4))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_programs_are_refused_and_not_run(load, tmp_path, protocol):
    evidence = tmp_path / "evidence"
    data = pickle.dumps(Calls(os.system, f"touch {evidence}"), protocol=protocol)
    with pytest.raises(
        InputError, match=rf"file.pickle: .*found a request for {os.system.__module__}.system"
    ):
        load(data)
    assert not evidence.exists()


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (eval, "builtins.eval"),
        (getattr, "builtins.getattr"),
        (np.load, "numpy.load"),
        (np.save, "numpy.save"),
        (np.memmap, "numpy.memmap"),
    ],
)
def test_no_other_name_is_let_through(load, function, name):
    with pytest.raises(InputError, match=f"found a request for {name}, which is refused"):
        load(pickle.dumps(Calls(function, "x"), protocol=3))


def test_names_with_dots_are_refused(load):
    # Protocol 4 looks up "a.b" as attributes of attributes.
    data = pickle.dumps(np.ndarray, protocol=4)
    assert any(op.name == "STACK_GLOBAL" for op, _, _ in pickletools.genops(data))
    assert data[2:3] == pickle.FRAME
    unframed = data[:2] + data[11:]  # a frame states its length, which changes
    forged = unframed.replace(b"\x8c\x07ndarray", b"\x8c\x13ndarray.__class__.x")
    assert forged != unframed
    with pytest.raises(InputError, match=r"request for numpy.ndarray.__class__"):
        load(forged)


def test_programs_inside_an_array_of_objects_are_refused(load, tmp_path):
    evidence = tmp_path / "evidence"
    array = np.array([Calls(os.system, f"touch {evidence}")], dtype=object)
    with pytest.raises(InputError, match=r"expected arrays of numbers; found numpy dtype 'O8'"):
        load(pickle.dumps(array, protocol=3))
    assert not evidence.exists()


class Reconstructed:
    """Pickles as numpy pickles an array, with a state of our choice."""

    def __init__(self, state):
        self.state = state

    def __reduce__(self):
        reconstruct, arguments, _ = np.ones(1).__reduce__()
        return reconstruct, arguments, self.state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ((1, (1,), np.dtype("f8"), False, [print]), "a request for builtins.print"),
        ((1, (1,), np.dtype("f8"), False, ["x"]), "found an array of other objects"),
        ((1, (1,), "f8", False, b"12345678"), "found an array of other objects"),
        ((1, (2,), np.dtype("f8"), False, b"12345678"), "damaged or other file"),
        ((1, (1,), np.dtype("f8"), False, b"123"), "damaged or other file"),
        ((1, (1,), np.dtype([("a", "O")]), False, b"12345678"), "found numpy dtype 'V8'"),
        ((1, (1,), np.dtype("M8[s]"), False, b"12345678"), "found numpy dtype 'M8'"),
        (("short",), "damaged or other file"),
    ],
)
def test_forged_arrays_are_refused(load, state, message):
    with pytest.raises(InputError, match=f"file.pickle: .*{message}"):
        load(pickle.dumps(Reconstructed(state), protocol=3))


def test_a_forged_dtype_state_reaches_no_numpy_code(load):
    # numpy.dtype.__setstate__ would take these flags and fields and corrupt memory.
    dtype_with_state = (
        b"\x80\x03cnumpy\ndtype\nX\x02\x00\x00\x00f8K\x00K\x01\x87R"
        b"(K\x03X\x01\x00\x00\x00<X\x01\x00\x00\x00zNNJ\xff\xff\xff\x7fK\x01K?tb."
    )
    assert not isinstance(load(dtype_with_state), np.dtype)


def test_an_array_without_contents_is_refused_on_use(load):
    found = load(b"\x80\x03cnumpy\nndarray\n)R.")
    with pytest.raises(InputError, match="found an array without contents"):
        np.asarray(found)


def test_places_that_would_take_memory_are_refused(load):
    """Python fills its table of objects up to the largest place."""
    with pytest.raises(InputError, match="expected at most 9 objects; found object 4294967295"):
        load(b"\x80\x02]r\xff\xff\xff\xff.")


def test_references_must_not_multiply(load):
    """Ten lists of ten references each: 10^10 numbers for numpy."""
    numbers: list = [1.0]
    shared = [[[1.0, 2.0], [3.0]]] * 3
    assert load(pickle.dumps({"a": shared, "b": list(range(100))}, protocol=2))["a"] == shared
    for _ in range(10):
        numbers = [numbers] * 10
    with pytest.raises(InputError, match="found lists that name each other"):
        load(pickle.dumps({"positions": numbers}, protocol=2))
    endless: list = []
    endless.append(endless)
    with pytest.raises(InputError, match="found lists that name each other"):
        load(pickle.dumps(endless, protocol=2))


def test_damaged_files(load, tmp_path):
    whole = pickle.dumps({"a": np.ones(100)}, protocol=3)
    for data in (whole[:50], whole[:-1], b"", b"not a pickle"):
        with pytest.raises(InputError, match=r"file\.pickle: expected a complete pickle"):
            load(data)
    with pytest.raises(InputError, match=r"absent\.pickle: expected a pickle file; found no such"):
        load_arrays(tmp_path / "absent.pickle")

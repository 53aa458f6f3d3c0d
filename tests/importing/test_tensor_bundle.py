"""Checkpoints of TensorFlow are read without it, and none of their lengths is believed."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from weight_files import (
    bapst_tensors,
    bundle_table,
    field,
    resealed,
    tensor_entry,
    varint,
    write_bapst,
    write_bundle,
)

from glassml.errors import ModelFileError
from glassml.importing.tensor_bundle import TensorBundle, data_file_of, masked_crc32c

HEADER = field(1, 1) + field(3, field(1, 1))
NUMBERS = np.arange(6, dtype="<f4").tobytes()


def crafted(folder: Path, entries: dict[bytes, bytes], data: bytes = NUMBERS, **how: int) -> Path:
    """A checkpoint with correct checksums of its table, whatever it says."""
    table = folder / "made.ckpt.index"
    table.write_bytes(bundle_table({b"": HEADER, **entries}, **how))
    data_file_of(table).write_bytes(data)
    return table


def read_all(table: Path) -> dict[str, np.ndarray]:
    bundle = TensorBundle(table)
    return {name: bundle.read(name) for name in bundle.shapes}


def test_the_checksum_is_that_of_the_standard():
    # RFC 3720, B.4: 32 bytes of zeros and the numbers 0 to 31; then LevelDB's mask.
    for content, crc in ((bytes(32), 0x8A9136AA), (bytes(range(32)), 0x46DD794E)):
        rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
        assert masked_crc32c(content) == (rotated + 0xA282EAD8) & 0xFFFFFFFF


def test_tensors_are_read_as_they_were_written(tmp_path: Path):
    tensors = bapst_tensors(3)
    found = read_all(write_bundle(tmp_path / "net.ckpt.index", tensors))
    assert found.keys() == tensors.keys()
    for name, values in tensors.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], values)


def test_a_checkpoint_may_be_named_as_tensorflow_does(tmp_path: Path):
    table = write_bapst(tmp_path / "net.ckpt.index")
    assert TensorBundle(tmp_path / "net.ckpt").path == table


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("other.ckpt.index", "found no such file"),
        ("other.ckpt", "found no such file. Give other.ckpt.index"),
        ("net.ckpt.data-00000-of-00001", "found another file. Give net.ckpt.index"),
        ("net.ckpt.meta", "found another file. Give net.ckpt.index"),
        ("folder.index", "found no such file"),
    ],
)
def test_another_name(tmp_path: Path, name: str, words: str):
    write_bapst(tmp_path / "net.ckpt.index")
    (tmp_path / "net.ckpt.meta").touch()
    (tmp_path / "folder.index").mkdir()
    with pytest.raises(ModelFileError, match=f"{name}: expected the table .*{words}"):
        TensorBundle(tmp_path / name)


def test_numbers_are_missing(tmp_path: Path):
    table = write_bapst(tmp_path / "net.ckpt.index")
    data_file_of(table).unlink()
    with pytest.raises(ModelFileError, match=r"00001: expected the numbers .*net\.ckpt\.index"):
        TensorBundle(table)


def test_every_truncation_of_the_table_is_refused(tmp_path: Path):
    table = write_bundle(tmp_path / "net.index", {"a/b": np.ones((2, 3), np.float32)})
    content = table.read_bytes()
    for length in range(len(content)):
        table.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match=r"net\.index: expected the table"):
            TensorBundle(table)


def test_every_changed_byte_of_the_table_is_refused_or_without_effect(tmp_path: Path):
    tensors = {f"layer/{k}": np.full((2, k), k, np.float32) for k in range(1, 8)}
    table = write_bundle(tmp_path / "net.index", tensors)
    content, refused = table.read_bytes(), 0
    for place in range(len(content)):
        for change in (0x01, 0x80, 0xFF):
            damaged = bytearray(content)
            damaged[place] ^= change
            table.write_bytes(damaged)
            try:
                assert read_all(table).keys() == tensors.keys()
            except ModelFileError:
                refused += 1
    # The footer is padded, and points to an empty block that is of no use.
    assert refused > 3 * (len(content) - 60)


@pytest.mark.parametrize("seed", range(20))
def test_changed_tables_with_right_checksums(tmp_path: Path, seed: int):
    """Nothing but the lengths and names in it can then show that a table is wrong."""
    rng = np.random.default_rng(seed)
    entries = {f"net/layer_{k}".encode(): tensor_entry((k,), 0, NUMBERS[: 4 * k]) for k in range(7)}
    places: list[tuple[int, int]] = []
    table = crafted(tmp_path, {})
    content = bundle_table({b"": HEADER, **entries}, places=places)
    changeable = np.concatenate([np.arange(*place) for place in places])
    refused = 0
    tracemalloc.start()
    for _ in range(50):
        damaged = bytearray(content)
        for place in rng.choice(changeable, rng.integers(1, 4)):
            damaged[place] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
        table.write_bytes(resealed(damaged, places))
        try:
            read_all(table)
        except ModelFileError:
            refused += 1
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()
    assert refused > 25


def test_changed_numbers_are_refused(tmp_path: Path):
    table = write_bundle(tmp_path / "net.index", {"a": np.ones((2, 3), np.float32)})
    data = data_file_of(table)
    content = data.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1
        data.write_bytes(damaged)
        with pytest.raises(ModelFileError, match=r"00001: a: .*the checksum differs"):
            read_all(table)
    data.write_bytes(content[:-1])
    with pytest.raises(ModelFileError, match=r"a file of at least 24 bytes .*found 23"):
        read_all(table)


ABSURD = {
    "a shape of 2^80 numbers": (tensor_entry((2**40, 2**40), 0, NUMBERS), "bytes for the shape"),
    "2^60 bytes": (tensor_entry((2**58,), 0, NUMBERS, size=2**60), "a file of at least"),
    "a place of 2^62": (tensor_entry((2, 3), 2**62, NUMBERS), "a file of at least"),
    "another size": (tensor_entry((2, 2), 0, NUMBERS), "16 bytes for the shape"),
    "many dimensions": (tensor_entry((1,) * 40, 0, NUMBERS[:4]), "without a shape"),
    "a shape that is a number": (field(2, 7), "a description that TensorFlow"),
    "a type that is a text": (field(1, b"x"), "a description that TensorFlow"),
    "a size without end": (field(1, 1) + varint(8 * 5) + b"\xff" * 11, "more than 64 bits"),
    "a text longer than the entry": (varint(8 * 2 + 2) + varint(2**60), "bytes where"),
    "an unknown kind of field": (varint(8 * 1 + 3), "a description that TensorFlow"),
    "float64": (tensor_entry((3,), 0, NUMBERS, dtype=2), "float32 numbers; found float64"),
    "texts": (tensor_entry((3,), 0, NUMBERS, dtype=7), "found TensorFlow's type 7"),
    "another file": (tensor_entry((2, 3), 0, NUMBERS, shard=3), "found it in file 3"),
    "slices": (tensor_entry((2, 3), 0, NUMBERS) + field(7, b""), "one in slices"),
    "another checksum": (tensor_entry((2, 3), 0, NUMBERS, checksum=1), "the checksum differs"),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_descriptions_are_refused(tmp_path: Path, name: str):
    entry, words = ABSURD[name]
    table = crafted(tmp_path, {b"net/w": entry})
    tracemalloc.start()
    with pytest.raises(ModelFileError, match=rf"made\.ckpt.*{words}"):
        read_all(table)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (field(1, 2), "a checkpoint in 2 parts"),
        (field(1, 1) + field(2, 1), "big-endian"),
        (b"\xff", "bytes where"),
    ],
)
def test_other_checkpoints(tmp_path: Path, header: bytes, words: str):
    table = crafted(tmp_path, {b"": header, b"w": tensor_entry((2, 3), 0, NUMBERS)})
    with pytest.raises(ModelFileError, match=rf"made\.ckpt\.index: expected .*{words}"):
        TensorBundle(table)


def test_compressed_blocks_and_other_tables(tmp_path: Path):
    table = crafted(tmp_path, {b"w": tensor_entry((2, 3), 0, NUMBERS)}, compression=1)
    with pytest.raises(ModelFileError, match="a block with compression 1"):
        TensorBundle(table)
    table.write_bytes(bundle_table({b"key": b"value"}))
    with pytest.raises(ModelFileError, match="a table of another kind"):
        TensorBundle(table)
    table.write_bytes(bundle_table({b"": HEADER, b"\xff\xfe": tensor_entry((1,), 0, NUMBERS)}))
    with pytest.raises(ModelFileError, match="a name that is no text"):
        TensorBundle(table)
    table.write_bytes(bytes(2**20 + 1))
    with pytest.raises(ModelFileError, match="of at most 1048576 bytes; found 1048577"):
        TensorBundle(table)


def test_names_that_would_fill_the_memory(tmp_path: Path):
    """Each name may be longer than the one before, in a table that stores one letter of it."""
    names = {b"n" * k: b"" for k in range(1, 2000)}
    table = crafted(tmp_path, names, per_block=10**6)
    assert table.stat().st_size < 20_000
    with pytest.raises(ModelFileError, match="does not fit the one before"):
        TensorBundle(table)
    many = {k.to_bytes(3, "big"): b"" for k in range(1, 10_002)}
    with pytest.raises(ModelFileError, match="more than 10000 tensors"):
        TensorBundle(crafted(tmp_path, many, per_block=10**6))


def test_blocks_that_are_listed_twice(tmp_path: Path):
    """Or a thousand times, which would be read as often."""
    entries = {f"w{k}".encode(): tensor_entry((2, 3), 0, NUMBERS) for k in range(9)}
    content = bundle_table({b"": HEADER, **entries})
    same = bundle_table({b"": HEADER, **entries}, repeat_first=True)
    (tmp_path / "made.ckpt.index").write_bytes(content)
    (tmp_path / "made.ckpt.data-00000-of-00001").write_bytes(NUMBERS)
    assert len(TensorBundle(tmp_path / "made.ckpt.index").shapes) == 9
    (tmp_path / "made.ckpt.index").write_bytes(same)
    with pytest.raises(ModelFileError, match="blocks that overlap"):
        TensorBundle(tmp_path / "made.ckpt.index")

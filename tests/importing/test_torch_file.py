"""Files of parameters of PyTorch are read; nothing else in such files is, and no code runs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hostile_archives import HOSTILE_ARCHIVES, flipped, members, with_member
from weight_files import botan_tensors, write_botan

from glassml.errors import ModelFileError
from glassml.importing.torch_file import TorchFile


class _Touches:
    """Unpickled freely, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_tensors_are_read_as_they_were_written(tmp_path: Path):
    tensors = botan_tensors(3)
    file = TorchFile(write_botan(tmp_path / "net.pth", 3))
    assert file.shapes == {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        assert (file.read(name) == tensor.numpy()).all()


def test_the_state_of_a_module_is_read(tmp_path: Path):
    """It is an OrderedDict with an attribute, unlike a plain dictionary."""
    torch.save(torch.nn.Linear(2, 3).state_dict(), tmp_path / "net.pth")
    assert TorchFile(tmp_path / "net.pth").shapes == {"weight": (3, 2), "bias": (3,)}


def test_code_is_refused_and_does_not_run(tmp_path: Path):
    target = tmp_path / "was_run"
    torch.save({"w": _Touches(target)}, tmp_path / "code.pth")
    with pytest.raises(ModelFileError, match=r"code\.pth: .*a class that models do not need"):
        TorchFile(tmp_path / "code.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"w": _Touches(target)}))
    with pytest.raises(ModelFileError, match=r"plain\.pth: expected parameters .*another kind"):
        TorchFile(tmp_path / "plain.pth")
    torch.save({"w": _Touches(target)}, tmp_path / "o.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(ModelFileError, match=r"o\.pth: expected parameters .*another kind"):
        TorchFile(tmp_path / "o.pth")
    assert not target.exists()
    torch.load(tmp_path / "code.pth", weights_only=False)  # otherwise the test shows nothing
    assert target.exists()


def test_other_contents_are_refused(tmp_path: Path):
    linear = torch.nn.Linear(2, 3)
    path = tmp_path / "net.pth"
    for content, words in (
        (linear, "a class that models do not need"),
        ([linear.weight.detach()], "found list"),
        (linear.weight.detach(), "found Tensor"),
        ({"net": linear.state_dict(), "epoch": 3}, "'net' with a value of type OrderedDict"),
        ({3: linear.weight.detach()}, "3 with a value of type Tensor"),
        ({"w": torch.ones(1).expand(10**9)}, "1000000000 numbers that repeat"),
    ):
        torch.save(content, path)
        with pytest.raises(ModelFileError, match=rf"net\.pth: .*expected .*{words}"):
            TorchFile(path)
    torch.save({"w": torch.ones(2, dtype=torch.float64)}, path)
    with pytest.raises(ModelFileError, match="w: expected float32 numbers; found float64"):
        TorchFile(path).read("w")
    torch.jit.script(linear).save(path)
    with pytest.raises(ModelFileError, match=r"net\.pth: expected tensors .*TorchScript"):
        TorchFile(path)
    with pytest.raises(ModelFileError, match=r"no\.pth: expected parameters .*no such file"):
        TorchFile(tmp_path / "no.pth")


def test_large_files_are_not_read(tmp_path: Path):
    with (tmp_path / "net.pth").open("wb") as stream:
        stream.truncate(2**40)  # takes no room on the disk
    with pytest.raises(ModelFileError, match="at most 512 MB; found 1048576 MB"):
        TorchFile(tmp_path / "net.pth")


def test_truncated_files_are_refused(tmp_path: Path):
    content = write_botan(tmp_path / "net.pth").read_bytes()
    for length in range(0, len(content), 97):
        (tmp_path / "net.pth").write_bytes(content[:length])
        with pytest.raises(ModelFileError, match=r"net\.pth: expected"):
            TorchFile(tmp_path / "net.pth")


def test_a_flipped_bit_is_noticed(tmp_path: Path):
    path = write_botan(tmp_path / "net.pth")
    names = members(path)
    assert {"data.pkl", "data/0", "data/21", "version"} < set(names)
    for name in names:
        with pytest.raises(ModelFileError, match=r"damaged\.pth: .*(checksum|CRC|decompress)"):
            TorchFile(flipped(path, name, tmp_path / "damaged.pth"))


# Those that change or replace members which files of parameters have too.
@pytest.mark.parametrize(
    "name", [n for n in HOSTILE_ARCHIVES if "manifest" not in n and n != "a member before the file"]
)
def test_archives_that_are_refused_as_models_are_refused_here(tmp_path: Path, name: str):
    make, _ = HOSTILE_ARCHIVES[name]
    # torch calls the folder in the archive by the name of the file; that of models is "archive".
    hostile = make(write_botan(tmp_path / "archive.pth"), tmp_path / "hostile.pth")
    with pytest.raises(ModelFileError, match=r"hostile\.pth: "):
        TorchFile(hostile)


def test_a_pickle_with_a_name_and_no_tensor(tmp_path: Path):
    """The reader of torch then asks for an entry that is not there."""
    pickled = b"\x80\x02}(X\x01\x00\x00\x00wu."
    hostile = with_member(write_botan(tmp_path / "n.pth"), "data.pkl", pickled, tmp_path / "h.pth")
    with pytest.raises(ModelFileError, match=r"h\.pth: expected tensors .*refuses \(IndexError\)"):
        TorchFile(hostile)


def test_a_container_that_holds_itself_is_no_tensor(tmp_path: Path):
    """Pickles of Python refer to containers before they fill them, so such a pickle is read."""
    pickled = b"\x80\x02}q\x00X\x01\x00\x00\x00wh\x00s."
    hostile = with_member(write_botan(tmp_path / "n.pth"), "data.pkl", pickled, tmp_path / "h.pth")
    with pytest.raises(
        ModelFileError, match=r"h\.pth: expected tensors .*'w' with a value of type d"
    ):
        TorchFile(hostile)

"""Files of parameters that `torch.save` wrote, read without running code from them.

Such a file is a ZIP archive with a pickle, which is a program. Archive and pickle are checked as
those of model files are (`glassml.export.archive_check`); then torch loads tensors and containers
from them, and nothing else.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glassml.errors import ModelFileError
from glassml.export.archive_check import LARGEST_FILE, check_archive, open_archive
from glassml.export.pickle_check import Writer

__all__ = ["TorchFile"]

_TORCH = Writer(
    "torch.save",
    "parameters",
    "or write its parameters again: torch.save(model.state_dict(), ...)",
    fills_later=True,
)


class TorchFile:
    """The tensors of a state dict: a dictionary of tensors by their names.

    Args:
        path: what ``torch.save(model.state_dict(), path)`` wrote.
        entry: where the file is a checkpoint, a dictionary of several things: which of them are the
            parameters. None: it must hold parameters alone.

    Attributes:
        path: as given.
        shapes: name -> shape of each tensor.

    Raises:
        ModelFileError: the file is missing, damaged, or holds something else.
    """

    def __init__(self, path: str | Path, entry: str | None = None) -> None:
        self.path = Path(path)
        self._tensors = _tensors(self.path, _content(self.path), entry)
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self._tensors.items()}

    def read(self, name: str) -> np.ndarray:
        """The numbers of one tensor, float32 of its shape.

        Raises:
            ModelFileError: they are of another type.
        """
        tensor = self._tensors[name]
        if tensor.dtype != torch.float32:
            found = str(tensor.dtype).removeprefix("torch.")
            raise ModelFileError(f"{self.path}: {name}: expected float32 numbers; found {found}")
        return tensor.detach().numpy()


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise ModelFileError(
            f"{path}: expected parameters written by torch.save; found no such file"
        )
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ModelFileError(
                f"{path}: expected parameters of at most {LARGEST_FILE // 2**20} MB; found "
                f"{size / 2**20:.0f} MB"
            )
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror or error})") from None


def _tensors(path: Path, content: bytes, entry: str | None) -> dict[str, Tensor]:
    with open_archive(path, content, _TORCH) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        raise _other(path, "a model with its code (TorchScript)")
    try:
        check_archive(path, content, writer=_TORCH)
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except ModelFileError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        # Not torch's text: it advises to load the file with all code that is in it.
        raise _other(path, f"a file that torch refuses ({type(error).__name__})") from None
    if isinstance(loaded, dict) and isinstance(loaded.get(entry), dict):
        loaded = loaded[entry]
    if not isinstance(loaded, dict):
        raise _other(path, type(loaded).__name__)
    for name, value in loaded.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise _other(path, f"{name!r} with a value of type {type(value).__name__}")
        if value.nbytes > value.untyped_storage().nbytes():
            raise _other(path, f"{name!r}, a tensor of {value.numel()} numbers that repeat")
    return loaded


def _other(path: Path, found: str) -> ModelFileError:
    return ModelFileError(
        f"{path}: expected tensors by name, as torch.save(model.state_dict(), ...) writes them; "
        f"found {found}"
    )

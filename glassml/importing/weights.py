"""Parameters from a file of another program, checked one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from glassml.errors import ModelFileError
from glassml.models.limits import WIDEST

__all__ = ["Layers", "Tensors", "Weights", "width_in"]

_SHOWN = 4  # names of tensors in a message


class Tensors(Protocol):
    """A file of tensors: `TensorBundle` or `TorchFile`."""

    @property
    def path(self) -> Path:
        """The file, for messages."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name -> shape of each tensor."""

    def read(self, name: str) -> np.ndarray:
        """One tensor, float32 of its shape."""


@dataclass(frozen=True)
class Weights:
    """The parameters of a model, as a file has them.

    Attributes:
        hyperparameters: of the model that they are for, as far as the shapes tell.
        parameters: by the names in the model: weights [outputs, inputs] and biases [outputs], and
            the statistics of batch norms.
        files: where they were read.
        n_standardised: number of times at which the network predicts in units of the standard
            deviation of the labels; 0: it predicts lengths, at one time.
    """

    hyperparameters: dict[str, int]
    parameters: dict[str, Tensor]
    files: tuple[Path, ...]
    n_standardised: int = 0


@dataclass(frozen=True)
class Layers:
    """Reads the linear layers of perceptrons.

    Attributes:
        file: the tensors.
        owner: whose network it is, for messages, such as "Bapst et al.".
        width: of the network, for messages.
        name: the name of a tensor in the file, from that of its perceptron, the number of its layer
            and "weight" or "bias".
        transposed: the file has weights as [inputs, outputs].
    """

    file: Tensors
    owner: str
    width: int
    name: Callable[[str, int, str], str]
    transposed: bool

    def read(self, inside: str, ours: str, sizes: Sequence[int]) -> dict[str, Tensor]:
        """Weights [outputs, inputs] and biases [outputs] of one perceptron.

        Args:
            inside: its name in the file.
            ours: its name in the model.
            sizes: width of its inputs, of each hidden layer, of its outputs.

        Raises:
            ModelFileError: a tensor is missing, of another shape or not finite.
        """
        found = {}
        for k, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
            shape = (n_in, n_out) if self.transposed else (n_out, n_in)
            weight = self._tensor(self.name(inside, k, "weight"), shape)
            found[f"{ours}.linears.{k}.weight"] = weight.T if self.transposed else weight
            found[f"{ours}.linears.{k}.bias"] = self._tensor(self.name(inside, k, "bias"), (n_out,))
        return found

    def _tensor(self, name: str, shape: tuple[int, ...]) -> Tensor:
        path, shapes = self.file.path, self.file.shapes
        if name not in shapes:
            raise _missing(self.file, name, f"shape {list(shape)}", self.owner)
        if shapes[name] != shape:
            raise ModelFileError(
                f"{path}: {name}: expected shape {list(shape)} in a network of {self.owner} of "
                f"width {self.width}; found {list(shapes[name])}"
            )
        values = self.file.read(name)
        if not np.isfinite(values).all():
            raise ModelFileError(f"{path}: {name}: expected finite numbers; found others")
        return torch.from_numpy(values.copy())


def width_in(file: Tensors, name: str, axis: int, owner: str) -> int:
    """The width of a network: the size of one of its tensors [.., ..] along an axis.

    Raises:
        ModelFileError: the tensor is missing, or has another number of dimensions or a size that no
            network has.
    """
    if name not in file.shapes:
        raise _missing(file, name, "two dimensions", owner)
    shape = file.shapes[name]
    if len(shape) != 2 or not 1 <= shape[axis] <= WIDEST:
        raise ModelFileError(
            f"{file.path}: {name}: expected two dimensions, and a width from 1 to {WIDEST}; found "
            f"shape {list(shape)}"
        )
    return shape[axis]


def _missing(file: Tensors, name: str, kind: str, owner: str) -> ModelFileError:
    known = sorted(file.shapes)
    listed = ", ".join(map(repr, known[:_SHOWN])) + (", ..." if len(known) > _SHOWN else "")
    return ModelFileError(
        f"{file.path}: {name}: expected this tensor, of {kind}, as in a network of {owner}; found "
        f"none among {len(known)} tensors ({listed or 'an empty file'})"
    )

"""Perceptrons, as in the networks that learn on edges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

__all__ = ["Perceptron"]


class Perceptron(nn.Module):
    """Linear maps, each followed by a ReLU, except the last if it is to have any sign.

    Args:
        widths: of the input, the hidden layers and the output.
        rectify_last: a ReLU also after the last map.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        linears: Sequence[nn.Linear]

    def __init__(self, widths: Sequence[int], rectify_last: bool = True) -> None:
        super().__init__()
        layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
        self.linears = cast(Any, nn.ModuleList(layers))
        self.n_rectified = len(self.linears) - (not rectify_last)

    def forward(self, values: Tensor) -> Tensor:
        """[rows, first width] to [rows, last width]."""
        for k, linear in enumerate(self.linears):
            values = linear(values)
            if k < self.n_rectified:
                values = torch.relu(values)
        return values

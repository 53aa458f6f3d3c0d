"""Perceptrons, as in the networks that learn on edges."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Perceptron"]


class Perceptron(nn.Module):
    """Linear maps, each followed by a ReLU, except the last if it is to have any sign.

    Args:
        widths: of the input, the hidden layers and the output.
        rectify_last: a ReLU also after the last map.
    """

    def __init__(self, widths: Sequence[int], rectify_last: bool = True) -> None:
        super().__init__()
        pairs = zip(widths[:-1], widths[1:], strict=True)
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.n_rectified = len(self.linears) - (not rectify_last)

    def forward(self, values: Tensor) -> Tensor:
        """[rows, first width] to [rows, last width]."""
        for k, linear in enumerate(self.linears):
            values = linear(values)
            if k < self.n_rectified:
                values = torch.relu(values)
        return values

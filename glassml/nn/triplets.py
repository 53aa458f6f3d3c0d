"""Layers that renew edges from sums over triplets of particles."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["TripletLayer"]


class TripletLayer(nn.Module):
    """A layer of Geo-GNN on edges, except for the sum over triplets (`glassml.models.GeoGNN`).

    Args:
        width: columns of the codes of edges.
        narrow: columns of the sums.
        n_degrees: number of functions of the angle.
    """

    def __init__(self, width: int, narrow: int, n_degrees: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, narrow, bias=False)
        self.angle_first = nn.Linear(n_degrees, n_degrees, bias=False)
        self.angle_last = nn.Linear(n_degrees, narrow, bias=False)
        self.up = nn.Linear(narrow, width, bias=False)
        self.joined = nn.Linear(2 * width, width)  # reads the code, the sum
        for linear in (self.down, self.angle_last, self.up, self.joined):
            _orthogonal(linear.weight)

    def narrowed(self, code: Tensor) -> Tensor:
        """Codes [E, width] to what is summed over triplets, t: [E, narrow]."""
        return nn.functional.silu(self.down(code))

    def functions(self) -> Tensor:
        """For each column of the sums, the coefficients of Y_l0: [L, narrow]."""
        return (self.angle_last.weight @ self.angle_first.weight).transpose(0, 1)

    def forward(self, code: Tensor, sums: Tensor) -> Tensor:
        """Codes [E, width] and sums [E, narrow] to the next codes."""
        wide = nn.functional.silu(self.up(sums))
        weight, width = self.joined.weight, code.shape[1]
        joined = nn.functional.linear(code, weight[:, :width], self.joined.bias)
        joined = joined + nn.functional.linear(wide, weight[:, width:])
        return code + nn.functional.silu(joined)


def _orthogonal(weight: Tensor) -> None:
    """Initial weights of the publication: orthogonal, with a variance of 2 / (rows + columns)."""
    nn.init.orthogonal_(weight)
    with torch.no_grad():
        weight.mul_((2.0 / (sum(weight.shape) * weight.var())).sqrt())

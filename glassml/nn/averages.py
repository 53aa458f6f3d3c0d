"""Averages over a particle and its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["average_with_neighbours"]


def average_with_neighbours(
    values: Tensor, weights: Tensor, sender: Tensor, first_edge: Tensor
) -> Tensor:
    """Means (x_i + sum_j w_ij x_j) / (1 + sum_j w_ij), by the operator ``weighted_sums``.

    Args:
        values: [n_all, D] x.
        weights: [E] w.
        sender: int64 [E].
        first_edge: int64 [n + 1].

    Returns:
        [n, D] of the receivers.
    """
    # The last column sums the weights.
    counted = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
    sums = torch.ops.glassml.weighted_sums(counted, weights, sender, first_edge)
    return (values[: first_edge.shape[0] - 1] + sums[:, :-1]) / (1 + sums[:, -1:])

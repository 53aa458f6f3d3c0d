"""Random directions of the axes, for networks that see the components of vectors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

__all__ = ["random_axes", "turned_edges"]


def random_axes(n: int) -> Tensor:
    """Random permutations and reflections of the axes: n of the 48 symmetries of a cube.

    Drawn from torch's random numbers on the CPU.

    Returns:
        float32 [n, 3, 3], each row and column with one entry, 1 or -1.
    """
    order = torch.rand(n, 3).argsort(dim=1)
    signs = torch.randint(0, 2, (n, 3, 1)) * 2.0 - 1.0
    return torch.eye(3)[order] * signs


def turned_edges(batch: Data) -> Tensor:
    """The edge vectors [E, 3] [length] of a batch, with random axes for each of its graphs."""
    vectors = batch.edge_vector
    axes = random_axes(batch.num_graphs).to(vectors)
    if batch.num_graphs == 1:
        return vectors @ axes[0].T
    graph = batch.batch[batch.edge_index[1]]
    return torch.einsum("eij,ej->ei", axes[graph], vectors)

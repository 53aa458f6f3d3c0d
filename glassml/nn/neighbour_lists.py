"""Neighbours of particles as tables of equal length, for sums that are matrix products.

Edges are sorted by receiver. For a block of successive receivers, their edges become a table
[receivers, longest list], in which the slots behind a shorter list are unused.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["block_size", "edges_within", "neighbour_table"]


def edges_within(r: Tensor, reach: float, first_edge: Tensor) -> tuple[Tensor, Tensor]:
    """The edges that are shorter than ``reach``.

    Args:
        r: [E], lengths of the edges [length].
        reach: [length].
        first_edge: int64 [n + 1].

    Returns:
        Their indices, int64 [E'] in the same order, and their own ``first_edge`` [n + 1].
    """
    within = r < reach
    before = torch.nn.functional.pad(torch.cumsum(within, 0), [1, 0])
    return torch.nonzero(within).squeeze(1), before[first_edge]


def neighbour_table(first_edge: Tensor, low: int, high: int) -> tuple[Tensor, Tensor]:
    """The edges of the receivers low..high - 1 as a table with M columns.

    Args:
        first_edge: int64 [n + 1].
        low: the first receiver.
        high: the one after the last.

    Returns:
        Edges, int64 [high - low, M], which are 0 in unused slots; and which slots are used, bool.
    """
    first = first_edge[low:high].unsqueeze(1)
    number = first_edge[low + 1 : high + 1].unsqueeze(1) - first
    slot = torch.arange(int(number.max()), device=first_edge.device)
    used = slot < number
    return torch.where(used, first + slot, torch.zeros_like(slot)), used


def block_size(first_edge: Tensor, columns: int) -> int:
    """How many receivers make a block, if each neighbour has this many numbers.

    Args:
        first_edge: int64 [n + 1]; n at least 1.
        columns: numbers per neighbour in the largest intermediate result.
    """
    longest = int((first_edge[1:] - first_edge[:-1]).max())
    # The caches of a processor hold a million numbers, and a GPU has enough to do with so many.
    return max(1, 1048576 // max(1, longest * columns))

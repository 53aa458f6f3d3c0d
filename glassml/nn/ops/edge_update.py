"""The renewal of edges with a memory, in plain PyTorch: the definition of the native operator."""

from __future__ import annotations

import torch
from torch import Tensor

from glassml.errors import InputError

__all__ = ["edge_update", "edge_update_"]


def edge_update(
    edges: Tensor,
    fixed: Tensor,
    of_receiver: Tensor,
    of_sender: Tensor,
    sender: Tensor,
    first_edge: Tensor,
    inner: Tensor,
    outer: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor]:
    r"""A perceptron with one hidden layer on every edge, and its sum over the edges of a receiver.

    For the edge e from j to i

    .. math::
        h_e = \max(0, A e_e + f_e + r_i + s_j), \quad e'_e = \max(0, B h_e + b), \quad
        E_i = \sum_{e \to i} e'_e

    A layer on the concatenation [e_e, x_i, x_j] is the sum of three, of which those of the
    particles are computed once for each particle, not for each edge: r and s. What does not change
    from step to step is f.

    Args:
        edges: [E, H] e, what the edges remember.
        fixed: [E, K] f, K hidden units.
        of_receiver: [n, K] r.
        of_sender: [n_all, K] s.
        sender: int64 [E], rows of ``of_sender``.
        first_edge: int64 [n + 1]; receiver i has edges first_edge[i] to first_edge[i+1] - 1.
        inner: [K, H] A.
        outer: [H, K] B.
        bias: [H] b.

    Returns:
        e' [E, H] and E [n, H].

    Raises:
        InputError: shapes do not fit together.
    """
    _check(edges, fixed, of_receiver, of_sender, sender, first_edge, inner, outer, bias)
    receiver = torch.repeat_interleave(first_edge.diff(), output_size=len(sender))
    hidden = fixed + of_receiver.index_select(0, receiver) + of_sender.index_select(0, sender)
    hidden = torch.addmm(hidden, edges, inner.t()).relu()
    renewed = torch.addmm(bias, hidden, outer.t()).relu()
    sums = renewed.new_zeros(len(of_receiver), renewed.shape[1])
    return renewed, sums.index_add(0, receiver, renewed)


def edge_update_(
    edges: Tensor,
    fixed: Tensor,
    of_receiver: Tensor,
    of_sender: Tensor,
    sender: Tensor,
    first_edge: Tensor,
    inner: Tensor,
    outer: Tensor,
    bias: Tensor,
) -> Tensor:
    """`edge_update` in place, without gradients: ``edges`` becomes e'; returns E [n, H]."""
    renewed, sums = edge_update(
        edges, fixed, of_receiver, of_sender, sender, first_edge, inner, outer, bias
    )
    edges.copy_(renewed)
    return sums


def _check(
    edges: Tensor,
    fixed: Tensor,
    of_receiver: Tensor,
    of_sender: Tensor,
    sender: Tensor,
    first_edge: Tensor,
    inner: Tensor,
    outer: Tensor,
    bias: Tensor,
) -> None:
    if edges.dim() != 2 or fixed.dim() != 2 or first_edge.dim() != 1 or len(first_edge) < 1:
        raise InputError(
            "edge_update: edges, fixed, first_edge: expected 2, 2 and 1 dimensions, and n + 1 "
            f"entries of first_edge; found shapes {list(edges.shape)}, {list(fixed.shape)}, "
            f"{list(first_edge.shape)}"
        )
    n_edges, width, hidden = len(edges), edges.shape[1], fixed.shape[1]
    expected = {
        "fixed": (fixed, [n_edges, hidden]),
        "of_receiver": (of_receiver, [len(first_edge) - 1, hidden]),
        "of_sender": (of_sender, [len(of_sender), hidden]),
        "sender": (sender, [n_edges]),
        "inner": (inner, [hidden, width]),
        "outer": (outer, [width, hidden]),
        "bias": (bias, [width]),
    }
    for name, (tensor, shape) in expected.items():
        if list(tensor.shape) != shape:
            raise InputError(
                f"edge_update: {name}: expected shape {shape}; found {list(tensor.shape)}"
            )

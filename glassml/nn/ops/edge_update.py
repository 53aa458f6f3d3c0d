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
        InputError: shapes, dtypes or devices do not fit together.
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
    """`edge_update` in place, without gradients: ``edges`` becomes e'; returns E [n, H].

    Raises:
        InputError: shapes, dtypes or devices do not fit together, or autograd would record.
    """
    needed = (edges, fixed, of_receiver, of_sender, inner, outer, bias)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in needed):
        raise InputError(
            "edge_update_: expected no arguments that need gradients; found one. Use edge_update, "
            "or call it under torch.no_grad()"
        )
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
    matrices = {
        "edges": edges,
        "fixed": fixed,
        "of_receiver": of_receiver,
        "of_sender": of_sender,
        "inner": inner,
        "outer": outer,
    }
    integers = {"sender": sender, "first_edge": first_edge}
    _check_tensors(matrices, bias, integers)
    if len(first_edge) < 1:
        raise InputError(
            "edge_update: first_edge: expected n + 1 entries, the first of them 0; found none"
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


def _check_tensors(matrices: dict[str, Tensor], bias: Tensor, integers: dict[str, Tensor]) -> None:
    """Check dimensions, dtypes and devices."""
    for name, tensor in {**matrices, "bias": bias, **integers}.items():
        if tensor.dim() != (2 if name in matrices else 1):
            words = "two dimensions" if name in matrices else "one dimension"
            raise InputError(
                f"edge_update: {name}: expected {words}; found shape {list(tensor.shape)}"
            )
    edges = matrices["edges"]
    for name, tensor in {**matrices, "bias": bias}.items():
        if tensor.dtype not in (torch.float32, torch.float64):
            raise InputError(
                f"edge_update: {name}: expected float32 or float64; found {tensor.dtype}"
            )
        if tensor.dtype != edges.dtype:
            raise InputError(
                f"edge_update: {name}: expected the dtype of edges, {edges.dtype}; "
                f"found {tensor.dtype}"
            )
    for name, tensor in integers.items():
        if tensor.dtype != torch.int64:
            raise InputError(f"edge_update: {name}: expected int64; found {tensor.dtype}")
    for name, tensor in {**matrices, "bias": bias, **integers}.items():
        if tensor.device != edges.device:
            raise InputError(
                f"edge_update: {name}: expected the device of edges, {edges.device}; "
                f"found {tensor.device}"
            )

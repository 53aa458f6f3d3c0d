"""Weighted sums over neighbours, in plain PyTorch: the definition of the native operator."""

from __future__ import annotations

import torch
from torch import Tensor

from glassml.errors import InputError

__all__ = ["weighted_sums"]


def weighted_sums(values: Tensor, weights: Tensor, sender: Tensor, first_edge: Tensor) -> Tensor:
    r"""Sums over neighbours, in which all columns share the weight of an edge.

    For the edges e from j to i, :math:`S_i = \sum_{e \to i} w_e x_{j(e)}`.

    Args:
        values: [n_all, C] x.
        weights: [E] w.
        sender: int64 [E], rows of ``values``.
        first_edge: int64 [n + 1]; receiver i has edges first_edge[i] to first_edge[i+1] - 1.

    Returns:
        S [n, C].

    Raises:
        InputError: shapes, dtypes or devices do not fit together.
    """
    _check(values, weights, sender, first_edge)
    receiver = torch.repeat_interleave(first_edge.diff(), output_size=len(sender))
    sums = values.new_zeros(len(first_edge) - 1, values.shape[1])
    return sums.index_add(0, receiver, weights.unsqueeze(1) * values.index_select(0, sender))


def _check(values: Tensor, weights: Tensor, sender: Tensor, first_edge: Tensor) -> None:
    vectors = {"weights": weights, "sender": sender, "first_edge": first_edge}
    if values.dim() != 2:
        raise _error("values", "two dimensions", f"shape {list(values.shape)}")
    for name, tensor in vectors.items():
        if tensor.dim() != 1:
            raise _error(name, "one dimension", f"shape {list(tensor.shape)}")
    if values.dtype not in (torch.float32, torch.float64):
        raise _error("values", "float32 or float64", str(values.dtype))
    if weights.dtype != values.dtype:
        raise _error("weights", f"the dtype of values, {values.dtype}", str(weights.dtype))
    for name in ("sender", "first_edge"):
        if vectors[name].dtype != torch.int64:
            raise _error(name, "int64", str(vectors[name].dtype))
    for name, tensor in vectors.items():
        if tensor.device != values.device:
            raise _error(name, f"the device of values, {values.device}", str(tensor.device))
    if len(first_edge) < 1:
        raise _error("first_edge", "n + 1 entries, the first of them 0", "none")
    if len(weights) != len(sender):
        raise _error("weights", f"one for each of {len(sender)} edges", str(len(weights)))


def _error(name: str, expected: str, found: str) -> InputError:
    return InputError(f"weighted_sums: {name}: expected {expected}; found {found}")

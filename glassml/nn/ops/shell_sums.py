"""Spherical harmonics summed in shells, in plain PyTorch: the definition of the operator."""

from __future__ import annotations

import torch
from torch import Tensor

from glassml.errors import InputError
from glassml.nn.ops.paths import LARGEST_L
from glassml.nn.ops.reference import spherical_harmonics

__all__ = ["shell_sums"]


def shell_sums(
    kind: Tensor,
    edge_vector: Tensor,
    sender: Tensor,
    first_edge: Tensor,
    start: float,
    cutoff: float,
    shells: int,
    kinds: int,
    l_max: int,
) -> Tensor:
    r"""Spherical harmonics of the neighbours of a kind, summed in shells.

    For the edges e from j to i, the kind a and the shell k,

    .. math:: S_{i,lm,ak} = \sum_{e \to i,\, a_j = a} f_k(r_e) Y_{lm}(\hat r_e)

    f_k is 1 at the knot k of ``shells`` + 1 even ones from ``start`` to ``cutoff``, 0 at all
    others, and linear between knots. Neighbours before the first knot belong to the first shell,
    and none beyond the last knot to any. Harmonics are those of the convolution
    (`glassml.nn.ops.reference`).

    Args:
        kind: int64 [n_all], from 0 to ``kinds`` - 1.
        edge_vector: [E, 3] x_j - x_i [length]. The native operator has no gradient for it.
        sender: int64 [E], rows of ``kind``.
        first_edge: int64 [n + 1]; receiver i has edges first_edge[i] to first_edge[i+1] - 1.
        start: first knot [length].
        cutoff: last knot [length].
        shells: number of shells.
        kinds: number of kinds.
        l_max: largest degree.

    Returns:
        [n, (l_max + 1)^2 kinds shells], in the order [(l, m)][kind][shell].

    Raises:
        InputError: shapes, dtypes or devices do not fit together, or a number is out of range.
    """
    _check(kind, edge_vector, sender, first_edge, start, cutoff, shells, kinds, l_max)
    r = torch.linalg.vector_norm(edge_vector, dim=1)
    position = (r - start) * (shells / (cutoff - start))
    position = torch.where(position > 0, position, torch.zeros_like(position))
    shell = position.detach().floor().clamp(max=shells).long()
    outer = position - shell
    receiver = torch.repeat_interleave(first_edge.diff(), output_size=len(sender))
    # One more shell for each kind takes what is beyond the last knot, where all shells vanish.
    row = (receiver * kinds + kind[sender]) * (shells + 1) + shell
    n, harmonics = len(first_edge) - 1, spherical_harmonics(edge_vector, l_max)
    sums = harmonics.new_zeros(n * kinds * (shells + 1) + 1, harmonics.shape[1])
    inside = (shell < shells).unsqueeze(1)
    sums = sums.index_add(0, row, (1 - outer).unsqueeze(1) * harmonics * inside)
    sums = sums.index_add(0, row + 1, outer.unsqueeze(1) * harmonics * inside)
    sums = sums[:-1].reshape(n, kinds, shells + 1, harmonics.shape[1])[:, :, :shells]
    return sums.permute(0, 3, 1, 2).flatten(1)


def _check(
    kind: Tensor,
    edge_vector: Tensor,
    sender: Tensor,
    first_edge: Tensor,
    start: float,
    cutoff: float,
    shells: int,
    kinds: int,
    l_max: int,
) -> None:
    if edge_vector.dim() != 2 or edge_vector.shape[1] != 3:
        raise _error("edge_vector", "shape [E, 3]", str(list(edge_vector.shape)))
    if edge_vector.dtype not in (torch.float32, torch.float64):
        raise _error("edge_vector", "float32 or float64", str(edge_vector.dtype))
    for name, tensor in (("kind", kind), ("sender", sender), ("first_edge", first_edge)):
        if tensor.dim() != 1:
            raise _error(name, "one dimension", f"shape {list(tensor.shape)}")
        if tensor.dtype != torch.int64:
            raise _error(name, "int64", str(tensor.dtype))
        if tensor.device != edge_vector.device:
            wanted = f"the device of edge_vector, {edge_vector.device}"
            raise _error(name, wanted, str(tensor.device))
    if len(sender) != len(edge_vector):
        raise _error("sender", f"one for each of {len(edge_vector)} edges", str(len(sender)))
    if len(first_edge) < 1:
        raise _error("first_edge", "n + 1 entries, the first of them 0", "none")
    if not start < cutoff:
        raise _error("start", f"a distance below the cutoff, {cutoff:g}", f"{start:g}")
    if shells < 1 or kinds < 1:
        raise _error("shells, kinds", "at least 1", f"{shells} and {kinds}")
    if not 0 <= l_max <= LARGEST_L:
        raise _error("l_max", f"0 to {LARGEST_L}", str(l_max))


def _error(name: str, expected: str, found: str) -> InputError:
    return InputError(f"shell_sums: {name}: expected {expected}; found {found}")

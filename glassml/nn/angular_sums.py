r"""Sums over triplets of particles of functions of the angle, at the cost of sums over pairs.

A function of the angle between two directions u and w, written as a sum of Legendre polynomials P_l
of its cosine, is a sum of products of a function of u and one of w: the addition theorem of
spherical harmonics,

.. math:: P_l(u \cdot w) = \sum_{m=-l}^{l} a_{lm} R_{lm}(u) R_{lm}(w)

So a sum over all edges k -> j belongs to particle j, and the value for any edge j -> i that leaves
j follows from it. The cost grows as the number of edges and not as that of pairs of them, and j can
send its sum to particles that do not see its neighbours.

Here R are real spherical harmonics times factors that make their recursion short: R_lm is a
polynomial in z with the leading coefficient 1, proportional to d^m P_l / dz^m, times the real or
the imaginary part of (x + i y)^m. They are ordered by l - m, then by m, then real and imaginary
part. A vector of length zero has no direction: all of its R are 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["AngularSums"]


class AngularSums(nn.Module):
    r"""The two halves of such sums: what a particle collects, and its values for other edges.

    For a channel c, values t of edges and f_c(theta) = sum over l of b_lc P_l(cos theta), the sum
    for an edge j -> i is

    .. math:: \sum_{k} t_{kj,c} f_c(\theta_{kji})

    over all edges k -> j, that with k = i among them, with the angle theta between the vectors of
    both edges. `collect` runs where j lives, and `spread` where i does. An edge whose reverse ends
    at a particle that lives here too has its sum already, and `spread` only looks it up.

    In training mode, harmonics are not stored for gradients but computed again, and the vectors get
    no gradients. In evaluation mode they do.

    Args:
        n_degrees: number of degrees L; l = 0..L - 1.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        degree: Tensor
        weight: Tensor
        correction: Tensor

    def __init__(self, n_degrees: int) -> None:
        super().__init__()
        self.n_degrees = n_degrees
        both = [(k + m, m) for k in range(n_degrees) for m in _orders(n_degrees - k)]
        # In float64, so that a model in float64 is exact.
        weight = torch.tensor([_weight(l, m) for l, m in both], dtype=torch.float64)
        correction = torch.tensor([_correction(l, m) for l, m in both], dtype=torch.float64)
        self.register_buffer("degree", torch.tensor([l for l, _ in both]), persistent=False)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("correction", correction, persistent=False)

    def collect(
        self, values: Tensor, legendre: Tensor, edge_vector: Tensor, first_edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sums over the edges of each receiver, from which `spread` makes values.

        Args:
            values: [E, C] t.
            legendre: [L, C] b.
            edge_vector: [E, 3] of the edges, sorted by receiver.
            first_edge: int64 [n + 1].

        Returns:
            [n, L^2 C], and [E, C] the sum for the reverse of each edge, j -> k if it is k -> j.
        """
        dtype, signs = values.dtype, 1 - 2 * (self.degree % 2)
        constants = torch.stack([self.correction.to(dtype), signs.to(dtype)])
        factors = legendre[self.degree] * self.weight.to(dtype).unsqueeze(1)
        if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript reads these as two)
            if self.training:
                return _Collected.apply(values, factors, edge_vector, first_edge, constants)
        return _collect(values, factors, edge_vector, first_edge, constants, True)

    def spread(
        self,
        collected: Tensor,
        back: Tensor,
        edge_vector: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> Tensor:
        """The sum for each edge, from what its sender has collected: [E, C].

        Where both particles of an edge are receivers, the edges are those of a graph that has each
        of them in both directions, with opposite vectors.

        Args:
            collected: [n_all, L^2 C]; the first n rows are those of the receivers.
            back: [E, C] of `collect`.
            edge_vector: [E, 3].
            sender: int64 [E].
            first_edge: int64 [n + 1].
        """
        known, reverse = _reverses(sender, first_edge)
        result = torch.zeros_like(back).index_add(0, known, back.index_select(0, reverse))
        if known.shape[0] == sender.shape[0]:
            return result
        unknown = torch.ones_like(sender).index_add(0, known, -torch.ones_like(known)).nonzero()
        edges = unknown.squeeze(1)
        sender, edge_vector = sender.index_select(0, edges), edge_vector.index_select(0, edges)
        found = self._computed(collected, edge_vector, sender)
        return result.index_add(0, edges, found)

    def _computed(self, collected: Tensor, edge_vector: Tensor, sender: Tensor) -> Tensor:
        """`spread` for edges whose reverse is not here: [E, C]."""
        constants = self.correction.to(collected.dtype).unsqueeze(0)
        order = torch.argsort(sender)
        counts = torch.bincount(sender, minlength=collected.shape[0])
        first = nn.functional.pad(counts.cumsum(0), (1, 0))
        if not torch.jit.is_scripting():  # noqa: SIM102
            if self.training:
                return _Spread.apply(collected, edge_vector, order, first, constants)
        return _spread(collected, edge_vector, order, first, constants)


def _reverses(sender: Tensor, first_edge: Tensor) -> tuple[Tensor, Tensor]:
    """Edges whose senders live here, and the reverse of each: two of int64 [number].

    None if a particle has several edges from another, its images in a small box.
    """
    n = first_edge.shape[0] - 1
    receiver = torch.repeat_interleave(first_edge[1:] - first_edge[:-1])
    edges = torch.nonzero(sender < n).squeeze(1)
    here, there = receiver.index_select(0, edges), sender.index_select(0, edges)
    forth, of_forth = (here * n + there).sort()
    back, of_back = (there * n + here).sort()
    several = torch.logical_or(forth != back, nn.functional.pad(forth[1:] == forth[:-1], (0, 1)))
    if int(several.sum()) > 0:
        return edges[:0], edges[:0]
    return edges.index_select(0, of_back), edges.index_select(0, of_forth)


class _Collected(torch.autograd.Function):
    """`_collect` with a gradient that computes the harmonics again, so that none are stored."""

    @staticmethod
    def forward(
        context: Any,
        values: Tensor,
        factors: Tensor,
        vector: Tensor,
        first: Tensor,
        constants: Tensor,
    ) -> tuple[Tensor, Tensor]:
        context.save_for_backward(values, factors, vector, first, constants)
        return _collect(values, factors, vector, first, constants, True)

    @staticmethod
    @once_differentiable
    def backward(
        context: Any, of_sums: Tensor, of_back: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None]:
        values, factors, vector, first, constants = context.saved_tensors
        signs, channels = constants[1].unsqueeze(1), values.shape[1]
        of_sums = of_sums.view(len(of_sums), len(factors), channels)
        of_values, of_factors = torch.empty_like(values), torch.zeros_like(factors)
        padded, padded_back, directions = _padded(values), _padded(of_back), _directions(vector)
        batches = _batches(first)
        memory = _memory(batches, directions, constants)
        for low, high, most in batches:
            place, slots = _places(first, low, high, most)
            harmonics = _harmonics(directions, place, constants[0], memory).transpose(0, 1)
            of_back = signs * torch.bmm(harmonics, _rows(padded_back, place))
            of_sum = of_sums[low:high] + of_back
            of_factors += (torch.bmm(harmonics, _rows(padded, place)) * of_sum).sum(dim=0)
            found = torch.bmm(harmonics.transpose(1, 2), of_sum * factors)
            of_values[first[low] : first[high]] = _rows(found.flatten(0, 1), slots)
        return of_values, of_factors, None, None, None


class _Spread(torch.autograd.Function):
    """`_spread`, likewise."""

    @staticmethod
    def forward(
        context: Any,
        collected: Tensor,
        vector: Tensor,
        order: Tensor,
        first: Tensor,
        constants: Tensor,
    ) -> Tensor:
        context.save_for_backward(vector, order, first, constants)
        return _spread(collected, vector, order, first, constants)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        vector, order, first, constants = context.saved_tensors
        ones = gradient.new_ones(constants.shape[1], gradient.shape[1])
        vector, gradient = vector.index_select(0, order), gradient.index_select(0, order)
        found, _ = _collect(gradient, ones, vector, first, constants, False)
        return found, None, None, None, None


def _collect(
    values: Tensor,
    factors: Tensor,
    edge_vector: Tensor,
    first: Tensor,
    constants: Tensor,
    back: bool,
) -> tuple[Tensor, Tensor]:
    """`AngularSums.collect` with factors [L^2, C], and corrections and signs [2, L^2]."""
    directions, padded = _directions(edge_vector), _padded(values)
    n, channels = first.shape[0] - 1, values.shape[1]
    result = values.new_zeros(n, factors.shape[0], channels)
    reverse = torch.zeros_like(values) if back else values[:0]
    batches = _batches(first)
    memory = _memory(batches, directions, constants)
    for low, high, most in batches:
        place, slots = _places(first, low, high, most)
        harmonics = _harmonics(directions, place, constants[0], memory).transpose(0, 1)
        sums = torch.bmm(harmonics, _rows(padded, place)) * factors
        result[low:high] = sums
        if back:  # the reverse has the opposite direction
            found = torch.bmm(harmonics.transpose(1, 2), sums * constants[1].unsqueeze(1))
            reverse[int(first[low]) : int(first[high])] = _rows(found.flatten(0, 1), slots)
    return result.reshape(n, factors.shape[0] * channels), reverse


def _spread(
    collected: Tensor, edge_vector: Tensor, order: Tensor, first: Tensor, constants: Tensor
) -> Tensor:
    """`AngularSums.spread` with the order of edges by sender; corrections [1 or 2, L^2]."""
    directions = _directions(edge_vector.index_select(0, order))
    n, columns = collected.shape[0], collected.shape[1] // constants.shape[1]
    sums = collected.reshape(n, constants.shape[1], columns)
    result = sums.new_zeros(edge_vector.shape[0], columns)
    batches = _batches(first)
    memory = _memory(batches, directions, constants)
    for low, high, most in batches:
        place, slots = _places(first, low, high, most)
        harmonics = _harmonics(directions, place, constants[0], memory)
        found = torch.bmm(harmonics.permute(1, 2, 0), sums[low:high])
        result[int(first[low]) : int(first[high])] = _rows(found.flatten(0, 1), slots)
    return torch.zeros_like(result).index_add(0, order, result)


def _batches(first: Tensor) -> list[tuple[int, int, int]]:
    """The groups of edges, a few at a time: first, last + 1, edges of the largest (not 0)."""
    counts = first[1:] - first[:-1]
    n = counts.shape[0]
    batches: list[tuple[int, int, int]] = []
    if n > 0 and int(first[-1]) > 0:
        # So many edges at a time: on CPUs their harmonics stay in the cache. 256 of 2048 edges are
        # 2 MB in float32, which was the fastest of 512 to 8192 edges. An empty tensor is on the
        # CPU; code in model files may not say "cpu", which also names an operator.
        edges = 2048 if first.device == torch.zeros(0).device else 262144
        groups = max(1, edges // int(counts.max()))
        for low in range(0, n, groups):
            high = min(low + groups, n)
            most = int(counts[low:high].max())
            if most > 0:
                batches.append((low, high, most))
    return batches


def _memory(
    batches: list[tuple[int, int, int]], directions: Tensor, constants: Tensor
) -> Tensor | None:
    """Memory for the harmonics of a batch, for all in turn; None if autograd will read them."""
    largest = 0
    for low, high, most in batches:
        largest = max(largest, (high - low) * most)
    if torch.is_grad_enabled():
        return None
    return directions.new_zeros(constants.shape[1] * largest)


def _places(first: Tensor, low: int, high: int, most: int) -> tuple[Tensor, Tensor]:
    """Edges of groups as a rectangle, int64 [groups, most], and the slot in it of each edge.

    Where there is no edge, the rectangle has the row after the last edge.
    """
    begin, end = first[low:high].unsqueeze(1), first[low + 1 : high + 1].unsqueeze(1)
    place = begin + torch.arange(most, device=first.device)
    absent = place >= end
    slots = torch.nonzero(torch.logical_not(absent).flatten()).squeeze(1)
    return place.masked_fill(absent, int(first[-1])), slots


def _rows(values: Tensor, index: Tensor) -> Tensor:
    """Rows of values [m, C]: index.shape + [C]."""
    return values.index_select(0, index.flatten()).reshape(index.shape + values.shape[1:])


def _padded(values: Tensor) -> Tensor:
    """One more row, of zeros, for places without an edge."""
    return nn.functional.pad(values, (0, 0, 0, 1))


def _directions(edge_vector: Tensor) -> Tensor:
    """Unit vectors and 1; zeros for vectors of length zero and for the padding: [4, E + 1]."""
    square = edge_vector.square().sum(dim=1, keepdim=True)
    zero = square == 0
    unit = edge_vector / square.masked_fill(zero, 1.0).sqrt()
    directions = torch.cat([unit, torch.ones_like(square).masked_fill(zero, 0.0)], dim=1)
    return _padded(directions).transpose(0, 1).contiguous()


def _harmonics(
    directions: Tensor, place: Tensor, correction: Tensor, memory: Tensor | None
) -> Tensor:
    """R of the directions at places [n, K]: [L^2, n, K], in the memory if it is given."""
    size = int(correction.shape[0] ** 0.5 + 0.5)  # L
    chosen = directions.index_select(1, place.flatten())
    real, imaginary = chosen[:1], chosen[1:2]
    while real.shape[0] < size - 1:  # more powers of x + i y
        a, b = real[-1], imaginary[-1]
        further = imaginary * a + real * b
        real = torch.cat([real, real * a - imaginary * b])
        imaginary = torch.cat([imaginary, further])
    powers = torch.stack([real[: size - 1], imaginary[: size - 1]], dim=1)
    blocks = [torch.cat([chosen[3:], powers.flatten(0, 1)])]  # l = m
    row, columns = blocks[0].shape[0], chosen.shape[1]
    result = chosen
    if memory is not None:
        result = memory[: correction.shape[0] * columns].reshape(correction.shape[0], columns)
        result[:row] = blocks[0]
    for k in range(1, size):  # l = m + k
        rows = 2 * (size - k) - 1
        if memory is not None:
            block = torch.mul(blocks[-1][:rows], chosen[2], out=result[row : row + rows])
        else:
            block = blocks[-1][:rows] * chosen[2]
        if k > 1:
            block.sub_(correction[row : row + rows].unsqueeze(1) * blocks[-2][:rows])
        blocks.append(block)
        row += rows
    if memory is None:
        result = torch.cat(blocks)
    return result.reshape(correction.shape[0], place.shape[0], place.shape[1])


def _orders(number: int) -> list[int]:
    """The m of real and imaginary parts, for m = 0..number - 1."""
    return [0] + [m for m in range(1, number) for _ in ("real", "imaginary")]


def _weight(l: int, m: int) -> float:
    """The a_lm of the addition theorem."""
    leading = math.factorial(2 * l) / (2**l * math.factorial(l) * math.factorial(l - m))
    part = math.factorial(l - m) / math.factorial(l + m)
    return (1 if m == 0 else 2) * part * leading**2


def _correction(l: int, m: int) -> float:
    """The b of R_lm = z R_(l-1)m - b R_(l-2)m, which is Bonnet's recursion."""
    return ((l - 1) ** 2 - m**2) / ((2 * l - 1) * (2 * l - 3)) if l - m > 1 else 0.0

"""Densities and bond-orientational order in Gaussian shells, and averages over neighbours.

E. Boattini, F. Smallenburg, L. Filion, Phys. Rev. Lett. 127, 088007 (2021). All is computed as the
equations say, without tables. Neighbours from which a Gaussian is more than ten of its widths away
are left out: their weights are below 2e-22, and no result changes by more than rounding in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glassml.nn.averages import average_with_neighbours
from glassml.nn.harmonics import racah_harmonics
from glassml.nn.layout import invariants
from glassml.nn.neighbour_lists import block_size, edges_within, neighbour_table

__all__ = ["SMALLEST_WEIGHT", "GaussianShells", "Shells", "averages_over_neighbours"]

#: Bond-orientational order is divided by at least this sum of weights [-], so that it is 0 where
#: a shell has no neighbours, for which the published quotient is 0/0.
SMALLEST_WEIGHT = 1e-6

_REACH = 10.0  # in widths of a Gaussian: exp(-10^2 / 2) = 2e-22


@dataclass(frozen=True)
class Shells:
    """Gaussian shells whose centres are evenly spaced.

    Attributes:
        first: centre of the first [length].
        spacing: from one centre to the next [length].
        number: of shells.
        width: delta, standard deviation of each Gaussian [length].
    """

    first: float
    spacing: float
    number: int
    width: float

    @property
    def centres(self) -> tuple[float, ...]:
        """The centres [length]."""
        return tuple(self.first + k * self.spacing for k in range(self.number))


class GaussianShells(nn.Module):
    """Descriptors of each particle's neighbourhood, invariant under rotations.

    For every particle i, with neighbours j of species s_j at r_ij and Gaussians
    g(r_ij) = exp(-(r_ij - r)^2 / (2 delta^2)) around the centres r of shells of width delta

    - densities G_i(r, delta, s) = sum over j of species s of g(r_ij);
    - order q_i(l, r, delta) = sqrt(4 pi / (2 l + 1) sum_m abs(q_lm)^2) of all species together,
      with q_lm = sum_j g(r_ij) Y_lm / max(sum_j g(r_ij), `SMALLEST_WEIGHT`).

    Args:
        n_species: S.
        densities: the shells of the densities, one or more sets.
        orders: the shells of the order.
        l_max: degrees 1..l_max of the order.
        cutoff: neighbours are nearer than this [length].
    """

    def __init__(
        self,
        n_species: int,
        densities: tuple[Shells, ...],
        orders: Shells,
        l_max: int,
        cutoff: float,
    ) -> None:
        super().__init__()
        # Numbers and not buffers, which would be rounded to float32 in a float64 model.
        sets = (*densities, orders)
        self.firsts = [float(shells.first) for shells in sets]
        self.spacings = [float(shells.spacing) for shells in sets]
        self.numbers = [int(shells.number) for shells in sets]
        self.widths = [float(shells.width) for shells in sets]
        self.reaches = [min(cutoff, s.centres[-1] + _REACH * s.width) for s in sets]
        self.smallest_weight = SMALLEST_WEIGHT
        self.n_species = n_species
        self.l_max = l_max
        self.n_columns = n_species * sum(self.numbers[:-1]) + l_max * orders.number

    def forward(self, kinds: Tensor, vector: Tensor, sender: Tensor, first_edge: Tensor) -> Tensor:
        """The descriptors of the receivers.

        Args:
            kinds: [n_all, S], 1 for the species of each node.
            vector: [E, 3], x_j - x_i [length].
            sender: int64 [E].
            first_edge: int64 [n + 1].

        Returns:
            [n, n_columns]: for each species the densities of all shells, then for each degree the
            order in all shells [-].
        """
        r = torch.linalg.vector_norm(vector, dim=1)
        parts = []
        last = len(self.numbers) - 1
        for k in range(last):
            kept, first = edges_within(r, self.reaches[k], first_edge)
            parts.append(self._densities(k, kinds, r[kept], sender[kept], first))
        densities = torch.cat(parts, dim=2).flatten(1)
        kept, first = edges_within(r, self.reaches[last], first_edge)
        return torch.cat([densities, self._orders(r[kept], vector[kept], first)], dim=1)

    def _gaussians(self, k: int, r: Tensor) -> Tensor:
        """[...] to [..., number of shells]."""
        steps = torch.arange(self.numbers[k], dtype=r.dtype, device=r.device)
        scale = 1 / (math.sqrt(2) * self.widths[k])
        x = (r * scale).unsqueeze(-1) - scale * (self.firsts[k] + self.spacings[k] * steps)
        # 0 where it is below 2e-22 = exp(-50). Numbers near the smallest that float32 holds would
        # make all arithmetic much slower.
        return torch.relu(torch.exp(-torch.square(x).clamp_max(50.0)) - 2e-22)

    def _densities(
        self, k: int, kinds: Tensor, r: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """[n, S, number of shells]."""
        n = first_edge.shape[0] - 1
        result = r.new_zeros(n, self.n_species, self.numbers[k])
        if len(r) == 0:
            return result
        block = block_size(first_edge, self.numbers[k])
        for low in range(0, n, block):
            high = min(low + block, n)
            edges, used = neighbour_table(first_edge, low, high)
            of_species = kinds[sender[edges]] * used.unsqueeze(2)
            result[low:high] = torch.bmm(of_species.transpose(1, 2), self._gaussians(k, r[edges]))
        return result

    def _orders(self, r: Tensor, vector: Tensor, first_edge: Tensor) -> Tensor:
        """[n, l_max times number of shells]."""
        n, k, l_max = first_edge.shape[0] - 1, len(self.numbers) - 1, self.l_max
        shells, rows = self.numbers[k], (l_max + 1) * (l_max + 1)
        result = r.new_zeros(n, l_max * shells)
        if len(r) == 0:
            return result
        # Of particles at one place the direction is 0, and their weights are 0 anyway.
        direction = vector / r.clamp_min(1e-30).unsqueeze(1)
        block = block_size(first_edge, rows)
        for low in range(0, n, block):
            high = min(low + block, n)
            edges, used = neighbour_table(first_edge, low, high)
            weights = self._gaussians(k, r[edges]) * used.unsqueeze(2)
            harmonics = racah_harmonics(direction[edges].flatten(0, 1), l_max)
            harmonics = harmonics.view(rows, high - low, edges.shape[1]).transpose(0, 1)
            # The row of degree 0 sums the weights.
            norms = invariants(torch.bmm(harmonics, weights).flatten(1), l_max, shells)
            total = norms[:, :shells].clamp_min(self.smallest_weight)
            result[low:high] = norms[:, shells:] / total.repeat(1, l_max)
        return result


def averages_over_neighbours(
    values: Tensor, vector: Tensor, sender: Tensor, first_edge: Tensor, length: float
) -> Tensor:
    """Means with the weights exp(-r_ij / length) of the particle itself and all within ``length``.

    Args:
        values: [n_all, D].
        vector: [E, 3], x_j - x_i [length].
        sender: int64 [E].
        first_edge: int64 [n + 1].
        length: r_c [length].

    Returns:
        [n, D] of the receivers.
    """
    r = torch.linalg.vector_norm(vector, dim=1)
    kept, first = edges_within(r, length, first_edge)
    return average_with_neighbours(values, torch.exp(-r[kept] / length), sender[kept], first)

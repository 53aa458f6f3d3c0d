"""Structure functions: numbers of neighbours and of pairs of neighbours, smeared out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

__all__ = ["ANGULAR", "StructureFunctions"]

#: The 22 angular functions: xi [sigma], lambda, zeta.
ANGULAR = (
    *((xi, sign, zeta) for xi in (14.638, 2.554) for zeta in (1, 2) for sign in (-1, 1)),
    *((1.648, 1, zeta) for zeta in (1, 2)),
    *((xi, 1, zeta) for xi in (1.204, 0.933, 0.695) for zeta in (1, 2, 4, 16)),
)
_SPACING = 0.1  # [sigma] of the radii mu, and width of the Gaussians
# Numbers of which there may be some ten at a time: pairs of neighbours of a part of the particles,
# or neighbours times radii. 1 MB in float32, which stays in the cache of a core.
_AT_ONCE = 2**18
# Gaussians below 1e-35 make no difference; numbers that float32 can only just hold are slow.
_LEAST_EXPONENT = -80.0


class StructureFunctions(nn.Module):
    r"""The radial and angular structure functions of particles.

    Radial, for each species s of the neighbours j of particle i, and radii mu that are 0.1 sigma
    apart up to the cutoff:

    .. math:: G_i(s, \mu) = \sum_{j \in s} \exp\left(-(r_{ij} - \mu)^2 / 2 w^2\right),
        \quad w = 0.1 \sigma

    Angular, for each pair s <= t of species and each of `ANGULAR`:

    .. math:: \Psi_i(s, t, \xi, \lambda, \zeta) = 2^{1 - \zeta} \sum_{j \in s} \sum_{k \in t, k \ne
        j} e^{-(r_{ij}^2 + r_{ik}^2 + r_{jk}^2) / \xi^2} (1 + \lambda \cos \theta_{jik})^\zeta
        f(r_{ij}) f(r_{ik}) f(r_{jk})

    with :math:`f(r) = (1 + \cos(\pi r / R)) / 2` below the angular cutoff R, and 0 beyond.
    J. Behler and M. Parrinello, Phys. Rev. Lett. 98, 146401 (2007); E. D. Cubuk et al., Phys. Rev.
    Lett. 114, 108001 (2015).

    The factor of r_jk joins j and k, so that the sums over pairs are made one by one, for a part of
    the particles at a time: memory does not grow with their number.

    Args:
        species: names of the species, S of them.
        cutoff: of the radial functions [length].
        angular_cutoff: R [length].
        sigma: the unit of the radii and of xi [length].
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        pairs: Tensor

    def __init__(
        self, species: Sequence[str], cutoff: float, angular_cutoff: float, sigma: float
    ) -> None:
        super().__init__()
        self.n_species = len(species)
        self.cutoff = angular_cutoff
        self.width = _SPACING * sigma
        self.n_radii = self.number_of_radii(cutoff, sigma)
        self.least = _LEAST_EXPONENT
        self.at_once = _AT_ONCE
        self.n_angular = len(ANGULAR)
        # What the angular functions differ in; each power and each exponential is computed once.
        # Tuples, as the restricted reader of model files knows no lists.
        powers = list(dict.fromkeys((float(sign), zeta) for _, sign, zeta in ANGULAR))
        self.powers = tuple(powers)
        self.decays = tuple(
            (
                xi * sigma,
                tuple(powers.index((sign, zeta)) for other, sign, zeta in ANGULAR if other == xi),
            )
            for xi in dict.fromkeys(xi for xi, _, _ in ANGULAR)
        )
        pairs = [(s, t) for s in range(self.n_species) for t in range(s, self.n_species)]
        index = torch.tensor([s * self.n_species + t for s, t in pairs])
        self.register_buffer("pairs", index, persistent=False)
        self.names = (
            *(f"radial_{name}_{_SPACING * k:.1f}" for name in species for k in self._steps()),
            *(
                f"angular_{species[s]}_{species[t]}_xi={xi:g}_lambda={sign}_zeta={zeta}"
                for s, t in pairs
                for xi, sign, zeta in ANGULAR
            ),
        )

    @staticmethod
    def number_of_radii(cutoff: float, sigma: float) -> int:
        """How many radii there are up to the cutoff."""
        return max(1, round(cutoff / (_SPACING * sigma)))

    def _steps(self) -> range:
        return range(1, self.n_radii + 1)

    def forward(
        self, kinds: Tensor, edge_vector: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """All functions of the receivers: [n, D], the radial ones first.

        Args:
            kinds: [n_all, S], the species of all nodes, one-hot.
            edge_vector: x_j - x_i [E, 3] [length], sorted by receiver.
            sender: int64 [E].
            first_edge: int64 [n + 1].
        """
        distance = edge_vector.square().sum(dim=1).sqrt()
        radial = self._radial(kinds.index_select(0, sender), distance, first_edge)
        near = torch.nonzero(distance < self.cutoff).squeeze(1)
        species = (kinds * torch.arange(self.n_species, device=kinds.device)).sum(dim=1)
        species = species.to(torch.int64)[sender[near]]
        first = torch.searchsorted(near, first_edge)
        angular = self._angular(species, edge_vector[near], distance[near], first)
        return torch.cat([radial, angular], dim=1)

    def _radial(self, kinds: Tensor, distance: Tensor, first_edge: Tensor) -> Tensor:
        """Radial functions [n, S radii] of edges with the species ``kinds`` [E, S] of senders."""
        kinds = torch.cat([kinds, kinds.new_zeros(1, self.n_species)])
        distance = torch.cat([distance, distance.new_zeros(1)])
        n = first_edge.shape[0] - 1
        most = self._most(first_edge)
        radii = torch.arange(1, self.n_radii + 1, device=distance.device).to(distance.dtype)
        radii = radii * self.width
        part = max(1, self.at_once // (most * self.n_radii))
        found = [kinds.new_zeros(0, self.n_species * self.n_radii)]
        for low in range(0, n, part):
            rows = self._rows(first_edge[low : low + part + 1], most, distance.shape[0] - 1)
            apart = distance.index_select(0, rows.flatten()).reshape(-1, most, 1)
            off = (apart - radii) / self.width
            values = torch.exp((-0.5 * off * off).clamp(min=self.least))
            kind = kinds.index_select(0, rows.flatten()).reshape(-1, most, self.n_species)
            sums = torch.bmm(kind.transpose(1, 2), values)
            found.append(sums.reshape(rows.shape[0], -1))
        return torch.cat(found)

    def _angular(
        self, species: Tensor, vectors: Tensor, distance: Tensor, first_edge: Tensor
    ) -> Tensor:
        """Angular functions [n, pairs of species times 22] of the edges within their cutoff."""
        last = vectors.shape[0]
        # A last row stands for the neighbours that a particle does not have.
        vectors = torch.cat([vectors, vectors.new_zeros(1, 3)])
        distance = torch.cat([distance, distance.new_zeros(1) + self.cutoff])
        species = torch.cat([species, species.new_zeros(1)])
        n, most = first_edge.shape[0] - 1, self._most(first_edge)
        part = max(1, self.at_once // (most * most))
        found = [vectors.new_zeros(0, self.pairs.shape[0] * self.n_angular)]
        for low in range(0, n, part):
            rows = self._rows(first_edge[low : low + part + 1], most, last)
            there = vectors.index_select(0, rows.flatten()).reshape(-1, most, 3)
            inner = torch.bmm(there, there.transpose(1, 2))
            far = (there * there).sum(dim=2)
            square = far.unsqueeze(2) + far.unsqueeze(1) - 2 * inner
            present = rows < last
            both = present.unsqueeze(2) & present.unsqueeze(1) & (square < self.cutoff**2)
            where = torch.nonzero(torch.triu(both, 1))  # each pair of neighbours once
            one, other = where[:, 0] * most + where[:, 1], where[:, 0] * most + where[:, 2]
            pair = one * most + where[:, 2]
            j, k = rows.flatten().index_select(0, one), rows.flatten().index_select(0, other)
            r_ij, r_ik = distance.index_select(0, j), distance.index_select(0, k)
            values = self._of_pairs(
                r_ij,
                r_ik,
                square.flatten().index_select(0, pair),
                inner.flatten().index_select(0, pair) / (r_ij * r_ik),
            )
            bins = where[:, 0] * self.n_species + species.index_select(0, j)
            bins = bins * self.n_species + species.index_select(0, k)
            count = rows.shape[0] * self.n_species * self.n_species
            sums = vectors.new_zeros(count, self.n_angular).index_add(0, bins, values)
            found.append(self._both_ways(sums.reshape(rows.shape[0], -1, self.n_angular)))
        return torch.cat(found)

    def _of_pairs(self, one: Tensor, other: Tensor, square: Tensor, cosine: Tensor) -> Tensor:
        """The terms of all angular functions for P pairs of neighbours: [P, 22].

        Args:
            one: r_ij [P] [length].
            other: r_ik [P] [length].
            square: r_jk^2 [P] [length^2].
            cosine: of the angle between them [P].
        """
        # Two particles at one place have no slope of their distance, but a gradient takes one.
        weight = self._cut(square.clamp(min=1e-12).sqrt()) * self._cut(one) * self._cut(other)
        powers: list[Tensor] = []
        for sign, zeta in self.powers:
            powers.append(self._power(1 + sign * cosine, zeta) * weight)
        total = square + one * one + other * other
        terms: list[Tensor] = []
        for length, exponents in self.decays:
            decay = torch.exp((total * (-1 / length**2)).clamp(min=self.least))
            for which in exponents:
                terms.append(decay * powers[which])
        return torch.stack(terms, dim=1)

    def _both_ways(self, sums: Tensor) -> Tensor:
        """Sums over pairs j < k by species [n, S S, 22] to those over j and k [n, ...]."""
        swapped = sums.reshape(-1, self.n_species, self.n_species, self.n_angular).transpose(1, 2)
        return (sums + swapped.reshape(sums.shape)).index_select(1, self.pairs).flatten(1)

    def _most(self, first_edge: Tensor) -> int:
        """The largest number of edges of a receiver, at least 1."""
        if first_edge.shape[0] == 1:
            return 1
        return max(1, int((first_edge[1:] - first_edge[:-1]).max()))

    def _rows(self, first_edge: Tensor, most: int, none: int) -> Tensor:
        """The edges of some receivers [n, most]; ``none`` where a receiver has no further ones."""
        rows = first_edge[:-1].unsqueeze(1) + torch.arange(most, device=first_edge.device)
        return torch.where(rows < first_edge[1:].unsqueeze(1), rows, none)

    def _cut(self, distance: Tensor) -> Tensor:
        """The factor f of a distance [length]."""
        return 0.5 + 0.5 * torch.cos(distance.clamp(max=self.cutoff) * (torch.pi / self.cutoff))

    def _power(self, base: Tensor, exponent: int) -> Tensor:
        """2 (base / 2)^exponent, for the powers of 2 that occur."""
        value = base / 2
        while exponent > 1:
            value = value * value
            exponent = exponent // 2
        return 2 * value

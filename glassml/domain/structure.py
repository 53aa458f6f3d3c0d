"""Local structure in numbers: how many neighbours of which species lie how far away.

The numbers n_ab(k), the mean number of neighbours of species b in shell k around a particle of
species a, are the partial radial distribution functions g_ab(r) times the density of b and the
volume of the shell. Unlike g(r) they need no volume, so they exist for clusters and films too.
`fix glassml` has the same definitions (lammps_plugin/src/domain_watch.cpp).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch_geometric.data import Data

__all__ = ["SHELLS", "LocalStructure", "counting_noise", "departure", "local_structure"]

#: Number of shells between 0 and the cutoff, in which neighbours are counted.
SHELLS = 40


@dataclass(frozen=True)
class LocalStructure:
    """Mean numbers of neighbours in shells.

    Attributes:
        particles: [S], number of particles of each species.
        shells: float64 [S, S, SHELLS] [-], n_ab(k) for the particle's species a and the
            neighbour's b; 0 for a species without particles.
    """

    particles: np.ndarray
    shells: np.ndarray

    @property
    def composition(self) -> np.ndarray:
        """Each species' fraction of the particles, [S] [-]."""
        return self.particles / self.particles.sum()

    @property
    def neighbours(self) -> float:
        """Mean number of neighbours of a particle [-]."""
        return float(self.composition @ self.shells.sum(axis=(1, 2)))


def local_structure(graph: Data, n_species: int, cutoff: float) -> LocalStructure:
    """The local structure of a graph of `glassml.graph.build_graph`.

    Args:
        graph: N particles and their edges up to the cutoff.
        n_species: number of species S.
        cutoff: r_c [length].
    """
    sender, receiver = graph.edge_index
    r = torch.linalg.vector_norm(graph.edge_vector, dim=1)
    # A distance just below the cutoff can be rounded up to it.
    shell = (r * (SHELLS / cutoff)).long().clamp_(max=SHELLS - 1)
    index = (graph.species * (n_species * SHELLS))[receiver] + (graph.species * SHELLS)[sender]
    found = torch.bincount(index + shell, minlength=n_species**2 * SHELLS)
    counts = found.reshape(n_species, n_species, SHELLS).numpy()
    particles = torch.bincount(graph.species, minlength=n_species).numpy()
    return LocalStructure(particles, counts / np.maximum(particles, 1)[:, None, None])


def counting_noise(
    structure: LocalStructure, reference: np.ndarray, behind: np.ndarray | None = None
) -> float:
    """The difference from a reference that counting alone makes in systems of this size [-].

    The difference D is the sum over species and shells of |n_ab(k) - reference|, averaged over
    particles, in units of the mean number of neighbours. Counts in narrow shells are nearly Poisson
    distributed, so the mean of each absolute difference is sqrt(2 / pi) of its standard deviation.
    Of a pair of equal species both particles count it, so there are half as many independent
    counts. A reference that is itself a mean over particles adds its own noise.

    Args:
        structure: of the system; only its numbers of particles matter.
        reference: float64 [S, S, SHELLS] [-], n_ab(k).
        behind: [S], particles of each species that the reference is a mean over; negative if the
            system is one of those, whose noise it then shares. None: it is exact.
    """
    x = structure.composition[:, None, None]
    inverse = 1 / np.maximum(structure.particles, 1)
    if behind is not None:
        inverse = np.maximum(inverse + np.sign(behind) / np.maximum(np.abs(behind), 1), 0)
    both_ways = 1 + np.eye(len(x))[:, :, None]
    deviations = np.sqrt(2 / np.pi * both_ways * reference * inverse[:, None, None])
    return _per_neighbour(x * deviations, x * reference)


def departure(
    structure: LocalStructure, reference: np.ndarray, behind: np.ndarray | None = None
) -> float:
    """How far the structure is from a reference, beyond the noise of counting [-].

    sqrt(max(0, D^2 - D_0^2)) with the difference D and the noise D_0 of `counting_noise`. It is
    about 0 for another configuration of the same liquid, whatever its size, and 2 if the two share
    no shell.

    Args:
        structure: of the system.
        reference: float64 [S, S, SHELLS] [-], n_ab(k).
        behind: see `counting_noise`.
    """
    x = structure.composition[:, None, None]
    found = _per_neighbour(x * np.abs(structure.shells - reference), x * reference)
    noise = counting_noise(structure, reference, behind)
    return float(np.sqrt(max(0.0, found**2 - noise**2)))


def _per_neighbour(values: np.ndarray, reference: np.ndarray) -> float:
    total = reference.sum()
    return float(values.sum() / total) if total > 0 else 0.0

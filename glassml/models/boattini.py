"""The linear regression of Boattini et al. as published, with the interface of all models."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from glassml.errors import ConfigError
from glassml.models.descriptor_model import DescriptorModel, check_averages
from glassml.models.limits import LARGEST_CUTOFF, check_whole
from glassml.models.registry import register
from glassml.nn import GaussianShells, Shells, averages_over_neighbours

__all__ = ["Boattini", "published_columns", "published_shells"]

#: Largest degree of the bond-orientational order; more take memory and tell nothing.
LARGEST_DEGREE = 24

_CITATION = (
    "E. Boattini, F. Smallenburg, L. Filion, Averaging local structure to predict the dynamic "
    "propensity in supercooled liquids, Phys. Rev. Lett. 127, 088007 (2021)"
)

# Centres of the shells, in units of the diameter: first, spacing, number, width. The paper could
# not be read for this: see docs/theory/descriptors.md.
_FINE = (0.85, 0.025, 47, 0.025)  # to 2.0
_COARSE = (2.1, 0.1, 30, 0.1)  # to 5.0
_ORDER = (1.0, 0.1, 16, 0.1)  # to 2.5

_AVERAGED_WITHIN = 2.0  # r_c, in units of the diameter


@register("boattini")
class Boattini(DescriptorModel):
    """Densities and bond order in Gaussian shells, averaged; one linear decoder per species, time.

    E. Boattini, F. Smallenburg and L. Filion, Phys. Rev. Lett. 127, 088007 (2021). For every
    particle

    - densities of each species in 77 shells: 47 with centres from 0.85 to 2 and width 0.025, 30
      with centres from 2.1 to 5 and width 0.1, in units of ``diameter``;
    - bond-orientational order of all species together for l = 1..``l_max`` in 16 shells with
      centres from 1 to 2.5 and width 0.1;
    - its scalar inputs, of which the publication has none;

    and their averages, taken ``averages`` times, over the particle itself and all within r_c = 2
    diameters, with the weights exp(-r / r_c). Equations are in `glassml.nn.GaussianShells`. For two
    species these are 346 columns and 1038 with both averages. Neighbours end abruptly at the cutoff
    and at r_c, as published, so outputs jump when a particle crosses either. None of this is
    learned. `glassml refit` computes the decoder in closed form.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: particles up to here are neighbours [length]. Shells beyond it are left out.
        scalar_inputs: names of per-particle scalars.
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        l_max: largest degree of the bond-orientational order.
        averages: number of times that descriptors are averaged.
        diameter: of the larger particles [length], the unit of the published lengths.

    Raises:
        ConfigError: a value out of range; the message names it.
    """

    lengths = ("cutoff", "diameter")

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0,),
        cutoff: float = 5.0,
        scalar_inputs: Sequence[str] = (),
        length_unit: str = "lj",
        l_max: int = 12,
        averages: int = 2,
        diameter: float = 1.0,
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        self.shells = published_shells(self.n_species, diameter, self.cutoff, l_max, "cutoff")
        self.averaged_within = _AVERAGED_WITHIN * diameter
        names = [scalar.name for scalar in self.scalar_inputs]
        names += published_columns(self.species, diameter, self.cutoff, l_max)
        check_averages(averages, len(names), f"l_max {l_max}")
        self._add_decoder(names, averages, (_CITATION,))

    def _local(
        self,
        read: Tensor,
        kinds: Tensor,
        others: Tensor,
        edges: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> Tensor:
        return torch.cat([others, self.shells(kinds, edges, sender, first_edge)], dim=1)

    def _averaged(
        self, read: Tensor, values: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        return averages_over_neighbours(values, edges, sender, first_edge, self.averaged_within)


def published_shells(
    n_species: int, diameter: float, reach: float, l_max: int, name: str
) -> GaussianShells:
    """The shells of the publication.

    Args:
        n_species: number of species.
        diameter: unit of their lengths [length].
        reach: neighbours are nearer than this [length]; shells beyond it are left out.
        l_max: largest degree of the bond-orientational order.
        name: of the hyperparameter that ``reach`` is, for messages.

    Raises:
        ConfigError: a value out of range; the message names it.
    """
    check_whole("l_max", l_max, 1, LARGEST_DEGREE)
    if not 0 < diameter <= LARGEST_CUTOFF:
        raise ConfigError(
            f"diameter: expected a positive length of at most {LARGEST_CUTOFF:g}; found {diameter}"
        )
    if not diameter < reach <= LARGEST_CUTOFF:
        raise ConfigError(
            f"{name}: expected more than the diameter, {diameter:g}, and at most "
            f"{LARGEST_CUTOFF:g}; found {reach:g}"
        )
    fine, coarse, order = (_within(grid, reach / diameter) for grid in (_FINE, _COARSE, _ORDER))
    sets = [
        Shells(first * diameter, spacing * diameter, number, width * diameter)
        for first, spacing, number, width in (fine, coarse, order)
    ]
    densities = tuple(shells for shells in sets[:2] if shells.number)
    return GaussianShells(n_species, densities, sets[2], l_max, reach)


def published_columns(
    species: Sequence[str], diameter: float, reach: float, l_max: int
) -> list[str]:
    """Names of the columns of `published_shells`, with centres in units of the diameter."""
    fine, coarse, order = (
        [f"{grid[0] + k * grid[1]:g}" for k in range(_within(grid, reach / diameter)[2])]
        for grid in (_FINE, _COARSE, _ORDER)
    )
    return [
        *(f"density_{name}_r={r}" for name in species for r in (*fine, *coarse)),
        *(f"order_l={l}_r={r}" for l in range(1, l_max + 1) for r in order),
    ]


def _within(grid: tuple[float, float, int, float], reach: float) -> tuple[float, float, int, float]:
    """Those shells of a grid whose centres are not beyond ``reach``, all in diameters.

    Lengths that are scaled to a material have three digits, so half a spacing more is allowed.
    """
    first, spacing, number, width = grid
    inside = math.floor((reach - first) / spacing + 0.5) + 1
    return first, spacing, min(max(inside, 0), number), width

"""Linear regression on classical structural descriptors, with the interface of all models."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from glassml.errors import ConfigError
from glassml.models.descriptor_model import DescriptorModel, check_averages
from glassml.models.limits import LARGEST_CUTOFF, MOST_SHELLS, check_whole
from glassml.models.registry import register
from glassml.nn import invariants
from glassml.nn.averages import average_with_neighbours
from glassml.nn.ops import LARGEST_L

__all__ = ["Structural"]

_CITATION = (
    "E. Boattini, F. Smallenburg, L. Filion, Averaging local structure to predict the dynamic "
    "propensity in supercooled liquids, Phys. Rev. Lett. 127, 088007 (2021)"
)


@register("structural")
class Structural(DescriptorModel):
    """Averaged structural descriptors with one linear decoder per species and time.

    After E. Boattini, F. Smallenburg and L. Filion, Phys. Rev. Lett. 127, 088007 (2021), with
    shells that are piecewise linear in the distance and vanish at the cutoff, so that outputs are
    continuous. For every particle i

    - densities: the number of neighbours of each species in each of ``shells`` shells;
    - for l = 1..l_max the norm of sum_j f(r_ij) Y_lm(r_ij), f one of ``angular_shells`` shells, for
      each species of j;
    - its scalar inputs;

    and their averages, taken ``averages`` times: x_i + sum_j w(r_ij) x_j over 1 + sum_j w(r_ij),
    with w = exp(-r / length), shifted to 0 at the cutoff. None of this is learned. `glassml refit`
    computes the decoder in closed form.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: r_c [length].
        scalar_inputs: names of per-particle scalars.
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        l_max: highest degree of the norms.
        start: distance [length] below which there are no neighbours; the first shell begins there.
        shells: number of shells of the densities, evenly spaced between ``start`` and the cutoff.
        angular_shells: number of shells of the norms.
        averages: number of times that descriptors are averaged.
        averaging_length: decay length of w [length].

    Raises:
        ConfigError: a value out of range; the message names it.
    """

    lengths = ("cutoff", "start", "averaging_length")

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0,),
        cutoff: float = 2.6,
        scalar_inputs: Sequence[str] = (),
        length_unit: str = "lj",
        l_max: int = 4,
        start: float = 0.8,
        shells: int = 25,
        angular_shells: int = 7,
        averages: int = 4,
        averaging_length: float = 1.0,
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        _check(len(species), l_max, shells, angular_shells, averages)
        if not 0 <= start < cutoff:
            raise ConfigError(f"start: expected a distance below the cutoff; found {start}")
        if not 0 < averaging_length <= LARGEST_CUTOFF:
            raise ConfigError(
                f"averaging_length: expected a positive length of at most {LARGEST_CUTOFF:g}; "
                f"found {averaging_length}"
            )
        self.start = float(start)
        self.l_max = l_max
        self.shells = shells
        self.angular_shells = angular_shells
        self.averaging_length = float(averaging_length)
        self.weight_at_cutoff = math.exp(-cutoff / averaging_length)
        self._add_decoder(self._names(), averages, (_CITATION,))

    def _names(self) -> list[str]:
        return [
            *(scalar.name for scalar in self.scalar_inputs),
            *(f"density_{name}_shell={k}" for name in self.species for k in range(self.shells)),
            *(
                f"norm_l={l}_{name}_shell={k}"
                for l in range(1, self.l_max + 1)
                for name in self.species
                for k in range(self.angular_shells)
            ),
        ]

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """The vectors [E, 3] [length] and the weights of all averages: [E, 4]."""
        r = torch.linalg.vector_norm(edge_vector, dim=1)
        weights = torch.exp(-r / self.averaging_length) - self.weight_at_cutoff
        return torch.cat([edge_vector, weights.unsqueeze(1)], dim=1)

    def _local(
        self,
        read: Tensor,
        kinds: Tensor,
        others: Tensor,
        edges: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> Tensor:
        vectors, kind = edges[:, :3], torch.max(kinds, dim=1)[1]
        density = torch.ops.glassml.shell_sums(
            kind, vectors, sender, first_edge, self.start, self.cutoff, self.shells,
            self.n_species, 0,
        )  # fmt: skip
        angular = torch.ops.glassml.shell_sums(
            kind, vectors, sender, first_edge, self.start, self.cutoff, self.angular_shells,
            self.n_species, self.l_max,
        )  # fmt: skip
        channels = self.n_species * self.angular_shells
        norms = invariants(angular, self.l_max, channels)[:, channels:]
        return torch.cat([others, density, norms], dim=1)

    def _averaged(
        self, read: Tensor, values: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        return average_with_neighbours(values, edges[:, 3], sender, first_edge)


def _check(n_species: int, l_max: int, shells: int, angular_shells: int, averages: int) -> None:
    for name, value, low, high in (
        ("l_max", l_max, 1, LARGEST_L),
        ("shells", shells, 1, MOST_SHELLS),
        ("angular_shells", angular_shells, 1, MOST_SHELLS),
    ):
        check_whole(name, value, low, high)
    number = (shells + l_max * angular_shells) * n_species
    cause = f"shells {shells}, angular_shells {angular_shells}, l_max {l_max}"
    check_averages(averages, number, cause)

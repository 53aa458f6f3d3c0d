"""The linear regression of Alkemade et al. on cage and initial state."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from glassml.data import shift_names
from glassml.errors import ConfigError
from glassml.models.boattini import published_columns, published_shells
from glassml.models.descriptor_model import DescriptorModel, check_averages
from glassml.models.registry import register
from glassml.nn import averages_over_neighbours

__all__ = ["Cage"]

_CITATIONS = (
    "R. M. Alkemade, F. Smallenburg, L. Filion, Improving the prediction of glassy dynamics by "
    "pinpointing the local cage, J. Chem. Phys. 158, 134512 (2023)",
    "E. Boattini, F. Smallenburg, L. Filion, Averaging local structure to predict the dynamic "
    "propensity in supercooled liquids, Phys. Rev. Lett. 127, 088007 (2021)",
)

_SHIFT = shift_names("cage")


@register("cage")
class Cage(DescriptorModel):
    """Descriptors of the cage state and of the initial state, with linear decoders.

    R. M. Alkemade, F. Smallenburg and L. Filion, J. Chem. Phys. 158, 134512 (2023): the descriptors
    of `Boattini` of both structures, and the distance of each particle from its initial position
    to that in the cage state, all with their averages. Those of the initial state are averaged over
    its neighbours, all others over the neighbours in the cage state. For two species these are 693
    columns, and 2079 with both averages.

    The model reads the initial positions, and the vector d to the cage position as three scalars.
    Vectors in the cage state are x_j - x_i + d_j - d_i. Pairs that are beyond the cutoff
    initially, but within ``reach`` in the cage state, are not seen: with the defaults those that
    approached each other by more than 0.5.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: r_c of the edges [length], somewhat more than ``reach``.
        scalar_inputs: first cage_shift_x, cage_shift_y and cage_shift_z [length], then any others.
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        l_max: largest degree of the bond-orientational order.
        averages: number of times that descriptors are averaged.
        diameter: of the larger particles [length], the unit of the published lengths.
        reach: particles nearer than this are neighbours, in either structure [length].

    Raises:
        ConfigError: a value out of range; the message names it.
    """

    lengths = ("cutoff", "diameter", "reach")

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0,),
        cutoff: float = 5.5,
        scalar_inputs: Sequence[str] = _SHIFT,
        length_unit: str = "lj",
        l_max: int = 12,
        averages: int = 2,
        diameter: float = 1.0,
        reach: float = 5.0,
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        if tuple(scalar_inputs)[:3] != _SHIFT:
            raise ConfigError(
                f"scalar_inputs: expected {', '.join(_SHIFT)} and then any others; found "
                f"{', '.join(scalar_inputs) or 'none'}"
            )
        if reach > cutoff:
            raise ConfigError(f"reach: expected at most the cutoff, {cutoff:g}; found {reach:g}")
        self.diameter = diameter
        self.shells = published_shells(self.n_species, diameter, reach, l_max, "reach")
        self.averaged_within = 2 * diameter
        columns = published_columns(self.species, diameter, reach, l_max)
        names = [f"initial_{name}" for name in columns]
        names += [f"cage_{name}" for name in columns]
        names += ["cage_displacement", *(scalar.name for scalar in self.scalar_inputs[3:])]
        check_averages(averages, len(names), f"l_max {l_max}")
        self._add_decoder(names, averages, _CITATIONS, n_read=3)

    @torch.jit.unused
    def trial_scalars(self, n: int, generator: torch.Generator) -> Tensor:
        """Shifts of a tenth of the diameter; others as in `GlassModel.trial_scalars`: [n, S]."""
        scalars = super().trial_scalars(n, generator)
        scalars[:, :3] *= 0.1 * self.diameter
        return scalars

    def _local(
        self,
        read: Tensor,
        kinds: Tensor,
        others: Tensor,
        edges: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> Tensor:
        caged = _shifted(read, edges, sender, first_edge)
        displacement = torch.linalg.vector_norm(read[: len(others)], dim=1, keepdim=True)
        initial = self.shells(kinds, edges, sender, first_edge)
        cage = self.shells(kinds, caged, sender, first_edge)
        return torch.cat([initial, cage, displacement, others], dim=1)

    def _averaged(
        self, read: Tensor, values: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        caged = _shifted(read, edges, sender, first_edge)
        columns, r_c = self.shells.n_columns, self.averaged_within
        return torch.cat(
            [
                averages_over_neighbours(values[:, :columns], edges, sender, first_edge, r_c),
                averages_over_neighbours(values[:, columns:], caged, sender, first_edge, r_c),
            ],
            dim=1,
        )


def _shifted(shift: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor) -> Tensor:
    """Vectors [E, 3] between the places that are ``shift`` [n_all, 3] from those of the edges."""
    receivers = shift[: first_edge.shape[0] - 1]
    of_receiver = torch.repeat_interleave(receivers, first_edge[1:] - first_edge[:-1], dim=0)
    return edges + shift[sender] - of_receiver

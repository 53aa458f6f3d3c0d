"""BOTAN, the graph network of Shiba et al., which also predicts how neighbours move apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from glassml.models.contract import Output
from glassml.models.interaction_network import InteractionNetwork
from glassml.models.registry import register

__all__ = ["Botan"]

_CITATION = (
    "H. Shiba, M. Hanai, T. Suzumura, T. Shimokawabe, BOTAN: BOnd TArgeting Network for prediction "
    "of slow glassy dynamics by machine learning relative motion, J. Chem. Phys. 158, 084503 (2023)"
)


@register("botan")
class Botan(InteractionNetwork):
    """BOTAN, a graph network that also predicts how neighbours move apart.

    H. Shiba et al., J. Chem. Phys. 158, 084503 (2023).

    Like `Bapst`, without edges from a particle to itself, and edges read the present codes of their
    particles only. The decoder is the same for particles and edges. Of an edge it predicts the
    bond displacement: how much farther its particles are from each other at a later time, on
    average over the runs.

    Not rotation-invariant: training permutes and reflects the axes at random.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: r_c [length].
        scalar_inputs: names of per-particle scalars (not published).
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        width: columns of codes and hidden layers.
        n_layers: number of steps.

    Raises:
        ConfigError: a value out of range; the message names it.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        bond_scale: Tensor

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0,),
        cutoff: float = 2.0,
        scalar_inputs: Sequence[str] = (),
        length_unit: str = "lj",
        width: int = 64,
        n_layers: int = 7,
    ) -> None:
        columns = tuple(f"bond_displacement_t={float(t):g}" for t in times)
        bonds = Output("bond_displacement", columns, "[length]", times=tuple(map(float, times)))
        super().__init__(
            species, times, cutoff, scalar_inputs, length_unit, width, n_layers,
            self_edges=False, edges_read_first=False, citation=_CITATION, edge_outputs=(bonds,),
        )  # fmt: skip
        # Unit of the bond displacements [length]; 1 until training sets it.
        self.register_buffer("bond_scale", torch.ones(self.n_times))

    @torch.jit.unused
    def set_bond_scale(self, scale: Tensor) -> None:
        """Scale [T] [length] of the bond displacements, by which they are standardised."""
        self.bond_scale.copy_(scale)

    @torch.jit.export
    def bond_displacement(self, edges: Tensor) -> Tensor:
        """Mean distance of the two particles later, minus their distance now: [E, T] [length]."""
        return self.decoder(edges[:, : self.width]) * self.bond_scale

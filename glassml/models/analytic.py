"""A model without parameters, with values in closed form, to check engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from glassml.models.contract import GlassModel, Output
from glassml.models.registry import register

__all__ = ["Analytic"]


@register("analytic")
class Analytic(GlassModel):
    """Two message-passing steps of a smooth density; every engine must reproduce its values.

    With w_j = 1 + index of the species + sum of the scalars of particle j, and
    g(r) = (1 - (r / r_c)^2)^2 for r < r_c:

    - step 0: rho_i = sum_j g(r_ij) w_j and d_i = sum_j g(r_ij) w_j (x_j - x_i)
    - step 1: m_i = sum_j g(r_ij) rho_j
    - propensity at time t: rho_i + t m_i
    - descriptors: rho_i, m_i, ``|d_i|``
    - equivariant: rho_i, d_i

    m_i depends on particles up to 2 r_c away, so it is wrong if an engine does not forward the
    state to ghosts. For two particles at distance r: rho_1 = g w_2, m_1 = g^2 w_1.

    Args:
        species: names of the species.
        times: times [time].
        cutoff: r_c [length].
        scalar_inputs: names of per-particle scalars.
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        time_values: Tensor
        species_weights: Tensor

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0, 2.0),
        cutoff: float = 2.0,
        scalar_inputs: Sequence[str] = (),
        length_unit: str = "lj",
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        self.register_buffer("time_values", torch.tensor(self.times, dtype=torch.float64))
        weights = 1.0 + torch.arange(self.n_species, dtype=torch.float64)
        self.register_buffer("species_weights", weights, persistent=False)
        self._declare(
            state_widths=(1, 5, 6),
            outputs=(
                self.propensity_output(),
                Output("descriptors", ("density", "second_density", "dipole_norm"), "[-]"),
                Output(
                    "equivariant",
                    ("density", "dipole_x", "dipole_y", "dipole_z"),
                    "[-]",
                    irreps="1x0e+1x1e",
                ),
            ),
        )

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """The weight w: species int64 [n] and scalars [n, S] to [n, 1]."""
        weights = self.species_weights.to(scalars.dtype)[species]
        return (weights + scalars.sum(dim=1)).unsqueeze(1)

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """g(r) and x_j - x_i: [E, 4]."""
        x2 = (edge_vector**2).sum(dim=1, keepdim=True) / self.cutoff**2
        return torch.cat([(1 - x2).clamp(min=0.0) ** 2, edge_vector], dim=1)

    @torch.jit.export
    def step(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """Step 0 appends rho and d to the weight, step 1 m: [n_all, W_k] to [n, W_(k+1)]."""
        n = first_edge.shape[0] - 1
        g = edges[:, :1]
        if k == 0:
            message = g * state[sender]
            message = torch.cat([message, message * edges[:, 1:]], dim=1)
        else:
            message = g * state[sender][:, 1:2]
        receiver = torch.repeat_interleave(first_edge[1:] - first_edge[:-1])
        total = torch.zeros([n, message.shape[1]], dtype=state.dtype, device=state.device)
        total = total.index_add(0, receiver, message)
        return torch.cat([state[:n], total], dim=1)

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        """The sum rho + t m: [n, T]."""
        return state[:, 1:2] + state[:, 5:6] * self.time_values.to(state.dtype)

    @torch.jit.export
    def descriptors(self, state: Tensor) -> Tensor:
        """rho, m and ``|d|``: [n, 3]."""
        norm = torch.linalg.vector_norm(state[:, 2:5], dim=1, keepdim=True)
        return torch.cat([state[:, 1:2], state[:, 5:6], norm], dim=1)

    @torch.jit.export
    def equivariant(self, state: Tensor) -> Tensor:
        """The density rho and the vector d (x, y, z, which is e3nn's order for l = 1): [n, 4]."""
        return state[:, 1:5]

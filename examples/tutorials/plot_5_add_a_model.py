"""
Add a model of your own in 60 lines
===================================

A network that keeps glassml's contract is trained by ``glassml train``, becomes one file, and runs in
LAMMPS on any number of ranks, in ASE and offline, without a line of code there. This page writes a
small one, without rotations: messages depend on distances alone.
"""

# %%
# The contract
# ------------
#
# A model has one vector of state per particle, which its steps update. Before each step, LAMMPS sends
# the states of particles that other processors need. So a model is cut into:
#
# ``embed``
#     species [n] and scalars [n, S] become the first state [n, W].
# ``embed_edges``
#     vectors x_j - x_i [E, 3] become what the steps know of edges [E, F].
# ``step``
#     states of all particles that are senders become new states of the receivers [n, W].
# ``propensity``
#     the last state becomes the prediction [n, T].
#
# ``sender`` [E] and ``first_edge`` [n + 1] say which edges belong to whom: those of particle i are
# ``first_edge[i]`` to ``first_edge[i + 1]``, sorted by receiver.

import torch
from torch import Tensor, nn

from glassml.models import GlassModel, register


@register("distances")
class Distances(GlassModel):
    """Messages of an invariant network: a function of the sender's state and the distance."""

    def __init__(
        self,
        species: tuple[str, ...] = ("A", "B"),
        times: tuple[float, ...] = (1.0,),
        cutoff: float = 2.0,
        scalar_inputs: tuple[str, ...] = (),
        length_unit: str = "lj",
        channels: int = 32,
        n_layers: int = 2,
        n_basis: int = 16,
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        self.register_buffer("centres", torch.linspace(0.2, 1.0, n_basis))
        self.first = nn.Linear(self.n_inputs, channels)
        self.filters = nn.ModuleList(nn.Linear(n_basis, channels) for _ in range(n_layers))
        self.updates = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * channels, channels), nn.SiLU(), nn.Linear(channels, channels))
            for _ in range(n_layers)
        )
        self.last = nn.Linear(channels, self.n_times)
        self._declare([channels] * (n_layers + 1), [self.propensity_output()])

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        one_hot = nn.functional.one_hot(species, self.n_species).to(scalars.dtype)
        return self.first(torch.cat([one_hot, scalars], dim=1))

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        x = torch.linalg.vector_norm(edge_vector, dim=1, keepdim=True) / self.cutoff
        smooth = (1 - x**2).clamp(min=0.0) ** 2  # nothing jumps where a neighbour leaves
        return smooth * torch.exp(-((x - self.centres.to(x.dtype)) ** 2) * 100)

    @torch.jit.export
    def step(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        n = first_edge.shape[0] - 1
        receiver = torch.repeat_interleave(first_edge[1:] - first_edge[:-1])
        new = state[:n]
        for layer, (filter, update) in enumerate(zip(self.filters, self.updates)):
            if layer == k:
                message = state[sender] * filter(edges)
                total = torch.zeros_like(new).index_add(0, receiver, message)
                new = new + update(torch.cat([new, total], dim=1))
        return new

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        return self.last(state)


# %%
# Train it
# --------

"""A system in two domains, as an engine on two ranks evaluates a model."""

from __future__ import annotations

import torch
from torch import Tensor

from glassml.graph import first_edge
from glassml.models import GlassModel

__all__ = ["by_domains"]


def by_domains(model: GlassModel, *system: Tensor) -> Tensor:
    """The final state [n, W_n], with half of the particles in each domain.

    What is not sent of the particles of the other domain is NaN.

    Args:
        model: in evaluation mode.
        system: species, scalars, edge_vector, sender and first_edge, see `GlassModel.encode`.
    """
    species, scalars, vector, sender, first = system
    n, half = len(species), len(species) // 2
    receiver = torch.repeat_interleave(torch.arange(n), first.diff())
    domains = []
    for low, high in ((0, half), (half, n)):
        order = torch.cat([torch.arange(low, high), torch.arange(low), torch.arange(high, n)])
        mine = (receiver >= low) & (receiver < high)
        pointer = first_edge(receiver[mine] - low, high - low)
        domains.append((order, torch.argsort(order)[sender[mine]], pointer, mine, low, high))

    def settled(k: int, state: Tensor) -> Tensor:
        if not model.summed_widths[k]:
            return state
        halves = state[:half], state[half:]
        total = torch.stack([model.summands(k, part).double().sum(0) for part in halves]).sum(0)
        return torch.cat([model.settle(k, part, total) for part in halves])

    with torch.no_grad():
        state = model.embed(species, scalars)
        edges = [model.embed_edges(vector[mine]) for _, _, _, mine, _, _ in domains]
        for k in range(model.n_steps):
            state = settled(k, state)
            parts = []
            for d, (order, local_sender, pointer, _, low, high) in enumerate(domains):
                seen = state[order].clone()
                seen[high - low :, model.sent_widths[k] :] = torch.nan
                new, edges[d] = model.advance(k, seen, edges[d], local_sender, pointer)
                parts.append(new)
            state = torch.cat(parts)
        return settled(model.n_steps, state)

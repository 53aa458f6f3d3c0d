"""Build PyTorch Geometric graphs from configurations and a cutoff.

Array names and shapes are those of the glossary in ARCHITECTURE.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch_geometric.data import Batch, Data

from glassml.data import Configuration
from glassml.errors import InputError
from glassml.physics.neighbours import MOST_NEIGHBOURS, Neighbours, find_neighbours

__all__ = ["build_graph", "collate", "first_edge", "graph_of_edges", "neighbours_within"]


def build_graph(
    configuration: Configuration,
    cutoff: float,
    scalars: Sequence[str] = (),
    dtype: torch.dtype = torch.float32,
) -> Data:
    """The graph of one configuration: an edge for every ordered pair closer than the cutoff.

    Edges are the pairs of `find_neighbours`, in its order. Differences of positions are computed in
    float64 and then rounded to ``dtype``.

    Args:
        configuration: N particles.
        cutoff: r_c [length]; pairs with r < r_c are joined.
        scalars: names of the per-particle scalars that become node inputs, in this order.
        dtype: floating-point type of the tensors.

    Returns:
        Data with ``species`` [N] int64, ``scalars`` [N, S], ``edge_index`` [2, E] int64 (row 0 the
        sender j, row 1 the receiver i, sorted by receiver), ``edge_vector`` [E, 3] = x_j - x_i
        [length], and, if the configuration has labels, ``y`` [N, T] [length].

    Raises:
        InputError: the cutoff is not positive, or the configuration lacks one of the scalars.
    """
    sender, receiver, vector = neighbours_within(configuration, cutoff)
    edge_index = torch.from_numpy(np.stack([sender, receiver]).astype(np.int64))
    edge_vector = torch.from_numpy(vector).to(dtype)
    return graph_of_edges(configuration, edge_index, edge_vector, scalars)


def neighbours_within(configuration: Configuration, cutoff: float) -> Neighbours:
    """The pairs of a configuration that become edges.

    Raises:
        InputError: the cutoff is not positive, or particles would have absurdly many neighbours.
    """
    try:
        return find_neighbours(
            configuration.positions,
            configuration.cell,
            configuration.pbc,
            cutoff,
            most=MOST_NEIGHBOURS,
        )
    except InputError as error:
        raise InputError(f"{configuration.name}: {error}") from None


def graph_of_edges(
    configuration: Configuration,
    edge_index: torch.Tensor,
    edge_vector: torch.Tensor,
    scalars: Sequence[str] = (),
) -> Data:
    """The graph of a configuration whose edges are known.

    Args:
        configuration: N particles.
        edge_index: int64 [2, E], senders and receivers, sorted by receiver.
        edge_vector: [E, 3] [length]; its type becomes that of all tensors.
        scalars: see `build_graph`.

    Returns:
        See `build_graph`.

    Raises:
        InputError: the configuration lacks one of the scalars.
    """
    dtype = edge_vector.dtype
    graph = Data(
        species=torch.from_numpy(np.array(configuration.species, dtype=np.int64)),
        scalars=torch.from_numpy(_scalar_columns(configuration, scalars)).to(dtype),
        edge_index=edge_index,
        edge_vector=edge_vector,
        num_nodes=configuration.n_particles,
    )
    if configuration.propensity is not None:
        graph.y = torch.from_numpy(np.array(configuration.propensity)).to(dtype)
    return graph


def collate(graphs: Sequence[Data]) -> Batch:
    """Several graphs as one disconnected graph, batched by PyTorch Geometric."""
    return Batch.from_data_list(list(graphs))


def first_edge(receiver: torch.Tensor, n_nodes: int) -> torch.Tensor:
    """Where the edges of each receiver begin, for edges sorted by receiver (a row pointer).

    Args:
        receiver: int64 [E], ascending.
        n_nodes: number of nodes N, including those without an edge.

    Returns:
        int64 [N + 1]; the edges of node i are ``first_edge[i]:first_edge[i + 1]``.
    """
    nodes = torch.arange(n_nodes + 1, device=receiver.device)
    return torch.searchsorted(receiver.contiguous(), nodes)


def _scalar_columns(configuration: Configuration, names: Sequence[str]) -> np.ndarray:
    missing = [name for name in names if name not in configuration.scalars]
    if missing:
        structure, _, axis = missing[0].partition("_shift_")
        hint = (
            f". It comes with the structure {structure!r}: `glassml quench` adds inherent "
            "positions, glassml.simulation.cage_structure cage centres"
        )
        raise InputError(
            f"{configuration.name}: scalars: expected {missing[0]!r}; found "
            f"{sorted(configuration.scalars) or 'none'}{hint if axis else ''}"
        )
    columns = [np.asarray(configuration.scalars[name], dtype=np.float64) for name in names]
    return np.stack(columns, axis=1) if columns else np.empty((configuration.n_particles, 0))

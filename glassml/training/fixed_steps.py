"""First steps of a model that have no parameters: computed once for each configuration."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch_geometric.data import Data

from glassml.graph import first_edge
from glassml.models import GlassModel

__all__ = ["FixedSteps", "set_column_scales"]


@runtime_checkable
class _StandardisingColumns(Protocol):
    """A model that standardises what its fixed steps give, per species."""

    def columns(self, state: Tensor) -> Tensor: ...

    def set_column_scale(self, mean: Tensor, scale: Tensor) -> None: ...


class FixedSteps:
    """The state of a model after its fixed steps.

    Args:
        model: with the scales of its scalar inputs, which must not change afterwards. A copy is
            used, as training moves the model to other devices.
        dtype: of the graphs.
    """

    def __init__(self, model: GlassModel, dtype: torch.dtype) -> None:
        self.model = copy.deepcopy(model).to(dtype).eval()

    def added_to(self, graph: Data) -> Data:
        """The graph with the state [n, W] of its nodes; without edges if no step is left."""
        model, n = self.model, graph.num_nodes
        sender, receiver = graph.edge_index
        pointer = first_edge(receiver, n)
        with torch.no_grad():
            state = model.embed(graph.species, graph.scalars)
            edges = model.embed_edges(graph.edge_vector)
            for k in range(model.fixed_steps):
                state = model.step(k, state, edges, sender, pointer)
        result = copy.copy(graph)
        result.state = state
        result.num_nodes = n
        if model.fixed_steps == model.n_steps:
            del result.edge_index, result.edge_vector
        return result


def set_column_scales(model: GlassModel, graphs: Iterable[Data]) -> None:
    """Measure what the fixed steps give, for models that standardise it.

    Args:
        model: gets mean and standard deviation [species, M] of its columns.
        graphs: of the training configurations, with states.
    """
    if not isinstance(model, _StandardisingColumns):
        return
    number = torch.zeros(model.n_species, 1, dtype=torch.float64)
    total = square = torch.zeros(1, 1, dtype=torch.float64)
    shift: Tensor | None = None
    for graph in graphs:
        values = model.columns(graph.state).double()
        shift = values.mean(dim=0) if shift is None else shift  # so that squares lose no digits
        values = values - shift
        kinds = torch.nn.functional.one_hot(graph.species, model.n_species).double().T
        number = number + kinds.sum(dim=1, keepdim=True)
        total = total + kinds @ values
        square = square + kinds @ values.square()
    assert shift is not None, "there are training configurations"
    mean = total / number
    variance = (square / number - mean.square()).clamp_min(0.0)
    model.set_column_scale(mean + shift, variance.sqrt())

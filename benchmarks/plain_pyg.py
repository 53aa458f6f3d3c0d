"""The network of Bapst et al. as one would write it with PyTorch Geometric.

A message passing layer concatenates what an edge reads, of both its particles too, and applies a
perceptron to every edge; edges from particles to themselves are edges like the others. Weights are
those of a `Bapst`, so that both give the same values.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import add_self_loops

from benchmarks.systems import Inputs
from glassml.models import Bapst

__all__ = ["PlainPyG", "plain_prediction"]


class PlainPyG(MessagePassing):
    """The network of Bapst et al. in plain PyTorch Geometric, with copies of the weights.

    Args:
        model: two species, no scalar inputs.
    """

    def __init__(self, model: Bapst) -> None:
        super().__init__(aggr="add")
        self.cutoff, self.unit, self.n_layers = model.cutoff, model.unit, model.n_steps
        width = model.width
        # In the order of the parameters of a `Bapst`.
        self.node_encoder = _perceptron(1, width, width)
        self.edge_encoder = _perceptron(3, width, width)
        self.edge_network = _perceptron(6 * width, width, width)
        self.node_network = _perceptron(3 * width, width, width)
        self.decoder = _perceptron(width, width, width, model.n_times)[:-1]  # without the last ReLU
        for own, given in zip(self.parameters(), model.parameters(), strict=True):
            own.data = given.detach().clone()
        self.register_buffer("mean", model.label_mean.clone())
        self.register_buffer("scale", model.label_scale.clone())

    def forward(
        self,
        species: Tensor,
        scalars: Tensor,
        edge_vector: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> Tensor:
        """The propensity [n, T]; arguments as of a `Bapst`."""
        n = len(species)
        receiver = torch.arange(n).repeat_interleave(first_edge.diff())
        edge_index, vectors = add_self_loops(
            torch.stack([sender, receiver]), -edge_vector / self.unit, fill_value=0.0, num_nodes=n
        )
        x = first = self.node_encoder(species.to(edge_vector.dtype).unsqueeze(1))
        edges = first_edges = self.edge_encoder(vectors)
        for _ in range(self.n_layers):
            known = torch.cat([x, first], dim=1)
            edges = self.edge_updater(edge_index, edges=edges, first_edges=first_edges, x=known)
            total = self.propagate(edge_index, edges=edges)
            x = self.node_network(torch.cat([total, x, first], dim=1))
        return self.decoder(x) * self.scale[species] + self.mean[species]

    def edge_update(self, edges: Tensor, first_edges: Tensor, x_i: Tensor, x_j: Tensor) -> Tensor:
        """The new codes [E, width] of edges."""
        return self.edge_network(torch.cat([edges, first_edges, x_i, x_j], dim=1))

    def message(self, edges: Tensor) -> Tensor:
        """What is summed over edges."""
        return edges


def plain_prediction(plain: PlainPyG, inputs: Inputs) -> Tensor:
    """The propensity [n, T] without gradients."""
    with torch.inference_mode():
        return plain.eval()(*inputs)


def _perceptron(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for k in range(len(widths) - 1):
        layers += [nn.Linear(widths[k], widths[k + 1]), nn.ReLU()]
    return nn.Sequential(*layers)

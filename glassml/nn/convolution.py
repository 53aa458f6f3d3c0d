"""One equivariant convolution layer: filter, tensor product, sum over neighbours, mixing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from glassml.nn import ops
from glassml.nn.radial import RadialNetwork, TableKnots

__all__ = ["DeployedConvolution", "EquivariantConvolution"]


class EquivariantConvolution(nn.Module):
    """The convolution of the SE(3)-GNN.

    Equations 11 and 12 of Pezzicoli et al., SciPost Phys. 16, 136.

    One operator computes the tensor product with the spherical harmonics of the edges, weighted by
    the radial filters, its sum over neighbours, and the linear map for each l_O that mixes paths
    and channels: `glassml::equivariant_convolution`, or with a table of the filters
    `glassml::tabulated_convolution`.

    Args:
        l_in: highest order of the incoming features, -1 if there are only plain scalars.
        l_max: highest order of filters and outgoing features.
        channels: number of channels C.
        n_inputs: number of plain scalars (one-hot species and the model's scalar inputs).
        basis_size: number of radial basis functions N_b.
        hidden: hidden width of the radial network.
        dropout: dropout probability in the radial network; 0 with a table.
        table: distances at which the radial network is evaluated; None: on every edge. May be set
            later.
    """

    def __init__(
        self,
        l_in: int,
        l_max: int,
        channels: int,
        n_inputs: int,
        basis_size: int,
        hidden: int,
        dropout: float,
        table: TableKnots | None = None,
    ) -> None:
        super().__init__()
        ops.load()
        self.l_in = l_in
        self.l_max = l_max
        self.channels = channels
        self.basis_size = basis_size
        self.table = table
        n_weights = ops.n_radial(l_in, l_max, channels, n_inputs)
        self.radial = RadialNetwork(basis_size, hidden, n_weights, dropout)
        widths = ops.output_columns(l_in, l_max, channels, n_inputs)
        self.mixing = nn.ParameterList(
            [nn.Parameter(torch.randn(width, channels)) for width in widths]
        )

    def forward(self, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor) -> Tensor:
        """New features of the receivers.

        Args:
            state: [n_all, (l_in + 1)^2 C + n_inputs] features and plain scalars of the senders.
            edges: [E, 3] x_j - x_i [length]. Without a table [E, 3 + N_b], followed by the radial
                basis, or [E, 3 + N_b + 1], followed also by a factor of the filters.
            sender: int64 [E].
            first_edge: int64 [n + 1].

        Returns:
            [n, (l_max + 1)^2 C].
        """
        mixing = self.mixing_matrix()
        if self.table is None:
            vector = edges[:, :3]
            weights = self.radial(edges[:, 3 : 3 + self.basis_size])
            if edges.shape[1] > 3 + self.basis_size:
                weights = weights * edges[:, 3 + self.basis_size :]
            return torch.ops.glassml.equivariant_convolution(
                state, vector, weights, sender, first_edge, self.l_in, self.l_max, self.channels,
                mixing,
            )  # fmt: skip
        return torch.ops.glassml.tabulated_convolution(
            state, edges, self.table.knots, self.table(self.radial, edges), sender, first_edge,
            self.l_in, self.l_max, self.channels, True, mixing,
        )  # fmt: skip

    def mixing_matrix(self) -> Tensor:
        """The linear maps of all l, one below the other: [sum of K, C]."""
        # e3nn's convention: weights have unit variance and are divided by the root of the fan-in.
        return torch.cat([weight / math.sqrt(weight.shape[0]) for weight in self.mixing])

    def deployed(self, factor: Tensor) -> DeployedConvolution:
        """The layer in evaluation mode, its result times a factor [l_max + 1, C]."""
        return DeployedConvolution(self, factor)


class DeployedConvolution(nn.Module):
    """An `EquivariantConvolution` in evaluation mode that TorchScript can compile.

    Args:
        layer: the layer that it replaces.
        factor: [l_max + 1, C] of the result of every order and channel.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        mixing: Tensor

    def __init__(self, layer: EquivariantConvolution, factor: Tensor) -> None:
        super().__init__()
        self.l_in = layer.l_in
        self.l_max = layer.l_max
        self.channels = layer.channels
        self.basis_size = layer.basis_size
        network = layer.radial.deployed()
        # One of them is None; TorchScript then leaves out the branch that would use it.
        self.table = None if layer.table is None else layer.table.deployed(network)
        self.network = network if layer.table is None else None
        with torch.no_grad():
            widths = torch.tensor([len(weight) for weight in layer.mixing], device=factor.device)
            mixing = layer.mixing_matrix() * torch.repeat_interleave(factor, widths, dim=0)
        self.register_buffer("mixing", mixing)

    def forward(self, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor) -> Tensor:
        """As `EquivariantConvolution.forward`."""
        result = state
        if self.network is not None:
            weights = self.network(edges[:, 3 : 3 + self.basis_size])
            if edges.shape[1] > 3 + self.basis_size:
                weights = weights * edges[:, 3 + self.basis_size :]
            result = torch.ops.glassml.equivariant_convolution(
                state, edges[:, :3], weights, sender, first_edge, self.l_in, self.l_max,
                self.channels, self.mixing,
            )  # fmt: skip
        if self.table is not None:
            knots, values = self.table()
            result = torch.ops.glassml.tabulated_convolution(
                state, edges, knots, values, sender, first_edge, self.l_in, self.l_max,
                self.channels, True, self.mixing,
            )  # fmt: skip
        return result

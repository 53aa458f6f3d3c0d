"""One equivariant convolution layer: filter, tensor product, sum over neighbours, mixing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from glassml.nn import ops
from glassml.nn.radial import RadialNetwork, TableKnots

__all__ = ["EquivariantConvolution"]


class EquivariantConvolution(nn.Module):
    """Equations 11 and 12 of Pezzicoli et al., SciPost Phys. 16, 136.

    The tensor product with the spherical harmonics of the edges, weighted by the radial filters
    and summed over neighbours, and the linear map per l_O that then mixes paths and channels, are
    one operator: `glassml::equivariant_convolution`, or with a table of the filters
    `glassml::tabulated_convolution`.

    Args:
        l_in: highest order of the incoming features, -1 if there are only plain scalars.
        l_max: highest order of filters and outgoing features.
        channels: number of channels C.
        n_inputs: number of plain scalars (one-hot species and the model's scalar inputs).
        basis_size: number of radial basis functions N_b.
        hidden: hidden width of the radial network.
        dropout: dropout probability in the radial network; 0 with a table.
        table: where the radial network is evaluated, None for on every edge. May be set later.
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
        self.mixing = Mixing(ops.output_columns(l_in, l_max, channels, n_inputs), channels)

    def forward(self, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor) -> Tensor:
        """New features of the receivers.

        Args:
            state: [n_all, (l_in + 1)^2 C + n_inputs] features and plain scalars of the senders.
            edges: [E, 3] x_j - x_i [length]; without a table [E, 3 + N_b], the radial basis after
                them, or [E, 3 + N_b + 1], a factor of the filters in the end.
            sender: int64 [E].
            first_edge: int64 [n + 1].

        Returns:
            [n, (l_max + 1)^2 C].
        """
        vector = edges[:, :3]
        if self.table is None:
            weights = self.radial(edges[:, 3 : 3 + self.basis_size])
            if edges.shape[1] > 3 + self.basis_size:
                weights = weights * edges[:, 3 + self.basis_size :]
            return torch.ops.glassml.equivariant_convolution(
                state, vector, weights, sender, first_edge, self.l_in, self.l_max, self.channels,
                self.mixing.matrix(),
            )  # fmt: skip
        basis, factor = self.table()
        counts: Tensor | None = None
        if not torch.jit.is_scripting():  # what is scripted is not trained any more
            counts = self.table.counts(vector) if self.training else None
        values = self.radial.before_relu(basis, counts) * factor
        return torch.ops.glassml.tabulated_convolution(
            state, vector, self.table.knots, values, sender, first_edge, self.l_in, self.l_max,
            self.channels, True, self.mixing.matrix(),
        )  # fmt: skip

    @torch.jit.unused
    def deploy(self, factor: Tensor) -> None:
        """Become what is exported; evaluation mode only, with the present running statistics.

        Args:
            factor: [l_max + 1, C] that the result is to be multiplied with from now on.
        """
        self.register_module("radial", self.radial.deployed())
        self.register_module("mixing", self.mixing.deployed(factor))


class Mixing(nn.ParameterList):
    """For each l the linear map from paths and channels to channels.

    Args:
        widths: K, for each l how many columns come in.
        channels: C, how many go out.
    """

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        # e3nn's convention: weights of unit variance, the fan-in divided out in the forward pass.
        super().__init__([nn.Parameter(torch.randn(width, channels)) for width in widths])

    def matrix(self) -> Tensor:
        """The maps one below the other: [sum of K, C]."""
        return torch.cat([weight / math.sqrt(weight.shape[0]) for weight in self])

    def deployed(self, factor: Tensor) -> FixedMixing:
        """The same maps times a factor [l_max + 1, C], as a scriptable module."""
        with torch.no_grad():
            widths = torch.tensor([len(weight) for weight in self], device=factor.device)
            return FixedMixing(self.matrix() * torch.repeat_interleave(factor, widths, dim=0))


class FixedMixing(nn.Module):
    """What a `Mixing` gives, for once and all.

    Args:
        stored: [sum of K, C].
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        stored: Tensor

    def __init__(self, stored: Tensor) -> None:
        super().__init__()
        self.register_buffer("stored", stored)

    def matrix(self) -> Tensor:
        """As `Mixing.matrix`."""
        return self.stored

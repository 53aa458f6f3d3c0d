"""One equivariant convolution layer: filter, tensor product, sum over neighbours, mixing."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from glassml.nn import ops
from glassml.nn.radial import RadialNetwork

__all__ = ["EquivariantConvolution"]


class EquivariantConvolution(nn.Module):
    """Equations 11 and 12 of Pezzicoli et al., SciPost Phys. 16, 136.

    The tensor product with the spherical harmonics of the edges, weighted by the radial filters
    and summed over neighbours, is the operator `glassml::equivariant_convolution`; a linear map
    per l_O then mixes paths and channels.

    Args:
        l_in: highest order of the incoming features, -1 if there are only plain scalars.
        l_max: highest order of filters and outgoing features.
        channels: number of channels C.
        n_inputs: number of plain scalars (one-hot species and the model's scalar inputs).
        basis_size: number of radial basis functions.
        hidden: hidden width of the radial network.
        dropout: dropout probability in the radial network.
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
    ) -> None:
        super().__init__()
        ops.load()
        self.l_in = l_in
        self.l_max = l_max
        self.channels = channels
        n_weights = ops.n_radial(l_in, l_max, channels, n_inputs)
        self.radial = RadialNetwork(basis_size, hidden, n_weights, dropout)
        paths = ops.convolution_paths(l_in, l_max)
        self.widths = [
            sum(path[0] == l for path in paths) * channels + n_inputs for l in range(l_max + 1)
        ]
        # e3nn's convention: weights of unit variance, the fan-in divided out in the forward pass.
        self.mixing = nn.ParameterList(
            [nn.Parameter(torch.randn(width, channels)) for width in self.widths]
        )

    def forward(
        self,
        state: Tensor,
        sh: Tensor,
        basis: Tensor,
        envelope: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> Tensor:
        """New features of the receivers.

        Args:
            state: [n_all, (l_in + 1)^2 C + n_inputs] features and plain scalars of the senders.
            sh: [E, (l_max + 1)^2] spherical harmonics of the edges.
            basis: [E, N_b] radial basis.
            envelope: [E, 1] factor of the filters, or [E, 0] for none.
            sender: int64 [E].
            first_edge: int64 [n + 1].

        Returns:
            [n, (l_max + 1)^2 C].
        """
        weights = self.radial(basis)
        if envelope.shape[1] > 0:
            weights = weights * envelope
        product = torch.ops.glassml.equivariant_convolution(
            state, sh, weights, sender, first_edge, self.l_in, self.l_max, self.channels
        )
        mixed: list[Tensor] = []
        start = 0
        for l, weight in enumerate(self.mixing):
            width = weight.shape[0]
            stop = start + (2 * l + 1) * width
            block = product[:, start:stop].reshape(-1, width)
            # The shape is written out because -1 is ambiguous on a rank without particles.
            shape = [product.shape[0], (2 * l + 1) * self.channels]
            mixed.append((block @ weight / math.sqrt(width)).reshape(shape))
            start = stop
        return torch.cat(mixed, dim=1)

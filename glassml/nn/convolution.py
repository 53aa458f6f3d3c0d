"""One equivariant convolution layer: filter, tensor product, sum over neighbours, mixing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from glassml.nn import ops
from glassml.nn.ops.reference import locate
from glassml.nn.radial import RadialBasis, RadialNetwork, RadialTable, polynomial_cutoff

__all__ = ["EquivariantConvolution", "KnotConvolution", "TableKnots", "TabulatedConvolution"]


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
        self.basis_size = basis_size
        n_weights = ops.n_radial(l_in, l_max, channels, n_inputs)
        self.radial = RadialNetwork(basis_size, hidden, n_weights, dropout)
        # e3nn's convention: weights of unit variance, the fan-in divided out in the forward pass.
        widths = ops.output_columns(l_in, l_max, channels, n_inputs)
        self.mixing = nn.ParameterList(
            [nn.Parameter(torch.randn(width, channels)) for width in widths]
        )

    def forward(
        self,
        state: Tensor,
        sh: Tensor,
        radial: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> Tensor:
        """New features of the receivers.

        Args:
            state: [n_all, (l_in + 1)^2 C + n_inputs] features and plain scalars of the senders.
            sh: [E, (l_max + 1)^2] spherical harmonics of the edges.
            radial: [E, N_b] radial basis, or [E, N_b + 1] with a factor of the filters.
            sender: int64 [E].
            first_edge: int64 [n + 1].

        Returns:
            [n, (l_max + 1)^2 C].
        """
        weights = self.radial(radial[:, : self.basis_size])
        if radial.shape[1] > self.basis_size:
            weights = weights * radial[:, self.basis_size :]
        product = torch.ops.glassml.equivariant_convolution(
            state, sh, weights, sender, first_edge, self.l_in, self.l_max, self.channels
        )
        return _mixed(product, list(self.mixing), self.channels)


class TableKnots(nn.Module):
    """Even knots on [0, r_c] at which radial networks are evaluated during training.

    Args:
        basis: the radial basis.
        n_knots: K, two or more.
        smooth_cutoff: whether the filters are multiplied by `polynomial_cutoff`.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        knots: Tensor
        basis: Tensor
        envelope: Tensor

    def __init__(self, basis: RadialBasis, n_knots: int, smooth_cutoff: bool) -> None:
        super().__init__()
        knots = torch.linspace(0, basis.cutoff, n_knots, dtype=torch.float64)
        factor = polynomial_cutoff(knots, basis.cutoff).unsqueeze(1)
        dtype = torch.get_default_dtype()
        self.register_buffer("knots", knots.to(dtype), persistent=False)
        self.register_buffer("basis", basis(knots).to(dtype), persistent=False)
        envelope = factor if smooth_cutoff else factor[:, :0]
        self.register_buffer("envelope", envelope.to(dtype), persistent=False)

    def forward(self, network: RadialNetwork, r: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Knots [K] and weights [K, P] before the last ReLU, for edges of the lengths r [E].

        The lengths matter in training mode only.
        """
        weight = torch.zeros_like(self.knots)
        if self.training and r is not None and r.shape[0] > 0:
            interval, fraction = locate(r, self.knots)
            weight.index_add_(0, interval, 1 - fraction)
            weight.index_add_(0, interval + 1, fraction)
        return self.knots, network.tabulated(self.basis, self.envelope, weight)


class KnotConvolution(EquivariantConvolution):
    """The same layer, with its radial network on the knots of a table instead of on every edge.

    Args:
        table: the knots.
        arguments: those of `EquivariantConvolution`; ``dropout`` must be 0.
    """

    def __init__(self, table: TableKnots, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.table = table

    def forward(
        self, state: Tensor, sh: Tensor, radial: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """New features of the receivers; ``radial`` [E, 1] holds the distances [length]."""
        r = radial[:, 0]
        knots, values = self.table(self.radial, r)
        product = torch.ops.glassml.tabulated_convolution(
            state, sh, r, knots, values, sender, first_edge, self.l_in, self.l_max, self.channels,
            True,
        )  # fmt: skip
        return _mixed(product, list(self.mixing), self.channels)

    def deployed(self) -> TabulatedConvolution:
        """The layer in evaluation mode: the table that it was trained with."""
        with torch.no_grad():
            return TabulatedConvolution(self, RadialTable(*self.table(self.radial)))


class TabulatedConvolution(nn.Module):
    """An `EquivariantConvolution` whose radial network has become a table.

    Args:
        convolution: the layer that it replaces.
        table: its filter weights.
    """

    def __init__(self, convolution: EquivariantConvolution, table: RadialTable) -> None:
        super().__init__()
        self.l_in = convolution.l_in
        self.l_max = convolution.l_max
        self.channels = convolution.channels
        self.mixing = convolution.mixing
        self.table = table

    def forward(
        self, state: Tensor, sh: Tensor, radial: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """New features of the receivers; ``radial`` [E, 1] holds the distances [length]."""
        product = torch.ops.glassml.tabulated_convolution(
            state,
            sh,
            radial[:, 0],
            self.table.knots,
            self.table.values,
            sender,
            first_edge,
            self.l_in,
            self.l_max,
            self.channels,
            True,
        )
        return _mixed(product, list(self.mixing), self.channels)


def _mixed(product: Tensor, mixing: list[Tensor], channels: int) -> Tensor:
    """Mix paths and channels of each l: [n, sum of (2 l + 1) K_l] to [n, sum of (2 l + 1) C]."""
    mixed: list[Tensor] = []
    start = 0
    for l, weight in enumerate(mixing):
        width = weight.shape[0]
        stop = start + (2 * l + 1) * width
        block = product[:, start:stop].reshape(-1, width)
        # The shape is written out because -1 is ambiguous on a rank without particles.
        shape = [product.shape[0], (2 * l + 1) * channels]
        mixed.append((block @ weight / math.sqrt(width)).reshape(shape))
        start = stop
    return torch.cat(mixed, dim=1)

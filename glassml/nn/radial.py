"""The radial part of the convolution filters: a basis of functions of r, and the network on it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from glassml.errors import ConfigError

__all__ = [
    "RadialBasis",
    "RadialNetwork",
    "RadialTable",
    "kink_knots",
    "polynomial_cutoff",
]

BASES = ("bessel", "gaussian")


class RadialBasis(nn.Module):
    """Expands a distance in functions on [0, r_c].

    ``bessel``: sqrt(2/r_c) sin(n pi r / r_c) / r, n = 1..N_b (Pezzicoli et al., equation A1).
    ``gaussian``: exp(-(r - r_n)^2 / (2 w^2)) at evenly spaced r_n, w the spacing.

    Args:
        kind: ``bessel`` or ``gaussian``.
        size: number of functions N_b.
        cutoff: r_c [length].

    Raises:
        ConfigError: unknown kind, or a size below 1.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        nodes: Tensor

    def __init__(self, kind: str, size: int, cutoff: float) -> None:
        super().__init__()
        if kind not in BASES:
            raise ConfigError(f"radial_basis: expected one of {', '.join(BASES)}, found {kind!r}")
        if size < 1:
            raise ConfigError(f"radial_basis_size: expected at least 1, found {size}")
        self.kind = kind
        self.size = size
        self.cutoff = cutoff
        orders = torch.arange(1, size + 1, dtype=torch.float64)
        centres = torch.linspace(0, cutoff, size, dtype=torch.float64)
        self.register_buffer("nodes", orders if kind == "bessel" else centres, persistent=False)

    def forward(self, r: Tensor) -> Tensor:
        """Distances [E] [length] to basis values [E, N_b]."""
        nodes = self.nodes.to(r.dtype)
        if self.kind == "bessel":
            # sinc keeps the limit n pi / r_c at r = 0, where two particles coincide.
            scale = math.sqrt(2 / self.cutoff) * math.pi / self.cutoff
            return scale * nodes * torch.sinc(r.unsqueeze(1) * nodes / self.cutoff)
        width = self.cutoff / max(self.size - 1, 1)
        return torch.exp(-0.5 * ((r.unsqueeze(1) - nodes) / width) ** 2)


def polynomial_cutoff(r: Tensor, cutoff: float) -> Tensor:
    """A factor that falls from 1 at r = 0 to 0 at r_c with two continuous derivatives.

    1 - 28 x^6 + 48 x^7 - 21 x^8 with x = r / r_c (Gasteiger et al., ICLR 2020, equation 8, p = 6).
    The published SE(3)-GNN has none: its outputs jump by a little when a pair crosses r_c.
    """
    x = (r / cutoff).clamp(max=1.0)
    x6 = x**6
    return 1 - 28 * x6 + 48 * x6 * x - 21 * x6 * x * x


class RadialNetwork(nn.Module):
    """The filter weights of every path and channel as functions of the distance.

    Linear, ReLU, BatchNorm, Dropout, Linear, ReLU (Pezzicoli et al., equation A2).

    Args:
        basis_size: number of basis functions N_b.
        hidden: width of the hidden layer (published: 16).
        n_weights: number of weights P of the convolution.
        dropout: probability of dropping a hidden unit (published: 0.3; first version: 0.5).
    """

    def __init__(self, basis_size: int, hidden: int, n_weights: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(basis_size, hidden),
            nn.ReLU(),
            nn.BatchNorm1d(hidden),
            nn.Dropout(dropout),
            nn.Linear(hidden, n_weights),
            nn.ReLU(),
        )

    def forward(self, basis: Tensor) -> Tensor:
        """Basis values [E, N_b] to filter weights [E, P]."""
        return self.layers(basis)

    @torch.jit.unused
    def tabulated(self, basis: Tensor, envelope: Tensor, weight: Tensor) -> Tensor:
        """The weights at the knots of a table, before the last ReLU.

        With the ReLU after the interpolation, its kinks cost no accuracy. The envelope is not
        negative, so it may go before the ReLU. Batch statistics are those over edges, whose
        functions of r are taken as linear between knots.

        Args:
            basis: [K, N_b] at the knots.
            envelope: [K, 1] factor of the filters, or [K, 0] for none.
            weight: [K] how many edges each knot stands for; only looked at in training mode.
        """
        linear, relu, norm, _, last, _ = self.layers
        hidden = relu(linear(basis))
        values = last(_weighted_batch_norm(cast(nn.BatchNorm1d, norm), hidden, weight))
        return values * envelope if envelope.shape[1] > 0 else values


def _weighted_batch_norm(norm: nn.BatchNorm1d, values: Tensor, weight: Tensor) -> Tensor:
    """BatchNorm1d on rows [K, H] of which each counts ``weight`` times."""
    running_mean, running_var = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    total = weight.sum()
    if not norm.training or not bool(total > 1):  # too few edges have no statistics of their own
        factor = torch.rsqrt(running_var + norm.eps) * norm.weight
        return (values - running_mean) * factor + norm.bias
    share = (weight / total).unsqueeze(1)
    mean = (share * values).sum(dim=0)
    variance = (share * (values - mean).square()).sum(dim=0)
    with torch.no_grad():
        momentum = 0.1 if norm.momentum is None else norm.momentum
        unbiased = variance * (total / (total - 1))
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(unbiased, momentum)
        cast(Tensor, norm.num_batches_tracked).add_(1)
    return (values - mean) * torch.rsqrt(variance + norm.eps) * norm.weight + norm.bias


def kink_knots(basis: RadialBasis, network: RadialNetwork, fine: int = 20001) -> Tensor:
    """Where the hidden units of a network pass through zero: float64 distances in [0, r_c].

    There the filters have kinks. With knots at them a piecewise linear table converges with the
    square of the spacing, otherwise only linearly. Two crossings within r_c / ``fine`` are missed.
    """
    first = network.layers[0]
    with torch.no_grad():
        r = torch.linspace(0, basis.cutoff, fine, dtype=torch.float64)
        values = first(basis(r))
        cell, unit = torch.nonzero((values[:-1] > 0) != (values[1:] > 0), as_tuple=True)
        low, high, below = r[cell], r[cell + 1], values[cell, unit] > 0
        for _ in range(40):  # bisection, down to rounding
            middle = (low + high) / 2
            same = (first(basis(middle)).gather(1, unit.unsqueeze(1))[:, 0] > 0) == below
            low, high = torch.where(same, middle, low), torch.where(same, high, middle)
        return (low + high) / 2


class RadialTable(nn.Module):
    """The filter weights as a table: what replaces a `RadialNetwork` in an exported model.

    Args:
        knots: [K] sorted distances [length].
        values: [K, P] weights before the last ReLU.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        knots: Tensor
        values: Tensor

    def __init__(self, knots: Tensor, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("knots", knots)
        self.register_buffer("values", values)

    @classmethod
    def of(
        cls, network: RadialNetwork, basis: RadialBasis, n_knots: int, smooth_cutoff: bool
    ) -> RadialTable:
        """Tabulate a float64 network in evaluation mode: even knots and those at its kinks."""
        even = torch.linspace(0, basis.cutoff, n_knots, dtype=torch.float64)
        knots = torch.cat([even, kink_knots(basis, network)]).sort().values
        with torch.no_grad():
            factor = polynomial_cutoff(knots, basis.cutoff).unsqueeze(1)
            envelope = factor if smooth_cutoff else factor[:, :0]
            values = network.tabulated(basis(knots), envelope, torch.ones_like(knots))
        return cls(knots, values)

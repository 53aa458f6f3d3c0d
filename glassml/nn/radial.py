"""The radial part of the convolution filters: a basis of functions of r, and the network on it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from glassml.errors import ConfigError

__all__ = ["RadialBasis", "RadialNetwork", "polynomial_cutoff"]

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

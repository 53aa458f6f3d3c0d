"""The radial part of the convolution filters: a basis of functions of r, a network, and its table.

A table is piecewise linear between knots, with the network's last ReLU after the interpolation. The
hidden ReLUs have kinks: on even knots the error falls only linearly with the spacing, also for
cubic interpolation (in a trained model, relative to the largest output, 4e-3 linear and 3e-3 cubic
at 513 knots, 3e-4 and 1.4e-4 at 4097). With knots at the kinks it falls with the square.
"""

from __future__ import annotations

import math
import weakref
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from glassml.errors import ConfigError, not_one_of
from glassml.nn.ops.reference import locate

__all__ = [
    "FoldedNetwork",
    "RadialBasis",
    "RadialNetwork",
    "RadialTable",
    "TableKnots",
    "balanced",
    "even_knots",
    "kink_knots",
    "polynomial_cutoff",
]

BASES = ("bessel", "gaussian")


class RadialBasis(nn.Module):
    """Expands a distance in functions on [0, r_c].

    ``bessel``: sqrt(2/r_c) sin(n pi r / r_c) / r, n = 1..N_b, with r and r_c in a unit of length
    (Pezzicoli et al., equation A1, where it is sigma).
    ``gaussian``: exp(-(r - r_n)^2 / (2 w^2)) at evenly spaced r_n, w the spacing.

    Args:
        kind: ``bessel`` or ``gaussian``.
        size: number of functions N_b.
        cutoff: r_c [length].
        unit: the unit of ``bessel`` [length]; a length of the material, so that its values, on
            which a training depends, are the same in any units.

    Raises:
        ConfigError: unknown kind, or a size or unit out of range.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        nodes: Tensor

    def __init__(self, kind: str, size: int, cutoff: float, unit: float = 1.0) -> None:
        super().__init__()
        if kind not in BASES:
            raise ConfigError(f"radial_basis: {not_one_of(kind, BASES)}")
        if size < 1:
            raise ConfigError(f"radial_basis_size: expected at least 1; found {size}")
        if not unit > 0:
            raise ConfigError(f"radial_unit: expected a positive length; found {unit}")
        self.kind = kind
        self.size = size
        self.cutoff = cutoff
        self.unit = unit
        orders = torch.arange(1, size + 1, dtype=torch.float64)
        centres = torch.linspace(0, cutoff, size, dtype=torch.float64)
        self.register_buffer("nodes", orders if kind == "bessel" else centres, persistent=False)

    def forward(self, r: Tensor) -> Tensor:
        """Distances [E] [length] to basis values [E, N_b]."""
        return _basis_values(self.kind, self.nodes.to(r.dtype), self.cutoff, self.unit, r)


def _basis_values(kind: str, nodes: Tensor, cutoff: float, unit: float, r: Tensor) -> Tensor:
    if kind == "bessel":
        # sinc keeps the limit n pi / r_c at r = 0, where two particles coincide.
        scale = math.sqrt(2 / (cutoff / unit)) * math.pi / (cutoff / unit)
        return scale * nodes * torch.sinc(r.unsqueeze(1) * nodes / cutoff)
    width = cutoff / max(nodes.shape[0] - 1, 1)
    return torch.exp(-0.5 * ((r.unsqueeze(1) - nodes) / width) ** 2)


def polynomial_cutoff(r: Tensor, cutoff: float) -> Tensor:
    """A factor that falls from 1 at r = 0 to 0 at r_c with two continuous derivatives.

    1 - 28 x^6 + 48 x^7 - 21 x^8 with x = r / r_c (Gasteiger et al., ICLR 2020, equation 8, p = 6).
    The published SE(3)-GNN has no such factor: its outputs change discontinuously, by a small
    amount, when a pair crosses r_c.
    """
    # As a product, (1 - x)^3 times this: the sum of large terms of either sign would lose digits.
    x = (r / cutoff).clamp(max=1.0)
    rest = 1 + x * (3 + x * (6 + x * (10 + x * (15 + x * 21))))
    return (1 - x) * (1 - x) * (1 - x) * rest


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

    def before_relu(self, basis: Tensor, counts: Tensor) -> Tensor:
        """The input of the last ReLU at the knots of a table: [K, N_b] to [K, P].

        With the ReLU after the interpolation, its kinks do not reduce the accuracy.

        Args:
            basis: [K, N_b] at the knots.
            counts: [K] number of edges that each knot represents; used in training mode only. Batch
                statistics are those over edges, for functions of r that are linear between knots.
        """
        linear, relu, norm, _, last, _ = self.layers
        return last(_weighted_batch_norm(cast(nn.BatchNorm1d, norm), relu(linear(basis)), counts))

    def deployed(self) -> FoldedNetwork:
        """The same functions with the present running statistics, as a module for TorchScript."""
        linear, last = cast(nn.Linear, self.layers[0]), cast(nn.Linear, self.layers[4])
        factor, offset = _affine(cast(nn.BatchNorm1d, self.layers[2]))
        with torch.no_grad():
            bias = last.bias + last.weight @ offset
            return FoldedNetwork(linear.weight, linear.bias, last.weight * factor, bias)


class FoldedNetwork(nn.Module):
    """A `RadialNetwork` in evaluation mode, its BatchNorm part of the last linear layer.

    Args:
        weight: [H, N_b] of the first layer.
        bias: [H].
        last_weight: [P, H] of the last layer.
        last_bias: [P].
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        weight: Tensor
        bias: Tensor
        last_weight: Tensor
        last_bias: Tensor

    def __init__(
        self, weight: Tensor, bias: Tensor, last_weight: Tensor, last_bias: Tensor
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach())
        self.register_buffer("bias", bias.detach())
        self.register_buffer("last_weight", last_weight)
        self.register_buffer("last_bias", last_bias)

    def forward(self, basis: Tensor) -> Tensor:
        """Basis values [E, N_b] to filter weights [E, P]."""
        return _two_layers(basis, self.weight, self.bias, self.last_weight, self.last_bias).relu()


def _two_layers(
    basis: Tensor, weight: Tensor, bias: Tensor, last_weight: Tensor, last_bias: Tensor
) -> Tensor:
    """The input of the last ReLU, in the precision of the basis."""
    dtype = basis.dtype
    hidden = nn.functional.linear(basis, weight.to(dtype), bias.to(dtype)).relu()
    return nn.functional.linear(hidden, last_weight.to(dtype), last_bias.to(dtype))


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Factor and offset [H] that a BatchNorm1d applies with its running statistics."""
    running_mean, running_var = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    factor = torch.rsqrt(running_var + norm.eps) * norm.weight
    return factor, norm.bias - running_mean * factor


def _weighted_batch_norm(norm: nn.BatchNorm1d, values: Tensor, weight: Tensor) -> Tensor:
    """BatchNorm1d on rows [K, H] of which each counts ``weight`` times."""
    running_mean, running_var = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    total = weight.sum()
    if not norm.training or not bool(total > 1):  # too few edges for statistics
        factor, offset = _affine(norm)
        return values * factor + offset
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
    """Distances at which the hidden units of a network cross zero: float64, in [0, r_c].

    There the filters have kinks. Two crossings within r_c / ``fine`` are missed.
    """
    first = network.layers[0]
    with torch.no_grad():
        r = torch.linspace(0, basis.cutoff, fine, dtype=torch.float64)
        values = first(basis(r))
        cell, unit = torch.nonzero((values[:-1] > 0) != (values[1:] > 0), as_tuple=True)
        low, high, below = r[cell], r[cell + 1], values[cell, unit] > 0
        for _ in range(40):  # bisection, to rounding
            middle = (low + high) / 2
            same = (first(basis(middle)).gather(1, unit.unsqueeze(1))[:, 0] > 0) == below
            low, high = torch.where(same, middle, low), torch.where(same, high, middle)
        return (low + high) / 2


class TableKnots(nn.Module):
    """Distances at which radial networks are evaluated; between them, they are interpolated.

    Args:
        basis: the radial basis.
        knots: [K] sorted distances [length], two or more.
        smooth_cutoff: whether the filters are multiplied by `polynomial_cutoff`.
        balanced: whether an exported table is `balanced`. A trained table is not, as its values are
            the parameters that were trained.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        knots: Tensor

    def __init__(
        self, basis: RadialBasis, knots: Tensor, smooth_cutoff: bool, balanced: bool
    ) -> None:
        super().__init__()
        self.basis = basis
        self.smooth_cutoff = smooth_cutoff
        self.balanced = balanced
        self.register_buffer("knots", knots, persistent=False)
        # The edges of the last call, their version and their counts.
        self._counted: tuple[weakref.ref[Tensor], int, Tensor] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and files, without data of the last step."""
        return {**self.__dict__, "_counted": None}

    def forward(self, network: RadialNetwork, edge_vector: Tensor) -> Tensor:
        """Weights [K, P] at the knots, before the last ReLU.

        Args:
            network: computes the weights.
            edge_vector: [E, 3] edges for the batch statistics, in training mode.
        """
        r = self.knots.double()  # single precision would lose digits of the fastest sine
        counts = self._counts_of(edge_vector) if self.training else torch.zeros_like(self.knots)
        values = network.before_relu(self.basis(r).to(self.knots.dtype), counts)
        if not self.smooth_cutoff:
            return values
        # This factor is not negative, so it may come before the ReLU.
        return values * polynomial_cutoff(r, self.basis.cutoff).to(values.dtype).unsqueeze(1)

    def _counts_of(self, edge_vector: Tensor) -> Tensor:
        """`_counts`, kept for the other layers of a step, which have the same edges."""
        if edge_vector.is_inference():  # such a tensor has no version
            return self._counts(edge_vector)
        last = self._counted
        if last is None or last[0]() is not edge_vector or last[1] != edge_vector._version:
            counts = self._counts(edge_vector.detach())
            last = weakref.ref(edge_vector), edge_vector._version, counts
            self._counted = last
        return last[2]

    def _counts(self, edge_vector: Tensor) -> Tensor:
        """Number of edges that each knot represents, [K], with the weights of the interpolation."""
        counts = torch.zeros_like(self.knots)
        if edge_vector.shape[0] > 0:
            r = torch.linalg.vector_norm(edge_vector, dim=1)
            interval, fraction = locate(r, self.knots)
            counts.index_add_(0, interval, 1 - fraction)
            counts.index_add_(0, interval + 1, fraction)
        return counts

    def deployed(self, network: FoldedNetwork) -> RadialTable:
        """Knots and weights, as a module for TorchScript."""
        return RadialTable(network, self.basis, self.knots, self.smooth_cutoff, self.balanced)


class RadialTable(nn.Module):
    """The filter weights at the knots of a table, in an exported model.

    A file holds the network and the knots, from which the table is computed when it is loaded: with
    1024 knots the tables of the published network take 9 MB, its file 0.3 MB.

    Args:
        network: computes the weights.
        basis: its input.
        knots: [K] sorted distances [length].
        smooth_cutoff: whether the filters are multiplied by `polynomial_cutoff`.
        balanced: whether the table is `balanced`.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        knots: Tensor
        nodes: Tensor
        values: Tensor

    def __init__(
        self,
        network: FoldedNetwork,
        basis: RadialBasis,
        knots: Tensor,
        smooth_cutoff: bool,
        balanced: bool,
    ) -> None:
        super().__init__()
        self.kind = basis.kind
        self.cutoff = basis.cutoff
        self.unit = basis.unit
        self.smooth_cutoff = smooth_cutoff
        self.balanced = balanced
        self.register_buffer("knots", knots)
        self.register_buffer("nodes", basis.nodes)
        for name in ("weight", "bias", "last_weight", "last_bias"):
            self.register_buffer(name, getattr(network, name))
        self.register_buffer("values", self._computed())

    def forward(self) -> tuple[Tensor, Tensor]:
        """Knots [K] and weights before the last ReLU [K, P]."""
        return self.knots, self.values

    def _computed(self) -> Tensor:
        # In double precision: single precision would lose digits of the fastest sine.
        knots = self.knots.double()
        values = self._weights(knots)
        if self.balanced:
            values = balanced(knots, values, self._weights((knots[1:] + knots[:-1]) / 2))
        return values.to(self.knots.dtype)

    def _weights(self, r: Tensor) -> Tensor:
        basis = _basis_values(self.kind, self.nodes.double(), self.cutoff, self.unit, r)
        values = _two_layers(basis, self.weight, self.bias, self.last_weight, self.last_bias)
        if self.smooth_cutoff:
            values = values * polynomial_cutoff(r, self.cutoff).unsqueeze(1)
        return values

    @torch.jit.export
    def __getstate__(self) -> tuple[list[Tensor], str, float, float, bool, bool]:
        """The content of a file; TorchScript calls this when it writes one."""
        tensors = [self.knots, self.nodes, self.weight, self.bias, self.last_weight, self.last_bias]
        return tensors, self.kind, self.cutoff, self.unit, self.smooth_cutoff, self.balanced

    @torch.jit.export
    def __setstate__(self, state: tuple[list[Tensor], str, float, float, bool, bool]) -> None:
        """Compute the table; TorchScript calls this when it loads a file."""
        tensors = state[0]
        self.knots, self.nodes = tensors[0], tensors[1]
        self.weight, self.bias = tensors[2], tensors[3]
        self.last_weight, self.last_bias = tensors[4], tensors[5]
        self.kind = state[1]
        self.cutoff = state[2]
        self.unit = state[3]
        self.smooth_cutoff = state[4]
        self.balanced = state[5]
        self.training = False
        self.values = self._computed()


def balanced(knots: Tensor, values: Tensor, between: Tensor) -> Tensor:
    """Values at knots for which linear interpolation is right on average, not at the knots.

    Between knots on a curve the interpolation errs to one side, and the errors of all neighbours of
    a particle add up. The mean error for a parabola is 2/3 of that in the middle of an interval. It
    is corrected at the two knots of the interval, in proportion to the lengths of their intervals.
    With the published network, random weights and 1024 knots the error falls from 2.0e-4 to 7.7e-5.

    Args:
        knots: [K] sorted distances [length].
        values: [K, P] the function at the knots.
        between: [K - 1, P] the function in the middle of each interval.

    Returns:
        [K, P].
    """
    width = (knots[1:] - knots[:-1]).unsqueeze(1)
    missing = (between - (values[1:] + values[:-1]) / 2) * (2.0 / 3.0) * width
    none = torch.zeros_like(values[:1])
    of_both = torch.cat([none, missing]) + torch.cat([missing, none])
    reach = torch.cat([none[:, :1], width]) + torch.cat([width, none[:, :1]])
    return values + torch.where(reach > 0, of_both / reach, 0.0)  # three knots may be one


def even_knots(cutoff: float, n_knots: int) -> Tensor:
    """Evenly spaced distances on [0, r_c]: float64 [K]."""
    return torch.linspace(0, cutoff, n_knots, dtype=torch.float64)

"""Equivariant batch normalisation: as e3nn's while training, an offset once deployed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from e3nn.nn import BatchNorm
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from glassml.nn.layout import channel_irreps, degrees

__all__ = ["ChannelOffset", "EquivariantBatchNorm"]


class EquivariantBatchNorm(BatchNorm):
    """e3nn's BatchNorm, with its parameters and statistics, for features in this package's layout.

    Equations 13 and 14 of Pezzicoli et al., SciPost Phys. 16, 136. The arithmetic is e3nn's,
    without its change of layout, which took most of the time. In an exported model, `deployed`
    replaces it.

    Args:
        l_max: highest order of the features.
        channels: number of channels C of every order.
        momentum: weight of the newest batch in the running statistics (published: 0.5).
    """

    def __init__(self, l_max: int, channels: int, momentum: float = 0.5) -> None:
        super().__init__(channel_irreps(l_max, channels), momentum=momentum)
        self.l_max = l_max
        self.channels = channels
        self.register_buffer("degree", degrees(l_max), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Normalise features [n, (l_max + 1)^2 * C]; training mode also updates the statistics."""
        if not self.training:
            return self._normalised_by_running_statistics(features)
        normalised, mean, variance = _BatchNormalised.apply(
            features, self.weight, self.bias, self.degree, self.eps
        )
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance, self.momentum)
        return normalised

    def _normalised_by_running_statistics(self, features: Tensor) -> Tensor:
        factor = self.weight * torch.rsqrt(self.running_var + self.eps)
        offset = self.bias - self.running_mean * factor[: self.channels]
        padded = _padded(offset, features.shape[1])
        return torch.addcmul(padded, features, _rows(factor, self.degree, self.channels))

    def deployed(self) -> tuple[Tensor, ChannelOffset]:
        """The same map with the present running statistics, in two steps.

        Returns:
            A factor [l_max + 1, C] for the features of every order and channel, to be applied by
            the layer before, and the module that does the rest.
        """
        with torch.no_grad():
            factor = self.weight * torch.rsqrt(self.running_var + self.eps)
            factor = factor.reshape(self.l_max + 1, self.channels)
            return factor, ChannelOffset(self.bias - self.running_mean * factor[0])


class _BatchNormalised(torch.autograd.Function):
    """Features normalised by their own statistics, with an explicit gradient.

    Recorded operation by operation, the gradient would read and write the features several times as
    often, and memory access determines the time.
    """

    @staticmethod
    def forward(
        context: Any, features: Tensor, weight: Tensor, bias: Tensor, degree: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised features [n, D], the mean of scalars [C], and the variances as `weight`.

        Args:
            context: stores what the gradient needs.
            features: [n, (l_max + 1)^2 C].
            weight: [(l_max + 1) C].
            bias: [C].
            degree: [(l_max + 1)^2] l of each row (l, m).
            eps: added to variances.
        """
        channels = len(bias)
        mean, variance = _batch_statistics(features, degree, channels)
        inverse = torch.rsqrt(variance + eps)
        factor = weight * inverse
        rows = _rows(factor, degree, channels)
        context.save_for_backward(features, weight, degree, mean, inverse, rows)
        context.mark_non_differentiable(mean, variance)
        padded = _padded(bias - mean * factor[:channels], features.shape[1])
        return torch.addcmul(padded, features, rows), mean, variance

    @staticmethod
    @once_differentiable
    def backward(
        context: Any, gradient: Tensor, of_mean: Tensor, of_variance: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Gradients of features, weight and bias; the statistics returned have none."""
        features, weight, degree, mean, inverse, rows = context.saved_tensors
        channels = len(mean)
        of_bias = gradient[:, :channels].sum(dim=0)
        products = (gradient * features).sum(dim=0)
        products[:channels] -= mean * of_bias
        of_factor = _sums_of_orders(products, degree, channels)
        # A variance is the mean over particles and orders of squares, so each feature has a share.
        slope = -of_factor * weight * inverse**3 / (len(features) * _orders(degree, channels))
        slopes = _rows(slope, degree, channels)
        of_mean = rows[:channels] * of_bias / len(features)
        padded = _padded(-of_mean - slope[:channels] * mean, features.shape[1])
        of_features = torch.addcmul(padded, features, slopes).addcmul_(gradient, rows)
        return of_features, of_factor * inverse, of_bias, None, None


def _batch_statistics(features: Tensor, degree: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Mean of scalars [C]; mean square of a component [(l_max + 1) C], for l = 0 about the mean."""
    scalars, others = features[:, :channels], features[:, channels:]
    mean = scalars.mean(dim=0)
    squares = torch.cat([(scalars - mean).square().mean(dim=0), others.square().mean(dim=0)])
    return mean, _sums_of_orders(squares, degree, channels) / _orders(degree, channels)


def _rows(values: Tensor, degree: Tensor, channels: int) -> Tensor:
    """Repeat values [(l_max + 1) C] of degrees for each of their orders: [(l_max + 1)^2 C]."""
    return values.reshape(-1, channels).index_select(0, degree).reshape(-1)


def _sums_of_orders(values: Tensor, degree: Tensor, channels: int) -> Tensor:
    """The transpose of `_rows`."""
    n_degrees = math.isqrt(len(degree))
    sums = values.new_zeros(n_degrees, channels)
    return sums.index_add_(0, degree, values.reshape(-1, channels)).reshape(-1)


def _orders(degree: Tensor, channels: int) -> Tensor:
    """The number of orders, 2 l + 1, for each of [(l_max + 1) C]."""
    orders = 2 * torch.arange(math.isqrt(len(degree)), device=degree.device) + 1
    return orders.repeat_interleave(channels)


def _padded(values: Tensor, width: int) -> Tensor:
    """Values [C], padded by zeros up to a width."""
    return nn.functional.pad(values, (0, width - len(values)))


class ChannelOffset(nn.Module):
    """Shifts the features of order 0, which come first.

    Args:
        offset: [C].
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        offset: Tensor

    def __init__(self, offset: Tensor) -> None:
        super().__init__()
        self.register_buffer("offset", offset)

    def forward(self, features: Tensor) -> Tensor:
        """Shift features [n, (l_max + 1)^2 * C] in place."""
        features[:, : self.offset.shape[0]] += self.offset
        return features

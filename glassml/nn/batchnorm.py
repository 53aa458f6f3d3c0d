"""Equivariant batch normalisation: as e3nn's while training, an offset once deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from e3nn.nn import BatchNorm
from torch import Tensor, nn

from glassml.nn.layout import channel_irreps

__all__ = ["ChannelOffset", "EquivariantBatchNorm"]


class EquivariantBatchNorm(BatchNorm):
    """e3nn's BatchNorm, with its parameters and statistics, for features in this package's layout.

    Equations 13 and 14 of Pezzicoli et al., SciPost Phys. 16, 136. The arithmetic is e3nn's, but
    without a change of the layout, which took most of the time. An exported model holds what
    `deployed` gives instead.

    Args:
        l_max: highest order of the features.
        channels: number of channels C of every order.
        momentum: weight of the newest batch in the running statistics (published: 0.5).
    """

    def __init__(self, l_max: int, channels: int, momentum: float = 0.5) -> None:
        super().__init__(channel_irreps(l_max, channels), momentum=momentum)
        self.l_max = l_max
        self.channels = channels
        degree = torch.cat([torch.full((2 * l + 1,), l) for l in range(l_max + 1)])
        self.register_buffer("degree", degree, persistent=False)  # of each row (l, m)

    def forward(self, features: Tensor) -> Tensor:
        """Normalise features [n, (l_max + 1)^2 * C]; training mode also updates the statistics."""
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = self._batch_statistics(features)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance, self.momentum)
        factor = self.weight * torch.rsqrt(variance + self.eps)
        rows = factor.reshape(-1, self.channels).index_select(0, self.degree).reshape(-1)
        offset = self.bias - mean * factor[: self.channels]
        padded = nn.functional.pad(offset, (0, features.shape[1] - self.channels))
        return torch.addcmul(padded, features, rows)

    def _batch_statistics(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of the scalars [C], and mean square of one component, about it [(l_max + 1) * C]."""
        scalars, others = features[:, : self.channels], features[:, self.channels :]
        mean = scalars.mean(dim=0)
        squares = torch.cat([(scalars - mean).square().mean(dim=0), others.square().mean(dim=0)])
        rows = squares.reshape(-1, self.channels)
        sums = rows.new_zeros(self.l_max + 1, self.channels).index_add(0, self.degree, rows)
        orders = 2 * torch.arange(self.l_max + 1, device=rows.device) + 1
        return mean, (sums / orders.unsqueeze(1)).reshape(-1)

    def deployed(self) -> tuple[Tensor, ChannelOffset]:
        """The same map with the present running statistics, in two steps.

        Returns:
            A factor [l_max + 1, C] of the features of every order and channel, for whoever makes
            them, and the module that does the rest.
        """
        with torch.no_grad():
            factor = self.weight * torch.rsqrt(self.running_var + self.eps)
            factor = factor.reshape(self.l_max + 1, self.channels)
            return factor, ChannelOffset(self.bias - self.running_mean * factor[0])


class ChannelOffset(nn.Module):
    """Shifts the features of order 0, which lie in front.

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

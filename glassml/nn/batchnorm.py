"""Equivariant batch normalisation: e3nn's while training, a factor per channel once deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from e3nn.nn import BatchNorm
from torch import Tensor, nn

from glassml.nn.layout import channel_irreps, to_irreps_order

__all__ = ["ChannelAffine", "EquivariantBatchNorm"]


class EquivariantBatchNorm(BatchNorm):
    """e3nn's BatchNorm for features in this package's layout.

    Equations 13 and 14 of Pezzicoli et al., SciPost Phys. 16, 136. TorchScript cannot compile
    e3nn's class, so an exported model holds what `deployed` gives instead.

    Args:
        l_max: highest order of the features.
        channels: number of channels C of every order.
        momentum: weight of the newest batch in the running statistics (published: 0.5).
    """

    def __init__(self, l_max: int, channels: int, momentum: float = 0.5) -> None:
        super().__init__(channel_irreps(l_max, channels), momentum=momentum)
        self.l_max = l_max
        self.channels = channels
        order = to_irreps_order(l_max, channels)
        self.register_buffer("to_irreps", order, persistent=False)
        self.register_buffer("from_irreps", torch.argsort(order), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Normalise features [n, (l_max + 1)^2 * C]; training mode also updates the statistics."""
        return super().forward(features[:, self.to_irreps])[:, self.from_irreps]

    def deployed(self) -> ChannelAffine:
        """The same map with the present running statistics, as a scriptable module."""
        with torch.no_grad():
            factor = self.weight * torch.rsqrt(self.running_var + self.eps)  # [(l, channel)]
            per_order = factor.reshape(self.l_max + 1, self.channels)
            repeats = torch.tensor([2 * l + 1 for l in range(self.l_max + 1)], device=factor.device)
            rows = torch.repeat_interleave(per_order, repeats, dim=0)  # [(l, m), channel]
            offset = torch.zeros_like(rows)
            offset[0] = self.bias - self.running_mean * per_order[0]
            return ChannelAffine(rows.reshape(-1), offset.reshape(-1))


class ChannelAffine(nn.Module):
    """features * factor + offset, the offset being zero for l >= 1.

    Args:
        factor: [(l_max + 1)^2 * C].
        offset: the same shape.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        factor: Tensor
        offset: Tensor

    def __init__(self, factor: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor)
        self.register_buffer("offset", offset)

    def forward(self, features: Tensor) -> Tensor:
        """Scale and shift features [n, (l_max + 1)^2 * C]."""
        return torch.addcmul(self.offset, features, self.factor)

"""The layout of equivariant features in memory.

Inside the network the layout of a node's features is ``[(l, m), channel]``: l ascending, m = -l..l,
the channel fastest, so that the convolution reads the channels of one component as one vector. e3nn
has ``[l, channel, m]``. Outputs of the network, and e3nn's own layers, use e3nn's order.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["channel_irreps", "degrees", "invariants", "to_irreps_order"]


def channel_irreps(l_max: int, channels: int) -> str:
    """e3nn's irreps of features with ``channels`` copies of each l = 0..l_max.

    Every l has the same parity label: the networks are equivariant under SO(3), not O(3), so all
    products ``|l_I - l_F| <= l_O <= l_I + l_F`` are allowed (Pezzicoli et al., section II).
    """
    return "+".join(f"{channels}x{l}e" for l in range(l_max + 1))


def degrees(l_max: int) -> Tensor:
    """The l of each row (l, m) of the features, int64 [(l_max + 1)^2]."""
    return torch.cat([torch.full((2 * l + 1,), l) for l in range(l_max + 1)])


def to_irreps_order(l_max: int, channels: int) -> Tensor:
    """Index that brings features into e3nn's order: ``irreps = features[:, index]``.

    Returns:
        int64 [(l_max + 1)^2 * channels].
    """
    here = torch.arange((l_max + 1) ** 2 * channels).reshape(-1, channels)
    blocks = [here[l**2 : (l + 1) ** 2].T.reshape(-1) for l in range(l_max + 1)]
    return torch.cat(blocks)


def invariants(features: Tensor, l_max: int, channels: int) -> Tensor:
    """Rotation-invariant part of the features: l = 0 unchanged, the norm of every l >= 1.

    Args:
        features: [n, (l_max + 1)^2 * channels], in the layout of the network.
        l_max: highest order.
        channels: number of channels C.

    Returns:
        [n, (l_max + 1) * C], l slowest (Pezzicoli et al., section III C).
    """
    # Squares are written as products: in TorchScript a power of an integer is a float.
    h = features.reshape(features.shape[0], (l_max + 1) * (l_max + 1), channels)
    parts = [h[:, 0]]
    for l in range(1, l_max + 1):
        parts.append(_norm(h[:, l * l : (l + 1) * (l + 1)]))
    return torch.cat(parts, dim=1)


def _norm(vectors: Tensor) -> Tensor:
    """Norm over dimension 1, with gradient 0 where it is 0.

    ``torch.linalg.vector_norm`` takes twenty times as long over a dimension that is not the last.
    """
    square = vectors.square().sum(dim=1)
    zero = square == 0
    return square.masked_fill(zero, 1.0).sqrt().masked_fill(zero, 0.0)

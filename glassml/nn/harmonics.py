"""Real spherical harmonics of any degree, by recursion.

The operators of `glassml.nn.ops` end at degree 11, as e3nn does; classical descriptors use 12.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["racah_harmonics"]


def racah_harmonics(direction: Tensor, l_max: int) -> Tensor:
    """Harmonics sqrt(4 pi / (2 l + 1)) Y_lm for l = 0..l_max: their squares sum to 1 for each l.

    The associated Legendre functions, without their factor sin^m, follow from the usual recursion
    in l in Schmidt's normalisation, and cos(m phi) and sin(m phi) from products of x and y. The
    recursion is stable: at degree 12 the error is some units of rounding.

    Args:
        direction: [P, 3], unit vectors [-].
        l_max: largest degree.

    Returns:
        [(l_max + 1)^2, P]: for each l the rows m = 0, 1..l with cos, then m = 1..l with sin.
    """
    x, y, z = direction[:, 0], direction[:, 1], direction[:, 2]
    cosines, sines = [torch.ones_like(z)], [torch.zeros_like(z)]
    for m in range(l_max):
        cosines.append(cosines[m] * x - sines[m] * y)
        sines.append(cosines[m] * y + sines[m] * x)
    with_cos, with_sin = torch.stack(cosines), torch.stack(sines[1:])
    diagonal = 1.0
    before = torch.zeros_like(z).unsqueeze(0)  # degree l - 2, m = 0..l - 2 and a row of zeros
    last = torch.ones_like(z).unsqueeze(0)  # degree l - 1, m = 0..l - 1
    parts = [last]
    for l in range(1, l_max + 1):
        grow, shrink = _factors(l, z)
        same = grow * last * z - shrink * before
        diagonal = diagonal * math.sqrt((2 * l - 1) / (2 * l)) if l > 1 else 1.0
        now = torch.cat([same, (diagonal * torch.ones_like(z)).unsqueeze(0)])
        parts += [now * with_cos[: l + 1], now[1:] * with_sin[:l]]
        before = torch.cat([last, torch.zeros_like(z).unsqueeze(0)])
        last = now
    return torch.cat(parts)


def _factors(l: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Factors [l, 1] of z times degree l - 1, and of degree l - 2, for m = 0..l - 1."""
    m = torch.arange(l, dtype=like.dtype, device=like.device).unsqueeze(1)
    root = torch.sqrt(l * l - m * m)
    # At m = l - 1 the second factor is 0.
    return (2 * l - 1) / root, torch.sqrt((l - 1) * (l - 1) - m * m) / root

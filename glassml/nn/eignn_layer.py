"""Parts of EIGNN: a layer between scalars and vectors of particles, and what it reads of edges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from e3nn import o3
from torch import Tensor, nn

from glassml.nn.batchnorm import EquivariantBatchNorm

__all__ = ["N_HARMONICS", "EignnLayer", "distances", "harmonics_of", "sums"]

#: Orders of l = 0, 1, 2.
N_HARMONICS = 9

_BESSEL = 8  # functions of each distance
_RADIAL = 1 + 2 * _BESSEL
_PATHS = ((0, 0, 0), (1, 1, 0), (2, 2, 0),
          (0, 1, 1), (1, 0, 1), (1, 1, 1), (1, 2, 1), (2, 1, 1), (2, 2, 1),
          (0, 2, 2), (1, 1, 2), (1, 2, 2), (2, 0, 2), (2, 1, 2), (2, 2, 2))  # fmt: skip


class EignnLayer(nn.Module):
    """One of the layers, in two halves: after the first, neighbours read the new u.

    Args:
        width: number of scalars.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        along_scale: Tensor
        couplings: Tensor
        path: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.gate = nn.Linear(2 * width + _RADIAL, width)
        self.gate_of_order = nn.Linear(width, 3)
        self.renewal = nn.Linear(width + 3, width)
        self.path_weight = nn.Parameter(torch.randn(len(_PATHS)))
        self.filter = nn.Linear(_RADIAL + 6, width)
        self.message = nn.Linear(width, width)
        self.norm_weight = nn.Parameter(torch.ones(width))
        self.norm_bias = nn.Parameter(torch.zeros(width))
        self.mean_scale = nn.Parameter(torch.ones(width))
        self.vector_norm: nn.Module = EquivariantBatchNorm(2, 1, momentum=0.1)
        # Constants stay in float64 until they are used, for models that are converted to it.
        orders = torch.tensor([1.0, 3.0, 5.0], dtype=torch.float64)
        self.register_buffer("along_scale", orders.rsqrt(), persistent=False)
        couplings, path = _couplings()
        self.register_buffer("couplings", couplings, persistent=False)
        self.register_buffer("path", path, persistent=False)

    def deploy(self) -> None:
        """Replace the batch norm by the affine map that it is."""
        factor, offset = cast(EquivariantBatchNorm, self.vector_norm).deployed()
        self.vector_norm = _Affine(_of_orders(factor[:, 0]), offset.offset)

    def first(self, h: Tensor, u: Tensor, graph: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """From edges to vectors of particles.

        Args:
            h: [n_all, width].
            u: [n_all, 9].
            graph: see `glassml.models.Eignn`.

        Returns:
            New h [n, width] and u [n, 9], and the gates [E', 3].
        """
        sender, receiver, radial, harmonics, share = graph[1:]
        n, width = share.shape[0], self.width
        weight = self.gate.weight
        of_receiver = nn.functional.linear(h[:n], weight[:, :width], self.gate.bias)
        of_sender = nn.functional.linear(h, weight[:, width : 2 * width])
        hidden = nn.functional.linear(radial, weight[:, 2 * width :])
        hidden = hidden + of_receiver.index_select(0, receiver) + of_sender.index_select(0, sender)
        gates = nn.functional.silu(self.gate_of_order(nn.functional.silu(hidden)))
        around = sums(_of_orders(gates) * harmonics, receiver, share) * share
        products = (u[:n].unsqueeze(2) * around.unsqueeze(1)).flatten(1) @ self.couplings.to(
            u.dtype
        )
        h = self.renewal(torch.cat([h[:n], products[:, :3]], dim=1))
        weighted = products * self.path_weight[self.path]
        parts = [weighted[:, :3].sum(dim=1, keepdim=True) / math.sqrt(3)]
        parts.append(weighted[:, 3:21].reshape(-1, 6, 3).sum(dim=1) / math.sqrt(6))
        parts.append(weighted[:, 21:].reshape(-1, 6, 5).sum(dim=1) / math.sqrt(6))
        return h, torch.cat(parts, dim=1), gates

    def second(
        self, h: Tensor, u: Tensor, gates: Tensor, graph: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Messages between scalars.

        Args:
            h: [n_all, width].
            u: [n_all, 9].
            gates: [E', 3] of `first`.
            graph: see `glassml.models.Eignn`.

        Returns:
            New h [n, width], to be normalised, and the normalised u [n, 9].
        """
        sender, receiver, radial, harmonics, share = graph[1:]
        n = share.shape[0]
        there = u.index_select(0, sender)
        along = _dot(harmonics, there) * gates * self.along_scale.to(u.dtype)
        change = u.index_select(0, receiver) - there
        known = torch.cat([radial, along, _dot(change, change)], dim=1)
        sent = nn.functional.silu(self.message(h)).index_select(0, sender)
        messages = torch.sigmoid(self.filter(known)) * sent
        h = h[:n] + sums(messages, receiver, share) * share
        return h, self.vector_norm(u[:n])

    def graph_norm(self, h: Tensor, mean: Tensor, square: Tensor) -> Tensor:
        """Scalars h, less a part of their mean, over their deviation from that: [n, width].

        Args:
            h: [n, width].
            mean: [width] of h over the system, in any precision.
            square: [width] mean of its squares.
        """
        scale = self.mean_scale.to(mean.dtype)
        variance = square - (2 * scale - scale * scale) * mean * mean
        factor = self.norm_weight * torch.rsqrt(variance + 1e-5).to(h.dtype)
        return factor * (h - (scale * mean).to(h.dtype)) + self.norm_bias


class _Affine(nn.Module):
    """Features times a factor each, the first of them shifted.

    Args:
        factor: [9].
        offset: [1].
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        factor: Tensor
        offset: Tensor

    def __init__(self, factor: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor)
        self.register_buffer("offset", nn.functional.pad(offset, [0, len(factor) - len(offset)]))

    def forward(self, features: Tensor) -> Tensor:
        """[n, 9] to [n, 9]."""
        return features * self.factor + self.offset


def sums(values: Tensor, receiver: Tensor, share: Tensor) -> Tensor:
    """Sums over the edges of each receiver: [E', C] to [n, C]."""
    return values.new_zeros(share.shape[0], values.shape[1]).index_add(0, receiver, values)


def harmonics_of(vector: Tensor) -> Tensor:
    """Real spherical harmonics of l = 0, 1, 2 as e3nn's, component-normalised: [n, 3] to [n, 9].

    Those of l > 0 are 0 for the vector 0.
    """
    r = torch.linalg.vector_norm(vector, dim=1, keepdim=True)
    x, y, z = (vector / torch.where(r > 0, r, torch.ones_like(r))).unbind(1)
    root3, root5, root15 = math.sqrt(3), math.sqrt(5), math.sqrt(15)
    return torch.stack(
        [
            torch.ones_like(x), root3 * x, root3 * y, root3 * z, root15 * x * z, root15 * x * y,
            root5 * (y * y - 0.5 * (x * x + z * z)), root15 * y * z, 0.5 * root15 * (z * z - x * x),
        ],
        dim=1,
    )  # fmt: skip


def distances(edges: Tensor, reach: float) -> Tensor:
    """|w| - |v| and the Bessel functions of |w| and of |v|: [E, 7] to [E, 17]."""
    v = torch.linalg.vector_norm(edges[:, :3], dim=1)
    w = edges[:, 3]
    return torch.cat([(w - v).unsqueeze(1), _bessel(w, reach), _bessel(v, reach)], dim=1)


def _bessel(r: Tensor, reach: float) -> Tensor:
    """sqrt(2 / c) sin(n pi r / c) / r for n = 1..8, 0 beyond c: [E] to [E, 8].

    Sines of multiples follow from the first by sin(n a) = 2 cos(a) sin((n-1) a) - sin((n-2) a).
    """
    angle = r * (math.pi / reach)
    inside = (r > 0) & (r < reach)
    scale = torch.where(inside, math.sqrt(2 / reach) / torch.where(inside, r, 1.0), 0.0)
    twice, before, now = 2 * torch.cos(angle), torch.zeros_like(r), torch.sin(angle) * scale
    values = [now]
    for _ in range(7):
        before, now = now, twice * now - before
        values.append(now)
    return torch.stack(values, dim=1)


def _of_orders(values: Tensor) -> Tensor:
    """A value of each degree, [..., 3], repeated for its orders: [..., 9]."""
    l0, l1, l2 = values[..., :1], values[..., 1:2], values[..., 2:]
    return torch.cat([l0, l1, l1, l1, l2, l2, l2, l2, l2], dim=-1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Products [n, 9] summed over the orders of each degree: [n, 3]."""
    product = a * b
    parts = [product[:, 0], product[:, 1:4].sum(dim=1), product[:, 4:].sum(dim=1)]
    return torch.stack(parts, dim=1)


def _couplings() -> tuple[Tensor, Tensor]:
    """The tensor products of all paths as one matrix, and the path of each of its columns.

    Returns:
        [81, 51], from products of orders of u (slow) and of U (fast), component-normalised as
        e3nn's FullTensorProduct; int64 [51].
    """
    blocks, path = [], []
    for p, (l1, l2, l) in enumerate(_PATHS):
        block = torch.zeros(9, 9, 2 * l + 1, dtype=torch.float64)
        wigner = o3.wigner_3j(l1, l2, l, dtype=torch.float64) * math.sqrt(2 * l + 1)
        block[l1**2 : (l1 + 1) ** 2, l2**2 : (l2 + 1) ** 2] = wigner
        blocks.append(block)
        path += [p] * (2 * l + 1)
    return torch.cat(blocks, dim=2).reshape(81, -1), torch.tensor(path)

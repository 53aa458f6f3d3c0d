"""Gates: features multiplied by functions of the particle's own invariants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from glassml.nn.layout import degrees, invariants

__all__ = ["Gate", "NoGate"]


class Gate(nn.Module):
    """Multiplies the features of every l and channel by a learned factor between 0 and 2.

    The factor is a function of the rotation-invariant part of the particle's features and of its
    inputs, as in gated nonlinearities (M. Weiler et al., NeurIPS 31, 2018), so the
    result is as equivariant as the features. Sums over neighbours alone cannot multiply two
    properties of the same particle, such as the force on it and the stiffness of its cage. Before
    training the factor is 1.

    Args:
        l_max: highest order of the features.
        channels: number of channels C of every order.
        n_inputs: number of plain scalars.
        hidden: width of the hidden layer.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        degree: Tensor

    def __init__(self, l_max: int, channels: int, n_inputs: int, hidden: int) -> None:
        super().__init__()
        self.l_max = l_max
        self.channels = channels
        self.n_features = (l_max + 1) ** 2 * channels
        width = (l_max + 1) * channels
        self.first = nn.Linear(width + n_inputs, hidden)
        self.second = nn.Linear(hidden, width)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)
        self.register_buffer("degree", degrees(l_max), persistent=False)

    def forward(self, state: Tensor) -> Tensor:
        """Gate a state [n, (l_max + 1)^2 C + n_inputs]; its plain scalars remain as they are."""
        features, inputs = state[:, : self.n_features], state[:, self.n_features :]
        own = torch.cat([invariants(features, self.l_max, self.channels), inputs], dim=1)
        factor = 2 * torch.sigmoid(self.second(nn.functional.silu(self.first(own))))
        factor = factor.reshape(features.shape[0], self.l_max + 1, self.channels)
        gated = features * factor.index_select(1, self.degree).reshape(features.shape)
        return torch.cat([gated, inputs], dim=1)


class NoGate(nn.Module):
    """Leaves a state as it is."""

    def forward(self, state: Tensor) -> Tensor:
        """The same state [n, W]."""
        return state

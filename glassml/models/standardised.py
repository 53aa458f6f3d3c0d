"""Networks that see standardised scalars and labels, and take and predict physical units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from glassml.models.contract import GlassModel

__all__ = ["StandardisedModel"]


class StandardisedModel(GlassModel):
    """Keeps means and scales; a subclass calls ``_add_scales`` and applies them."""

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        label_mean: Tensor
        label_scale: Tensor
        scalar_mean: Tensor
        scalar_scale: Tensor

    def _add_scales(self) -> None:
        """Mean and scale of labels and scalar inputs; 0 and 1 until training sets them."""
        n_scalars = len(self.scalar_inputs)
        self.register_buffer("label_mean", torch.zeros(self.n_species, self.n_times))
        self.register_buffer("label_scale", torch.ones(self.n_species, self.n_times))
        self.register_buffer("scalar_mean", torch.zeros(n_scalars))
        self.register_buffer("scalar_scale", torch.ones(n_scalars))

    @torch.jit.unused
    def trial_scalars(self, n: int, generator: torch.Generator) -> Tensor:
        """Scalar inputs with mean and scale of the training data: float64 [n, S]."""
        return super().trial_scalars(n, generator) * self.scalar_scale + self.scalar_mean

    @torch.jit.unused
    def set_label_scale(self, mean: Tensor, scale: Tensor) -> None:
        """Mean and scale [species, T] [length] of the labels, by which they are standardised."""
        self.label_mean.copy_(mean)
        self.label_scale.copy_(scale)

    @torch.jit.unused
    def set_scalar_scale(self, mean: Tensor, scale: Tensor) -> None:
        """Mean and scale [S] by which the scalar inputs are standardised."""
        self.scalar_mean.copy_(mean)
        self.scalar_scale.copy_(scale)

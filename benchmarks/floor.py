"""The least work that a prediction needs, and how fast this machine does such work at best."""

from __future__ import annotations

from typing import cast

import torch

from benchmarks.systems import Inputs
from glassml.models import SE3GNN
from glassml.nn import EquivariantConvolution
from glassml.nn.ops import convolution_paths

__all__ = ["multiply_adds", "product_multiply_adds", "product_of_matrices"]

_SIDE = 1024


def multiply_adds(model: SE3GNN, inputs: Inputs) -> float:
    """Multiply-adds of the sums over neighbours, which dominate a prediction.

    For every edge, path (l_O, l_I, l_F) and channel either the product of filter and feature,
    2 l_I + 1 of them, times the spherical harmonics, (2 l_I + 1) (2 l_F + 1); or, where that is
    less, features times couplings, (2 l_I + 1) (2 l_O + 1), and their sums times the filter, 2 l_O
    + 1, the couplings taking two multiply-adds each for all channels. What applies once a particle
    is left out, as is the filter itself: the floor of a kernel that reads it from a table.
    """
    n_edges = inputs[2].shape[0]
    count = 0
    for module in model.convolutions:
        convolution = cast(EquivariantConvolution, module)
        paths = convolution_paths(convolution.l_in, convolution.l_max)
        for l_out, l_in, l_filter in paths:
            products = model.channels * (2 * l_in + 1) * (2 * l_filter + 2)
            couplings = (2 * l_in + 1) * (2 * l_out + 1)
            coupled = model.channels * (couplings + 2 * l_out + 1) + 2 * couplings
            count += min(products, coupled)
        count += model.n_inputs * (convolution.l_max + 1) ** 2
    return float(n_edges * count)


def product_of_matrices() -> torch.Tensor:
    """A float32 product of two matrices: how fast the machine multiplies and adds in practice."""
    return torch.ones(_SIDE, _SIDE) @ torch.ones(_SIDE, _SIDE)


def product_multiply_adds() -> float:
    """Multiply-adds of `product_of_matrices`."""
    return float(_SIDE**3)

"""Building blocks: layouts, radial networks, the convolution layer, norms, gates, perceptrons."""

from __future__ import annotations

from glassml.nn.batchnorm import EquivariantBatchNorm
from glassml.nn.convolution import EquivariantConvolution
from glassml.nn.gate import Gate, NoGate
from glassml.nn.gaussian_shells import GaussianShells, Shells, averages_over_neighbours
from glassml.nn.layout import channel_irreps, invariants, to_irreps_order
from glassml.nn.mlp import Perceptron
from glassml.nn.radial import RadialBasis, RadialNetwork, TableKnots

__all__ = [
    "EquivariantBatchNorm",
    "EquivariantConvolution",
    "Gate",
    "GaussianShells",
    "NoGate",
    "Perceptron",
    "RadialBasis",
    "RadialNetwork",
    "Shells",
    "TableKnots",
    "averages_over_neighbours",
    "channel_irreps",
    "invariants",
    "to_irreps_order",
]

"""Building blocks: layouts, radial networks, convolutions, norms, gates, structure functions."""

from __future__ import annotations

from glassml.nn.batchnorm import EquivariantBatchNorm
from glassml.nn.convolution import EquivariantConvolution
from glassml.nn.gate import Gate, NoGate
from glassml.nn.layout import channel_irreps, invariants, to_irreps_order
from glassml.nn.mlp import Perceptron
from glassml.nn.radial import RadialBasis, RadialNetwork, TableKnots
from glassml.nn.structure_functions import StructureFunctions

__all__ = [
    "EquivariantBatchNorm",
    "EquivariantConvolution",
    "Gate",
    "NoGate",
    "Perceptron",
    "RadialBasis",
    "RadialNetwork",
    "StructureFunctions",
    "TableKnots",
    "channel_irreps",
    "invariants",
    "to_irreps_order",
]

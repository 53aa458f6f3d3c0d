"""Building blocks: layouts, convolutions, norms, gates, structure functions, angular sums."""

from __future__ import annotations

from glassml.nn.angular_sums import AngularSums
from glassml.nn.batchnorm import EquivariantBatchNorm
from glassml.nn.convolution import EquivariantConvolution
from glassml.nn.gate import Gate, NoGate
from glassml.nn.gaussian_shells import GaussianShells, Shells, averages_over_neighbours
from glassml.nn.layout import channel_irreps, invariants, to_irreps_order
from glassml.nn.mlp import Perceptron
from glassml.nn.radial import RadialBasis, RadialNetwork, TableKnots
from glassml.nn.structure_functions import StructureFunctions
from glassml.nn.triplets import TripletLayer

__all__ = [
    "AngularSums",
    "EquivariantBatchNorm",
    "EquivariantConvolution",
    "Gate",
    "GaussianShells",
    "NoGate",
    "Perceptron",
    "RadialBasis",
    "RadialNetwork",
    "Shells",
    "StructureFunctions",
    "TableKnots",
    "TripletLayer",
    "averages_over_neighbours",
    "channel_irreps",
    "invariants",
    "to_irreps_order",
]

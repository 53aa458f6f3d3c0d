"""The operators in ``torch.ops.glassml``: the fused equivariant convolution, and others.

The convolution has two forms: ``equivariant_convolution`` takes the radial weights of every edge,
``tabulated_convolution`` a table of them. Both can multiply the columns of the result by a mixing
matrix. ``edge_update`` renews edges that have a memory; ``edge_update_`` does so in place.
``shell_sums`` adds up spherical harmonics of neighbours in shells of the distance, and
``weighted_sums`` adds up values of neighbours, all columns with the same weight.

`load` registers all of them once per process: from the native library (csrc/) if `glassml build`
has compiled it, else from the PyTorch reference; for the convolution of tensors on GPUs from
cuEquivariance if that is installed. Results agree to rounding.
"""

from __future__ import annotations

from glassml.nn.ops.loading import backend, cuda_backend, load
from glassml.nn.ops.paths import (
    LARGEST_L,
    clebsch_gordan,
    convolution_paths,
    n_radial,
    output_columns,
    state_width,
)

__all__ = [
    "LARGEST_L",
    "backend",
    "clebsch_gordan",
    "convolution_paths",
    "cuda_backend",
    "load",
    "n_radial",
    "output_columns",
    "state_width",
]

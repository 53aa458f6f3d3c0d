"""How closely results must agree, relative to the largest value, and why."""

from __future__ import annotations

from typing import Final

from glassml.export import Manifest

__all__ = [
    "E3NN_FLOAT64",
    "FLOAT32",
    "PYG_FLOAT64",
    "REGRESSION_FLOAT32",
    "TABLE_GRADIENT",
    "TABLE_OUTPUT",
    "TABLE_TRAINED",
    "fast_path",
]

# Some thousand operations on numbers of order one leave 1e-14; another network differs by 1e-2.
E3NN_FLOAT64: Final = 1e-10
PYG_FLOAT64: Final = 1e-10

# The bound of the project for the fast path; rounding in float32 causes about 1e-6.
FLOAT32: Final = 1e-5

# Ridge regressions with a small penalty have large weights of both signs, which enlarge rounding in
# the descriptors, whose sums LAMMPS and Python add in another order.
REGRESSION_FLOAT32: Final = 1e-4

# Training on a table with this many knots, against radial networks on every edge, as stated in
# docs/howto/training.md. Gradients jump where a hidden unit becomes active, which is between knots.
TABLE_TRAINED: Final = 513
TABLE_OUTPUT: Final = 1e-2
TABLE_GRADIENT: Final = 1e-1


def fast_path(manifest: Manifest) -> float:
    """The tolerance for an exported model against its network in float32.

    A model whose radial networks were baked into tables states its bound in the manifest, from the
    network in float64; rounding of the network in float32 comes on top.
    """
    table = manifest.radial_table
    return FLOAT32 + table.tolerance if table else FLOAT32

"""A configuration as a model sees it: one of its structures, with scalars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glassml.data.configuration import Configuration
from glassml.errors import InputError

__all__ = ["POSITIONS", "THERMAL", "view_of"]

THERMAL = "thermal"  # the configuration's own positions

# The positions that a model can be trained on.
POSITIONS = (THERMAL, "inherent", "cage")


def view_of(configuration: Configuration, positions: str = THERMAL) -> Configuration:
    """The configuration as seen by a model that reads these positions.

    Args:
        configuration: N particles.
        positions: one of `POSITIONS`.

    Returns:
        The configuration with ``positions`` replaced by that structure. Each of its structures
        adds a scalar ``<name>_displacement`` [N] [length], the distance of each particle from its
        thermal position. Structures and final positions are left out.

    Raises:
        InputError: the configuration has no such structure.
    """
    if positions != THERMAL and positions not in configuration.structures:
        known = ", ".join(configuration.structures) or "none"
        raise InputError(
            f"{configuration.name}: structures: expected {positions!r}, which the model reads; "
            f"found {known}. `glassml quench` finds inherent structures"
        )
    displacements = {
        f"{name}_displacement": np.linalg.norm(other - configuration.positions, axis=1)
        for name, other in configuration.structures.items()
    }
    return replace(
        configuration,
        positions=configuration.structures.get(positions, configuration.positions),
        scalars={**displacements, **configuration.scalars},
        structures={},
        final_positions=None,
    )

"""What a model is given of a configuration: one of its structures, and scalars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glassml.data.configuration import Configuration
from glassml.errors import InputError

__all__ = ["POSITIONS", "THERMAL", "view_of"]

THERMAL = "thermal"  # the configuration's own positions

# Positions that a model may be trained on.
POSITIONS = (THERMAL, "inherent", "cage")


def view_of(configuration: Configuration, positions: str = THERMAL) -> Configuration:
    """The configuration as a model that reads these positions sees it.

    Args:
        configuration: N particles.
        positions: one of `POSITIONS`.

    Returns:
        The configuration with ``positions`` replaced by that structure, and with a scalar
        ``<name>_displacement`` [N] [length] for each of its structures: how far each particle is
        from its thermal position there. Structures and what belongs to all runs are dropped.

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

"""A configuration as a model sees it: one of its structures, with scalars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glassml.data.configuration import Configuration
from glassml.data.windows import AVERAGE, WINDOW_SCALARS, number_of_windows, window_name
from glassml.errors import InputError

__all__ = ["POSITIONS", "THERMAL", "shift_names", "view_of"]

#: The name of a configuration's own positions.
THERMAL = "thermal"

#: The positions that a model can be trained on.
POSITIONS = (THERMAL, AVERAGE, "inherent", "cage")

# What each window has one of. (A user's `x` and `x_2` are two scalars.)
_OF_WINDOWS = (AVERAGE, *WINDOW_SCALARS, "potential_energy")

# Which command makes a structure.
_MADE_BY = {AVERAGE: "`glassml average`", "inherent": "`glassml quench`"}


def shift_names(structure: str) -> tuple[str, str, str]:
    """Names of the scalars that are the vector from a thermal position to that of a structure."""
    return f"{structure}_shift_x", f"{structure}_shift_y", f"{structure}_shift_z"


def view_of(
    configuration: Configuration, positions: str = THERMAL, window: int = 1
) -> Configuration:
    """The configuration as seen by a model that reads these positions.

    Args:
        configuration: N particles.
        positions: one of `POSITIONS`.
        window: number of the window that averaged positions and their scalars come from; 1 for
            other positions, which belong to the first window alone.

    Returns:
        The configuration with ``positions`` replaced by that structure. Each of its structures
        adds scalars [N] [length]: the components ``<name>_shift_x``, ``_y`` and ``_z`` of the
        vector from the thermal position of each particle to that in the structure, and their norm
        ``<name>_displacement`` (of averaged positions only this). Structures and final positions
        are left out.

    Raises:
        InputError: the configuration has no such structure, or no such window.
    """
    if window > 1 and positions != AVERAGE:
        raise InputError(
            f"{configuration.name}: window: expected 1 for {positions} positions, which belong to "
            f"the first window; found {window}"
        )
    structures, scalars = _in_window(configuration, window)
    if positions != THERMAL and positions not in structures:
        known = ", ".join(configuration.structures) or "none"
        made_by = _MADE_BY.get(positions)
        raise InputError(
            f"{configuration.name}: structures: expected {positions!r}, which the model reads; "
            f"found {known}" + (f". {made_by} adds them" if made_by else "")
        )
    moves: dict[str, np.ndarray] = {}
    for name, other in structures.items():
        shift = other - configuration.positions
        moves[f"{name}_displacement"] = np.linalg.norm(shift, axis=1)
        if name != AVERAGE:
            moves.update(zip(shift_names(name), shift.T, strict=True))
    return replace(
        configuration,
        positions=structures.get(positions, configuration.positions),
        scalars={**moves, **scalars},
        structures={},
        final_positions=None,
    )


def _in_window(
    configuration: Configuration, window: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Structures and scalars under their plain names, those of averages from one window."""
    structures, scalars = dict(configuration.structures), dict(configuration.scalars)
    number = number_of_windows(configuration)
    if window > max(number, 1):
        raise InputError(
            f"{configuration.name}: window: expected a number up to {number}; found {window}"
        )
    for fields in (structures, scalars):
        for k in range(2, number + 1):
            both = (n for n in _OF_WINDOWS if n in fields and window_name(n, k) in fields)
            for name in both:
                value = fields.pop(window_name(name, k))
                if k == window:
                    fields[name] = value
    return structures, scalars

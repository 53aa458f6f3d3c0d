"""The temperature of moving atoms, for the comparison with the training data of a model."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units

__all__ = ["temperature_of"]


def temperature_of(atoms: Atoms, length_unit: str) -> float | None:
    """The temperature that follows from the velocities, as in `glassml.domain.Domain`.

    Args:
        atoms: N particles.
        length_unit: unit of length of the model. With "lj" the temperature is in units of
            epsilon = 1 eV, else in K.

    Returns:
        None for atoms at rest, and for a model in LJ units unless all masses are 1: then velocities
        may be in other units than the energy.
    """
    reduced = length_unit == "lj"
    if len(atoms) < 2 or not atoms.get_momenta().any():
        return None
    if reduced and not np.all(atoms.get_masses() == 1.0):
        return None
    return float(atoms.get_temperature() * (units.kB if reduced else 1.0))

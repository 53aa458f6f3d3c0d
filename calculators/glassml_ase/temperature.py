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
    momenta = atoms.get_momenta()
    if len(atoms) < 2 or not momenta.any():
        return None
    if reduced and not np.all(atoms.get_masses() == 1.0):
        return None
    freedom = atoms.get_number_of_degrees_of_freedom()
    if not atoms.constraints:  # in two dimensions nothing moves out of the plane
        freedom -= len(atoms) * int((~momenta.any(axis=0)).sum())
    energy = 2 * atoms.get_kinetic_energy() / freedom
    return float(energy if reduced else energy / units.kB)

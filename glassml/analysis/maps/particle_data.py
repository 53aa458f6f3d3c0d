"""Values of particles in Atoms that were read from a file: labels, predictions and columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms

from glassml.data import Configuration, SpeciesMap, configuration_from_atoms
from glassml.data.stated_species import has_types_alone, species_by_symbol, species_in_file
from glassml.errors import InputError
from glassml.physics import column_of
from glassml.physics.units import METRES

__all__ = ["TimedValues", "column_values", "labels_in", "predictions_in", "read_atoms"]

_SIZES = ("diameter", "radius")


@dataclass(frozen=True)
class TimedValues:
    """Propensities at several times.

    Attributes:
        name: of the values, which is the heading of their map.
        times: [T] [time].
        values: [N, T] [length].
    """

    name: str
    times: np.ndarray
    values: np.ndarray

    def at(self, time: float) -> np.ndarray | None:
        """The values [N] at a time; None if there are none."""
        column = column_of(time, self.times)
        return None if column is None else self.values[:, column]


def labels_in(atoms: Atoms) -> TimedValues | None:
    """The labels of atoms, whose times are in ``info["times"]``; None if there are none."""
    name = "propensity_label" if "propensity_model" in atoms.info else "propensity"
    return _timed(atoms, "true", name, "times")


def predictions_in(atoms: Atoms, length_unit: str) -> TimedValues | None:
    """The predictions that `glassml predict` wrote; None if there are none.

    Args:
        atoms: N particles.
        length_unit: unit of the values that are returned, if that of the file can be converted.
    """
    if "propensity_model" not in atoms.info:
        return None
    found = _timed(atoms, "predicted", "propensity", "propensity_times")
    unit = atoms.info.get("propensity_unit")
    if found is None or unit not in METRES or length_unit not in METRES:
        return found
    return replace(found, values=found.values * (METRES[unit] / METRES[length_unit]))


def column_values(atoms: Atoms, name: str) -> np.ndarray | None:
    """The values [N] of a per-particle column; None if there is no such column.

    Args:
        atoms: N particles.
        name: of an array or a per-particle result. Of an array with several columns, ``name[k]``
            is the k-th, from 1, as in LAMMPS.

    Raises:
        InputError: the array has several columns and none is chosen, or fewer than the chosen one.
    """
    results = getattr(atoms.calc, "results", {})
    known = {**results, **atoms.arrays}
    base, number = name, None
    if name not in known and (found := re.fullmatch(r"(.+)\[(\d+)\]", name)):
        base, number = found[1], int(found[2])
    if base not in known:
        return None
    values = np.asarray(known[base])
    if values.shape[:1] != (len(atoms),) or values.dtype.kind not in "fiub":
        raise InputError(
            f"--column: {name}: expected a number per particle; found {values.dtype} of shape "
            f"{list(values.shape)}"
        )
    columns = values.reshape(len(atoms), -1).astype(np.float64)
    if number is None and columns.shape[1] > 1:
        raise InputError(
            f"--column: {name}: expected the number of one of its {columns.shape[1]} columns, "
            f"such as '{name}[1]'; found none"
        )
    if number is not None and not 1 <= number <= columns.shape[1]:
        raise InputError(
            f"--column: {name}: expected a number from 1 to {columns.shape[1]}; found {number}"
        )
    return columns[:, 0 if number is None else number - 1]


def read_atoms(
    atoms: Atoms, species: str | None, length_unit: str | None, name: str
) -> Configuration:
    """The configuration of atoms from a file, with the names and sizes of particles in it.

    Args:
        atoms: N particles.
        species: names of the species (see `SpeciesMap.parse`). None: those in the file, else "type
            1", "type 2", ... in LAMMPS dumps without elements, else the chemical symbols.
        length_unit: unit of the positions, if the file does not state it.
        name: of the frame, for messages.

    Raises:
        InputError: as `configuration_from_atoms`.
    """
    sizes = [size for size in _SIZES if size in atoms.arrays]
    # `glassml predict` takes the positions of a file without units for angstrom, ASE's unit, unless
    # the model is in LJ units.
    predicted = atoms.info.get("propensity_unit", "lj")
    unit = atoms.info.get("length_unit") or ("lj" if predicted == "lj" else "angstrom")
    return configuration_from_atoms(
        atoms, _species(atoms, species, name), sizes, length_unit=length_unit or unit, name=name
    )


def _species(atoms: Atoms, given: str | None, name: str) -> SpeciesMap:
    if given is not None:
        return SpeciesMap.parse(given)
    found = species_in_file(atoms, name)
    if found is not None:
        return found
    if has_types_alone(atoms):
        return SpeciesMap([f"type {k + 1}" for k in range(int(atoms.arrays["type"].max()))])
    return species_by_symbol(atoms)


def _timed(atoms: Atoms, name: str, array: str, times: str) -> TimedValues | None:
    if array not in atoms.arrays or times not in atoms.info:
        return None
    values = np.asarray(atoms.arrays[array], dtype=np.float64).reshape(len(atoms), -1)
    known = np.atleast_1d(np.asarray(atoms.info[times], dtype=np.float64))
    return TimedValues(name, known, values) if values.shape[1] == len(known) else None

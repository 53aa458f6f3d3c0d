"""Names of species that a file gives: for its types, or for each particle."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from glassml.data.stated_species import SPECIES_LABEL, note_names, numbers_of_types
from glassml.errors import InputError

__all__ = ["atoms_of_species", "filled_names", "names_of_types"]

# LAMMPS calls all particles by this name, whatever their type, unless `dump_modify element` was
# used.
_DEFAULT_ELEMENT = "C"


def names_of_types(where: str, types: np.ndarray, labels: np.ndarray, column: str) -> list[str]:
    """The names of the types 1, 2, ... from the label of every particle.

    Args:
        where: the frame.
        types: [N].
        labels: [N] text.
        column: that the labels are from.

    Returns:
        One name a type; none if they are LAMMPS' default for all elements.

    Raises:
        InputError: particles of one type have different labels.
    """
    found: dict[int, str] = {}
    for number in np.unique(types).tolist():
        here = np.unique(labels[types == number]).tolist()
        if len(here) > 1:
            raise InputError(
                f"{where}: {column}: expected one name for the particles of type {number}; found "
                f"{here[0]!r} and {here[1]!r}"
            )
        found[number] = str(here[0])
    if column == "element" and len(found) > 1 and set(found.values()) == {_DEFAULT_ELEMENT}:
        return []
    return filled_names(found)


def filled_names(found: Mapping[int, str]) -> list[str]:
    """The names of the types 1, 2, ...; a type that has none, has no particles either."""
    if not found:
        return []
    any_name = next(iter(found.values()))
    return [found.get(number, any_name) for number in range(1, max(found) + 1)]


def atoms_of_species(
    types: np.ndarray | None, names: list[str], labels: np.ndarray | None = None
) -> Atoms:
    """Atoms with their types and the names of their species, at the origin.

    Args:
        types: [N]; None if the file has none, but labels.
        names: of the types; empty if the file has none.
        labels: [N], used without types; numbers are types.
    """
    if types is None:
        assert labels is not None, "a file has types or labels"
        unique, kinds = np.unique(labels, return_inverse=True)
        if all(label.isdigit() for label in unique.tolist()):
            return atoms_of_species(labels.astype(np.int64), [])
        numbers = _elements(unique.tolist(), kinds + 1)
        atoms = Atoms(numbers=numbers)
        atoms.set_array(SPECIES_LABEL, labels)
        return atoms
    atoms = Atoms(numbers=_elements(names, types))
    atoms.set_array("type", types)
    if names:
        note_names(atoms, names)
    return atoms


def _elements(names: list[str], types: np.ndarray) -> np.ndarray:
    """Atomic numbers [N], if all names of types are chemical symbols; else the types."""
    if names and all(name in atomic_numbers for name in names):
        return np.array([atomic_numbers[name] for name in names])[types - 1]
    return numbers_of_types(types)

"""The species of particles as a file states them, and as the user does: one must fit the other.

Readers leave names in one of two places: ``info["species_names"]`` has those of the types 1, 2, ...
in ``arrays["type"]``, joined by commas; and the array `SPECIES_LABEL` that of each particle, for
files with names but without types.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from glassml.data.species import SpeciesMap
from glassml.errors import InputError

__all__ = [
    "SPECIES_LABEL",
    "has_types_alone",
    "labels_for",
    "names_of_particles",
    "note_names",
    "numbers_of_types",
    "species_by_symbol",
    "species_in_file",
    "symbols_of",
]

SPECIES_LABEL = "species_label"

_NAMES = "species_names"
_LARGEST = len(chemical_symbols) - 1  # atomic number


def numbers_of_types(types: np.ndarray) -> np.ndarray:
    """Atomic numbers [N] for types: the same numbers, as in ASE, and 0 ("X") where there is none.

    The types themselves belong into ``arrays["type"]``.
    """
    return np.where((types >= 0) & (types <= _LARGEST), types, 0)


def symbols_of(atoms: Atoms) -> list[str]:
    """The chemical symbol of each atom, "X" for numbers that are none of an element."""
    return [chemical_symbols[number] for number in numbers_of_types(atoms.numbers).tolist()]


def has_types_alone(atoms: Atoms) -> bool:
    """Whether the atomic numbers are types, as of files without elements: H and He for 1 and 2."""
    types = atoms.arrays.get("type")
    return types is not None and np.array_equal(numbers_of_types(types), atoms.numbers)


def species_by_symbol(atoms: Atoms) -> SpeciesMap:
    """Each chemical symbol that occurs as a species of its own."""
    return SpeciesMap({symbol: symbol for symbol in sorted(set(symbols_of(atoms)))})


def note_names(atoms: Atoms, names: Sequence[str]) -> None:
    """Note the names of the types 1, 2, ... in ``info``."""
    # Joined by commas, names with commas would become others.
    atoms.info[_NAMES] = tuple(names) if any("," in name for name in names) else ",".join(names)


def species_in_file(atoms: Atoms, where: str) -> SpeciesMap | None:
    """The species that a file names; None if it names none.

    Raises:
        InputError: a name cannot be that of a species.
    """
    labels = atoms.arrays.get(SPECIES_LABEL)
    names = _names_of_types(atoms) if labels is None else np.unique(labels).tolist()
    if names is None:
        return None
    for name in names:
        if not name or set(name) & set(",="):
            raise InputError(
                f"{where}: species: expected names without commas and equals signs; found {name!r} "
                "in the file. Give other names for its types 1, 2, ..., such as --species A,B"
            )
    return SpeciesMap(names) if labels is None else SpeciesMap({name: name for name in names})


def labels_for(atoms: Atoms, species: SpeciesMap, where: str) -> np.ndarray:
    """The labels [N] of particles that a map of species refers to: types, names or symbols.

    Names in the file are used if the map has all of them; else chemical symbols.

    Args:
        atoms: N particles.
        species: the map.
        where: the frame, for messages.

    Raises:
        InputError: the file calls particles by one name of the map, and the map by another one.
    """
    named = names_of_particles(atoms)
    if SPECIES_LABEL in atoms.arrays and species.by_type and "type" not in atoms.arrays:
        return _types_by_name(atoms.arrays[SPECIES_LABEL], species, where)
    if species.by_type:
        labels = np.asarray(atoms.arrays.get("type", atoms.numbers))
    elif named is not None and set(named.tolist()) <= set(species.labels):
        return named
    else:
        labels = np.array(symbols_of(atoms))
    if named is not None:
        _check_agreement(named, labels, species, where)
    return labels


def _names_of_types(atoms: Atoms) -> list[str] | None:
    found = atoms.info.get(_NAMES)
    if found is None:
        return None
    if isinstance(found, list | tuple | np.ndarray):
        return [str(name) for name in found]
    return [name.strip() for name in str(found).split(",")]


def names_of_particles(atoms: Atoms) -> np.ndarray | None:
    """The name [N] that the file gives each particle; None if it gives none to some."""
    if SPECIES_LABEL in atoms.arrays:
        return np.asarray(atoms.arrays[SPECIES_LABEL])
    names, types = _names_of_types(atoms), atoms.arrays.get("type", atoms.numbers)
    if names is None or not np.isin(types, np.arange(1, len(names) + 1)).all():
        return None
    return np.array(names)[np.asarray(types, np.int64) - 1]


def _types_by_name(labels: np.ndarray, species: SpeciesMap, where: str) -> np.ndarray:
    """The first types that have these names."""
    types = {name: number for number, name in reversed(list(species.items))}
    unique, inverse = np.unique(labels, return_inverse=True)
    for label in unique.tolist():
        if label not in types:
            raise InputError(
                f"{where}: species: expected names of the file's particles, as it has no types; "
                f"found {', '.join(map(str, species.names))} for {', '.join(unique.tolist())}. "
                f'Say which is which, such as --species "{label}={species.names[0]}"'
            )
    return np.array([types[label] for label in unique.tolist()])[inverse]


def _check_agreement(
    named: np.ndarray, labels: np.ndarray, species: SpeciesMap, where: str
) -> None:
    """Names that only one side knows are a translation; those that both know must agree."""
    given = dict(species.items)
    pairs = {(label, name) for label, name in zip(labels.tolist(), named.tolist(), strict=True)}
    known = set(given.values())
    for label, name in sorted(pairs, key=str):
        if label in given and name != given[label] and name in known:
            raise InputError(
                f"{where}: species: expected names that agree with those in the file, which calls "
                f"{'type' if species.by_type else 'symbol'} {label} {name!r}; found "
                f"{given[label]!r}. Leave --species out to use the names in the file, or say "
                f'what each of them stands for, such as --species "{name}={given[label]},..."'
            )

"""ASE Atoms to `Configuration` and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.geometry import complete_cell
from scipy.spatial import cKDTree

from glassml.data.configuration import Configuration
from glassml.data.species import SpeciesMap
from glassml.data.stated_species import (
    SPECIES_LABEL,
    labels_for,
    note_names,
    numbers_of_types,
    symbols_of,
)
from glassml.errors import InputError
from glassml.physics import largest_distance

__all__ = [
    "atoms_from_configuration",
    "configuration_from_atoms",
    "enclosing_cell",
    "label_array",
    "name_species",
]

# Mean spacings of dense liquids in LJ units: 1 at a density of 1. In angstrom those of atoms are at
# least 1.8 (carbon), in nm at most 0.5.
_REDUCED_SPACINGS = (0.6, 1.7)
_FEWEST_PARTICLES = 16  # of a liquid; a dimer in a large box may be in any units

# Space [length] beyond the outermost particles in a direction without a cell vector.
_MARGIN = 1.0


def configuration_from_atoms(
    atoms: Atoms,
    species: SpeciesMap | Mapping[str, str] | Sequence[str],
    scalars: Sequence[str] | Mapping[str, str] = (),
    *,
    labels: bool = False,
    times: Sequence[float] | None = None,
    length_unit: str | None = None,
    name: str = "atoms",
    provenance: Mapping[str, str | int | float] | None = None,
) -> Configuration:
    """Convert ASE Atoms.

    A direction that is not periodic may lack a cell vector. It gets one that encloses the
    particles. Its length does not affect distances, as only periodic directions have images.

    Args:
        atoms: N particles.
        species: the species of each chemical symbol, or of each LAMMPS type (see `SpeciesMap`).
            Types are ``atoms.arrays["type"]`` if present, else the atomic numbers. Names that a
            file gave its particles count as symbols, and must agree with these species.
        scalars: names of inputs in ``atoms.arrays`` or ``atoms.info``, or input -> name there.
        labels: whether to take the labels (see `label_array`), ``info["times"]`` and
            ``info["n_runs"]``.
        times: replaces ``atoms.info["times"]``.
        length_unit: unit of the positions. Default: ``atoms.info["length_unit"]``, else "lj", which
            the density must agree with.
        name: the configuration's name in messages.
        provenance: see `Configuration`.

    Raises:
        InputError: no particles, a plane of particles with periodic images across it, a periodic
            direction without a cell vector, an unknown species or one that contradicts the atoms',
            a missing scalar or label, a unit that contradicts the atoms', no unit where distances
            are not those of LJ units, or NaN.
    """
    _check_structure(atoms, name)
    species_map = SpeciesMap.of(species)
    known_times, propensity, n_runs = _labels(atoms, times, name) if labels else (None, None, None)
    unit = _stated_unit(atoms, length_unit, name)
    configuration = Configuration(
        positions=atoms.get_positions(),
        cell=enclosing_cell(atoms, name),
        species=species_map.indices(labels_for(atoms, species_map, name), name),
        species_names=species_map.names,
        pbc=tuple(atoms.pbc.tolist()),
        scalars=_scalars(atoms, scalars, name),
        times=known_times,
        propensity=propensity,
        n_runs=n_runs,
        length_unit=unit or "lj",
        name=name,
        provenance=provenance or {},
    )
    if unit is None:
        _check_reduced(configuration)
    return configuration


def atoms_from_configuration(configuration: Configuration) -> Atoms:
    """Convert to ASE Atoms.

    ``arrays["type"]`` is the species index + 1. So is the atomic number, as in ASE's LAMMPS
    readers, unless the names of all species are chemical symbols. Scalars and ``propensity`` [N, T]
    are arrays; ``info`` holds ``species_names`` (joined by commas), ``length_unit`` and, with
    labels, ``times`` [T] and ``n_runs``.
    """
    types = configuration.species + 1
    elements = _elements(configuration)
    atoms = Atoms(
        numbers=numbers_of_types(types) if elements is None else elements,
        positions=configuration.positions,
        cell=configuration.cell,
        pbc=configuration.pbc,
        info={
            "species_names": ",".join(configuration.species_names),
            "length_unit": configuration.length_unit,
        },
    )
    atoms.set_array("type", types)
    for name, values in configuration.scalars.items():
        atoms.set_array(name, values)
    if configuration.propensity is not None:
        atoms.set_array("propensity", configuration.propensity)
        atoms.info["times"] = np.array(configuration.times)
    if configuration.n_runs is not None:
        atoms.info["n_runs"] = configuration.n_runs
    return atoms


def name_species(atoms: Atoms, configuration: Configuration) -> None:
    """Note the species of atoms whose chemical symbols are other than their names.

    ``info["species_names"]`` gets the names of the types 1, 2, ..., joined by commas. The types are
    ``arrays["type"]``; without this array, it is made from the species. If particles of one type
    are of several species, no names are noted. If the names are chemical symbols, the atoms get
    them.

    Args:
        atoms: N particles.
        configuration: made from these atoms.
    """
    names = np.array(configuration.species_names)
    found = names[configuration.species]
    atoms.arrays.pop(SPECIES_LABEL, None)  # the names of the model take its place
    if np.array_equal(found, symbols_of(atoms)):
        return
    if "type" not in atoms.arrays:
        atoms.set_array("type", configuration.species + 1)
    elements = _elements(configuration)
    if elements is not None:
        atoms.numbers = elements
    types = atoms.arrays["type"]
    of_types = []
    for number in range(1, int(types.max()) + 1):
        # A type without particles in this frame can have any name of a species.
        here = np.unique(found[types == number]).tolist() or [names[min(number, len(names)) - 1]]
        if len(here) > 1:
            return
        of_types.append(str(here[0]))
    note_names(atoms, of_types)


def label_array(atoms: Atoms) -> str | None:
    """Name of the array that holds the labels; None if the atoms are unlabelled.

    If ``info["propensity_model"]`` names a model, ``propensity`` is its prediction, and earlier
    labels are in ``propensity_label``.
    """
    name = "propensity_label" if "propensity_model" in atoms.info else "propensity"
    return name if name in atoms.arrays else None


def _elements(configuration: Configuration) -> np.ndarray | None:
    """Atomic numbers [N], if the names of all species are chemical symbols."""
    names = configuration.species_names
    if not all(name in atomic_numbers for name in names):
        return None
    return np.array([atomic_numbers[name] for name in names])[configuration.species]


def _check_structure(atoms: Atoms, name: str) -> None:
    """Check for particles and finite numbers, before a missing cell vector is added."""
    if len(atoms) == 0:
        raise InputError(f"{name}: positions: expected at least one particle; found none")
    _check_finite(atoms.positions, f"{name}: positions")
    _check_finite(atoms.cell.array, f"{name}: cell")


def _check_finite(values: np.ndarray, what: str) -> None:
    """Check for NaN and infinities before arithmetic with them makes numpy warn."""
    wrong = np.argwhere(~np.isfinite(values)).tolist()
    if wrong:
        raise InputError(
            f"{what}: expected finite numbers; found {values[tuple(wrong[0])]} at index "
            f"{wrong[0]} ({len(wrong)} such values)"
        )


def enclosing_cell(atoms: Atoms, name: str) -> np.ndarray:
    """The cell, with orthogonal vectors around the particles where some are missing."""
    missing = ~atoms.cell.any(axis=1)
    for axis in np.flatnonzero(missing & atoms.pbc):
        raise InputError(
            f"{name}: cell: expected a lattice vector for the periodic direction {axis + 1} "
            f"(pbc = {atoms.pbc.tolist()}); found a zero vector"
        )
    cell = complete_cell(atoms.cell.array)
    for axis in np.flatnonzero(missing):
        direction = cell[axis] / np.linalg.norm(cell[axis])
        cell[axis] = direction * (np.ptp(atoms.positions @ direction) + 2 * _MARGIN)
    return cell


def _scalars(
    atoms: Atoms, wanted: Sequence[str] | Mapping[str, str], name: str
) -> dict[str, np.ndarray]:
    sources = wanted if isinstance(wanted, Mapping) else dict(zip(wanted, wanted, strict=True))
    scalars = {}
    for scalar, source in sources.items():
        if source in atoms.arrays:
            scalars[scalar] = atoms.arrays[source]
        elif source in atoms.info:
            scalars[scalar] = np.asarray(atoms.info[source])
        else:
            raise InputError(
                f"{name}: scalar {scalar!r}: expected an array {source!r} in atoms.arrays or "
                f"atoms.info; found {sorted(atoms.arrays)} and {sorted(atoms.info)}. Name the one "
                f"that holds it, such as --scalar {scalar}=COLUMN (in Python scalars={{{scalar!r}: "
                "'COLUMN'})"
            )
    return scalars


def _labels(
    atoms: Atoms, times: Sequence[float] | None, name: str
) -> tuple[np.ndarray, np.ndarray, int | None]:
    source = label_array(atoms)
    if source is None and "propensity_model" in atoms.info:
        raise InputError(
            f"{name}: propensity: expected labels in atoms.arrays['propensity_label']; found only "
            f"predictions of the model {atoms.info['propensity_model']!r} "
            "(atoms.info['propensity_model'])"
        )
    if source is None:
        raise InputError(
            f"{name}: propensity: expected labels in atoms.arrays['propensity']; "
            f"found {sorted(atoms.arrays)}"
        )
    if times is None and "times" not in atoms.info:
        raise InputError(
            f"{name}: times: expected the times of the labels in atoms.info['times']; "
            f"found {sorted(atoms.info)}. Give the times (--time)"
        )
    known_times = np.atleast_1d(atoms.info["times"] if times is None else times)
    # extxyz files store one column like a vector.
    propensity = np.asarray(atoms.arrays[source]).reshape(len(atoms), -1)
    n_runs = atoms.info.get("n_runs")
    return known_times, propensity, None if n_runs is None else int(n_runs)


def _stated_unit(atoms: Atoms, length_unit: str | None, name: str) -> str | None:
    stated = atoms.info.get("length_unit")
    if stated is not None and length_unit is not None and stated != length_unit:
        raise InputError(
            f"{name}: length_unit: expected {length_unit!r}; "
            f"found atoms.info['length_unit'] = {stated!r}"
        )
    return length_unit or stated


def _check_reduced(configuration: Configuration) -> None:
    """Refuse to take lengths for LJ units by default if the particles are too far or too near."""
    low, high = _REDUCED_SPACINGS
    spacing = _typical_distance(configuration)
    if spacing is not None and not low <= spacing <= high:
        raise InputError(
            f"{configuration.name}: length unit: expected one, as the input states none and the "
            f"mean spacing of its particles is not that of LJ units ({low:g} to {high:g}); found "
            f"{spacing:.3g}. State it (--length-unit angstrom, nm, ..., or lj if these are LJ "
            "units; in Python length_unit=...)"
        )


def _typical_distance(configuration: Configuration) -> float | None:
    """Mean spacing of the particles; of a cluster, the distance to the nearest neighbour.

    Returns:
        None for too few particles to tell.
    """
    if configuration.n_particles < _FEWEST_PARTICLES:
        return None
    if largest_distance(configuration.cell, configuration.pbc, configuration.plane) is not None:
        return configuration.spacing
    nearest = cKDTree(configuration.positions).query(configuration.positions, k=2)[0][:, 1]
    return float(np.median(nearest))

"""From ASE Atoms to the input of a model: its species, its unit of length and its scalars."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from glassml.data import WINDOW_SCALARS, Configuration, SpeciesMap, configuration_from_atoms
from glassml.data.stated_species import SPECIES_LABEL, species_in_file, symbols_of
from glassml.errors import InputError
from glassml.export.manifest import Manifest
from glassml.physics.units import METRES

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

__all__ = ["ModelInputs", "ScalarSource"]

#: Source of a scalar, either the name of an array or of a calculator's property, or a function.
ScalarSource: TypeAlias = "str | Callable[[Atoms], np.ndarray]"

# Of `glassml.data.WINDOW_SCALARS`: the one whose samples are given, and those made from positions.
_ENERGY = "average_energy"
_FROM_WINDOW = tuple(name for name in WINDOW_SCALARS if name != _ENERGY)


class ModelInputs:
    """Turns Atoms into the configurations that one model reads.

    Args:
        manifest: the model's.
        species: chemical symbol -> species of the model, or the species of the LAMMPS types 1, 2,
            ... (see `glassml.data.SpeciesMap`); a SpeciesMap may also map names in a file.
            Symbols and types that do not occur are allowed, since not every frame holds every
            species. Default: the names in the file (``atoms.info["species_names"]``, in the order
            of types) if it has any, else the chemical symbols themselves if the model's species are
            chemical symbols.
        scalars: scalar of the model -> its source: a property of the base calculator (such as
            "energies"), an array of the atoms, a per-particle result that was read with them from
            a file, or a function of the atoms that returns [N]. Default: the array that has the
            name of the scalar.
        length_unit: unit of the positions. Default: ``atoms.info["length_unit"]``, else "lj" for
            a model in LJ units, if the density agrees, and "angstrom", the unit of ASE, for all
            others.

    Raises:
        InputError: a species or a scalar that the model does not have.
    """

    def __init__(
        self,
        manifest: Manifest,
        species: SpeciesMap | Mapping[str, str] | Sequence[str] | None = None,
        scalars: Mapping[str, ScalarSource] | None = None,
        length_unit: str | None = None,
    ) -> None:
        self.manifest = manifest
        self.length_unit = length_unit
        self.species = None if species is None else self._species_map(species)
        wanted = tuple(entry.name for entry in manifest.scalar_inputs)
        for name in scalars or {}:
            if name not in wanted:
                raise InputError(
                    f"scalars: expected inputs of the model {manifest.model} "
                    f"({', '.join(wanted) or 'none'}); found {name!r}"
                )
        self.scalars: dict[str, ScalarSource] = {name: name for name in wanted}
        self.scalars.update(scalars or {})
        self._samples = False

    def of_samples(self) -> ModelInputs:
        """The same for samples of a window, from which averages are made.

        ``vibration`` and ``average_displacement`` come from the window and are no inputs then.
        ``average_energy`` is the potential energy of each particle in the sample.

        Raises:
            InputError: one of the first two has a source.
        """
        for name in _FROM_WINDOW:
            source = self.scalars.get(name, name)
            if source != name:
                raise InputError(
                    f"scalars: {name!r}: expected no source, as it comes from the window of the "
                    f"averages; found {source!r}. Leave it out"
                )
        twin = copy.copy(self)
        twin.scalars = {k: v for k, v in self.scalars.items() if k not in _FROM_WINDOW}
        twin._samples = True
        return twin

    @property
    def sources(self) -> frozenset[str]:
        """Names in ``atoms.arrays`` and ``atoms.info`` that the inputs may depend on."""
        named = (source for source in self.scalars.values() if isinstance(source, str))
        return frozenset({"type", "species_names", SPECIES_LABEL, "length_unit", *named})

    def configuration(
        self,
        atoms: Atoms,
        name: str = "atoms",
        base: BaseCalculator | None = None,
        temperature: float | None = None,
    ) -> Configuration:
        """The configuration of these atoms, with lengths in the unit of the model.

        Args:
            atoms: N particles.
            name: name of the configuration, for messages.
            base: calculator whose per-particle properties can be sources of scalars.
            temperature: of the atoms, to be compared with that of the training data; as in
                `glassml.domain.Domain`. None if it is unknown.

        Raises:
            InputError: an unknown species, a missing scalar, or atoms that
                `glassml.data.configuration_from_atoms` refuses.
        """
        prepared, columns = self._with_scalars(atoms, base, name)
        configuration = configuration_from_atoms(
            prepared,
            self._species_of(atoms, name),
            columns,
            length_unit=self._length_unit_of(atoms),
            name=name,
            provenance=None if temperature is None else {"temperature": temperature},
        )
        return _in_unit(configuration, self.manifest.length_unit)

    def length_scale(self, atoms: Atoms) -> float:
        """The factor that converts lengths of these atoms to the unit of the model."""
        return _scale(self._length_unit_of(atoms) or "lj", self.manifest.length_unit)

    def _species_map(self, species: SpeciesMap | Mapping[str, str] | Sequence[str]) -> SpeciesMap:
        for label in species if isinstance(species, Mapping) else ():
            if label not in atomic_numbers:
                raise InputError(
                    f"species map: expected chemical symbols to map from; found {label!r}, which "
                    f"no particle can have (for the LAMMPS types 1, 2, ... give their species "
                    f"alone, such as {list(self.manifest.species)!r}; for names in a file, a "
                    "glassml.data.SpeciesMap)"
                )
        return SpeciesMap.of(species, self.manifest.species)

    def _species_of(self, atoms: Atoms, name: str) -> SpeciesMap:
        if self.species is not None:
            return self.species
        stated = species_in_file(atoms, name)
        if stated is not None:
            return self._species_map(stated)
        if all(species in atomic_numbers for species in self.manifest.species):
            return self._species_map({species: species for species in self.manifest.species})
        symbols = sorted(set(symbols_of(atoms)))
        raise InputError(
            f"{name}: species: expected a map from the symbols {', '.join(symbols)} (or from the "
            f"LAMMPS types) to the model's species {', '.join(self.manifest.species)}; found "
            f"none. Give one, such as species={list(self.manifest.species)!r} (on the command "
            f"line: --species {','.join(self.manifest.species)}) for the types 1, 2, ..."
        )

    def _with_scalars(
        self, atoms: Atoms, base: BaseCalculator | None, where: str
    ) -> tuple[Atoms, dict[str, str]]:
        """The atoms and, for each scalar, the array that holds it."""
        if not self.scalars:
            return atoms, {}
        prepared, columns = atoms.copy(), {}
        for name, source in self.scalars.items():
            values = _values(source, atoms, base)
            columns[name] = source if isinstance(source, str) else name
            if values is not None:
                prepared.arrays[columns[name]] = np.asarray(values, dtype=np.float64)
            elif self._samples and name == _ENERGY and source not in (atoms.arrays | atoms.info):
                raise InputError(
                    f"{where}: scalar {name!r}: expected the potential energy of each particle, "
                    f"of which the model reads the average, as an array {source!r}; found "
                    f"{', '.join(sorted(atoms.arrays))}. Name the array that holds it, such as "
                    f"scalars={{{name!r}: 'c_pe'}} (on the command line: --scalar {name}=c_pe)"
                )
        return prepared, columns

    def _length_unit_of(self, atoms: Atoms) -> str | None:
        usual = None if self.manifest.length_unit == "lj" else "angstrom"
        return self.length_unit or atoms.info.get("length_unit") or usual


def _values(source: ScalarSource, atoms: Atoms, base: BaseCalculator | None) -> np.ndarray | None:
    """A scalar that is not an array of the atoms; None if it is such an array, or is missing."""
    if callable(source):
        return source(atoms)
    # The base calculator takes precedence over an array of that name, which during a simulation
    # still holds the values of the configuration that was read from the file.
    if base is not None and source in base.implemented_properties:
        return base.get_property(source, atoms)
    attached = getattr(atoms.calc, "results", {}).get(source)
    if source not in atoms.arrays and isinstance(attached, np.ndarray):
        return attached
    return None


def _scale(found: str, unit: str) -> float:
    """The factor from one unit of length to another; 1 if one of them is "lj"."""
    return METRES[found] / METRES[unit] if found in METRES and unit in METRES else 1.0


def _in_unit(configuration: Configuration, unit: str) -> Configuration:
    """The configuration in another unit of length; unchanged if one of the two units is "lj"."""
    factor = _scale(configuration.length_unit, unit)
    if factor == 1.0:
        return configuration
    return dataclasses.replace(
        configuration,
        positions=configuration.positions * factor,
        cell=configuration.cell * factor,
        length_unit=unit,
    )

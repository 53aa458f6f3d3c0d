"""Configurations that a simulation begins from (`start`), instead of melting and cooling."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from ase import Atoms

from glassml.data import (
    FORMATS,
    Configuration,
    ReadOptions,
    SpeciesMap,
    configuration_from_atoms,
    dataset_path,
    open_frames,
    periodic_directions,
    read_configurations,
    shipped_names,
)
from glassml.data.stated_species import has_types_alone, species_in_file, symbols_of
from glassml.errors import ConfigError, InputError
from glassml.files import sha256_of
from glassml.simulation.exchange import data_text, types_of
from glassml.simulation.pipeline.simulate_config import SimulateConfig, StartConfig
from glassml.simulation.system import DIAMETER, System

__all__ = ["check_given", "counts_of", "file_names", "read_given", "stated"]

# Formats of published data, which `open_frames` does not read.
_PUBLISHED = {
    suffix
    for name, known in FORMATS.items()
    if name not in ("ase", "glassml")
    for suffix in known.suffixes
}
_DENSITY_TOLERANCE = 1e-3  # relative: people give three or four digits


def file_names(start: StartConfig, folder: Path) -> tuple[str, ...]:
    """The files of the settings: whole paths, or names of shipped datasets.

    Args:
        start: the settings.
        folder: base of relative paths.

    Raises:
        ConfigError: a pattern matches no file.
    """
    found: list[str] = []
    for name in start.files:
        path = str((folder / name).absolute())
        if Path(path).exists() or not glob.has_magic(name):
            shipped = name in shipped_names() and not Path(path).exists()
            found.append(name if shipped else path)
            continue
        parent, pattern = _pattern(path)
        matches = sorted(map(str, parent.glob(pattern)))
        if not matches:
            raise ConfigError(f"start.files: expected files {path}; found none")
        found += matches
    return tuple(dict.fromkeys(found))


def _pattern(path: str) -> tuple[Path, str]:
    """The last folder without wildcards, and the pattern below it."""
    parts = Path(path).parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:first]), str(Path(*parts[first:]))


def read_given(start: StartConfig, system: System) -> list[Configuration]:
    """The chosen configurations of all files, with the species of the system.

    The provenance holds the name of the file (``source``), its checksum and the frame.

    Raises:
        InputError: a file cannot be read, or does not fit the system or the other files; names it.
    """
    found: list[Configuration] = []
    for file in start.files:
        path = dataset_path(file)
        known = len(found)
        source = None
        for name, frame in _frames(path, start):
            source = source or {"source": path.name, "source_sha256": sha256_of(path)}
            facts = source | {"source_frame": name.removeprefix(f"{path}: ")}
            configuration = _converted(frame, name, facts, start, system)
            data_text(configuration, system)  # refuses what LAMMPS cannot represent
            if found:
                _check_same_liquid(found[0], configuration, system)
            found.append(configuration)
        if len(found) == known:
            raise InputError(f"{path}: index: expected frames; found none for {start.index!r}")
    return found


def counts_of(configuration: Configuration, system: System) -> tuple[int, ...]:
    """Number of particles of each type."""
    counts = np.bincount(types_of(configuration, system) - 1, minlength=system.n_types)
    return tuple(counts.tolist())


def check_given(
    config: SimulateConfig, counts: tuple[int, ...], ideal: tuple[int, ...], density: float
) -> None:
    """Check what the settings say about the liquid against the given configurations.

    Args:
        config: the settings.
        counts: numbers of particles of each species in the files.
        ideal: those of the composition in the settings.
        density: mean number density of the files [1 / length^d].

    Raises:
        ConfigError: they contradict each other; names the setting.
    """
    n = sum(counts)
    if config.particles is not None and config.particles != n:
        raise ConfigError(
            f"particles: expected {n}, as in the given configurations (start), or no value; found "
            f"{config.particles}"
        )
    for name in ("number_density", "density"):
        value = getattr(config, name)
        if value is not None and abs(value / density - 1) > _DENSITY_TOLERANCE:
            raise ConfigError(
                f"{name}: expected {density:.5g}, as in the given configurations (start), or no "
                f"value; found {value:g}"
            )
    if "composition" in config.system.options and counts != ideal:
        raise ConfigError(
            f"system.options.composition: expected that of the given configurations (start), "
            f"{list(counts)} particles, or no value; found {config.system.options['composition']}"
        )


def stated(given: tuple[Configuration, ...], name: str) -> float | None:
    """A number in the provenance of all given configurations; None if they do not agree on one."""
    values = {configuration.provenance.get(name) for configuration in given}
    value = values.pop() if len(values) == 1 else None
    return float(value) if isinstance(value, int | float) else None


def _frames(path: Path, start: StartConfig) -> Iterator[tuple[str, Atoms | Configuration]]:
    """The chosen frames of a file with names for messages."""
    pbc = None if start.pbc is None else periodic_directions(start.pbc)
    if path.suffix not in _PUBLISHED:
        yield from open_frames(path, start.index, pbc=pbc).frames
        return
    species = None if start.species is None else SpeciesMap.of(start.species)
    options = ReadOptions(species=species, pbc=pbc)
    read = [(f"{path}: {c.name}", c) for c in read_configurations(path, options=options)]
    try:
        parts = [int(part) if part.strip() else None for part in start.index.split(":")]
        chosen = read[slice(*parts)] if len(parts) > 1 else [read[parts[0] or 0]]
    except (ValueError, TypeError, IndexError):
        raise InputError(
            f"{path}: index: expected a number or slice for {len(read)} configurations; found "
            f"{start.index!r}"
        ) from None
    yield from chosen


def _converted(
    frame: Atoms | Configuration,
    name: str,
    source: Mapping[str, str],
    start: StartConfig,
    system: System,
) -> Configuration:
    """Positions, cell and species of a frame, and the few facts about it that are used."""
    facts: dict[str, str | int | float] = {**source}
    if isinstance(frame, Atoms):
        if system.dimension == 2 and np.ptp(frame.positions[:, 2]) == 0:
            frame.pbc = (True, True, False)  # LAMMPS writes planes as periodic across
        if system.diameters and DIAMETER not in frame.arrays:
            _add_diameters(frame, name, system)
        species = _species_map(frame, name, start, system)
        unit = frame.info.get("length_unit", system.length_unit)
        scalars = [DIAMETER] if system.diameters else []
        return configuration_from_atoms(
            frame, species, scalars, length_unit=unit, name=name, provenance=facts
        )
    for known in ("temperature", "tau_alpha"):
        if known in frame.provenance:
            facts[known] = frame.provenance[known]
    names = _renamed(frame.species_names, name, start)
    for known in names:
        if known not in system.species_names:
            raise InputError(
                f"{name}: species: expected names of the system {system.name}, "
                f"{list(system.species_names)}; found {known!r}. Map them, as in start.species: "
                f"{{{known}: {system.species_names[0]}}}"
            )
    lookup = np.array([system.species_names.index(known) for known in names])
    return Configuration(
        positions=frame.positions,
        cell=frame.cell,
        pbc=frame.pbc,
        species=lookup[frame.species],
        species_names=system.species_names,
        length_unit=frame.length_unit,
        scalars={key: x for key, x in frame.scalars.items() if key == DIAMETER},
        name=name,
        provenance=facts,
    )


def _species_map(atoms: Atoms, name: str, start: StartConfig, system: System) -> SpeciesMap:
    """Which species of the system the atoms are."""
    if start.species is not None:
        return SpeciesMap.of(start.species, system.species_names)
    stated = species_in_file(atoms, name)
    if stated is not None:
        return SpeciesMap.of(stated, system.species_names)
    types = atoms.arrays.get("type", atoms.numbers)
    symbols = set(symbols_of(atoms))
    if symbols <= set(system.species_names) and not has_types_alone(atoms):
        return SpeciesMap({symbol: symbol for symbol in symbols}, system.species_names)
    if types.min() < 1 or types.max() > len(system.species_names):
        found = sorted(symbols) if "type" not in atoms.arrays else f"types up to {types.max()}"
        raise InputError(
            f"{name}: species: expected the species {list(system.species_names)} of the system "
            f"{system.name} or types 1 to {len(system.species_names)}; found {found}. Map them, as "
            f"in start.species: {{{min(symbols)}: {system.species_names[0]}}}"
        )
    return SpeciesMap(list(system.species_names), system.species_names)


def _add_diameters(atoms: Atoms, name: str, system: System) -> None:
    """Diameters and species of atoms whose types are those of the system."""
    types = atoms.arrays.get("type")
    if types is None or types.min() < 1 or types.max() > system.n_types:
        found = "neither" if types is None else f"types from {types.min()} to {types.max()}"
        raise InputError(
            f"{name}: {DIAMETER}: expected an array of this name, or types 1 to {system.n_types} "
            f"of the polydisperse system {system.name}; found {found}"
        )
    atoms.set_array(DIAMETER, np.array(system.diameters)[types - 1])
    atoms.set_array("type", np.array(system.species_of_types)[types - 1] + 1)
    atoms.numbers = atoms.arrays["type"]


def _renamed(names: tuple[str, ...], where: str, start: StartConfig) -> tuple[str, ...]:
    """Species names of a dataset under their names in the system."""
    if start.species is None:
        return names
    if isinstance(start.species, Mapping):
        return tuple(start.species.get(name, name) for name in names)
    if len(start.species) != len(names):
        raise InputError(
            f"{where}: start.species: expected names for {list(names)}; found {list(start.species)}"
        )
    return tuple(start.species)


def _check_same_liquid(first: Configuration, other: Configuration, system: System) -> None:
    expected, found = counts_of(first, system), counts_of(other, system)
    if expected != found:
        whole = f"{list(expected)} of {list(first.species_names)}"
        raise InputError(
            f"{other.name}: species: expected as many particles of each "
            f"{'diameter' if system.diameters else 'species'} as in {first.name}, {whole}; found "
            f"{list(found)}. Simulate them apart"
        )

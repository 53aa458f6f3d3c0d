"""A simulated liquid: the system, and every setting of a configuration file as a number."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from glassml.data import Configuration
from glassml.errors import ConfigError, InputError, did_you_mean
from glassml.simulation import scales
from glassml.simulation.cell_surfaces import checked_radii
from glassml.simulation.lammps import LammpsProgram
from glassml.simulation.lammps_program import default_program, own_program
from glassml.simulation.pipeline.given import check_given, counts_of, read_given, stated
from glassml.simulation.pipeline.simulate_config import (
    Duration,
    EnsembleConfig,
    LogTimes,
    SimulateConfig,
)
from glassml.simulation.systems import SYSTEMS, System, from_include, system_named

__all__ = ["Liquid", "ensemble_steps", "liquid_of", "uses_tau"]

_CONFIGURATIONS = 10
_INCLUDE_OPTIONS = ("species", "composition", "units", "dimension", "diameters", "citation")


@dataclass(frozen=True)
class Liquid:
    """A system with the settings of its simulation.

    Attributes:
        config: all settings.
        system: the interactions.
        timestep: [time].
        density: [1 / length^3], or [1 / length^2] in two dimensions.
        counts: number of particles of each type; the sum is N.
        program: the LAMMPS that runs the simulation.
        given: configurations to begin from, in the species of the system; empty if the liquid is
            melted and cooled.
    """

    config: SimulateConfig
    system: System
    timestep: float
    density: float
    counts: tuple[int, ...]
    program: LammpsProgram
    given: tuple[Configuration, ...] = ()

    @cached_property
    def box_length(self) -> float:
        """Edge of the cubic or square box at the start [length]."""
        return float((self.n_particles / self.density) ** (1 / self.system.dimension))

    @cached_property
    def types(self) -> np.ndarray:
        """Type of each particle, int64 [N], from 0 on, in increasing order."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def n_configurations(self) -> int:
        """Number of configurations at each temperature."""
        return len(self.given) or self.config.configurations or _CONFIGURATIONS

    @property
    def melt_temperature(self) -> float:
        """The temperature at which the liquid is melted."""
        config = self.config
        return config.cooling.melt_temperature or 2 * config.temperatures[0]

    @property
    def budget(self) -> int:
        """Largest number of time steps of the equilibration at each temperature."""
        return self.steps(self.config.equilibration.budget, 1_000_000)

    @property
    def wave_number(self) -> float:
        """The k of F_s(k, t) [1 / length]."""
        given = self.config.equilibration.wave_number
        return given or scales.wave_number(self.density, self.system.dimension)

    @property
    def force_tolerance(self) -> float:
        """The force at which a quench has converged [energy / length]."""
        given = None if self.config.quench is None else self.config.quench.force_tolerance
        return given or scales.force_tolerance(self.system, self.density)

    @property
    def voronoi_radii(self) -> tuple[float, ...] | None:
        """Radii of the species in radical Voronoi cells [length]; None without these cells.

        Raises:
            ConfigError: there is not one for each species.
        """
        quench = self.config.quench
        if quench is None or not quench.voronoi:
            return None
        try:
            return checked_radii(quench.radii, self.system)
        except InputError as error:
            raise ConfigError(f"quench.{error}") from None

    @property
    def cage_radius(self) -> float:
        """Radius of the sphere in which a particle is free [length]."""
        given = None if self.config.cage is None else self.config.cage.radius
        return given or scales.cage_radius(self.density, self.system.dimension)

    @property
    def sampling_interval(self) -> float:
        """Time between two samples of averaged positions [time]."""
        given = None if self.config.average is None else self.config.average.interval
        return given or scales.SAMPLE_STEPS * self.timestep

    @property
    def n_particles(self) -> int:
        """Number of particles N."""
        return sum(self.counts)

    @property
    def known_tau(self) -> float | None:
        """tau_alpha of given configurations [time], from the settings or the datasets."""
        start = self.config.start
        if start is None or start.tau_alpha is not None:
            return None if start is None else start.tau_alpha
        if stated(self.given, "temperature") != self.config.temperatures[0]:
            return None  # it is that of another temperature
        return stated(self.given, "tau_alpha")

    def resolved(self) -> SimulateConfig:
        """The settings, with the numbers that defaults stand for in this material."""
        config = self.config
        sections: dict[str, BaseModel | None] = {
            "equilibration": config.equilibration.model_copy(
                update={"wave_number": self.wave_number}
            ),
            "quench": config.quench
            and config.quench.model_copy(update={"force_tolerance": self.force_tolerance}),
            "cage": config.cage and config.cage.model_copy(update={"radius": self.cage_radius}),
            "average": config.average
            and config.average.model_copy(update={"interval": self.sampling_interval}),
        }
        numbers = {
            "particles": self.n_particles,
            "configurations": self.n_configurations,
            "number_density": self.density,
            "density": None,  # the same
            "timestep": self.timestep,
        }
        return config.model_copy(update={**sections, **numbers})

    @property
    def measured_particles(self) -> tuple[int, int]:
        """First particle, and the one after the last, of the species whose relaxation is measured.

        Particles are in the order of their types.
        """
        name = self.config.equilibration.species
        species = 0 if name is None else self.system.species_names.index(name)
        kinds = self.system.species_of_types
        first, last = kinds.index(species), len(kinds) - kinds[::-1].index(species)
        return sum(self.counts[:first]), sum(self.counts[:last])

    @property
    def species_counts(self) -> list[int]:
        """Number of particles of each species."""
        counts = [0] * len(self.system.species_names)
        for species, count in zip(self.system.species_of_types, self.counts, strict=True):
            counts[species] += count
        return counts

    def steps(self, time: float | None, default: int) -> int:
        """The number of time steps of a time [time]; the default for None."""
        return default if time is None else max(1, round(time / self.timestep))

    def seed(self, name: str) -> int:
        """The seed for one purpose, from 1 to 899 999 999 as LAMMPS requires."""
        digest = hashlib.sha256(f"{self.config.seed}/{name}".encode()).digest()
        return min(int.from_bytes(digest[:8], "little") % 900_000_000 + 1, 899_999_999)


def liquid_of(config: SimulateConfig, folder: Path = Path()) -> Liquid:
    """Resolve the system and check what a configuration says against it.

    Args:
        config: the settings.
        folder: base of a relative path of an include file.

    Raises:
        ConfigError: a setting does not fit the system.
        InputError: the system is unknown, or its options are wrong.
        SimulationError: LAMMPS refuses the include file.
    """
    program = default_program()
    if config.lammps is not None:
        program = own_program(**config.lammps.model_dump())
    system = _system(config, folder, program)
    given = _given(config, system)
    names = list(system.species_names)
    measured = config.equilibration.species
    if measured is not None and measured not in names:
        raise ConfigError(
            f"equilibration.species: expected one of {names}, the species of {system.name}; "
            f"found {measured!r}"
        )
    if given:
        counts = counts_of(given[0], system)
    else:
        counts = _counts(config.particles or 0, system.composition)
    density = _density(config, system, given)
    if given:
        check_given(config, counts, _counts(sum(counts), system.composition), density)
        if min(counts) > 0:
            fractions = tuple(count / sum(counts) for count in counts)
            system = replace(system, composition=fractions)
    elif min(counts) == 0:
        kind = "type" if system.diameters else "species"
        raise ConfigError(
            f"particles: expected enough for at least one of each {kind} of {system.name}, "
            f"composition {list(system.composition)}; found {config.particles}"
        )
    timestep = config.timestep or system.timestep
    liquid = Liquid(config, system, timestep, density, counts, program, given)
    if config.ensemble is not None and not any(d.in_tau for d in config.ensemble.durations):
        ensemble_steps(config.ensemble, timestep, None)  # report a mistake before hours of work
    _check_replicas(liquid)
    _check_tau(liquid)
    _ = liquid.voronoi_radii  # report a mistake before hours of work
    return liquid


def ensemble_steps(
    ensemble: EnsembleConfig, timestep: float, tau_alpha: float | None
) -> tuple[int, ...]:
    """The time steps at which displacements are measured.

    Args:
        ensemble: the settings with the times.
        timestep: [time].
        tau_alpha: relaxation time [time]; None if unknown. Needed for times in units of it.

    Raises:
        ConfigError: the times are not increasing, or two fall on the same time step.
    """
    given = ensemble.times
    if isinstance(given, LogTimes):
        first, last = given.first.time(tau_alpha), given.last.time(tau_alpha)
        times = np.geomspace(first, last, given.count).tolist()
    else:
        times = [duration.time(tau_alpha) for duration in given]
    steps = [round(time / timestep) for time in times]
    if steps[0] < 1 or any(b <= a for a, b in pairwise(steps)):
        shown = [float(f"{time:.4g}") for time in times]
        raise ConfigError(
            f"ensemble.times: expected increasing times, at least a time step of {timestep:g} "
            f"apart; found {shown}"
        )
    return tuple(steps)


def uses_tau(config: SimulateConfig) -> str | None:
    """The first setting of a later stage that is in units of tau_alpha; None if there is none."""
    durations: dict[str, list[Duration]] = {}
    if config.start is None:
        durations["separation"] = [config.separation]
    if config.ensemble is not None:
        durations["ensemble.times"] = config.ensemble.durations
    return next((k for k, values in durations.items() if any(v.in_tau for v in values)), None)


def _given(config: SimulateConfig, system: System) -> tuple[Configuration, ...]:
    """The configurations to begin from; none if the liquid is melted."""
    if config.start is None:
        return ()
    found = read_given(config.start, system)
    wanted = config.configurations or len(found)
    if wanted > len(found):
        raise ConfigError(
            f"configurations: expected at most {len(found)}, the number of configurations in "
            f"start.files; found {wanted}"
        )
    return tuple(found[:wanted])


def _check_replicas(liquid: Liquid) -> None:
    """Refuse more replicas than there are given configurations to begin from."""
    replicas, start = liquid.config.replicas, liquid.config.start
    if start is None:
        return
    if not start.check_equilibration and replicas > 1:
        raise ConfigError(
            "replicas: expected 1, as configurations are given (start) and run only with "
            f"start.check_equilibration: true; found {replicas}"
        )
    if replicas > len(liquid.given):
        raise ConfigError(
            f"replicas: expected at most {len(liquid.given)}, the number of given configurations "
            f"(start); found {replicas}"
        )


def _check_tau(liquid: Liquid) -> None:
    """Refuse durations in units of a tau_alpha that nothing will tell, before hours of work."""
    start, setting = liquid.config.start, uses_tau(liquid.config)
    if start is None or setting is None or start.check_equilibration:
        return
    if liquid.known_tau is None:
        raise ConfigError(
            f"{setting}: expected times, as tau_alpha of the given configurations (start) is not "
            "known; found multiples of it. Give start.tau_alpha, or have it measured with "
            "start.check_equilibration: true"
        )


def _density(config: SimulateConfig, system: System, given: tuple[Configuration, ...]) -> float:
    """The number density [1 / length^d]."""
    field = "number_density" if config.density is None else "density"
    density = config.number_density or config.density or system.number_density
    if given:
        field = f"{given[0].name}: number density"
        density = float(np.mean([configuration.number_density for configuration in given]))
    if density is None:
        raise ConfigError(
            f"number_density: expected a value (particles per volume, in units {system.units}), as "
            f"{system.name} states none; found none"
        )
    try:
        scales.check_number_density(density, system, field)
    except InputError as error:
        raise ConfigError(str(error)) from None
    return density


def _system(config: SimulateConfig, folder: Path, program: LammpsProgram) -> System:
    options: dict[str, Any] = dict(config.system.options)
    if config.system.include is None:
        name = str(config.system.name)
        if name not in SYSTEMS:
            raise ConfigError(
                f"system.name: expected one of {sorted(SYSTEMS)}, or system.include for another "
                f"system; found {name!r}{did_you_mean(name, SYSTEMS)}"
            )
        return system_named(name, **options)
    for option in options:
        if option not in _INCLUDE_OPTIONS:
            raise ConfigError(
                f"system.options: expected {', '.join(_INCLUDE_OPTIONS)} with system.include; "
                f"found {option!r}"
            )
    if not options.get("species"):
        raise ConfigError("system.options.species: expected the names of the types 1, 2, ...")
    include = folder / config.system.include
    if isinstance(options.get("diameters"), str):
        options["diameters"] = _numbers(include.parent / options["diameters"])
    return from_include(
        include,
        species_names=options.pop("species"),
        number_density=config.number_density or config.density,
        timestep=config.timestep,
        program=program,
        **options,
    )


def _numbers(file: Path) -> list[float]:
    """The numbers in a text file, one per type."""
    try:
        return [float(word) for word in file.read_text(encoding="utf-8").split()]
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"system.options.diameters: expected a list of numbers, or a file of numbers beside "
            f"the include file; found {file} ({error})"
        ) from None


def _counts(n: int, composition: tuple[float, ...]) -> tuple[int, ...]:
    """Whole numbers of particles that add up to n and are nearest to the composition."""
    ideal = [n * fraction for fraction in composition]
    counts = [math.floor(x + 1e-9) for x in ideal]
    most_cut = sorted(range(len(ideal)), key=lambda i: counts[i] - ideal[i])
    for i in most_cut[: n - sum(counts)]:
        counts[i] += 1
    return tuple(counts)

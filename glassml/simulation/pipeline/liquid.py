"""What a configuration file comes to: the system, and every setting as a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from glassml.errors import ConfigError, did_you_mean
from glassml.simulation.pipeline.simulate_config import (
    Duration,
    EnsembleConfig,
    LogTimes,
    SimulateConfig,
)
from glassml.simulation.pipeline.tasks import seed_of
from glassml.simulation.systems import SYSTEMS, System, from_include, system_named

__all__ = ["Liquid", "ensemble_steps", "liquid_of", "uses_tau"]

_WAVE_NUMBER = 7.25  # of built-in mixtures: where S(k) of the Kob-Andersen liquid has its peak
_INCLUDE_OPTIONS = ("species", "composition", "units", "dimension", "citation")


@dataclass(frozen=True)
class Liquid:
    """A system with the settings under which it is simulated.

    Attributes:
        config: all settings.
        system: the interactions.
        timestep: [time].
        density: [1 / length^3], or [1 / length^2] in two dimensions.
        counts: particles of each species; the sum is N.
    """

    config: SimulateConfig
    system: System
    timestep: float
    density: float
    counts: tuple[int, ...]

    @cached_property
    def box_length(self) -> float:
        """Edge of the cubic or square box [length] at the start."""
        return float((self.config.particles / self.density) ** (1 / self.system.dimension))

    @cached_property
    def species(self) -> np.ndarray:
        """Species of each particle, int64 [N]: those of the first species come first."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def melt_temperature(self) -> float:
        """The temperature at which the liquid is melted."""
        config = self.config
        return config.cooling.melt_temperature or 2 * config.temperatures[0]

    @property
    def budget(self) -> int:
        """Time steps of equilibration at most, at each temperature."""
        return self.steps(self.config.equilibration.budget, 1_000_000)

    @property
    def wave_number(self) -> float:
        """The k of F_s(k, t) [1 / length]."""
        return self.config.equilibration.wave_number or _WAVE_NUMBER

    @property
    def measured_species(self) -> int:
        """The species whose relaxation is measured."""
        name = self.config.equilibration.species
        return 0 if name is None else self.system.species_names.index(name)

    def steps(self, time: float | None, default: int) -> int:
        """Time steps of a time [time]; the default if there is none."""
        return default if time is None else max(1, round(time / self.timestep))

    def seed(self, name: str) -> int:
        """The seed of one purpose."""
        return seed_of(self.config.seed, name)


def liquid_of(config: SimulateConfig, folder: Path = Path()) -> Liquid:
    """Resolve the system and check what a configuration says against it.

    Args:
        config: the settings.
        folder: where a relative include file is looked for.

    Raises:
        ConfigError: a setting does not fit the system.
        InputError: the system is unknown, or its options are wrong.
        SimulationError: LAMMPS refuses the include file.
    """
    system = _system(config, folder)
    density = config.density or system.number_density
    if density is None:
        raise ConfigError(f"density: this field is needed, as {system.name} does not state one")
    if config.system.include is not None and config.equilibration.wave_number is None:
        raise ConfigError(
            f"equilibration.wave_number: this field is needed, as there is no default for "
            f"{system.name}: the k [1 / length] of F_s(k, t), from whose decay the relaxation time "
            "tau_alpha is taken, usually at the first peak of the structure factor"
        )
    names = list(system.species_names)
    measured = config.equilibration.species
    if measured is not None and measured not in names:
        raise ConfigError(
            f"equilibration.species: expected one of {names}, the species of {system.name}; "
            f"found {measured!r}"
        )
    counts = _counts(config.particles, system.composition)
    if min(counts) == 0:
        raise ConfigError(
            f"particles: expected enough for at least one of each species of {system.name}, "
            f"composition {list(system.composition)}; found {config.particles}"
        )
    timestep = config.timestep or system.timestep
    liquid = Liquid(config, system, timestep, density, counts)
    if config.ensemble is not None and not any(d.in_tau for d in config.ensemble.durations):
        ensemble_steps(config.ensemble, timestep, None)  # a mistake is told before hours of work
    return liquid


def ensemble_steps(
    ensemble: EnsembleConfig, timestep: float, tau_alpha: float | None
) -> tuple[int, ...]:
    """The time steps at which displacements are measured.

    Args:
        ensemble: holds the times.
        timestep: [time].
        tau_alpha: [time], if it is known; needed for times in units of it.

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
    """The name of a setting after the equilibration that is in units of tau_alpha, if any."""
    durations: dict[str, list[Duration]] = {"separation": [config.separation]}
    if config.ensemble is not None:
        durations["ensemble.times"] = config.ensemble.durations
    return next((k for k, values in durations.items() if any(v.in_tau for v in values)), None)


def _system(config: SimulateConfig, folder: Path) -> System:
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
                f"system.options.{option}: unknown; with system.include there are "
                f"{', '.join(_INCLUDE_OPTIONS)}"
            )
    if not options.get("species"):
        raise ConfigError("system.options.species: expected the names of the types 1, 2, ...")
    return from_include(
        folder / config.system.include,
        species_names=options.pop("species"),
        number_density=config.density,
        timestep=config.timestep,
        **options,
    )


def _counts(n: int, composition: tuple[float, ...]) -> tuple[int, ...]:
    """Whole numbers of particles with the sum n, nearest to the composition."""
    ideal = [n * fraction for fraction in composition]
    counts = [math.floor(x + 1e-9) for x in ideal]
    most_cut = sorted(range(len(ideal)), key=lambda i: counts[i] - ideal[i])
    for i in most_cut[: n - sum(counts)]:
        counts[i] += 1
    return tuple(counts)

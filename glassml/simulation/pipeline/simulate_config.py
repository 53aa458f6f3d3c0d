"""The settings of `glassml simulate`, with accepted values and defaults."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from glassml.simulation.cage import CAGE_STEPS
from glassml.simulation.pipeline.durations import Duration, DurationField, duration
from glassml.simulation.pipeline.system_config import (
    LammpsConfig,
    Section,
    StartConfig,
    SystemConfig,
    listed,
)
from glassml.work import ClusterConfig

__all__ = [
    "STAGES",
    "AverageConfig",
    "CageConfig",
    "CoolingConfig",
    "Duration",
    "EnsembleConfig",
    "EquilibrationConfig",
    "LammpsConfig",
    "LogTimes",
    "QuenchConfig",
    "SimulateConfig",
    "StartConfig",
    "SystemConfig",
]

#: The stages in the order in which they run; each can be the last (`glassml simulate --until`).
STAGES = ("melt", "equilibrate", "sample", "structure", "ensemble")


class CoolingConfig(Section):
    """Melting, and cooling from each temperature to the next."""

    melt_temperature: PositiveFloat | None = Field(
        default=None,
        description="temperature of the melt [temperature]; null: twice the highest of the "
        "temperatures",
    )
    melt_time: PositiveFloat | None = Field(
        default=None, description="how long it melts [time]; null: 10 000 time steps"
    )
    time: PositiveFloat | None = Field(
        default=None, description="time to cool to each temperature [time]; null: 10 000 time steps"
    )


class EquilibrationConfig(Section):
    """At each temperature the liquid runs in windows until the last two of them agree."""

    length: DurationField = Field(
        default=Duration(20.0, True),
        description="length of the two windows together: a time [time], or a multiple of tau_alpha",
    )
    budget: PositiveFloat | None = Field(
        default=None,
        description="largest time spent at each temperature [time]; null: 10^6 time steps. A "
        "liquid that is not equilibrated by then is used nevertheless, with a warning in the "
        "dataset",
    )
    wave_number: PositiveFloat | None = Field(
        default=None,
        description="k [1 / length] of the self-intermediate scattering function F_s(k, t), from "
        "which tau_alpha is taken; usually the first peak of the structure factor. null: that of "
        "a dense liquid of this number density rho, 7.25 (rho / 1.2)^(1/3), in two dimensions "
        "7.25 (rho / 1.192)^(1/2): 7.25 for the Kob-Andersen mixtures",
    )
    species: str | None = Field(
        default=None, description="species whose F_s is measured; null: the first one"
    )
    tau_tolerance: PositiveFloat = Field(
        default=0.3, description="largest relative difference of tau_alpha between two windows [-]"
    )
    energy_tolerance: PositiveFloat = Field(
        default=3.0,
        description="largest difference of the mean energy between two windows, in standard errors",
    )


class QuenchConfig(Section):
    """Inherent structures: the minimum of the potential energy that FIRE reaches."""

    force_tolerance: PositiveFloat | None = Field(
        default=None,
        description="largest force on a particle at which the quench has converged "
        "[energy / length]. null: 1e-8 for the Kob-Andersen mixtures, otherwise "
        "1e-8 (rho / 1.2)^(1/3) energy / length, in two dimensions 1e-8 (rho / 1.192)^(1/2), to "
        "one digit; the energy is the unit of energy for units lj, and 0.1 eV for others",
    )
    voronoi: bool = Field(
        default=False,
        description="also write `inherent_voronoi_surface`, the surface of each particle's radical "
        "Voronoi cell in its inherent structure, an input of the model `glassmlp`",
    )
    radii: tuple[NonNegativeFloat, ...] | None = Field(
        default=None,
        description="with `voronoi`: radii of the species [length]. null: half of sigma_aa for "
        "built-in mixtures, half of the diameters of polydisperse particles, equal radii for "
        "others",
    )


class LogTimes(Section):
    """Times evenly spaced in their logarithm."""

    first: DurationField = Field(description="first time [time], or a multiple of tau_alpha")
    last: DurationField = Field(description="last time [time], or a multiple of tau_alpha")
    count: Annotated[int, Field(ge=2)] = Field(description="number of times, with both ends")


class EnsembleConfig(Section):
    """Runs from the same positions with new Maxwell-Boltzmann velocities."""

    runs: Annotated[int, Field(ge=2)] = Field(
        default=32, description="number of runs; the noise is measured between two halves of them"
    )
    times: tuple[DurationField, ...] | LogTimes = Field(
        description="list of times, or a section with first, last and count for times evenly "
        "spaced in their logarithm; each a time [time], or a multiple of tau_alpha"
    )
    dynamics: Literal["nve", "nvt"] = Field(
        default="nve",
        description="dynamics of the runs: nve, or nvt with the thermostat of the equilibration",
    )
    keep_final_positions: bool = Field(
        default=False, description="keep the positions of every run at every time (large)"
    )

    @property
    def durations(self) -> list[Duration]:
        """The durations in the settings: all times, or the first and the last."""
        times = self.times
        return [times.first, times.last] if isinstance(times, LogTimes) else list(times)

    @field_validator("times", mode="before")
    @classmethod
    def _list_of_times(cls, value: Any) -> Any:
        if isinstance(value, LogTimes):
            return value
        value = listed(value)
        if isinstance(value, dict):
            # Checked here, as a union would report the errors of both its members.
            return LogTimes.model_validate(value)
        if not isinstance(value, list | tuple) or not value:
            raise ValueError("expected a list of times, or first, last and count")
        return [duration(item) for item in value]


class CageConfig(Section):
    """Cage centres (Alkemade et al. 2023): mean positions of particles confined to their cages."""

    radius: PositiveFloat | None = Field(
        default=None,
        description="radius [length] of the sphere around its first position in which a particle "
        "moves freely. null: 0.4 (rho / 1.2)^(-1/3), in two dimensions "
        "0.4 (rho / 1.192)^(-1/2): 0.4 for the Kob-Andersen mixtures",
    )
    steps: PositiveInt = Field(
        default=CAGE_STEPS, description="time steps over which positions are averaged"
    )


class AverageConfig(Section):
    """Averaged positions: means over windows of short runs, and the vibrations around them."""

    interval: PositiveFloat | None = Field(
        default=None,
        description="time between two samples [time], a multiple of the time step; null: 20 time "
        "steps",
    )
    samples: PositiveInt = Field(default=20, description="number of samples in a window")
    windows: Literal["runs"] | PositiveInt = Field(
        default=1,
        description="number of successive windows of one short run from each configuration; or "
        "runs: the beginning of each isoconfigurational run is a window",
    )


class SimulateConfig(Section):
    """A whole simulation."""

    system: SystemConfig = Field(description="the mixture")
    start: StartConfig | None = Field(
        default=None,
        description="a file, a list of files or a section: configurations to begin from; null: "
        "the liquid is melted and cooled",
    )
    particles: Annotated[int, Field(ge=2)] | None = Field(
        default=None,
        validate_default=True,
        description="number of particles N; with start that of the files",
    )
    number_density: PositiveFloat | None = Field(
        default=None,
        description="particles per volume [1 / length^3], or per area in two dimensions; null: "
        "that of the built-in mixture; with start that of the files",
    )
    density: PositiveFloat | None = Field(
        default=None, description="the same as number_density; give one of them"
    )
    temperatures: Annotated[tuple[PositiveFloat, ...], BeforeValidator(listed)] = Field(
        description="one temperature, or a list of decreasing ones [temperature]"
    )
    timestep: PositiveFloat | None = Field(
        default=None, description="time step [time]; null: that of the system"
    )
    dynamics: Literal["nvt", "npt"] = Field(
        default="nvt", description="dynamics of melting, equilibration and sampling: nvt or npt"
    )
    pressure: float | None = Field(
        default=None, description="pressure [pressure]; needed with npt, null with nvt"
    )
    thermostat_time: PositiveFloat | None = Field(
        default=None, description="damping time of the thermostat [time]; null: 100 time steps"
    )
    barostat_time: PositiveFloat | None = Field(
        default=None, description="damping time of the barostat [time]; null: 1000 time steps"
    )
    replicas: PositiveInt = Field(
        default=1,
        description="independent liquids, each melted and cooled on its own; they run in parallel, "
        "and the configurations are divided among them. With start: number of runs of "
        "start.check_equilibration",
    )
    configurations: PositiveInt | None = Field(
        default=None,
        description="number of configurations per temperature; null: 10, or with start all that "
        "are chosen",
    )
    separation: DurationField = Field(
        default=Duration(5.0, True),
        description="between configurations of the same replica: a time [time], or a multiple of "
        "tau_alpha",
    )
    cooling: CoolingConfig = Field(
        default_factory=CoolingConfig, description="how the liquid is melted and cooled"
    )
    equilibration: EquilibrationConfig = Field(
        default_factory=EquilibrationConfig, description="when a liquid counts as equilibrated"
    )
    quench: QuenchConfig | None = Field(
        default_factory=QuenchConfig, description="how inherent structures are found; null: none"
    )
    ensemble: EnsembleConfig | None = Field(
        description="the isoconfigurational ensemble; null: configurations without labels"
    )
    cage: CageConfig | None = Field(
        default=None, description="how cage centres are found; null: none"
    )
    average: AverageConfig | None = Field(
        default=None, description="how positions are averaged; null: they are not"
    )
    seed: NonNegativeInt = Field(default=0, description="seed of everything that is random")
    workers: PositiveInt | None = Field(
        default=None,
        description="LAMMPS processes at a time; null: one per core, or per lammps.ranks cores",
    )
    lammps: LammpsConfig | None = Field(
        default=None,
        description="LAMMPS and its launcher; null: the LAMMPS of the environment, on one rank",
    )
    cluster: ClusterConfig | None = Field(
        default=None, description="where tasks run with Dask; null: on this machine without Dask"
    )
    segment: PositiveInt = Field(
        default=100_000,
        description="time steps in a piece of a long run; a killed run loses no more than a piece",
    )
    output: Path | None = Field(
        default=None, description="folder of the results; null: `runs/<name of the file>`"
    )

    @field_validator("start", mode="before")
    @classmethod
    def _files_alone(cls, value: Any) -> Any:
        return {"files": value} if isinstance(value, str | list | tuple) else value

    @field_validator("particles")
    @classmethod
    def _number_unless_given(cls, value: int | None, info: ValidationInfo) -> int | None:
        # Without an entry, start is wrong, which is reported.
        if value is None and info.data.get("start", True) is None:
            raise ValueError("this field is needed (number of particles N)")
        return value

    @model_validator(mode="after")
    def _fits_start(self) -> SimulateConfig:
        if self.start is None:
            return self
        if len(self.temperatures) > 1:
            raise ValueError(
                "temperatures: expected one, that of the configurations (start); found "
                f"{list(self.temperatures)}"
            )
        # Everything that concerns how configurations come to be.
        for name in ("cooling", "separation"):
            if getattr(self, name) != type(self).model_fields[name].get_default(
                call_default_factory=True
            ):
                raise ValueError(
                    f"{name}: expected no value, as configurations are given (start) and nothing "
                    "is melted, cooled or sampled; found one"
                )
        return self

    @field_validator("temperatures")
    @classmethod
    def _decreasing(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value:
            raise ValueError("expected at least one temperature")
        if any(b >= a for a, b in pairwise(value)):
            raise ValueError("expected decreasing temperatures, as one is cooled to the next")
        if len({f"{temperature:g}" for temperature in value}) < len(value):
            raise ValueError("expected temperatures that differ in their first six digits")
        return value

    @model_validator(mode="after")
    def _one_density(self) -> SimulateConfig:
        if self.density is not None and self.number_density is not None:
            raise ValueError(
                "number_density, density: expected one of them, as they are the same; found "
                f"{self.number_density:g} and {self.density:g}"
            )
        return self

    @model_validator(mode="after")
    def _pressure_with_npt(self) -> SimulateConfig:
        if (self.dynamics == "npt") != (self.pressure is not None):
            raise ValueError("pressure: expected a number with dynamics npt, and null with nvt")
        return self

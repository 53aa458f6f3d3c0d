"""The settings of `glassml simulate` of what is simulated: mixture, given files, LAMMPS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from glassml.data import periodic_directions

__all__ = ["LammpsConfig", "Section", "StartConfig", "SystemConfig", "listed"]


def listed(value: Any) -> Any:
    """A list of one entry, unless it is a list, a mapping or None."""
    return value if isinstance(value, list | tuple | dict) or value is None else [value]


class Section(BaseModel):
    """A part of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SystemConfig(Section):
    """A built-in mixture by its name, or any other by a LAMMPS include file."""

    name: str | None = Field(
        default=None, description="built-in mixture: kob-andersen, kob-andersen-2d or wahnstrom"
    )
    include: Path | None = Field(
        default=None,
        description="instead of name: file of LAMMPS commands with masses, pair_style and "
        "pair_coeff; a relative path is relative to the configuration file",
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="of a built-in mixture: truncation (shifted, force-shifted, truncated, "
        "smooth), cutoff [-] in units of cutoff_unit (pair: sigma of each pair; AA: sigma_AA); "
        "with include: species, composition, units, dimension, diameters [length], citation",
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> SystemConfig:
        if (self.name is None) == (self.include is None):
            raise ValueError("expected either name or include")
        return self


class StartConfig(Section):
    """Configurations to begin from, instead of melting and cooling."""

    files: Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)] = Field(
        description="a file or a list of files, with * for any part of a name: LAMMPS dumps and "
        "data files, extxyz, GSD, glassml datasets or names of shipped ones, published data. "
        "Relative paths are relative to the configuration file"
    )
    index: str = Field(
        default=":", description="which frames of each file, as in ASE: -1, 10:, ::10"
    )
    species: tuple[str, ...] | dict[str, str] | None = Field(
        default=None,
        description="species of the files' types 1, 2, ..., as a list, or of their symbols or "
        "names, as in {H: A, He: B}. null: by the names in the files, otherwise types 1, 2, ... "
        "are those of the system",
    )
    pbc: str | None = Field(
        default=None,
        description="periodic directions of structure files, if they do not state them: T,T,T for "
        "a bulk liquid, T,T,F for a flat one",
    )
    check_equilibration: bool = Field(
        default=False,
        description="run the liquid from given configurations, as many as there are replicas, as "
        "in an equilibration: measures tau_alpha, and warns if they are not in equilibrium",
    )
    tau_alpha: PositiveFloat | None = Field(
        default=None,
        description="relaxation time [time], for durations that are multiples of it; null: as "
        "measured, or as stated in datasets",
    )

    @field_validator("index", mode="before")
    @classmethod
    def _number_or_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("pbc", mode="before")
    @classmethod
    def _letters(cls, value: Any) -> Any:
        if isinstance(value, str):
            periodic_directions(value)
        return value


class LammpsConfig(Section):
    """Another LAMMPS than that of the Python environment, and how it is launched."""

    command: str | None = Field(
        default=None,
        description="the program, with arguments if it needs any; a relative path such as ./lmp is "
        "relative to the configuration file. null: that of the environment",
    )
    launcher: str | None = Field(
        default=None,
        description="command that starts the ranks, such as srun --exact -n {ranks}; null: the "
        "mpiexec beside the program or on PATH if there are several ranks",
    )
    ranks: PositiveInt = Field(default=1, description="MPI ranks of each LAMMPS")

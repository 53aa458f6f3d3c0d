"""How well softness tells which particles will rearrange, in parts left out of the fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from glassml.tables import write_csv, write_json

__all__ = ["Chance", "SoftnessTable", "SpeciesSoftness", "evaluated", "softness_tables"]

_BINS = 12
_OUTER = 0.005  # fraction of the particles beyond the outermost limits between bins
_FEWEST = 20  # particles in a bin


@dataclass(frozen=True)
class Chance:
    """The chance to rearrange within tau/2 of particles of a softness.

    Attributes:
        softness: their mean softness [-].
        particles: how many there are.
        rearranging: how many of them rearrange.
    """

    softness: float
    particles: int
    rearranging: int

    @property
    def chance(self) -> float:
        """P_R(S) [-]."""
        return self.rearranging / self.particles

    @property
    def error(self) -> float:
        """Its standard error if particles rearrange independently of each other [-]."""
        return float(np.sqrt(self.chance * (1 - self.chance) / self.particles))


@dataclass(frozen=True)
class SpeciesSoftness:
    """How good the hyperplane of a species is.

    All numbers are for parts of the trajectory that were left out of the fit. Errors are standard
    errors over these parts.

    Attributes:
        species: name of the species.
        particles: number of particles that the hyperplane is fitted to, half of them soft.
        penalty: C of the support vector machine [-].
        accuracy: fraction of as many soft as hard particles on the right side [-], and its error.
        found: fraction of rearranging particles with S > 0 [-], and its error.
        above: fraction of all particles with S > 0 [-], and its error.
        chances: P_R(S), in order of S.
    """

    species: str
    particles: int
    penalty: float
    accuracy: tuple[float, float]
    found: tuple[float, float]
    above: tuple[float, float]
    chances: tuple[Chance, ...]


@dataclass(frozen=True)
class SoftnessTable:
    """The result of `train_softness`.

    Attributes:
        files: names of the files of the trajectory.
        frames: number of frames.
        interval: time between frames [time].
        tau: length of both windows of p_hop [time].
        threshold: p_hop of a rearrangement [length^2].
        training_threshold: p_hop of those that were learnt from [length^2].
        quiet: how long hard particles have not rearranged [time].
        measured: whether this is the measured tau_alpha.
        unwrapping: how periodic wrapping was undone, for people.
        rearrangements: how many were found, of all species.
        species: of each species with a hyperplane.
        without: reason by name, of species without a hyperplane.
    """

    files: tuple[str, ...]
    frames: int
    interval: float
    tau: float
    threshold: float
    training_threshold: float
    quiet: float
    measured: bool
    unwrapping: str
    rearrangements: int
    species: tuple[SpeciesSoftness, ...]
    without: dict[str, str]

    def rows(self) -> list[dict[str, Any]]:
        """One row per species and bin of softness: P_R(S)."""
        return [
            {
                "species": one.species,
                **asdict(chance),
                "chance": chance.chance,
                "error": chance.error,
            }
            for one in self.species
            for chance in one.chances
        ]

    def as_dict(self) -> dict[str, Any]:
        """Everything, as plain dictionaries and lists."""
        return asdict(self) | {"chances": self.rows()}

    def write_csv(self, path: str | Path) -> None:
        """Write `rows` as CSV."""
        write_csv(self.rows(), path)

    def write_json(self, path: str | Path) -> None:
        """Write `as_dict` as JSON."""
        write_json(self.as_dict(), path)


def mean_and_error(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Mean over parts, and its standard error; parts where it is not defined are left out."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return (float(known.mean()) if len(known) else float("nan")), float("nan")
    return float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known)))


def evaluated(
    species: str,
    particles: int,
    penalty: float,
    accuracy: np.ndarray,
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
) -> SpeciesSoftness:
    """How good a hyperplane is.

    Args:
        species: name of the species.
        particles: number of particles that it is fitted to.
        penalty: its C [-].
        accuracy: of each part of the trajectory [-].
        parts: of each, softness [P] [-] and bool [P], which particles rearrange; all particles of
            some frames.
    """
    with np.errstate(invalid="ignore"):
        found = [np.sum((s > 0) & r) / np.float64(r.sum()) for s, r in parts]
    return SpeciesSoftness(
        species=species,
        particles=particles,
        penalty=penalty,
        accuracy=mean_and_error(accuracy),
        found=mean_and_error(found),
        above=mean_and_error([float(np.mean(s > 0)) for s, _ in parts]),
        chances=_chances(*(np.concatenate(both) for both in zip(*parts, strict=True))),
    )


def _chances(softness: np.ndarray, rearranging: np.ndarray) -> tuple[Chance, ...]:
    """P_R(S) in bins of equal width; the outermost are open."""
    low, high = np.quantile(softness, [_OUTER, 1 - _OUTER])
    bins = np.digitize(softness, np.linspace(low, high, _BINS + 1)[1:-1])
    chances = []
    for number in range(_BINS):
        inside = bins == number
        if inside.sum() >= _FEWEST:
            mean = float(softness[inside].mean())
            chances.append(Chance(mean, int(inside.sum()), int(rearranging[inside].sum())))
    return tuple(chances)


def softness_tables(result: SoftnessTable) -> list[Table]:
    """The hyperplanes, and P_R(S), as tables for the terminal."""
    planes = Table(
        title="Hyperplanes between soft and hard particles",
        caption="parts of the trajectory that were left out in turn; standard errors over them",
    )
    for heading in ("species", "particles", "C", "accuracy", "rearranging: S > 0", "all: S > 0"):
        planes.add_column(heading, justify="right")
    for one in result.species:
        shown = (
            f"{value:.3f} ± {error:.3f}" for value, error in (one.accuracy, one.found, one.above)
        )
        planes.add_row(one.species, str(one.particles), f"{one.penalty:g}", *shown)
    chances = Table(
        title=f"P_R(S): chance to rearrange within {result.tau / 2:g}",
        caption="the same parts; errors as if particles rearranged independently of each other",
    )
    for heading in ("species", "S", "particles", "P_R"):
        chances.add_column(heading, justify="right")
    for one in result.species:
        for k, chance in enumerate(one.chances):
            chances.add_row(
                one.species,
                f"{chance.softness:.2f}",
                str(chance.particles),
                f"{chance.chance:.4f} ± {chance.error:.4f}",
                end_section=k == len(one.chances) - 1,
            )
    return [planes, chances]

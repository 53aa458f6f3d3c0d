"""`Domain`: what the training configurations of a model were like, as its manifest says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from glassml.domain.structure import SHELLS
from glassml.physics.units import after_density, after_length

__all__ = ["Domain", "Range", "shown_range", "span_if_known", "united"]


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if not value[0] <= value[1]:
        raise ValueError(f"expected the smallest value, then the largest; found {list(value)}")
    return value


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]


class Domain(BaseModel):
    """What the training configurations of a model were like.

    Ranges are (smallest, largest) over the configurations.

    Attributes:
        configurations: number of configurations that were measured.
        dimension: number of dimensions of the configurations.
        periodic: whether all of them are periodic in every direction in which they extend.
        number_density: range [length^-dimension]; None unless ``periodic``: the volume of other
            cells may be mostly empty.
        composition: for each species the range of its fraction of the particles [-].
        temperature: range [energy], or in K where the unit of length is not "lj"; None if unknown.
        neighbours: range of the mean number of neighbours of a particle within the cutoff [-].
        propensity: for each time of the model the range of the labels [length]; None where they are
            unknown, as in files that were written before this was measured.
        particles: for each species how many of them were measured.
        shells: [S][S][40] [-], the mean number of neighbours of each species around a particle of
            each species, in 40 equally thick shells between 0 and the cutoff.
        spread: how far the shells of any one configuration depart from this mean, beyond the noise
            of counting [-].
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    configurations: int = Field(ge=1)
    dimension: Literal[2, 3]
    periodic: bool
    number_density: Range | None
    composition: tuple[Range, ...] = Field(min_length=1)
    temperature: Range | None
    neighbours: Range
    propensity: tuple[Range | None, ...] | None = None
    particles: tuple[int, ...]
    shells: tuple[tuple[tuple[float, ...], ...], ...]
    spread: float = Field(ge=0)

    def facts(self, species: Sequence[str], unit: str) -> dict[str, str]:
        """The domain in words: quantity -> its range.

        Args:
            species: names of the species.
            unit: unit of length.
        """
        density = self.number_density and shown_range(self.number_density)
        temperature = self.temperature and shown_range(self.temperature)
        return {
            "configurations": str(self.configurations),
            "dimension": str(self.dimension),
            "number density": (density or "unknown, as they are not periodic")
            + (after_density(unit, self.dimension) if density else ""),
            "composition": ", ".join(
                f"{name} {shown_range(fractions)}"
                for name, fractions in zip(species, self.composition, strict=True)
            ),
            "temperature": (temperature or "unknown")
            + (" K" if temperature and unit != "lj" else ""),
            "neighbours per particle": shown_range(self.neighbours),
            "labels": self._shown_labels(unit),
        }

    def _shown_labels(self, unit: str) -> str:
        known = [one for one in self.propensity or () if one is not None]
        return shown_range(_span(known)) + after_length(unit) if known else "unknown"

    @model_validator(mode="after")
    def _fits_together(self) -> Domain:
        n = len(self.composition)
        if len(self.particles) != n:
            raise ValueError(f"particles: expected {n} numbers; found {len(self.particles)}")
        shape = {len(row) for rows in self.shells for row in rows}
        if (
            len(self.shells) != n
            or any(len(rows) != n for rows in self.shells)
            or shape != {SHELLS}
        ):
            raise ValueError(f"shells: expected {SHELLS} numbers for each pair of {n} species")
        return self


def shown_range(known: Range) -> str:
    """A range for people: "1.19 to 1.21", or one number if both are the same in four digits."""
    low, high = (f"{value:.4g}" for value in known)
    return low if low == high else f"{low} to {high}"


def united(domains: Sequence[Domain | None], largest: Sequence[bool]) -> Domain | None:
    """One domain for several models with the same species, from the least to the most.

    Args:
        domains: of the models.
        largest: whether each model has the largest cutoff, for which the shells are.

    Returns:
        None if one of them is unknown, or they are not of the same dimension.
    """
    known = [domain for domain in domains if domain is not None]
    if len(known) < len(domains) or len({domain.dimension for domain in known}) > 1:
        return None
    chosen = [domain for domain, is_largest in zip(known, largest, strict=True) if is_largest]
    shells = np.array([domain.shells for domain in chosen])
    mean = shells.mean(axis=0)
    # The means of the members differ too. The unit is that of `departure`.
    apart = np.abs(shells - mean).sum(axis=(1, 2, 3)) / max(mean.sum(), 1e-300)
    return Domain(
        configurations=sum(domain.configurations for domain in known),
        dimension=known[0].dimension,
        periodic=all(domain.periodic for domain in known),
        number_density=span_if_known([domain.number_density for domain in known]),
        composition=tuple(
            _span(ranges) for ranges in zip(*(d.composition for d in known), strict=True)
        ),
        temperature=span_if_known([domain.temperature for domain in known]),
        neighbours=_span([domain.neighbours for domain in chosen]),
        propensity=_united_labels([domain.propensity for domain in known]),
        # They may have learnt from the same particles.
        particles=tuple(
            min(numbers) for numbers in zip(*(d.particles for d in chosen), strict=True)
        ),
        shells=mean.tolist(),
        spread=max(d.spread + float(a) for d, a in zip(chosen, apart, strict=True)),
    )


def _united_labels(
    labels: Sequence[tuple[Range | None, ...] | None],
) -> tuple[Range | None, ...] | None:
    known = [ranges for ranges in labels if ranges is not None]
    if len(known) < len(labels):
        return None
    return tuple(span_if_known(ranges) for ranges in zip(*known, strict=True))


def _span(ranges: Sequence[Range]) -> Range:
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def span_if_known(ranges: Sequence[Range | None]) -> Range | None:
    """From the least to the most of several ranges; None if one of them is unknown."""
    known = [one for one in ranges if one is not None]
    return _span(known) if len(known) == len(ranges) else None

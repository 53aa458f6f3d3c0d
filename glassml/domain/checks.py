"""Whether a system lies within the domain of a model, and what to say if it does not.

The limits are for what is clearly outside. They allow for fluctuations of a system of N particles,
at about three standard deviations. docs/howto/domain.md has the table of systems inside and outside
that they were chosen by; `fix glassml` has the same limits (lammps_plugin/src/domain_watch.cpp).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from glassml.domain.measuring import Measured
from glassml.domain.record import Domain, shown_range
from glassml.domain.structure import SHELLS, counting_noise, departure
from glassml.errors import ConfigError, OutsideDomainWarning
from glassml.physics.units import after_density, after_length

__all__ = ["DomainWatch", "Outside", "check_neighbours", "outside", "outside_labels"]

# Beyond the range of the training data; relative, except for fractions of particles.
_DENSITY = 0.02
_TEMPERATURE = 0.1
_NEIGHBOURS = 0.05
_COMPOSITION = 0.02
_STRUCTURE = 0.04

_FEWEST_NEIGHBOURS = 2  # as in a chain


@dataclass(frozen=True)
class Outside:
    """One quantity in which a system lies outside the domain of a model.

    Attributes:
        quantity: its name.
        expected: the value in the training data.
        found: the value in the system.
    """

    quantity: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.quantity}: expected {self.expected}; found {self.found}"


def outside(
    system: Measured, domain: Domain, species: Sequence[str], cutoff: float, unit: str
) -> tuple[Outside, ...]:
    """The quantities in which a system lies clearly outside a domain; empty if it lies inside.

    Args:
        system: the system.
        domain: of the model.
        species: names of the model's species.
        cutoff: r_c of the model [length].
        unit: unit of length of both.
    """
    if system.dimension != domain.dimension:
        return (Outside("dimension", str(domain.dimension), str(system.dimension)),)
    found = (*_state(system, domain, unit), *_composition(system, domain, species))
    # A different state or composition explains a different structure.
    return found or tuple(_structure(system, domain, species, cutoff))


def outside_labels(
    values: np.ndarray, domain: Domain, columns: Sequence[str], unit: str
) -> tuple[Outside, ...]:
    """The times at which predictions are far outside the labels of the training data.

    Far is farther from their range than it is wide: predictions are smoother than labels, so those
    of a liquid like the training data lie within it.

    Args:
        values: propensity [N, T] [length].
        domain: of the model.
        columns: names of the T columns.
        unit: unit of length.
    """
    found = []
    for column, known, name in zip(values.T, domain.propensity or (), columns, strict=False):
        if known is None or not len(column):
            continue
        middle, width = (known[0] + known[1]) / 2, known[1] - known[0]
        farthest = float(column[np.argmax(np.abs(column - middle))])
        if not abs(farthest - middle) <= 1.5 * width:
            suffix = after_length(unit)
            found.append(Outside(name, shown_range(known) + suffix, f"{farthest:.4g}{suffix}"))
    return tuple(found)


def check_neighbours(domain: Domain, cutoff: float, unit: str, what: str) -> None:
    """Refuse training data in which particles have almost no neighbours.

    Args:
        domain: of the training data.
        cutoff: r_c of the model [length].
        unit: unit of length.
        what: the field or file that states the cutoff, for the message.

    Raises:
        ConfigError: there are fewer than two neighbours per particle.
    """
    if domain.neighbours[0] >= _FEWEST_NEIGHBOURS:
        return
    suffix = after_length(unit)
    spacing = domain.number_density and f"{domain.number_density[0] ** (-1 / domain.dimension):.3g}"
    about = f"; the mean spacing of particles is {spacing}{suffix}" if spacing else ""
    raise ConfigError(
        f"{what}: expected a distance within which particles have neighbours; found "
        f"{cutoff:g}{suffix}, within which they have {domain.neighbours[0]:.2g} on average{about}. "
        "Are lengths of data and model in the same unit?"
    )


class DomainWatch:
    """Warns once of every quantity in which the systems of a model lie outside its domain.

    Args:
        model: name of the model, for the warnings.
        domain: of the model.
        species: names of the model's species.
        cutoff: r_c of the model [length].
        unit: the model's unit of length.
    """

    def __init__(
        self, model: str, domain: Domain, species: Sequence[str], cutoff: float, unit: str
    ) -> None:
        self._model = model
        self._domain = domain
        self._arguments = (tuple(species), cutoff, unit)
        self._said: set[str] = set()

    def see(self, name: str, system: Measured) -> None:
        """Compare a system with the domain.

        Args:
            name: of the configuration, for the warning.
            system: measured with the species and the cutoff of the model.

        Warns:
            OutsideDomainWarning: it lies outside, in a quantity of which there was no warning yet.
        """
        self._warn(
            f"{name} is unlike the training data of {self._model}, so predictions may be wrong",
            outside(system, self._domain, *self._arguments),
        )

    def see_predictions(self, name: str, values: np.ndarray, columns: Sequence[str]) -> None:
        """Compare predictions with the labels that the model learnt from.

        Args:
            name: of the configuration, for the warning.
            values: propensity [N, T] [length].
            columns: names of the T columns.

        Warns:
            OutsideDomainWarning: some are far outside the labels, at a time of which there was no
                warning yet.
        """
        self._warn(
            f"{name}: predictions of {self._model} are far outside the labels of its training "
            "data, so they are wrong",
            outside_labels(values, self._domain, columns, self._arguments[2]),
        )

    def _warn(self, text: str, found: Sequence[Outside]) -> None:
        news = [one for one in found if one.quantity not in self._said]
        self._said.update(one.quantity for one in news)
        if news:
            warnings.warn(
                f"{text}: {'; '.join(map(str, news))}", OutsideDomainWarning, stacklevel=4
            )


def _state(system: Measured, domain: Domain, unit: str) -> Iterator[Outside]:
    n = int(system.structure.particles.sum())
    if domain.periodic and not system.periodic:
        yield Outside("boundaries", "periodic ones", "others (is the cell missing?)")
    # Standard deviations for N particles: 0.2 / sqrt(N) of the density of a liquid at constant
    # pressure, whose structure factor S(0) is about 0.04, and sqrt(2 / (d N)) of the temperature
    # that follows from velocities.
    fluctuation = 0.6 / math.sqrt(n)
    for quantity, value, known, tolerance, suffix in (
        (
            "number density",
            system.number_density,
            domain.number_density,
            _DENSITY + fluctuation,
            after_density(unit, domain.dimension),
        ),
        (
            "neighbours within the cutoff",
            system.structure.neighbours,
            domain.neighbours,
            _NEIGHBOURS + fluctuation,
            "",
        ),
        (
            "temperature",
            system.temperature,
            domain.temperature,
            _TEMPERATURE + 3 * math.sqrt(2 / (domain.dimension * n)),
            "" if unit == "lj" else " K",
        ),
    ):
        if value is None or known is None:
            continue
        if not known[0] * (1 - tolerance) <= value <= known[1] * (1 + tolerance):
            yield Outside(quantity, shown_range(known) + suffix, f"{value:.4g}{suffix}")


def _composition(system: Measured, domain: Domain, species: Sequence[str]) -> Iterator[Outside]:
    n = system.structure.particles.sum()
    for name, x, (low, high) in zip(
        species, system.structure.composition, domain.composition, strict=True
    ):
        # Species may have been drawn at random for every particle.
        margin = _COMPOSITION + 3 * math.sqrt(high * (1 - low) / n)
        if not low - margin <= x <= high + margin:
            yield Outside(f"fraction of {name}", shown_range((low, high)), f"{x:.3g}")


def _structure(
    system: Measured, domain: Domain, species: Sequence[str], cutoff: float
) -> Iterator[Outside]:
    structure, reference = system.structure, np.array(domain.shells)
    behind = np.array(domain.particles)
    limit = domain.spread + _STRUCTURE + counting_noise(structure, reference, behind) / 2
    if departure(structure, reference, behind) <= limit:
        return
    x = structure.composition[:, None, None]
    largest = np.argmax(x * np.abs(structure.shells - reference))
    a, b, k = (int(index) for index in np.unravel_index(int(largest), reference.shape))
    near, far = cutoff * k / SHELLS, cutoff * (k + 1) / SHELLS
    yield Outside(
        "local structure",
        f"{reference[a, b, k]:.3g} neighbours {species[b]} of a particle {species[a]} between "
        f"{near:.3g} and {far:.3g}",
        f"{structure.shells[a, b, k]:.3g}",
    )

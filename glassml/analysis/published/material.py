"""What published curves were measured on, and whether a dataset is of the same material."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glassml.data import Configuration, Dataset

__all__ = ["Material"]

_TOLERANCE = 0.01  # relative of the density, absolute of fractions of species
_SAME_TEMPERATURE = 0.01  # relative


@dataclass(frozen=True)
class Material:
    """The three-dimensional Kob-Andersen mixture at a temperature.

    Attributes:
        temperature: in LJ units.
        system: name that `glassml simulate` gives the interactions.
        fractions: of the species, in descending order.
        number_density: in LJ units.
    """

    temperature: float
    system: str = "kob-andersen"
    fractions: tuple[float, ...] = (0.8, 0.2)
    number_density: float = 1.2

    def __str__(self) -> str:
        ratio = ":".join(f"{100 * fraction:g}" for fraction in self.fractions)
        return (
            f"the Kob-Andersen mixture ({ratio}, number density {self.number_density:g}, LJ units, "
            "three dimensions)"
        )

    def misfits(self, dataset: Dataset) -> list[str]:
        """How a dataset differs from this material; nothing if it is the same as far as is known.

        Its first configuration stands for all of them. The interactions are known if `glassml
        simulate` made the dataset. The temperature is no part of this: see `other_temperature`.
        """
        return list(self._misfits(dataset, dataset[0]))

    def other_temperature(self, dataset: Dataset) -> float | None:
        """The temperature of a dataset, if it is known and is another one."""
        known = dataset.description.get("temperature", dataset[0].provenance.get("temperature"))
        if not isinstance(known, int | float):
            return None
        same = math.isclose(known, self.temperature, rel_tol=_SAME_TEMPERATURE)
        return None if same else float(known)

    def _misfits(self, dataset: Dataset, first: Configuration) -> Iterator[str]:
        system = dataset.description.get("system")
        name = system.get("name") if isinstance(system, dict) else None
        if name is not None and name != self.system:
            yield f"interactions {name}"
        if first.length_unit != "lj":
            yield f"lengths in {first.length_unit}"
        if first.dimension != 3:
            yield f"{first.dimension} dimensions"
        counts = np.bincount(first.species, minlength=len(first.species_names))
        found = np.sort(counts[counts > 0] / first.n_particles)[::-1]
        # A small system cannot have these fractions to better than one particle.
        allowed = max(_TOLERANCE, 1 / first.n_particles)
        if len(found) != len(self.fractions) or np.any(np.abs(found - self.fractions) > allowed):
            shown = ", ".join(
                f"{100 * n / first.n_particles:.3g} % {species}"
                for n, species in zip(counts, first.species_names, strict=True)
            )
            yield f"composition {shown}"
        if not math.isclose(first.number_density, self.number_density, rel_tol=_TOLERANCE):
            yield f"number density {first.number_density:.4g}"

"""Measuring configurations: the domain of a training, and one system that a model is used on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from torch_geometric.data import Data

from glassml.data import Configuration
from glassml.domain.record import Domain, Range, span_if_known
from glassml.domain.structure import LocalStructure, counting_noise, departure, local_structure
from glassml.errors import InputError
from glassml.physics import column_of, largest_distance

__all__ = ["Measured", "domain_of", "label_range", "labels_at", "mean_spacing", "measured"]

# Digits of the mean numbers of neighbours in a file.
_DIGITS = 5


@dataclass(frozen=True)
class Measured:
    """One system, as far as it can be compared with a `Domain`.

    Attributes:
        structure: its local structure within the cutoff of the model.
        dimension: 3 or 2.
        number_density: [length^-dimension]; None if it is not periodic in every direction in which
            it extends.
        temperature: as in `Domain`; None if unknown.
    """

    structure: LocalStructure
    dimension: int
    number_density: float | None
    temperature: float | None

    @property
    def periodic(self) -> bool:
        """Whether it is periodic in every direction in which it extends."""
        return self.number_density is not None


def measured(configuration: Configuration, graph: Data, n_species: int, cutoff: float) -> Measured:
    """Measure a configuration.

    Args:
        configuration: with the positions that the model reads. The temperature is the one in its
            provenance: its own, or else that of the run over which its positions were averaged.
        graph: its graph, with the model's indices of species.
        n_species: number of species of the model.
        cutoff: r_c of the model [length].
    """
    stated = configuration.provenance
    temperature = stated.get("temperature", stated.get("average_temperature"))
    return Measured(
        local_structure(graph, n_species, cutoff),
        configuration.dimension,
        configuration.number_density if _is_periodic(configuration) else None,
        float(temperature) if isinstance(temperature, int | float) else None,
    )


def label_range(propensity: np.ndarray | None) -> tuple[Range, ...]:
    """The smallest and the largest label at each time [length], of labels [N, T]."""
    labels = np.asarray(propensity, dtype=np.float64)
    return tuple(zip(labels.min(axis=0).tolist(), labels.max(axis=0).tolist(), strict=True))


def labels_at(configuration: Configuration, times: Sequence[float]) -> tuple[Range | None, ...]:
    """The range of the labels of a configuration at each time of a model.

    Args:
        configuration: with or without labels.
        times: of the model [time].

    Returns:
        `label_range` for each time; None where the configuration has no label.
    """
    if configuration.propensity is None or configuration.times is None:
        return (None,) * len(times)
    known = label_range(configuration.propensity)
    columns = [column_of(time, configuration.times) for time in times]
    return tuple(None if column is None else known[column] for column in columns)


def domain_of(
    systems: Sequence[Measured], labels: Sequence[tuple[Range | None, ...]] | None = None
) -> Domain:
    """The domain of training configurations, one or more, all measured for one model.

    Args:
        systems: the configurations.
        labels: of each the range of its labels at each time of the model, see `label_range`. None
            if they are unknown.
    """
    structures = [one.structure for one in systems]
    particles = np.array([one.particles for one in structures])
    shells = np.array([one.shells for one in structures])
    weights = particles / np.maximum(particles.sum(axis=0), 1)
    mean = np.round(np.einsum("ca,cabk->abk", weights, shells), _DIGITS)
    fractions = np.array([one.composition for one in structures])
    return Domain(
        configurations=len(systems),
        dimension=3 if all(one.dimension == 3 for one in systems) else 2,
        periodic=all(one.periodic for one in systems),
        number_density=_range_if_known([one.number_density for one in systems]),
        composition=tuple(_range(column) for column in fractions.T.tolist()),
        temperature=_range_if_known([one.temperature for one in systems]),
        neighbours=_range([one.neighbours for one in structures]),
        propensity=None if labels is None else tuple(map(span_if_known, zip(*labels, strict=True))),
        particles=tuple(particles.sum(axis=0).tolist()),
        shells=mean.tolist(),
        spread=max(_beyond_noise(one, mean, particles.sum(axis=0)) for one in structures),
    )


def mean_spacing(configurations: Iterable[Configuration]) -> float:
    """Mean spacing of the particles of a material [length], averaged over configurations.

    Raises:
        InputError: a configuration is not periodic in every direction in which it extends, so its
            density is unknown.
    """
    spacings = []
    for configuration in configurations:
        if not _is_periodic(configuration):
            raise InputError(
                f"{configuration.name}: expected a system that is periodic in every direction, "
                f"from whose density default lengths follow; found pbc "
                f"{', '.join('FT'[periodic] for periodic in configuration.pbc)}"
            )
        spacings.append(configuration.spacing)
    return float(np.mean(spacings))


def _is_periodic(configuration: Configuration) -> bool:
    return largest_distance(configuration.cell, configuration.pbc, configuration.plane) is not None


def _range(values: Sequence[float]) -> Range:
    return float(min(values)), float(max(values))


def _range_if_known(values: Sequence[float | None]) -> Range | None:
    known = [value for value in values if value is not None]
    return _range(known) if len(known) == len(values) else None


def _beyond_noise(structure: LocalStructure, reference: np.ndarray, behind: np.ndarray) -> float:
    """How far a configuration departs from the mean that it is part of."""
    noise = counting_noise(structure, reference, -behind)
    return max(0.0, departure(structure, reference, -behind) - noise / 2)

"""What a dataset holds, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from glassml.data.configuration import Configuration

if TYPE_CHECKING:
    from glassml.data.dataset import Dataset

__all__ = ["DatasetSummary", "LabelStatistics", "summarise"]


@dataclass(frozen=True)
class LabelStatistics:
    """The distribution of the labels of one species at one time, over all configurations.

    Attributes:
        species: name of the species.
        time: [time].
        count: number of labels.
        mean: their mean [length].
        std: their standard deviation [length].
        minimum: the smallest [length].
        maximum: the largest [length].
    """

    species: str
    time: float
    count: int
    mean: float
    std: float
    minimum: float
    maximum: float


@dataclass(frozen=True, kw_only=True)
class DatasetSummary:
    """What `Dataset.summary` finds. Ranges are (smallest, largest) over the configurations.

    Attributes:
        path: the file.
        sha256: checksum of the contents.
        n_configurations: number of configurations.
        n_labelled: how many of them have labels.
        n_particles: range of the number of particles.
        species_counts: species name -> particles in all configurations together.
        number_density: range of N / volume [length^-3].
        length_unit: unit of lengths.
        scalars: names of the scalars that every configuration has.
        times: the times of the labels [time]; None if configurations differ, empty if unlabelled.
        n_runs: range of the number of runs behind the labels; None if unknown.
        labels: statistics for each species and time.
        provenance: key -> its different values, in order.
    """

    path: str
    sha256: str
    n_configurations: int
    n_labelled: int
    n_particles: tuple[int, int]
    species_counts: dict[str, int]
    number_density: tuple[float, float]
    length_unit: str
    scalars: list[str]
    times: list[float] | None
    n_runs: tuple[int, int] | None
    labels: list[LabelStatistics]
    provenance: dict[str, list[str | int | float]]

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain dictionaries and lists."""
        return asdict(self)


@dataclass
class _Moments:
    """Count, mean and sum of squared deviations, merged sample by sample (Chan et al. 1979)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    minimum: float = np.inf
    maximum: float = -np.inf

    def add(self, values: np.ndarray) -> None:
        total = self.count + len(values)
        shift = values.mean() - self.mean
        self.squares += values.var() * len(values) + shift**2 * self.count * len(values) / total
        self.mean += shift * len(values) / total
        self.count = total
        self.minimum = min(self.minimum, values.min())
        self.maximum = max(self.maximum, values.max())

    def statistics(self, species: str, time: float) -> LabelStatistics:
        return LabelStatistics(
            species=species,
            time=time,
            count=self.count,
            mean=float(self.mean),
            std=float(np.sqrt(self.squares / self.count)),
            minimum=float(self.minimum),
            maximum=float(self.maximum),
        )


@dataclass
class _Tally:
    """What is collected while the configurations pass by, one at a time."""

    species: Counter = field(default_factory=Counter)
    n_particles: list[int] = field(default_factory=list)
    densities: list[float] = field(default_factory=list)
    n_runs: list[int] = field(default_factory=list)
    scalars: list[set[str]] = field(default_factory=list)
    times: list[tuple[float, ...]] = field(default_factory=list)
    labels: dict[tuple[str, float], _Moments] = field(default_factory=dict)
    provenance: dict[str, dict[str | int | float, None]] = field(default_factory=dict)

    def add(self, configuration: Configuration) -> None:
        self.n_particles.append(configuration.n_particles)
        self.densities.append(configuration.n_particles / configuration.volume)
        self.scalars.append(set(configuration.scalars))
        if configuration.n_runs is not None:
            self.n_runs.append(configuration.n_runs)
        for key, value in configuration.provenance.items():
            self.provenance.setdefault(key, {})[value] = None
        if configuration.times is not None:
            self.times.append(tuple(configuration.times.tolist()))
        for index, name in enumerate(configuration.species_names):
            of_species = configuration.species == index
            self.species[name] += int(of_species.sum())
            if (
                configuration.times is None
                or configuration.propensity is None
                or not of_species.any()
            ):
                continue
            columns = configuration.propensity[of_species].T
            for time, column in zip(configuration.times.tolist(), columns, strict=True):
                self.labels.setdefault((name, time), _Moments()).add(column)


def summarise(dataset: Dataset) -> DatasetSummary:
    """Read a dataset once, check its checksums and collect its `DatasetSummary`.

    Raises:
        InputError: a configuration is damaged.
    """
    tally = _Tally()
    for configuration in dataset:
        dataset.verify(configuration)
        tally.add(configuration)
    different_times = sorted(set(tally.times))
    return DatasetSummary(
        path=str(dataset.path),
        sha256=dataset.sha256,
        n_configurations=len(dataset),
        n_labelled=len(tally.times),
        n_particles=(min(tally.n_particles), max(tally.n_particles)),
        species_counts=dict(tally.species),
        number_density=(min(tally.densities), max(tally.densities)),
        length_unit=dataset.length_unit,
        scalars=sorted(set.intersection(*tally.scalars)),
        times=None if len(different_times) > 1 else [t for times in different_times for t in times],
        n_runs=(min(tally.n_runs), max(tally.n_runs)) if tally.n_runs else None,
        labels=[
            moments.statistics(species, time)
            for (species, time), moments in sorted(tally.labels.items())
        ],
        provenance={key: list(values) for key, values in tally.provenance.items()},
    )

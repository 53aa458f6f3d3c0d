"""What a dataset holds, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from glassml.data.configuration import Configuration
from glassml.data.dataset import Dataset
from glassml.data.windows import Window, number_of_windows, window_of
from glassml.physics import noise_ceiling, same_times

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
        noise_ceiling: the highest Pearson correlation with these labels that a model can have (see
            `glassml.physics.noise_ceiling`), for the labels of all configurations pooled; None
            unless the halves of the runs are known and correlate.
    """

    species: str
    time: float
    count: int
    mean: float
    std: float
    minimum: float
    maximum: float
    noise_ceiling: float | None = None


@dataclass(frozen=True, kw_only=True)
class DatasetSummary:
    """What a dataset holds. Ranges are (smallest, largest) over the configurations.

    Attributes:
        path: the file.
        sha256: checksum of the contents.
        n_configurations: number of configurations.
        n_labelled: how many of them have labels.
        n_particles: range of the number of particles.
        species_counts: species name -> number of particles in all configurations together.
        dimension: 3, or 2 if all configurations are two-dimensional; None if only some are.
        number_density: range of N / volume [length^-3], or N / area [length^-2] in two dimensions.
        length_unit: unit of lengths.
        scalars: names of the scalars that every configuration has.
        times: the times of the labels [time]; None if configurations differ, empty if unlabelled.
        n_runs: range of the number of runs behind the labels; None if unknown.
        labels: statistics for each species and time.
        structures: name -> number of configurations with these other positions.
        statistics: name -> number of configurations with this further average.
        predictions: name -> number of configurations with predictions of this model.
        windows: range of the number of windows that positions were averaged over; 0: no averages.
        window_recipes: how they were averaged, such as "20 samples every 0.1"; more than one if
            configurations differ.
        n_final_positions: number of configurations with the final positions of their runs.
        warnings: what the makers of the data warn of.
        description: how the data were made, with ``warnings``.
        provenance: key -> its different values, in order.
    """

    path: str
    sha256: str
    n_configurations: int
    n_labelled: int
    n_particles: tuple[int, int]
    species_counts: dict[str, int]
    dimension: int | None
    number_density: tuple[float, float]
    length_unit: str
    scalars: list[str]
    times: list[float] | None
    n_runs: tuple[int, int] | None
    labels: list[LabelStatistics]
    structures: dict[str, int]
    statistics: dict[str, int]
    predictions: dict[str, int]
    windows: tuple[int, int]
    window_recipes: list[str]
    n_final_positions: int
    warnings: list[str]
    description: dict[str, Any]
    provenance: dict[str, list[str | int | float]]

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain dictionaries and lists."""
        return asdict(self)


@dataclass
class _Covariance:
    """Means of two quantities and sums of products of deviations, merged sample by sample."""

    count: int = 0
    mean: np.ndarray = field(default_factory=lambda: np.zeros(2))
    products: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))

    def add(self, pairs: np.ndarray) -> None:
        total = self.count + len(pairs)
        mean = pairs.mean(axis=0)
        shift, deviation = mean - self.mean, pairs - mean
        self.products += deviation.T @ deviation
        self.products += np.outer(shift, shift) * self.count * len(pairs) / total
        self.mean = self.mean + shift * len(pairs) / total
        self.count = total

    def correlation(self) -> float:
        """Pearson's coefficient; 0 where one of the two does not vary."""
        scale = np.sqrt(self.products[0, 0] * self.products[1, 1])
        return float(self.products[0, 1] / scale) if scale > 0 else 0.0


@dataclass
class _Moments:
    """Moments of the labels, merged sample by sample (T. F. Chan et al. 1979)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    minimum: float = np.inf
    maximum: float = -np.inf
    halves: _Covariance = field(default_factory=_Covariance)

    def add(self, values: np.ndarray) -> None:
        total = self.count + len(values)
        shift = values.mean() - self.mean
        self.squares += values.var() * len(values) + shift**2 * self.count * len(values) / total
        self.mean += shift * len(values) / total
        self.count = total
        self.minimum = min(self.minimum, values.min())
        self.maximum = max(self.maximum, values.max())

    def statistics(self, species: str, time: float) -> LabelStatistics:
        # If only some of the labels have halves, nothing follows for all of them.
        complete = self.halves.count == self.count
        return LabelStatistics(
            species=species,
            time=time,
            count=self.count,
            mean=float(self.mean),
            std=float(np.sqrt(self.squares / self.count)),
            minimum=float(self.minimum),
            maximum=float(self.maximum),
            noise_ceiling=noise_ceiling(self.halves.correlation()) if complete else None,
        )


@dataclass
class _Tally:
    """What is collected from the configurations, one at a time."""

    species: Counter = field(default_factory=Counter)
    n_particles: list[int] = field(default_factory=list)
    densities: list[float] = field(default_factory=list)
    dimensions: set[int] = field(default_factory=set)
    n_runs: list[int] = field(default_factory=list)
    scalars: list[set[str]] = field(default_factory=list)
    structures: Counter = field(default_factory=Counter)
    statistics: Counter = field(default_factory=Counter)
    predictions: Counter = field(default_factory=Counter)
    windows: list[int] = field(default_factory=list)
    recipes: list[Window] = field(default_factory=list)
    times: list[tuple[float, ...]] = field(default_factory=list)
    labels: dict[tuple[str, float], _Moments] = field(default_factory=dict)
    provenance: dict[str, dict[str | int | float, None]] = field(default_factory=dict)

    def add(self, configuration: Configuration) -> None:
        self.n_particles.append(configuration.n_particles)
        self.densities.append(configuration.number_density)
        self.dimensions.add(configuration.dimension)
        self.scalars.append(set(configuration.scalars))
        for name in ("structures", "statistics", "predictions"):
            getattr(self, name).update(getattr(configuration, name).keys())
        self.windows.append(number_of_windows(configuration))
        window = window_of(configuration)
        if window is not None and not any(window.same_as(known) for known in self.recipes):
            self.recipes.append(window)
        if configuration.n_runs is not None:
            self.n_runs.append(configuration.n_runs)
        for key, value in configuration.provenance.items():
            self.provenance.setdefault(key, {})[value] = None
        if configuration.times is not None:
            times = tuple(configuration.times.tolist())
            same = bool(self.times) and same_times(times, self.times[0])
            self.times.append(self.times[0] if same else times)
        for index, name in enumerate(configuration.species_names):
            of_species = configuration.species == index
            self.species[name] += int(of_species.sum())
            if of_species.any():
                self._add_labels(configuration, name, of_species)

    def _add_labels(self, configuration: Configuration, name: str, chosen: np.ndarray) -> None:
        if configuration.times is None or configuration.propensity is None:
            return
        halves = configuration.statistics.get("propensity_halves")
        for column, time in enumerate(self.times[-1]):
            moments = self.labels.setdefault((name, time), _Moments())
            moments.add(configuration.propensity[chosen, column])
            if halves is not None:
                moments.halves.add(halves[chosen, column])


def summarise(dataset: Dataset) -> DatasetSummary:
    """Counts, densities, times, label statistics and provenance of a dataset.

    The whole dataset is read and checked against its checksums, except for final positions.

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
        dimension=tally.dimensions.pop() if len(tally.dimensions) == 1 else None,
        number_density=(min(tally.densities), max(tally.densities)),
        length_unit=dataset.length_unit,
        scalars=sorted(set.intersection(*tally.scalars)),
        times=None if len(different_times) > 1 else [t for times in different_times for t in times],
        n_runs=(min(tally.n_runs), max(tally.n_runs)) if tally.n_runs else None,
        labels=[
            moments.statistics(species, time)
            for (species, time), moments in sorted(tally.labels.items())
        ],
        structures=dict(tally.structures),
        statistics=dict(tally.statistics),
        predictions=dict(tally.predictions),
        windows=(min(tally.windows), max(tally.windows)),
        window_recipes=list(map(str, tally.recipes)),
        n_final_positions=sum(dataset.has_final_positions(name) for name in dataset.names),
        warnings=list(dataset.description.get("warnings", [])),
        description=dataset.description,
        provenance={key: list(values) for key, values in tally.provenance.items()},
    )

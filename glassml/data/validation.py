"""Is a dataset undamaged, and can it be what it says it is?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matscipy.neighbours import neighbour_list

from glassml.data.averages import isoconfigurational_averages
from glassml.data.configuration import Configuration
from glassml.data.dataset import Dataset
from glassml.errors import InputError

__all__ = ["Complaint", "complaints"]

# Particles of the liquids that are simulated come no nearer than about 0.7 of the mean spacing,
# hydrogen in water to 0.45 of it; positions of a wrong box or unit do.
_SMALLEST_SPACING = 0.3  # of (N / volume)^(-1/d)
_DENSITY_TOLERANCE = 0.1  # relative, around the median
_ROUNDING = 1e-5  # relative: published labels were rounded to float32 on their way


@dataclass(frozen=True)
class Complaint:
    """Something that is wrong with a configuration.

    Attributes:
        configuration: its name.
        text: what was expected and what was found.
    """

    configuration: str
    text: str

    def __str__(self) -> str:
        return f"{self.configuration}: {self.text}"


def complaints(
    dataset: Dataset, smallest_distance: float | None = None
) -> Iterator[Complaint | None]:
    """Check every configuration, one after the other, final positions included.

    Checked are the checksums; that all numbers are finite and fit together; the smallest distance
    of two particles; the density, against the median of the dataset; that nothing is there twice;
    other positions: near the first ones; and of the labels what holds for all averages over the
    same runs: <|dr|> >= |<dr>|, <|dr|^2> >= <|dr|>^2, and the mean of the halves is the whole.

    Args:
        dataset: what to check.
        smallest_distance: that two particles may have [length]. Default: 0.3 of the mean spacing.

    Yields:
        The complaints, and None after each configuration.
    """
    densities: dict[str, float] = {}
    seen: dict[str, str] = {}
    for name in dataset.names:
        try:
            configuration = dataset.read(name, final_positions=True)
            dataset.verify(configuration)
        except InputError as error:
            yield Complaint(name, str(error))
            yield None
            continue
        twin = seen.setdefault(dataset.checksum(name), name)
        if twin != name:
            yield Complaint(name, f"expected new data; found those of {twin}")
        densities[name] = configuration.number_density
        for text in _complaints(configuration, smallest_distance):
            yield Complaint(name, text)
        yield None
    middle = float(np.median(list(densities.values()))) if densities else 0.0
    for name, density in densities.items():
        if abs(density - middle) > _DENSITY_TOLERANCE * middle:
            yield Complaint(
                name,
                f"number density: expected about {middle:.4g}, the median; found {density:.4g}",
            )


def _complaints(configuration: Configuration, smallest: float | None) -> Iterator[str]:
    yield from _about_positions(configuration, "positions", configuration.positions, smallest)
    for name, positions in configuration.structures.items():
        shift = positions - configuration.positions
        fractional = (shift @ np.linalg.inv(configuration.cell))[:, list(configuration.pbc)]
        far = (np.abs(fractional) > 0.5).any(axis=1) if fractional.size else np.zeros(0, bool)
        if far.any():
            yield (
                f"structures[{name!r}]: expected the images nearest to positions; found "
                f"{far.sum()} particles more than half a box away (first: {far.argmax()})"
            )
        if name == "inherent":  # mean positions in a cage may be anywhere
            yield from _about_positions(configuration, f"structures[{name!r}]", positions, smallest)
    if configuration.propensity is not None:
        yield from _about_labels(configuration, configuration.propensity)


def _about_positions(
    configuration: Configuration, what: str, positions: np.ndarray, smallest: float | None
) -> Iterator[str]:
    dimensions = 3 if configuration.plane is None else 2
    spacing = configuration.number_density ** (-1 / dimensions)
    limit = _SMALLEST_SPACING * spacing if smallest is None else smallest
    # In units of the reach: the search takes the volume of a cell in metres for zero. It is slow
    # where the reach is much smaller than the spacing.
    reach = max(limit, spacing)
    first, second, distance = neighbour_list(
        "ijd",
        cutoff=1.0,
        positions=positions / reach,
        cell=configuration.cell / reach,
        pbc=np.asarray(configuration.pbc),
    )
    near = distance * reach < limit
    first, second, distance = first[near], second[near], distance[near] * reach
    if len(distance):
        k = distance.argmin()
        yield (
            f"{what}: expected particles at least {limit:.3g} apart; found {len(distance) // 2} "
            f"pair(s) nearer, particles {first[k]} and {second[k]} at {distance[k]:.3g}"
        )


def _about_labels(configuration: Configuration, propensity: np.ndarray) -> Iterator[str]:
    statistics, n_runs = configuration.statistics, configuration.n_runs
    slack = _ROUNDING * max(float(propensity.max()), np.finfo(float).tiny)
    if not propensity.any():
        yield "propensity: expected particles that move; found zeros only"
    if "mean_displacement" in statistics:
        length = np.linalg.norm(statistics["mean_displacement"], axis=-1)
        yield from _wrong(
            length > propensity + slack,
            "propensity <|dr|> at least as long as mean_displacement <dr>",
        )
    if "square_displacement" in statistics:
        root = np.sqrt(statistics["square_displacement"])
        yield from _wrong(
            propensity > root + slack, "square_displacement <|dr|^2> at least propensity <|dr|>^2"
        )
    if "propensity_halves" in statistics:
        halves = statistics["propensity_halves"]
        if n_runs is None:  # the halves of an odd number of runs have different weights
            outside = (propensity < halves.min(2) - slack) | (propensity > halves.max(2) + slack)
            yield from _wrong(outside, "propensity between its propensity_halves")
        else:
            weights = np.array([n_runs // 2, n_runs - n_runs // 2]) / n_runs
            off = np.abs(halves @ weights - propensity) > slack
            yield from _wrong(off, "propensity as the mean of its propensity_halves")
    if configuration.final_positions is not None:
        for column in range(propensity.shape[1]):
            displacements = configuration.final_positions[:, column] - configuration.positions
            mean = isoconfigurational_averages(displacements)["propensity"]
            off = np.abs(mean - propensity[:, column]) > slack
            yield from _wrong(off[:, None], "propensity as the final_positions have it")


def _wrong(wrong: np.ndarray, expected: str) -> Iterator[str]:
    if wrong.any():
        particle, time = (int(k) for k in np.argwhere(wrong)[0])
        yield (
            f"labels: expected {expected}; found {wrong.sum()} of {wrong.size} otherwise (first: "
            f"particle {particle}, time {time})"
        )

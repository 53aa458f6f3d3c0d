"""Check that a dataset is undamaged and physically possible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glassml.data.configuration import Configuration
from glassml.data.dataset import Dataset
from glassml.data.windows import (
    AVERAGE,
    WINDOW_SCALARS,
    number_of_windows,
    window_name,
    window_of,
)
from glassml.errors import InputError
from glassml.physics import find_neighbours, isoconfigurational_averages
from glassml.progress import SILENT, Progress

__all__ = ["Complaint", "complaints"]

# In simulated liquids, particles come no nearer than about 0.7 of the mean spacing; hydrogen in
# water, 0.45 of it. Positions in a wrong box or unit are often nearer.
_SMALLEST_SPACING = 0.3  # of (N / volume)^(-1/d)
_DENSITY_TOLERANCE = 0.1  # relative, around the median
_ROUNDING = 1e-5  # relative: published labels were rounded to float32


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
    dataset: Dataset, smallest_distance: float | None = None, progress: Progress = SILENT
) -> Iterator[Complaint]:
    """Check every configuration, one after the other, including final positions.

    The checks:

    - checksums; all numbers are finite and their shapes agree;
    - no two particles are too near each other;
    - the density is near the median of the dataset;
    - no configuration occurs twice;
    - other structures are near the positions;
    - averages over windows are complete, and say how they were made;
    - averages over the same runs agree: ``<|dr|> >= |<dr>|``, ``<|dr|^2> >= <|dr|>^2``, and the
      mean of the halves is the propensity.

    Args:
        dataset: what to check.
        smallest_distance: that two particles may have [length]. Default: 0.3 of the mean spacing.
        progress: of the configurations.

    Yields:
        Each complaint as it is found.
    """
    densities: dict[str, float] = {}
    seen: dict[str, str] = {}
    for name in progress.watch(dataset.names, dataset.path.name, len(dataset)):
        try:
            configuration = dataset.read(name, final_positions=True)
            dataset.verify(configuration)
        except InputError as error:
            yield Complaint(name, str(error))
            continue
        twin = seen.setdefault(dataset.checksum(name), name)
        if twin != name:
            yield Complaint(name, f"expected new data; found those of {twin}")
        densities[name] = configuration.number_density
        for text in _complaints(configuration, smallest_distance):
            yield Complaint(name, text)
    middle = float(np.median(list(densities.values()))) if densities else 0.0
    for name, density in densities.items():
        if abs(density - middle) > _DENSITY_TOLERANCE * middle:
            yield Complaint(
                name,
                f"number density: expected about {middle:.4g}, the median; found {density:.4g}",
            )


def _complaints(configuration: Configuration, smallest: float | None) -> Iterator[str]:
    yield from _about_positions(configuration, "positions", configuration.positions, smallest)
    averages = {window_name(AVERAGE, k + 1) for k in range(number_of_windows(configuration))}
    for name, positions in configuration.structures.items():
        if name in averages:  # a particle may travel far in later windows
            continue
        shift = positions - configuration.positions
        fractional = (shift @ np.linalg.inv(configuration.cell))[:, list(configuration.pbc)]
        far = (np.abs(fractional) > 0.5).any(axis=1) if fractional.size else np.zeros(0, bool)
        if far.any():
            yield (
                f"structures[{name!r}]: expected the images nearest to positions; found "
                f"{far.sum()} particles more than half a box away (first: {far.argmax()})"
            )
        if name == "inherent":  # the mean positions of two caged particles may be very near
            yield from _about_positions(configuration, f"structures[{name!r}]", positions, smallest)
    yield from _about_windows(configuration)
    if configuration.propensity is not None:
        yield from _about_labels(configuration, configuration.propensity)


def _about_positions(
    configuration: Configuration, what: str, positions: np.ndarray, smallest: float | None
) -> Iterator[str]:
    spacing = configuration.spacing
    limit = _SMALLEST_SPACING * spacing if smallest is None else smallest
    # The search is slow if the cutoff is much smaller than the spacing.
    reach = max(limit, spacing)
    second, first, vector = find_neighbours(positions, configuration.cell, configuration.pbc, reach)
    distance = np.linalg.norm(vector, axis=1)
    near = distance < limit
    first, second, distance = first[near], second[near], distance[near]
    if len(distance):
        k = distance.argmin()
        yield (
            f"{what}: expected particles at least {limit:.3g} apart; found {len(distance) // 2} "
            f"pair(s) nearer, particles {first[k]} and {second[k]} at {distance[k]:.3g}"
        )


def _about_windows(configuration: Configuration) -> Iterator[str]:
    number = number_of_windows(configuration)
    try:
        window_of(configuration)
    except InputError as error:
        yield str(error).removeprefix(f"{configuration.name}: ")
    for prefix, fields in (("structures", [AVERAGE]), ("scalars", list(WINDOW_SCALARS))):
        for name in getattr(configuration, prefix):
            plain, _, last = name.rpartition("_")
            if plain in fields and last.isdecimal() and int(last) > number:
                yield (
                    f"{prefix}[{name!r}]: expected windows numbered from 1 without gaps; found "
                    f"{number} structures {AVERAGE!r}"
                )
    for k in range(1, number + 1):
        names = [window_name(name, k) for name in WINDOW_SCALARS]
        energy, vibration, displacement = map(configuration.scalars.get, names)
        if energy is None and window_name(WINDOW_SCALARS[0], 1) in configuration.scalars:
            yield f"scalars: expected {names[0]!r}, as for window 1; found none"
        if vibration is None or displacement is None:
            absent = names[1] if vibration is None else names[2]
            yield f"scalars: expected {absent!r} of window {k}; found none"
            continue
        for name, values in ((names[1], vibration), (names[2], displacement)):
            if values.min() < 0:
                yield f"scalars[{name!r}]: expected no negative value; found {values.min():.3g}"
        if k > 1:
            continue  # the present of a further window is not in the file
        shift = configuration.structures[AVERAGE] - configuration.positions
        off = np.abs(np.linalg.norm(shift, axis=1) - displacement)
        if off.max() > _ROUNDING * configuration.spacing:
            yield (
                f"scalars[{names[2]!r}]: expected the distances from positions to the averaged "
                f"positions; found {off.max():.3g} more or less (particle {off.argmax()})"
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
        if n_runs is None:  # the weights of the halves are unknown
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
            yield from _wrong(off[:, None], "propensity as computed from final_positions")


def _wrong(wrong: np.ndarray, expected: str) -> Iterator[str]:
    if wrong.any():
        particle, time = (int(k) for k in np.argwhere(wrong)[0])
        yield (
            f"labels: expected {expected}; found {wrong.sum()} of {wrong.size} otherwise (first: "
            f"particle {particle}, time {time})"
        )

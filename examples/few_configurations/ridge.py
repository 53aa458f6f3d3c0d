"""Ridge regression on the descriptors of `structural`, with any choice of its scalars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from glassml.data import Dataset
from glassml.export import read_manifest
from glassml.files import atomic_write
from glassml.inference import Predictor
from glassml.progress import TerminalProgress
from glassml.studies.descriptor_moments import DescriptorMoments, read_descriptor_moments
from glassml.studies.refit import untrained
from glassml.studies.ridge import LinearFit, RidgeMoments


@dataclass(frozen=True)
class Material:
    """What ridge regressions are fitted from.

    Attributes:
        blank: file of `structural` with all scalars.
        columns: [D], names of its descriptors.
        moments: sums over descriptors and labels.
    """

    blank: Path
    columns: tuple[str, ...]
    moments: DescriptorMoments

    def without(self, scalars: Sequence[str]) -> DescriptorMoments:
        """The moments in which descriptors of these scalars do not vary, so have no weight."""
        kept = np.array([not any(name in column for name in scalars) for column in self.columns])

        def of(sums: RidgeMoments) -> RidgeMoments:
            xx = np.where(kept[:, None] & kept, sums.xx, 0.0)
            return replace(sums, x=sums.x * kept, xx=xx, xy=sums.xy * kept[:, None])

        slabs = tuple(tuple(tuple(map(of, slab)) for slab in one) for one in self.moments.slabs)
        runs = tuple(tuple(map(of, one)) for one in self.moments.reversed)
        return replace(self.moments, slabs=slabs, reversed=runs)


def structural_material(
    data: Path,
    reversed_runs: Path,
    blank: Path,
    positions: str,
    scalars: Sequence[str],
    noise: float,
    hyperparameters: Mapping[str, Any] | None = None,
) -> Material:
    """The material of all ridge regressions. The descriptors are read once."""
    sums = blank.with_suffix(".npz")
    with Dataset(data) as dataset, Dataset(reversed_runs) as runs:
        untrained("structural", dataset, blank, positions, scalars, hyperparameters)
        if not sums.exists():
            moments = read_descriptor_moments(
                Predictor(blank),
                dataset,
                reversed_runs=runs,
                label_noise=noise,
                progress=TerminalProgress(),
            )
            write_moments(moments, sums)
        return Material(blank, columns_of(blank), read_moments(dataset, sums))


def write_moments(moments: DescriptorMoments, path: Path) -> None:
    """Keep what fits need, each `RidgeMoments` as one row of numbers."""

    def row(sums: RidgeMoments) -> np.ndarray:
        return np.concatenate([np.ravel(getattr(sums, field.name)) for field in fields(sums)])

    with atomic_write(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            descriptors=len(moments.slabs[0][0][0].x),
            weights=moments.weights,
            slabs=np.array([[list(map(row, slab)) for slab in one] for one in moments.slabs]),
            reversed=np.array([list(map(row, one)) for one in moments.reversed]),
        )


def read_moments(dataset: Dataset, path: Path) -> DescriptorMoments:
    """What `write_moments` wrote."""
    times = tuple(map(float, dataset.common_times()))
    t = len(times)
    with np.load(path) as arrays:
        d = int(arrays["descriptors"])

        def sums(row: np.ndarray) -> RidgeMoments:
            n, x, y, xx, xy, yy = np.split(row, np.cumsum([1, d, t, d * d, d * t]))
            return RidgeMoments(float(n[0]), x, y, xx.reshape(d, d), xy.reshape(d, t), yy)

        return DescriptorMoments(
            dataset=dataset,
            species=read_manifest(path.with_suffix(".pt")).species,
            times=times,
            slabs=tuple(tuple(tuple(map(sums, slab)) for slab in one) for one in arrays["slabs"]),
            weights=tuple(arrays["weights"].tolist()),
            reversed=tuple(tuple(map(sums, one)) for one in arrays["reversed"]),
            own=(),
            own_times=(),
        )


def columns_of(model: Path) -> tuple[str, ...]:
    """The names of a model's descriptors."""
    outputs = read_manifest(model).outputs
    return next(output.columns for output in outputs if output.name == "descriptors")


def ridge_predictions(
    descriptors: np.ndarray, species: np.ndarray, fits: Sequence[LinearFit]
) -> np.ndarray:
    """Predictions [W, N, T] [length] from descriptors [W, N, D] with one fit per species."""
    result = np.zeros((*descriptors.shape[:2], len(fits[0].bias)))
    for of_species, fit in enumerate(fits):
        chosen = species == of_species
        result[:, chosen] = descriptors[:, chosen] @ fit.weight.T + fit.bias
    return result


def choices(scalars: Sequence[str]) -> list[tuple[str, ...]]:
    """All non-empty choices of some of the scalars."""
    return [some for n in range(len(scalars)) for some in combinations(scalars, n + 1)]

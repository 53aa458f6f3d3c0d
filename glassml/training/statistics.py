"""Statistics of the training configurations, measured before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glassml.data import Configuration
from glassml.errors import InputError
from glassml.training.split import Split

__all__ = ["LabelMoments", "Statistics"]


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation over the training particles.

    Attributes:
        mean: float64 [S, T] [length], of the propensity per species and time.
        scale: float64 [S, T] [length]; 1 where all labels are equal.
        scalar_mean: float64 [number of scalars], over all particles.
        scalar_scale: float64 [number of scalars]; 1 where all values are equal.
        bond_scale: float64 [T] [length], root mean square of the labels of edges; None if they have
            none.
    """

    mean: torch.Tensor
    scale: torch.Tensor
    scalar_mean: torch.Tensor
    scalar_scale: torch.Tensor
    bond_scale: torch.Tensor | None = None


class LabelMoments:
    """Collects labels and scalars until their means and standard deviations are asked for."""

    def __init__(self, n_species: int) -> None:
        self.labels_of: list[list[np.ndarray]] = [[] for _ in range(n_species)]
        self.scalars: list[np.ndarray] = []
        self.bond_squares: list[torch.Tensor] = []

    def add(self, configuration: Configuration, scalars: Sequence[str]) -> None:
        """Add the labels and the named scalars of a labelled configuration."""
        assert configuration.propensity is not None  # guaranteed by check_fits
        for s, labels in enumerate(self.labels_of):
            labels.append(configuration.propensity[configuration.species == s])
        columns = [configuration.scalars[name] for name in scalars]
        self.scalars.append(np.reshape(columns, (len(scalars), configuration.n_particles)).T)

    def add_bonds(self, labels: torch.Tensor) -> None:
        """Add labels [E, T] of edges [length]."""
        self.bond_squares.append(labels.double().square().mean(dim=0))

    def statistics(self, split: Split) -> Statistics:
        """The moments of everything added.

        Raises:
            InputError: a species has no particle.
        """
        mean, scale = [], []
        for name, parts in zip(split.species, self.labels_of, strict=True):
            labels = np.concatenate(parts)
            if not len(labels):
                raise InputError(
                    f"{split.train[0].dataset.path}: expected particles of species {name!r} in the "
                    "training configurations, to learn from; found none. Convert the data with "
                    "only the species that occur"
                )
            mean.append(labels.mean(axis=0))
            scale.append(_scale(labels))
        scalars = np.concatenate(self.scalars)
        return Statistics(
            torch.from_numpy(np.stack(mean)),
            torch.from_numpy(np.stack(scale)),
            torch.from_numpy(scalars.mean(axis=0)),
            torch.from_numpy(_scale(scalars)),
            torch.stack(self.bond_squares).mean(dim=0).sqrt() if self.bond_squares else None,
        )


def _scale(values: np.ndarray) -> np.ndarray:
    spread = values.std(axis=0)
    return np.where(spread > 1e-12 * np.abs(values).max(axis=0, initial=0.0), spread, 1.0)

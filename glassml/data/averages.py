"""Averages over an isoconfigurational ensemble: runs from the same positions."""

from __future__ import annotations

import numpy as np

__all__ = ["isoconfigurational_averages"]


def isoconfigurational_averages(displacements: np.ndarray) -> dict[str, np.ndarray]:
    """What the displacements of R runs say of each particle at one time.

    Args:
        displacements: [R, N, 3] [length], not wrapped.

    Returns:
        ``propensity`` [N] <|dr|>, ``square_displacement`` [N] <|dr|^2>, ``mean_displacement``
        [N, 3] <dr> and, for two or more runs, ``propensity_halves`` [N, 2]: <|dr|> over the first
        R // 2 runs and over the others. Their mean, weighted by these numbers of runs, is the
        propensity.
    """
    distance = np.linalg.norm(displacements, axis=-1)
    averages = {
        "propensity": distance.mean(axis=0),
        "square_displacement": (distance**2).mean(axis=0),
        "mean_displacement": displacements.mean(axis=0),
    }
    half = len(distance) // 2
    if half:
        halves = (distance[:half].mean(axis=0), distance[half:].mean(axis=0))
        averages["propensity_halves"] = np.stack(halves, axis=-1)
    return averages

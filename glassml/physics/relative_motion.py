"""How particles and their neighbours move relative to each other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["bond_displacement"]


def bond_displacement(
    edge_index: np.ndarray,
    edge_vector: np.ndarray,
    displacement: np.ndarray,
    runs: Iterable[np.ndarray],
) -> np.ndarray:
    """How much farther from each other two particles are later, on average over the runs.

    H. Shiba et al., J. Chem. Phys. 158, 084503 (2023): the mean over the runs of
    abs(r_j(t) - r_i(t)) - abs(r_j(0) - r_i(0)).

    Args:
        edge_index: int64 [2, E], senders j and receivers i.
        edge_vector: [E, 3] x_j - x_i in the structure that the edges were found in [length].
        displacement: [N, 3] r(0) - x, from that structure to the start of the runs [length]; zeros
            if they are the same.
        runs: R arrays [T, N, 3], r(t) - x of each run at each time, not wrapped [length].

    Returns:
        float64 [E, T] [length].
    """
    sender, receiver = edge_index

    def distance(moved: np.ndarray) -> np.ndarray:
        return np.linalg.norm(edge_vector + (moved[sender] - moved[receiver]), axis=1)

    later, n_runs = np.zeros(()), 0
    for run in runs:  # one at a time: [R, T, E, 3] would be gigabytes
        later = later + np.stack([distance(moved) for moved in run], axis=1)
        n_runs += 1
    return later / n_runs - distance(displacement)[:, None]

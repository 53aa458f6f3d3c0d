"""The propensity as an average over runs, and what the finite number of runs does to it.

Propensity is a particle's displacement, averaged over an isoconfigurational ensemble: R runs from
the same positions with different velocities. Labels from few runs are noisy. That limits the
correlation that a model can reach with them, and decides how much they should weigh in a fit.
"""

from __future__ import annotations

import numpy as np

__all__ = ["isoconfigurational_averages", "label_trust", "noise_ceiling"]


def isoconfigurational_averages(displacements: np.ndarray) -> dict[str, np.ndarray]:
    """Averages of each particle's displacement over R runs, at one time.

    Args:
        displacements: dr, [R, N, 3] [length], not wrapped.

    Returns:
        ``propensity`` [N], which is ``<|dr|>``; ``square_displacement`` [N], ``<|dr|^2>``;
        ``mean_displacement`` [N, 3], ``<dr>``; and, for two or more runs, ``propensity_halves``
        [N, 2]: ``<|dr|>`` over the first R // 2 runs and over the others. Their mean, weighted by
        these numbers of runs, is the propensity.
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


def label_trust(n_runs: int | None, label_noise: float) -> float:
    """The weight of labels that are averages over R runs, in a fit: R / (R + label_noise).

    A prediction differs from such a label by the model's own error and by the label's noise. The
    variance of the difference is v_model + v_run / R, and least squares is best with its inverse as
    the weight. With ``label_noise`` = v_run / v_model, and 1 as the weight of a label without
    noise, that is R / (R + label_noise).

    Args:
        n_runs: R; None if unknown, which counts as without noise.
        label_noise: variance of the displacement in one run over that of the model's error [-]; in
            other words, the number of runs whose noise is as large as the model's error.

    Returns:
        Between 0 and 1 [-].
    """
    return 1.0 if n_runs is None else n_runs / (n_runs + label_noise)


def noise_ceiling(halves: float) -> float | None:
    """The highest Pearson correlation with labels that any model can have.

    It belongs to a model that knows the average over infinitely many runs. If labels from the two
    halves of the runs correlate with r, labels from all runs correlate with those from as many
    others with 2 r / (1 + r) (C. Spearman and W. Brown, Br. J. Psychol. 3, 271 and 296 (1910)). The
    ceiling is the square root of that.

    Args:
        halves: Pearson coefficient r of the two halves [-].

    Returns:
        sqrt(2 r / (1 + r)) [-]; None if the halves do not correlate.
    """
    return float(np.sqrt(2 * halves / (1 + halves))) if halves > 0 else None

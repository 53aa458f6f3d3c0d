"""Hyperplanes between soft and hard particles, by linear support vector machines."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from glassml.errors import InputError

__all__ = ["Divided", "Plane", "divide"]

# C of the support vector machine; with small ones more particles may lie on the wrong side.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
_CONSTANT = 1e-5  # spread of a column over its size, in float32
# Fourth moment over the square of the second: 3 for a normal distribution. The spread of a column
# beyond this comes from a few particles alone, such as numbers of neighbours at distances where
# there are hardly any. One more of these could have any softness.
_FEW = 30.0
_STEPS = 20000


@dataclass(frozen=True)
class Plane:
    """A hyperplane in the space of standardised columns.

    Attributes:
        weight: [D] [-], of length 1.
        bias: [-].
        mean: [D] of the columns.
        scale: [D], their standard deviation; 1 for columns that are left out, whose weight is 0.
    """

    weight: np.ndarray
    bias: float
    mean: np.ndarray
    scale: np.ndarray

    def softness(self, columns: np.ndarray) -> np.ndarray:
        """Distance [P] [-] of columns [P, D] from the plane, positive on the soft side."""
        return (columns - self.mean) / self.scale @ self.weight + self.bias


@dataclass(frozen=True)
class Divided:
    """The hyperplane of a species, and those with a part of the trajectory left out.

    Attributes:
        plane: fitted to all particles.
        penalty: its C [-].
        without: for each part of the trajectory, the plane fitted without it.
        accuracy: [parts], the fraction of particles of the part on the right side of it [-].
    """

    plane: Plane
    penalty: float
    without: tuple[Plane, ...]
    accuracy: np.ndarray


def divide(
    columns: np.ndarray, soft: np.ndarray, time: np.ndarray, part: np.ndarray, apart: float
) -> Divided:
    """Fit hyperplanes.

    C is the one with the highest accuracy when each part of the trajectory is left out in turn. So
    that the accuracy of `Divided` has not chosen its C, each part has a C of its own there, chosen
    by the other parts alone.

    Args:
        columns: [P, D], structure functions.
        soft: bool [P], whether the particle is about to rearrange.
        time: [P], when.
        part: int [P], of the trajectory. Each has soft and hard particles.
        apart: particles that are seen within this time of a part are left out with it: neighbours
            in time are nearly copies.

    Raises:
        InputError: nothing is left to fit to.
    """
    parts = np.unique(part)
    without, accuracy = [], []
    everything = np.ones(len(soft), bool)
    for left_out in parts:
        train = _away(part != left_out, part == left_out, time, apart)
        if not any(_folds(soft, part, time, train, apart)):
            raise InputError(
                f"parts of the trajectory (--parts): expected parts longer than {apart:.3g} "
                "(--quiet), by which a part is kept apart from those that are fitted to; found "
                f"parts of {np.ptp(time) / len(parts):.3g}. Use a longer trajectory, or a shorter "
                "--quiet"
            )
        penalty = _best_penalty(columns, soft, time, part, train, apart)
        without.append(_fitted(columns[train], soft[train], penalty))
        test = part == left_out
        accuracy.append(_accuracy(without[-1], columns[test], soft[test]))
    penalty = _best_penalty(columns, soft, time, part, everything, apart)
    return Divided(_fitted(columns, soft, penalty), penalty, tuple(without), np.array(accuracy))


def _away(chosen: np.ndarray, from_: np.ndarray, time: np.ndarray, apart: float) -> np.ndarray:
    """The chosen particles that are not seen within a time of others."""
    low, high = time[from_].min() - apart, time[from_].max() + apart
    return chosen & ((time < low) | (time > high))


def _folds(
    soft: np.ndarray, part: np.ndarray, time: np.ndarray, train: np.ndarray, apart: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each part in ``train``, the others and it; not if no others are far enough from it."""
    for left_out in np.unique(part[train]):
        test = train & (part == left_out)
        fit = _away(train & ~test, test, time, apart)
        if _both(soft[fit]):
            yield fit, test


def _both(soft: np.ndarray) -> bool:
    """Whether there are soft and hard ones among some particles."""
    return len(np.unique(soft)) == 2


def _best_penalty(
    columns: np.ndarray,
    soft: np.ndarray,
    time: np.ndarray,
    part: np.ndarray,
    train: np.ndarray,
    apart: float,
) -> float:
    scores = np.zeros(len(PENALTIES))
    for fit, test in _folds(soft, part, time, train, apart):
        scores += [
            _accuracy(_fitted(columns[fit], soft[fit], penalty), columns[test], soft[test])
            for penalty in PENALTIES
        ]
    return PENALTIES[int(scores.argmax())]


def _accuracy(plane: Plane, columns: np.ndarray, soft: np.ndarray) -> float:
    return float(np.mean((plane.softness(columns) > 0) == soft))


def _fitted(columns: np.ndarray, soft: np.ndarray, penalty: float) -> Plane:
    columns = columns.astype(np.float64)
    mean, scale = columns.mean(axis=0), columns.std(axis=0)
    out = scale <= _CONSTANT * np.abs(mean)
    scale = np.where(out, 1.0, scale)
    standardised = (columns - mean) / scale
    out |= (standardised**4).mean(axis=0) > _FEW
    scale = np.where(out, 1.0, scale)
    # The hinge loss, as published. The offset is penalised too. It is small, as there are as many
    # soft as hard particles.
    machine = LinearSVC(C=penalty, loss="hinge", dual=True, max_iter=_STEPS, random_state=0)
    with warnings.catch_warnings():
        # A plane that is not the very best one is tested like all others.
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(standardised * ~out, soft)
    weight = machine.coef_[0] * ~out
    length = np.linalg.norm(weight)
    return Plane(weight / length, float(machine.intercept_[0] / length), mean, scale)

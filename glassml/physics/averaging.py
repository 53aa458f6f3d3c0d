"""Positions averaged over a short window of a trajectory, and the vibrations around them.

Over about two Lennard-Jones time units, particles of a supercooled liquid rattle in their cages.
Their mean positions in such a window say as much about the structure as the inherent structure.

A window is N_s samples, evenly spaced in time, the last of which is the present configuration. With
the cell H_k (rows are lattice vectors) and fractional coordinates s_k of a particle at sample k:

- The step s_k - s_(k-1) is taken to the nearest image in periodic directions. This is right as long
  as no particle moves half of the cell between two samples. The path p_k is the sum of the steps.
- The drift d_k is the mean of p_k over all particles: q_k = p_k - d_k does not change if the whole
  system moves.
- The averaged position is the present one plus ``shift`` = (<q> - q_N) H_N, with the mean <.> over
  the samples. Lengths are measured in the present cell, also if it changed during the window.
- In a direction that is not periodic, the length of the cell says nothing: programs fit it to the
  particles. There H_k keeps the lattice vector of the first sample.
- ``vibration`` = sqrt(<|(q - <q>) H_N|^2>) is the square root of the local Debye-Waller factor. It
  is short-time dynamics, not structure.

A tilted cell may flip between two samples: its lattice stays the same, its vectors become integer
combinations M of the old ones. Stored fractional vectors v then become v M^-1.

`fix glassml` computes the same in C++ (``position_window.cpp``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glassml.errors import InputError

__all__ = ["AveragedPositions", "PositionAverage"]


class AveragedPositions(NamedTuple):
    """The result of one window.

    Attributes:
        shift: float64 [N, 3] [length], from the present to the averaged positions.
        vibration: float64 [N] [length], rms distance from the averaged position.
        energy: float64 [N] [energy], mean potential energy; None if no energies were given.
        path: float64 [N, 3] [length], from a configuration to the present of a window that is
            another one, along the path of each particle; None: they are the same.
    """

    shift: np.ndarray
    vibration: np.ndarray
    energy: np.ndarray | None
    path: np.ndarray | None = None

    @property
    def displacement(self) -> np.ndarray:
        """Distance [N] [length] between the present and the averaged position."""
        return np.linalg.norm(self.shift, axis=1)


class PositionAverage:
    """Takes the samples of a window one by one.

    Args:
        pbc: whether each lattice direction is periodic.
    """

    def __init__(self, pbc: Sequence[bool] = (True, True, True)) -> None:
        self._periodic = np.asarray(pbc, dtype=bool)
        self.clear()

    def clear(self) -> None:
        """Begin a new window."""
        self.n_samples = 0
        self._cell = np.eye(3)
        self._last = self._path = self._sum = np.zeros((0, 3))
        self._products = np.zeros((0, 3, 3))
        self._energy: np.ndarray | None = None

    def add(
        self, positions: np.ndarray, cell: np.ndarray, energies: np.ndarray | None = None
    ) -> None:
        """Add the next sample; the last one added is the present configuration.

        Args:
            positions: float64 [N, 3] [length], any periodic images, in the order of the particles
                of the samples before.
            cell: float64 [3, 3] [length].
            energies: float64 [N] [energy], potential energies; in all samples or in none.

        Raises:
            InputError: another number of particles than before, energies in some samples only, or
                a cell that is not nearly the one before.
        """
        cell = np.array(cell, dtype=np.float64)
        if self.n_samples > 0:
            cell[~self._periodic] = self._cell[~self._periodic]
        fractional = positions @ np.linalg.inv(cell)
        if self.n_samples == 0:
            self._start(fractional, energies)
        else:
            self._check(fractional, energies)
            self._follow_flip(cell)
        step = fractional - self._last
        step -= np.where(self._periodic, np.rint(step), 0.0)
        self._path += step
        self._last = fractional
        self._cell = cell
        moved = self._path - self._path.mean(axis=0)
        self._sum += moved
        self._products += moved[:, :, None] * moved[:, None, :]
        if self._energy is not None and energies is not None:
            self._energy += energies
        self.n_samples += 1

    def result(self) -> AveragedPositions:
        """The averages over all samples since the last `clear`.

        Raises:
            InputError: there is no sample.
        """
        if self.n_samples == 0:
            raise InputError("window: expected at least one sample of the positions; found none")
        mean = self._sum / self.n_samples
        moved = self._path - self._path.mean(axis=0)
        covariance = self._products / self.n_samples - mean[:, :, None] * mean[:, None, :]
        square = np.einsum("nab,ab->n", covariance, self._cell @ self._cell.T)
        energy = None if self._energy is None else self._energy / self.n_samples
        return AveragedPositions(
            (mean - moved) @ self._cell, np.sqrt(np.maximum(square, 0.0)), energy
        )

    def _start(self, fractional: np.ndarray, energies: np.ndarray | None) -> None:
        n = len(fractional)
        self._last = fractional
        self._path, self._sum = np.zeros((n, 3)), np.zeros((n, 3))
        self._products = np.zeros((n, 3, 3))
        self._energy = None if energies is None else np.zeros(n)

    def _check(self, fractional: np.ndarray, energies: np.ndarray | None) -> None:
        if fractional.shape != self._last.shape:
            raise InputError(
                f"window: expected the same {len(self._last)} particles in all samples; found "
                f"{len(fractional)} in sample {self.n_samples + 1}"
            )
        if (energies is None) != (self._energy is None):
            raise InputError("window: expected energies in all samples or in none; found some")

    def _follow_flip(self, cell: np.ndarray) -> None:
        """Express everything stored in the lattice vectors of a flipped cell."""
        flip = np.rint(cell @ np.linalg.inv(self._cell))
        if np.array_equal(flip, np.eye(3)):
            return
        if round(abs(np.linalg.det(flip))) != 1:
            raise InputError(
                f"window: expected a cell near that of the sample before, "
                f"{self._cell.tolist()}; found {np.asarray(cell).tolist()} in sample "
                f"{self.n_samples + 1}"
            )
        back = np.rint(np.linalg.inv(flip))
        self._last, self._path, self._sum = (v @ back for v in (self._last, self._path, self._sum))
        self._products = back.T @ self._products @ back

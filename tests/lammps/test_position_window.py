"""Averaged positions in C++: the same numbers as in Python, for atoms that change place."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from glassml.errors import InputError
from glassml.physics import PositionAverage

N, SAMPLES = 40, 7
CELL = np.array([[6.0, 0.0, 0.0], [1.5, 5.0, 0.0], [-1.0, 0.7, 7.0]])
ALL = (True, True, True)
# Sums of seven products of fractional coordinates below 3, times the cell; and the inverse of a
# cell by another formula.
ROUNDING = 1e-12


class Trajectory:
    """Random walks that hop and drift, wrapped into a cell, with energies; seen in any order."""

    def __init__(self, cells: Sequence[np.ndarray], seed: int = 0, step: float = 0.03) -> None:
        rng = np.random.default_rng(seed)
        steps = rng.normal(scale=step, size=(SAMPLES, N, 3))
        steps[SAMPLES // 2, :3] += 0.3  # of the cell
        steps += [0.05, -0.02, 0.0]
        self.fractional = rng.random((N, 3)) + steps.cumsum(axis=0)
        self.cells = list(cells)
        self.positions = [
            (s % 1.0) @ cell for s, cell in zip(self.fractional, self.cells, strict=True)
        ]
        self.energies = rng.normal(size=(SAMPLES, N))
        self.order = [rng.permutation(N) for _ in range(SAMPLES)]


@pytest.fixture
def window(build_tree: Path) -> Callable[..., np.ndarray | str]:
    """Runs the program: rows [N, 6] by ID with id, shift, vibration and energy, or its error."""

    def run(trajectory: Trajectory, pbc: Sequence[bool] = ALL) -> np.ndarray | str:
        words = [str(SAMPLES)]
        for k, order in enumerate(trajectory.order):
            words += [repr(float(x)) for x in trajectory.cells[k].ravel()]
            words += [str(int(flag)) for flag in pbc]
            words += [str(len(order))]
            for i in order:
                numbers = (*trajectory.positions[k][i], trajectory.energies[k][i])
                words += [str(i), *(repr(float(x)) for x in numbers)]
        result = subprocess.run(
            [build_tree / "bin" / "glassml_position_window_driver"],
            input=" ".join(words),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if result.returncode:
            return result.stdout
        rows = np.array([line.split() for line in result.stdout.splitlines()], dtype=float)
        return rows[np.argsort(rows[:, 0])]

    return run


def expected(trajectory: Trajectory, pbc: Sequence[bool] = ALL) -> np.ndarray:
    average = PositionAverage(pbc)
    for x, cell, e in zip(trajectory.positions, trajectory.cells, trajectory.energies, strict=True):
        average.add(x, cell, e)
    found = average.result()
    assert found.energy is not None
    return np.column_stack([np.arange(N), found.shift, found.vibration, found.energy])


def sheared(rate: float) -> list[np.ndarray]:
    """Cells that grow, and shear until they flip: 1.5 is a quarter of the first lattice vector."""
    cells = []
    for k in range(SAMPLES):
        cell = CELL * (1.0 + 0.01 * k)
        cell[1, 0] += rate * k
        cell[1] -= np.rint(cell[1, 0] / cell[0, 0]) * cell[0]
        cells.append(cell)
    return cells


@pytest.mark.parametrize(("rate", "flips"), [(0.0, 0), (0.7, 1)], ids=["growing", "flipping"])
def test_equals_python(window, rate: float, flips: int) -> None:
    cells = sheared(rate)
    assert np.sum(np.diff([cell[1, 0] for cell in cells]) < -3.0) == flips
    trajectory = Trajectory(cells)
    np.testing.assert_allclose(window(trajectory), expected(trajectory), atol=ROUNDING)


def test_open_directions(window) -> None:
    cells = [np.diag([6.0, 5.0, 7.0 + 0.5 * (k % 3)]) for k in range(SAMPLES)]
    pbc = (True, True, False)
    trajectory = Trajectory(cells)
    trajectory.positions = [s @ cells[0] for s in trajectory.fractional]
    np.testing.assert_allclose(window(trajectory, pbc), expected(trajectory, pbc), atol=ROUNDING)


def test_a_box_that_jumps(window) -> None:
    cells = [CELL] * (SAMPLES - 1) + [2 * CELL]
    trajectory = Trajectory(cells)
    with pytest.raises(InputError, match="a cell near that of the sample before"):
        expected(trajectory)
    message = window(trajectory)
    assert "error: averaged positions: expected a box near that of the sample before" in message
    assert "take samples more often" in message


def test_atoms_that_are_created_and_deleted(window) -> None:
    """Averages of a new atom are over its own samples; the others drift as without it."""
    trajectory = Trajectory([CELL] * SAMPLES)
    born = 3
    late = np.arange(30, N)  # as if created with the fourth sample
    gone = np.arange(5)  # as if deleted after it
    for k in range(SAMPLES):
        there = np.setdiff1d(np.arange(N), late if k < born else gone if k > born else [])
        trajectory.order[k] = np.random.default_rng(k).permutation(there)
    # The mean step over those atoms that have made it.
    steps = np.diff(trajectory.fractional, axis=0)
    moved = np.zeros((SAMPLES, N, 3))
    for k in range(1, SAMPLES):
        both = np.intersect1d(trajectory.order[k - 1], trajectory.order[k])
        moved[k] = moved[k - 1] + steps[k - 1] - steps[k - 1, both].mean(axis=0)
    found = window(trajectory)
    assert list(found[:, 0]) == list(range(5, N))
    for row in found:
        i = int(row[0])
        first = born if i in late else 0
        own = moved[first:, i] @ CELL
        np.testing.assert_allclose(row[1:4], own.mean(axis=0) - own[-1], atol=ROUNDING)
        squares = ((own - own.mean(axis=0)) ** 2).sum(axis=1)
        np.testing.assert_allclose(row[4], np.sqrt(squares.mean()), atol=ROUNDING)
        energies = trajectory.energies[first:, i]
        np.testing.assert_allclose(row[5], energies.mean(), atol=ROUNDING)

"""The order of atoms in the node state: the C++ function alone."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest


@pytest.fixture
def lines(build_tree):
    """Runs the program; returns its lines as words and numbers."""

    def run(*arguments, given=""):
        result = subprocess.run(
            [build_tree / "bin" / "glassml_halo_driver", *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return result.stdout.splitlines()

    return run


def order(lines, positions, size):
    given = "\n".join(" ".join(map(repr, map(float, x))) for x in positions)
    (line,) = lines("order", str(size), given=given)
    return [int(word) for word in line.split()[1:]]


def test_near_order_keeps_cells_together(lines):
    """Each cell is one piece of the order, and so is each block of eight cells."""
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 8, (500, 3))
    found = order(lines, positions, 1.0)
    assert sorted(found) == list(range(500))
    cells = np.floor(positions - positions.min(axis=0)).astype(int)[found]
    for block in (cells, cells // 2, cells // 4):
        changes = 1 + np.any(np.diff(block, axis=0) != 0, axis=1).sum()
        assert changes == len(np.unique(block, axis=0))


@pytest.mark.parametrize(
    "positions",
    [
        np.empty((0, 3)),
        np.array([[3.0, 0, 0], [np.nan, 0, 0], [0, 0, 0]]),
        np.array([[0.0, 0, 0], [1e300, 0, 0]]),
    ],
    ids=["none", "not finite", "far apart"],
)
def test_near_order_of_unusual_positions(lines, positions):
    assert order(lines, positions, 2.0) == list(range(len(positions)))

"""p_hop and rearrangements of paths that are known."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.physics import HopFunction, Rearrangements

HALF = 5


def hops(path: np.ndarray, half: int = HALF) -> np.ndarray:
    """p_hop [F - 2 half, N] of a path [F, N, 3]."""
    function = HopFunction(half)
    found = [function.add(frame) for frame in path]
    assert all(values is None for values in found[: 2 * half])
    return np.array(found[2 * half :])


def plain(path: np.ndarray, half: int = HALF) -> np.ndarray:
    """The same, as the formula says."""
    rows = []
    for t in range(half, len(path) - half):
        before, after = path[t - half : t + 1], path[t : t + half + 1]
        a = ((before - after.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0)
        b = ((after - before.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0)
        rows.append(np.sqrt(a * b))
    return np.array(rows)


def test_random_paths_against_the_formula() -> None:
    """Far from the origin, where differences of squares would lose digits."""
    rng = np.random.default_rng(2)
    path = 100 + np.cumsum(rng.normal(0, 0.2, (200, 30, 3)), axis=0)
    # 1e-10: sums are carried over 200 frames of paths of length 3.
    np.testing.assert_allclose(hops(path), plain(path), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(hops(path, 1), plain(path, 1), rtol=1e-10, atol=1e-10)


def test_a_jump_between_two_cages() -> None:
    """It vibrates by 0.1 about two places 0.8 apart; one window holds one frame of the other."""
    rng = np.random.default_rng(3)
    path = rng.normal(0, 0.1 / np.sqrt(3), (81, 1, 3))
    path[40:, 0, 0] += 0.8
    found = hops(path)[:, 0]
    peak = int(found.argmax()) + HALF
    assert peak in (39, 40)
    assert found.max() == pytest.approx(0.8**2, rel=0.3)
    assert found[:20].max() < 0.03
    assert found[-20:].max() < 0.03


def test_static_and_ballistic_limits() -> None:
    still = np.ones((30, 2, 3))
    np.testing.assert_array_equal(hops(still), 0.0)
    speed, t = 0.3, np.arange(30.0)
    flying = np.zeros((30, 1, 3))
    flying[:, 0, 1] = speed * t
    # Windows of h intervals are h v apart, and their variance is v^2 h (h + 2) / 12.
    expected = speed**2 * (HALF**2 + HALF * (HALF + 2) / 12)
    np.testing.assert_allclose(hops(flying), expected, rtol=1e-10)


def test_every_stretch_above_the_threshold_is_one_rearrangement() -> None:
    values = np.zeros((20, 3))
    values[3:7, 0] = [0.3, 0.5, 0.9, 0.4]
    values[12, 0] = 0.25
    values[0:2, 1] = [0.7, 0.6]  # under way when the trajectory begins
    values[18:, 1] = [0.3, 0.8]  # and when it ends
    finder = Rearrangements(0.2, first=5)
    active = []
    for frame in values:
        finder.add(frame)
        active.append(finder.last_active.copy())
    found = finder.jumps()
    assert found.frame.tolist() == [5, 10, 17, 24]
    assert found.particle.tolist() == [1, 0, 0, 1]
    np.testing.assert_allclose(found.size, [0.7, 0.9, 0.25, 0.8])
    assert active[0].tolist() == [-1, 5, -1]
    assert active[10].tolist() == [11, 6, -1]
    assert active[-1].tolist() == [17, 24, -1]


def test_nothing_rearranges() -> None:
    finder = Rearrangements(0.2, first=0)
    for _ in range(4):
        finder.add(np.full(6, 0.1))
    assert len(finder.jumps().frame) == 0

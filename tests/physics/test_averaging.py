"""Averaged positions: against the plain formula, and what they must not depend on."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.errors import InputError
from glassml.physics import AveragedPositions, PositionAverage

N, SAMPLES = 40, 7
CELL = np.array([[6.0, 0.0, 0.0], [1.5, 5.0, 0.0], [-1.0, 0.7, 7.0]])


def trajectory(seed: int = 0, step: float = 0.4) -> np.ndarray:
    """Unwrapped positions [SAMPLES, N, 3] of random walks: hops, and no drift."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(scale=step, size=(SAMPLES, N, 3))
    steps -= steps.mean(axis=1, keepdims=True)
    return rng.random((N, 3)) @ CELL + steps.cumsum(axis=0)


def averaged(frames: np.ndarray, cells: np.ndarray | None = None, pbc=(True,) * 3, energies=None):
    average = PositionAverage(pbc)
    for k, frame in enumerate(frames):
        average.add(
            frame,
            CELL if cells is None else cells[k],
            None if energies is None else energies[k],
        )
    return average.result()


def assert_same(one: AveragedPositions, other: AveragedPositions) -> None:
    # Rounding of fractional coordinates of a cell of length 6 and of sums of 7 terms.
    np.testing.assert_allclose(one.shift, other.shift, atol=1e-13)
    np.testing.assert_allclose(one.vibration, other.vibration, atol=1e-13)


def test_plain_formula() -> None:
    frames = trajectory()
    energies = np.random.default_rng(1).normal(size=(SAMPLES, N))
    found = averaged(frames, energies=energies)
    mean = frames.mean(axis=0)
    assert_same(found, AveragedPositions(mean - frames[-1], frames.std(axis=0), None)._replace(
        vibration=np.sqrt(((frames - mean) ** 2).sum(axis=2).mean(axis=0))
    ))  # fmt: skip
    np.testing.assert_allclose(found.energy, energies.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(found.displacement, np.linalg.norm(mean - frames[-1], axis=1))


def test_images_do_not_matter() -> None:
    frames = trajectory()
    images = np.random.default_rng(2).integers(-3, 4, size=frames.shape)
    assert_same(averaged(frames + images @ CELL), averaged(frames))
    wrapped = (frames @ np.linalg.inv(CELL) % 1.0) @ CELL
    assert_same(averaged(wrapped), averaged(frames))


def test_drift_does_not_matter() -> None:
    frames = trajectory()
    drift = np.array([0.3, -0.2, 0.5]) * np.arange(SAMPLES)[:, None]
    assert_same(averaged(frames + drift[:, None]), averaged(frames))


def test_rotation_rotates_the_shift() -> None:
    frames = trajectory()
    rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    found = averaged(frames @ rotation, np.repeat((CELL @ rotation)[None], SAMPLES, axis=0))
    expected = averaged(frames)
    assert_same(found, expected._replace(shift=expected.shift @ rotation))


def test_flip_of_a_tilted_cell_does_not_matter() -> None:
    frames = trajectory()
    flip = np.array([[1, 0, 0], [-1, 1, 0], [0, 1, 1]])
    cells = np.array([CELL if k < 3 else flip @ CELL for k in range(SAMPLES)])
    assert_same(averaged(frames, cells), averaged(frames))


def test_affine_deformation_is_no_motion() -> None:
    """Particles that are carried along by a cell that grows and shears do not vibrate."""
    fractional = np.random.default_rng(4).random((N, 3))
    cells = np.array([CELL * (1 + 0.01 * k) + [[0, 0, 0], [0.1 * k, 0, 0], [0, 0, 0]]
                      for k in range(SAMPLES)])  # fmt: skip
    found = averaged(np.array([fractional @ cell for cell in cells]), cells)
    np.testing.assert_allclose(found.shift, 0.0, atol=1e-13)
    # The root of differences of products of order 1 that cancel.
    np.testing.assert_allclose(found.vibration, 0.0, atol=1e-7)


def test_lengths_are_those_of_the_present_cell() -> None:
    frames = trajectory() @ np.linalg.inv(CELL)
    cells = np.array([CELL * (1.2 - 0.2 * k / (SAMPLES - 1)) for k in range(SAMPLES)])
    found = averaged(np.array([f @ cell for f, cell in zip(frames, cells, strict=True)]), cells)
    assert_same(found, averaged(frames @ CELL))


def test_open_directions_have_no_images() -> None:
    frames = np.zeros((2, 2, 3))
    frames[1, 0, 2], frames[1, 1, 2] = 4.0, -4.0  # more than half of the cell, without a drift
    found = averaged(frames, pbc=(True, True, False))
    np.testing.assert_allclose(found.shift[:, 2], [-2.0, 2.0])
    np.testing.assert_allclose(averaged(frames).shift[:, 2], [1.5, -1.5])


def test_the_length_of_the_cell_does_not_matter_in_open_directions() -> None:
    """As with shrink-wrapped boundaries of LAMMPS."""
    frames = trajectory(step=0.1)
    cells = np.array([CELL * [[1.0], [1.0], [1.0 + 0.4 * (k % 3)]] for k in range(SAMPLES)])
    pbc = (True, True, False)
    assert_same(averaged(frames, cells, pbc), averaged(frames, None, pbc))


def test_two_particles_that_vibrate() -> None:
    """Over whole periods of a cos(w t), the mean is the centre and the rms distance a / sqrt(2)."""
    phase = 2 * np.pi * np.arange(16) / 16
    frames = np.zeros((16, 2, 3))
    frames[:, 0, 0], frames[:, 1, 0] = 0.3 * np.cos(phase), 3.0 - 0.3 * np.cos(phase)
    found = averaged(frames)
    np.testing.assert_allclose(found.vibration, 0.3 / np.sqrt(2), rtol=1e-12)
    np.testing.assert_allclose((frames[-1] + found.shift)[:, 0], [0.0, 3.0], atol=1e-12)


def test_clear_begins_anew() -> None:
    frames = trajectory()
    average = PositionAverage()
    average.add(frames[0][:5], CELL)
    average.clear()
    for frame in frames:
        average.add(frame, CELL)
    assert_same(average.result(), averaged(frames))


def test_one_sample() -> None:
    found = averaged(trajectory()[:1])
    assert not found.shift.any()
    assert not found.vibration.any()
    assert found.energy is None


def test_other_numbers_of_particles() -> None:
    average = PositionAverage()
    average.add(np.zeros((3, 3)), CELL)
    with pytest.raises(InputError, match=r"expected the same 3 particles .* found 2 in sample 2"):
        average.add(np.zeros((2, 3)), CELL)


def test_energies_in_some_samples() -> None:
    average = PositionAverage()
    average.add(np.zeros((3, 3)), CELL, np.zeros(3))
    with pytest.raises(InputError, match="energies in all samples or in none; found some"):
        average.add(np.zeros((3, 3)), CELL)


def test_a_cell_that_jumps() -> None:
    average = PositionAverage()
    average.add(np.zeros((3, 3)), CELL)
    with pytest.raises(InputError, match="a cell near that of the sample before"):
        average.add(np.zeros((3, 3)), 2 * CELL)


def test_no_sample() -> None:
    with pytest.raises(InputError, match="at least one sample"):
        PositionAverage().result()

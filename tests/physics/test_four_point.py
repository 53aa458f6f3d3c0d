"""chi4 and G4 of known cases: independent particles, waves and blocks in an ideal gas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import j0
from systems import liquid

from glassml.analysis import FourPointCollector
from glassml.analysis.metrics import resampled_counts
from glassml.data import Configuration
from glassml.errors import InputError
from glassml.physics import PairSums, chi4, largest_distance, mobility

CUBE = np.diag([10.0, 10.0, 10.0])
TRICLINIC = np.array([[11.0, 0.0, 0.0], [3.0, 12.0, 0.0], [-2.0, 1.0, 12.0]])
FLAT = np.diag([24.0, 24.0, 1.0])


def _ideal_gas(cell: np.ndarray, n: int, seed: int, flat: bool = False) -> Configuration:
    fractions = np.random.default_rng(seed).random((n, 3))
    if flat:
        fractions[:, 2] = 0.0
    return Configuration(
        positions=fractions @ cell,
        cell=cell,
        species=np.zeros(n, dtype=int),
        species_names=("A",),
        pbc=(True, True, not flat),
        name=f"c{seed}",
    )


def _add_all(sums: PairSums, configuration: Configuration, values: np.ndarray) -> None:
    """Add the pairs of all particles."""
    everyone = np.ones(configuration.n_particles, dtype=bool)
    sums.add(configuration.positions, configuration.cell, configuration.pbc, everyone, values)


def test_mobility_is_one_half_at_the_threshold() -> None:
    found = mobility(np.array([0.0, 0.44, 2.0, 0.44 + 0.05]))
    np.testing.assert_allclose(found, [0.0, 0.5, 1.0, (np.tanh(1.0) + 1) / 2], atol=1e-7)
    assert mobility(np.array(0.3), threshold=0.3) == 0.5
    # Another unit of length: the threshold is divided out.
    np.testing.assert_allclose(mobility(np.array([0.0, 4.4, 20.0, 4.9]), 4.4), found, rtol=1e-12)


def test_chi4_of_independent_particles_is_the_variance_of_one() -> None:
    values = np.random.default_rng(0).random((4000, 50))
    found = chi4(values.mean(axis=1), np.full(4000, 50))
    assert found == pytest.approx(1 / 12, rel=0.11)  # standard error 2.2 %


def test_chi4_of_particles_that_move_together_is_n_times_the_variance() -> None:
    means = np.array([0.1, 0.9, 0.4])
    assert chi4(means, np.full(3, 50)) == pytest.approx(50 * means.var())


def test_chi4_of_resamples() -> None:
    rng = np.random.default_rng(0)
    means, counts = rng.random((5, 2)), np.array([40, 50, 60, 50, 45])
    drawn = resampled_counts(5, resamples=7, seed=0)
    expected = [chi4(np.repeat(means, d, axis=0), np.repeat(counts, d)) for d in drawn]
    np.testing.assert_allclose(chi4(means, counts, drawn), expected)


@pytest.mark.parametrize(
    ("cell", "flat", "mean_wave"),
    [
        (CUBE, False, lambda x: np.sinc(x / np.pi)),
        (TRICLINIC, False, lambda x: np.sinc(x / np.pi)),
        (FLAT, True, j0),
    ],
    ids=["cube", "triclinic", "two dimensions"],
)
def test_a_wave_in_an_ideal_gas(cell: np.ndarray, flat: bool, mean_wave: Callable) -> None:
    """With c = 1/2 + a cos(k.x), the mean product at distance r is a^2/2 <cos(k.r)> over angles."""
    wave = 2 * np.pi * np.linalg.inv(cell) @ np.array([2, 0, 0])
    first = _ideal_gas(cell, 2000, 0, flat)
    limit = largest_distance(first.cell, first.pbc, first.plane)
    assert limit is not None
    sums = PairSums(limit, n_bins=20)
    for seed in range(4):
        configuration = _ideal_gas(cell, 1500, seed, flat)
        c = 0.5 + 0.5 * np.cos(configuration.positions @ wave)
        _add_all(sums, configuration, c[:, None])
    found = sums.result()
    far = found.r > 1.0  # nearer there are few pairs
    expected = 0.125 * mean_wave(np.linalg.norm(wave) * found.r)
    # The mean of c over 6000 particles has a standard error of 0.35 / sqrt(6000) = 0.005.
    np.testing.assert_allclose(found.values[far, 0], expected[far], atol=0.01)
    np.testing.assert_allclose(found.pair_distribution[far], 1.0, atol=0.03)
    assert expected[far].min() < -0.02  # the range includes a change of sign


def test_blocks_of_a_known_size() -> None:
    """Blocks of edge b are +1 or -1. G4 / g is the probability that both ends are in one block.

    For r < b it is <prod (1 - |n_x| r/b)> over directions n = 1 - 3x/2 + 2x^2/pi - x^3/(4 pi) with
    x = r/b, and it vanishes beyond the diagonal.
    """
    edge, n = 2.0, 2500
    cell = np.diag([12.0, 12.0, 12.0])
    sums = PairSums(4.0, n_bins=20)
    rng = np.random.default_rng(0)
    for seed in range(5):
        configuration = _ideal_gas(cell, n, seed)
        signs = rng.choice([-1.0, 1.0], (6, 6, 6))
        i, j, k = (configuration.positions // edge).astype(int).T
        _add_all(sums, configuration, signs[i, j, k][:, None])
    found = sums.result(resampled_counts(5, resamples=20, seed=0))
    x = found.r / edge
    near, beyond = (x > 0.2) & (x < 1.0), x > np.sqrt(3)
    expected = 1 - 1.5 * x + 2 * x**2 / np.pi - x**3 / (4 * np.pi)
    # Neighbouring blocks may agree by chance. For 5 * 216 blocks with 3 neighbours each, the
    # standard error is 1 / sqrt(3240) = 0.018.
    np.testing.assert_allclose(found.values[near, 0], expected[near], atol=0.07)
    np.testing.assert_allclose(found.values[beyond, 0], 0.0, atol=0.07)
    assert np.isfinite(found.errors).all()


def test_the_mean_that_is_subtracted_is_that_of_all_configurations() -> None:
    """One configuration of mobile and one of slow particles: correlated at all distances."""
    sums = PairSums(3.0, n_bins=3)
    for seed, c in enumerate((0.0, 1.0)):
        _add_all(sums, _ideal_gas(CUBE, 400, seed), np.full((400, 1), c))
    found = sums.result()
    np.testing.assert_allclose(found.values[:, 0], 0.25 * found.pair_distribution)


def test_only_chosen_particles_count() -> None:
    configuration = liquid(300, seed=2, triclinic=True)
    chosen = configuration.species == 0
    alone = Configuration(
        positions=configuration.positions[chosen],
        cell=configuration.cell,
        species=np.zeros(chosen.sum(), dtype=int),
        species_names=("A",),
    )
    values = np.random.default_rng(0).random((chosen.sum(), 2))
    found = []
    for c, mask in ((configuration, chosen), (alone, np.ones(chosen.sum(), dtype=bool))):
        sums = PairSums(2.0, n_bins=4)
        sums.add(c.positions, c.cell, c.pbc, mask, values)
        found.append(sums.result().values)
    np.testing.assert_allclose(*found)


def test_open_and_small_systems_are_refused() -> None:
    with pytest.raises(InputError, match=r"G4: .*heights of at least 12 .*found 10"):
        _add_all(PairSums(6.0), _ideal_gas(CUBE, 50, 0), np.ones((50, 1)))
    cluster = Configuration(
        positions=np.random.default_rng(0).random((50, 3)),
        cell=CUBE,
        species=np.zeros(50, dtype=int),
        species_names=("A",),
        pbc=(True, True, False),
    )
    assert largest_distance(cluster.cell, cluster.pbc, cluster.plane) is None
    with pytest.raises(InputError, match="an open system"):
        _add_all(PairSums(1.0), cluster, np.ones((50, 1)))


def test_the_collector_keeps_labels_and_predictions_apart() -> None:
    collector = FourPointCollector(threshold=0.5)
    rng = np.random.default_rng(0)
    labels = [rng.random((200, 2)) for _ in range(3)]
    for k, y in enumerate(labels):
        gas = _ideal_gas(CUBE, 200, k)
        fields = {"times": np.array([1.0, 2.0]), "propensity": y}
        configuration = Configuration(**{**vars(gas), **fields})
        collector.add(configuration, [y[:, ::-1], None if k else y])
    found = collector.result(["swapped", "some"], resamples=10, seed=0)
    assert found is not None
    assert set(found.chi4) == {"labels", "swapped"}  # "some" lacks two configurations
    expected = chi4(np.stack([mobility(y, 0.5).mean(axis=0) for y in labels]), np.full(3, 200))
    np.testing.assert_allclose(found.chi4["labels"], expected)
    np.testing.assert_allclose(found.chi4["swapped"], expected[::-1])
    np.testing.assert_allclose(found.g4["swapped"], found.g4["labels"][:, ::-1])
    tables = found.rows()
    assert len(tables["chi4"]) == 4
    assert len(tables["g4"]) == 4 * 50

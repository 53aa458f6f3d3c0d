"""g(r) of an ideal gas and of a crystal, its first peak, and wrong arguments."""

from __future__ import annotations

import numpy as np
import pytest
from systems import moved

from glassml.data import Configuration
from glassml.errors import InputError
from glassml.physics import first_peak, pair_distribution


def partial(
    configuration: Configuration, a: str, b: str, r_max: float, n_bins: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """g_ab(r) of a configuration."""
    c = configuration
    return pair_distribution(
        c.positions, c.cell, c.pbc, c.of_species(a), c.of_species(b), r_max, n_bins
    )


def ideal_gas(n: int, length: float) -> Configuration:
    rng = np.random.default_rng(7)
    return Configuration(
        positions=rng.uniform(-length, 2 * length, (n, 3)),
        cell=np.eye(3) * length,
        species=np.arange(n) % 2,
        species_names=("A", "B"),
    )


@pytest.mark.parametrize(("a", "b"), [("A", "A"), ("A", "B"), ("B", "B")])
def test_g_of_an_ideal_gas_is_one(a: str, b: str):
    r, g = partial(ideal_gas(3000, 10.0), a, b, r_max=4.0, n_bins=20)
    shell = 4 / 3 * np.pi * ((r + 0.1) ** 3 - (r - 0.1) ** 3)
    pairs = 1500 * 1500 * shell / 1000 / (2 if a == b else 1)
    # Each pair of equal species is counted twice; five standard errors of Poisson counts.
    np.testing.assert_allclose(g, 1, atol=5 / np.sqrt(pairs.min()))
    assert np.all(np.abs(g - 1) < 5 / np.sqrt(pairs))


def test_g_of_a_crystal_has_its_shells():
    # Rock salt with lattice constant 2: A and B at distance 1, equal ones at sqrt(2), 2, ...
    sites = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    crystal = Configuration(
        positions=sites.astype(float),
        cell=np.eye(3) * 4,
        species=sites.sum(axis=1) % 2,
        species_names=("A", "B"),
    )
    for a, b, expected in (("A", "B", {1.0: 6, 3**0.5: 8}), ("A", "A", {2**0.5: 12, 2.0: 6})):
        r, g = partial(crystal, a, b, r_max=2.1, n_bins=105)
        edges = np.linspace(0, 2.1, 106)
        shells = 4 / 3 * np.pi * np.diff(edges**3)
        # Partners of a particle in an ideal gas; of its own species, one fewer than the sites.
        neighbours = g * shells * (32 - (a == b)) / 64
        found = {
            float(round(distance, 6)): neighbours[np.abs(r - distance) < 0.03].sum()
            for distance in expected
        }
        assert list(found.values()) == pytest.approx(list(expected.values()), rel=1e-12)
        assert neighbours.sum() == pytest.approx(sum(expected.values()), rel=1e-12)


def test_g_beyond_the_box_counts_images():
    small = ideal_gas(40, 3.0)
    copies = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 1, 3) * 3.0
    big = moved(
        small,
        positions=(small.positions + copies).reshape(-1, 3),
        cell=np.eye(3) * 9,
        species=np.tile(small.species, 27),
    )
    _, g_small = partial(small, "A", "B", r_max=4.0, n_bins=40)
    _, g_big = partial(big, "A", "B", r_max=4.0, n_bins=40)
    np.testing.assert_allclose(g_small, g_big, rtol=1e-12)


def test_first_peak_of_a_known_curve():
    r = np.linspace(0.5, 3, 251)
    g = 2.7 * np.exp(-((r - 1.0735) ** 2) / (2 * 0.1**2)) + np.exp(-((r - 2) ** 2) / 0.1)
    position, height = first_peak(r, g)
    # As accurate as a parabola through the top tenth of a Gaussian.
    assert position == pytest.approx(1.0735, abs=2e-3)
    assert height == pytest.approx(2.7, rel=5e-3)
    position, height = first_peak(np.array([1.0, 2, 3]), np.array([0.0, 1, 0]))
    assert (position, height) == pytest.approx((2, 1))
    with pytest.raises(InputError, match="maximum inside the range"):
        first_peak(r[:20], g[:20])


def test_wrong_arguments_of_g_are_named():
    gas = ideal_gas(10, 3.0)
    for wrong, message in [
        ({"a": "C"}, r"species: expected one of \['A', 'B'\]; found 'C'"),
        ({"r_max": 0.0}, "expected r_max > 0"),
        ({"n_bins": 0}, "n_bins >= 1"),
    ]:
        with pytest.raises(InputError, match=message):
            partial(gas, **{"a": "A", "b": "B", "r_max": 2.0, **wrong})
    lonely = moved(gas, species=np.array([1] + 9 * [0]))
    with pytest.raises(InputError, match=r"g\(r\): expected at least one pair; found 1 and 1"):
        partial(lonely, "B", "B", 2.0)

"""Mean numbers of neighbours in shells, against counts by hand and the pair distribution."""

from __future__ import annotations

import numpy as np
import pytest
from systems import liquid, moved

from glassml.data import Configuration
from glassml.domain import local_structure
from glassml.domain.structure import SHELLS, LocalStructure, counting_noise, departure
from glassml.graph import build_graph
from glassml.physics import pair_distribution

CUTOFF = 2.0


def structure_of(configuration: Configuration, cutoff: float = CUTOFF) -> LocalStructure:
    graph = build_graph(configuration, cutoff)
    return local_structure(graph, len(configuration.species_names), cutoff)


def ideal_gas(n: int, seed: int) -> Configuration:
    random = np.random.default_rng(seed)
    length = (n / 1.2) ** (1 / 3)
    return Configuration(
        positions=random.uniform(0, length, (n, 3)),
        cell=np.eye(3) * length,
        species=(np.arange(n) < 0.2 * n).astype(int),
        species_names=("A", "B"),
    )


def test_three_particles_in_a_row() -> None:
    # A at 0, B at 1, A at 1.5: distances 1, 0.5 and 1.5 of 2, so shells 20, 10 and 30 of 40.
    row = Configuration(
        positions=np.array([[0.01, 0, 0], [1.01, 0, 0], [1.51, 0, 0]]) + 5.0,
        cell=np.eye(3) * 20.0,
        species=np.array([0, 1, 0]),
        species_names=("A", "B"),
    )
    found = structure_of(row)
    expected = np.zeros((2, 2, SHELLS))
    expected[0, 1, [10, 20]] = 0.5  # of the two A, one has a B at 0.5 and one at 1
    expected[1, 0, [10, 20]] = 1.0
    expected[0, 0, 30] = 1.0
    np.testing.assert_array_equal(found.particles, [2, 1])
    np.testing.assert_allclose(found.shells, expected, atol=1e-12)
    assert found.neighbours == pytest.approx(2.0)


def test_shells_are_the_pair_distribution_times_density_and_volume() -> None:
    here = liquid(500, seed=3)
    found = structure_of(here)
    volumes = 4 / 3 * np.pi * np.diff(np.linspace(0, CUTOFF, SHELLS + 1) ** 3)
    members = [here.of_species(name) for name in here.species_names]
    for a, first in enumerate(members):
        for b, second in enumerate(members):
            _, g = pair_distribution(
                here.positions, here.cell, here.pbc, first, second, CUTOFF, SHELLS
            )
            density = (second.sum() - (a == b)) / here.volume  # of the others, as g(r) has it
            np.testing.assert_allclose(found.shells[a, b], g * density * volumes, atol=1e-12)


def test_the_noise_of_counting_is_that_of_an_ideal_gas() -> None:
    # In an ideal gas counts are Poisson distributed, so the estimate has to be right on average.
    volumes = np.diff(np.linspace(0, CUTOFF, SHELLS + 1) ** 3) * 4 / 3 * np.pi
    exact = np.array([0.8, 0.2])[None, :, None] * 1.2 * volumes * np.ones((2, 1, 1))
    systems = [structure_of(ideal_gas(400, seed)) for seed in range(20)]
    x = np.array([0.8, 0.2])[:, None, None]
    differences = [(x * np.abs(one.shells - exact)).sum() / (x * exact).sum() for one in systems]
    # 20 systems with a scatter of about 10 % each.
    assert np.mean(differences) == pytest.approx(counting_noise(systems[0], exact), rel=0.08)
    assert np.median([departure(one, exact) for one in systems]) < 0.05


def test_departures_are_zero_at_the_reference_and_grow_away_from_it() -> None:
    here = liquid(500, seed=3)
    reference = structure_of(here).shells
    assert departure(structure_of(here), reference) == 0.0
    random = np.random.default_rng(0)
    found = []
    for shift in (0.05, 0.1, 0.3):
        shaken = moved(here, positions=here.positions + random.normal(0, shift, (500, 3)))
        found.append(departure(structure_of(shaken), reference))
    assert 0 < found[0] < found[1] < found[2] < 2


def test_particles_without_neighbours_depart_from_nothing() -> None:
    lonely = Configuration(
        positions=np.zeros((1, 3)), cell=np.eye(3) * 9, species=np.zeros(1, int),
        species_names=("A",),
    )  # fmt: skip
    found = structure_of(lonely)
    assert found.neighbours == 0
    assert departure(found, np.zeros((1, 1, SHELLS))) == 0.0

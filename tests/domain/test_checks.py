"""What lies inside and outside the domain of a model, and how it is reported."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from systems import liquid, moved

from glassml.data import Configuration, Dataset
from glassml.domain import (
    Domain,
    DomainWatch,
    Measured,
    check_neighbours,
    domain_of,
    label_range,
    mean_spacing,
    measured,
    outside,
    united,
)
from glassml.errors import ConfigError, InputError, OutsideDomainWarning
from glassml.graph import build_graph

CUTOFF = 2.0
NAMES = ("A", "B")


def measure(configuration: Configuration, temperature: float | None = None) -> Measured:
    if temperature is not None:
        configuration = moved(configuration, provenance={"temperature": temperature})
    return measured(configuration, build_graph(configuration, CUTOFF), 2, CUTOFF)


def fixed(configuration: Configuration, n_b: int = 200) -> Configuration:
    """The configuration with exactly this number of B particles."""
    return moved(configuration, species=(np.arange(configuration.n_particles) < n_b).astype(int))


@pytest.fixture(scope="module")
def domain() -> Domain:
    return domain_of([measure(fixed(liquid(1000, seed=k)), 0.64) for k in range(4)])


def quantities(configuration: Configuration, domain: Domain, temperature: float | None = None):
    found = outside(measure(configuration, temperature), domain, NAMES, CUTOFF, "lj")
    return [one.quantity for one in found]


def test_a_domain_states_the_ranges_of_its_configurations(domain: Domain) -> None:
    assert domain.configurations == 4
    assert domain.dimension == 3
    assert domain.periodic
    assert domain.temperature == (0.64, 0.64)
    assert domain.number_density == pytest.approx((1.2, 1.2))
    assert domain.composition == ((0.8, 0.8), (0.2, 0.2))
    assert 34 < domain.neighbours[0] <= domain.neighbours[1] < 35  # of a jittered lattice
    assert domain.facts(NAMES, "lj")["temperature"] == "0.64"
    assert domain.facts(NAMES, "angstrom")["number density"] == "1.2 / angstrom^3"


@pytest.mark.parametrize("n", [64, 216, 1000])
def test_other_configurations_of_the_same_liquid_lie_inside(domain: Domain, n: int) -> None:
    for seed in range(10, 20):
        assert quantities(fixed(liquid(n, seed=seed), round(n / 5)), domain, 0.64) == []


@pytest.mark.parametrize(
    ("density", "expected"),
    [(1.0, True), (1.1, True), (1.15, True), (1.19, False), (1.21, False), (1.3, True)],
)
def test_density(domain: Domain, density: float, expected: bool) -> None:
    here = fixed(liquid(1000, density=density, seed=9))
    assert ("number density" in quantities(here, domain)) == expected


@pytest.mark.parametrize(
    ("temperature", "expected"), [(0.44, True), (0.56, False), (0.7, False), (0.8, True), (2, True)]
)
def test_temperature(domain: Domain, temperature: float, expected: bool) -> None:
    here = fixed(liquid(1000, seed=9))
    assert (quantities(here, domain, temperature) == ["temperature"]) == expected


def test_composition(domain: Domain) -> None:
    here = liquid(1000, seed=9)
    assert quantities(fixed(here, 230), domain) == []
    assert quantities(fixed(here, 350), domain) == ["fraction of A", "fraction of B"]


def test_a_system_without_its_cell(domain: Domain) -> None:
    here = moved(fixed(liquid(1000, seed=9)), pbc=(False, False, False))
    assert quantities(here, domain) == ["boundaries", "neighbours within the cutoff"]


def test_other_units(domain: Domain) -> None:
    here = fixed(liquid(1000, seed=9))
    metal = moved(here, positions=here.positions * 2.5, cell=here.cell * 2.5)
    assert quantities(metal, domain) == ["number density", "neighbours within the cutoff"]


def test_a_different_structure_at_the_same_density(domain: Domain) -> None:
    here = fixed(liquid(1000, seed=9))
    random = np.random.default_rng(0)
    hot = moved(here, positions=here.positions + random.normal(0, 0.1, (1000, 3)))
    assert quantities(hot, domain) == ["local structure"]


def test_two_dimensions(domain: Domain) -> None:
    random = np.random.default_rng(0)
    flat = Configuration(
        positions=random.uniform(0, 10, (120, 3)) * [1, 1, 0],
        cell=np.eye(3) * 10,
        pbc=(True, True, False),
        species=np.zeros(120, int),
        species_names=NAMES,
    )
    assert quantities(flat, domain) == ["dimension"]


def test_the_watch_warns_once_of_each_quantity_with_both_values(domain: Domain) -> None:
    watch = DomainWatch("model.pt", domain, NAMES, CUTOFF, "lj")
    here = fixed(liquid(1000, seed=9))
    hot, cold = measure(here, 2.0), measure(here, 0.2)
    thin = measure(fixed(liquid(1000, density=1.0, seed=9)), 0.64)
    with pytest.warns(OutsideDomainWarning, match=re.escape(
        "frame 0 is unlike the training data of model.pt, so predictions may be wrong: "
        "temperature: expected 0.64; found 2"
    )):  # fmt: skip
        watch.see("frame 0", hot)
    with pytest.warns(OutsideDomainWarning, match=r"number density: expected 1\.2; found 1(;|$)"):
        watch.see("frame 1", thin)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.see("frame 2", cold)
        watch.see("frame 3", thin)
        watch.see("frame 4", measure(here, 0.64))


def test_models_together_know_what_each_of_them_knows(domain: Domain) -> None:
    cold = domain_of([measure(fixed(liquid(1000, seed=20)), 0.44)])
    both = united([domain, cold], [True, True])
    assert both is not None
    assert both.temperature == (0.44, 0.64)
    assert both.configurations == 5
    assert quantities(fixed(liquid(1000, seed=9)), both, 0.5) == []
    assert united([domain, None], [True, True]) is None
    # Shells are those of the largest cutoff; the state is that of all.
    one = united([domain, cold], [True, False])
    assert one is not None
    assert one.temperature == (0.44, 0.64)
    assert (one.shells, one.neighbours) == (domain.shells, domain.neighbours)


@pytest.mark.parametrize("numbers", [(64,), (64, 64), (64,) * 6, (216,), (512,)])
def test_what_was_learnt_from_few_particles_has_noise_of_its_own(numbers: tuple[int, ...]) -> None:
    small = domain_of(
        [measure(fixed(liquid(n, seed=40 + k), round(n / 5))) for k, n in enumerate(numbers)]
    )
    for seed in range(10):
        assert quantities(fixed(liquid(1000, seed=seed)), small) == []


def test_almost_no_neighbours() -> None:
    here = liquid(100, seed=1)
    metal = moved(here, positions=here.positions * 2.7, cell=here.cell * 2.7)
    one = domain_of([measure(metal)])
    with pytest.raises(ConfigError, match=(
        r"model: expected a distance within which particles have neighbours; found 2 "
        r"angstrom, within which they have 0.* on average; the mean spacing of particles is 2.54 "
        r"angstrom"
    )):  # fmt: skip
        check_neighbours(one, CUTOFF, "angstrom", "model")
    check_neighbours(domain_of([measure(here)]), CUTOFF, "lj", "model")


def test_the_spacing_of_a_droplet_is_unknown() -> None:
    here = liquid(64, seed=1)
    assert mean_spacing([here, here]) == pytest.approx(1.2 ** (-1 / 3))
    with pytest.raises(InputError, match=r"periodic in every direction.*found pbc T, T, F"):
        mean_spacing([moved(here, pbc=(True, True, False))])


def test_the_shipped_data_lie_in_the_domain_of_each_other() -> None:
    with Dataset("kob_andersen_T0.64") as dataset:
        systems = [measure(configuration) for configuration in dataset]
    one = domain_of(systems[: len(systems) // 2])
    for system in systems[len(systems) // 2 :]:
        assert outside(system, one, NAMES, CUTOFF, "lj") == ()


def test_labels_at_a_time_span_all_configurations(domain: Domain) -> None:
    labels = np.array([[0.1, 2.0], [0.4, 1.0]]), np.array([[0.2, 1.5], [0.9, 1.6]])
    systems = [measure(fixed(liquid(64, seed=k), 13)) for k in range(2)]
    found = domain_of(systems, [label_range(one) for one in labels])
    assert found.propensity == ((0.1, 0.9), (1.0, 2.0))
    assert found.facts(NAMES, "angstrom")["labels"] == "0.1 to 2 angstrom"
    assert domain.facts(NAMES, "lj")["labels"] == "unknown"
    assert united([found, found], [True, True]).propensity == found.propensity
    assert united([found, domain], [True, True]).propensity is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, None),
        (1.9, None),
        (2.1, "late: expected 0 to 1; found 2.1"),
        (-0.9, None),
        (-1.1, "late: expected 0 to 1; found -1.1"),
        (-3.7e12, "late: expected 0 to 1; found -3.7e+12"),
    ],
)
def test_predictions_far_outside_the_labels(
    domain: Domain, value: float, expected: str | None
) -> None:
    known = domain.model_copy(update={"propensity": (None, (0.0, 1.0))})
    values = np.array([[1e9, 0.5], [1e9, value]])
    watch = DomainWatch("m.pt", known, NAMES, CUTOFF, "lj")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):  # there is one warning
            watch.see_predictions("frame", values, ("early", "late"))
    text = "frame: predictions of m.pt are far outside the labels of its training data, so they "
    expected_texts = [] if expected is None else [f"{text}are wrong: {expected}"]
    assert [str(one.message) for one in caught] == expected_texts

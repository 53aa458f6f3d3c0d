"""Two-dimensional mixtures: all stages of a simulation, quenches, and their results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matscipy.neighbours import neighbour_list
from simulation.simulations import liquid_config
from systems import liquid, moved, rotation

from glassml.data import Configuration, Dataset, DatasetWriter
from glassml.errors import InputError
from glassml.physics import (
    ballistic_displacement,
    pair_distribution,
    self_intermediate_scattering,
)
from glassml.simulation import from_include, kob_andersen, kob_andersen_2d, quench, quench_file
from glassml.simulation.pipeline import simulate

N, RUNS, TEMPERATURE = 86, 6, 2.0
# As published, to the digits that are given there: of A, B and C, and what ends the potential.
EPSILON = np.array([[1.0, 1.5, 0.75], [1.5, 0.5, 1.5], [0.75, 1.5, 0.75]])
SIGMA = np.array([[1.0, 0.8, 0.9], [0.8, 0.88, 0.8], [0.9, 0.8, 0.94]])
C_0, C_2, C_4 = 0.04049023795, -0.00970155098, 0.00062012616
SETTINGS = (
    f"particles={N}",
    f"temperatures=[{TEMPERATURE}]",
    "replicas=1",
    "configurations=2",
    f"ensemble={{runs: {RUNS}, times: [0.01, 0.1], keep_final_positions: true}}",
)


def energies_and_forces(
    configuration: Configuration, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Energies [N] and forces [N, 3] of KA2D with matscipy's pairs."""
    i, j, r, vector = neighbour_list(
        "ijdD",
        cutoff=2.5,
        positions=positions,
        cell=configuration.cell,
        pbc=np.array(configuration.pbc),
    )
    a, b = configuration.species[i], configuration.species[j]
    x = r / SIGMA[a, b]
    inside = x < 2.5
    pair = inside * 4 * EPSILON[a, b] * (x**-12 - x**-6 + C_0 + C_2 * x**2 + C_4 * x**4)
    slope = -12 * x**-13 + 6 * x**-7 + 2 * C_2 * x + 4 * C_4 * x**3
    push = inside * 4 * EPSILON[a, b] * slope / SIGMA[a, b] / r  # V' / r
    force = np.zeros_like(positions)
    np.add.at(force, i, push[:, None] * vector)
    return np.bincount(i, pair / 2, configuration.n_particles), force


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    output = tmp_path_factory.mktemp("plane") / "run"
    config = liquid_config(output, "system={name: kob-andersen-2d}", *SETTINGS)
    return Dataset(simulate(config).datasets[0])


@pytest.fixture(scope="module")
def configurations(dataset: Dataset) -> list[Configuration]:
    return [dataset.read(name, final_positions=True) for name in dataset.names]


def test_the_mixture_is_the_published_one(dataset: Dataset, configurations: list[Configuration]):
    about = dataset.description
    assert about["equilibration"]["equilibrated"]
    assert about["system"]["dimension"] == 2
    assert about["number_density"] == pytest.approx(1290 / 32.8962**2, rel=1e-12)
    for c in configurations:
        assert c.species_names == ("A", "B", "C")
        assert np.bincount(c.species).tolist() == [40, 22, 24]  # 600, 330 and 360 of 1290
        assert c.pbc == (True, True, False)
        assert c.plane == 2
        assert c.number_density == pytest.approx(1290 / 32.8962**2, rel=1e-12)


def test_nothing_leaves_the_plane(configurations: list[Configuration]):
    for c in configurations:
        for positions in (c.positions, *c.structures.values(), c.final_positions):
            assert np.ptp(positions[..., 2]) == 0
        assert set(c.structures) == {"inherent", "cage"}
        assert (c.statistics["mean_displacement"][..., 2] == 0).all()


def test_motion_begins_ballistically(configurations: list[Configuration]):
    """<|dr|> = sqrt(pi T / 2) t; the relative scatter of |v| is sqrt(4 / pi - 1) = 0.52.

    The total momentum is zero, which takes 1 / N of the energy; the mean of |dr| is then smaller by
    1 / (2 N).
    """
    measured = np.mean([c.propensity[:, 0].mean() for c in configurations])
    expected = ballistic_displacement(0.01, TEMPERATURE, dimension=2) * (1 - 1 / (2 * N))
    error = 0.52 / np.sqrt(len(configurations) * N * RUNS)
    assert expected == pytest.approx(np.sqrt(np.pi) * 0.01, rel=0.01)
    assert measured == pytest.approx(expected, rel=4 * error)
    for c in configurations:
        assert c.statistics["mean_displacement"].mean(axis=0) == pytest.approx(0, abs=1e-10)


def test_energies_are_those_of_an_independent_computation(configurations: list[Configuration]):
    for c in configurations:
        thermal, _ = energies_and_forces(c, c.positions)
        inherent, force = energies_and_forces(c, c.structures["inherent"])
        # Eleven digits of the constants, multiplied by up to 2.5^4, for twenty neighbours.
        np.testing.assert_allclose(c.scalars["potential_energy"], thermal, rtol=0, atol=1e-7)
        np.testing.assert_allclose(c.scalars["inherent_energy"], inherent, rtol=0, atol=1e-7)
        assert np.abs(force).max() < 1e-7
        assert inherent.mean() < thermal.mean() - 0.5 * TEMPERATURE  # T if it were harmonic
        assert c.provenance["quench_largest_force"] <= 1e-8


def test_cage_centres_are_near_the_positions(configurations: list[Configuration]):
    for c in configurations:
        away = np.linalg.norm(c.structures["cage"] - c.positions, axis=1)
        assert 0.02 < away.mean() < 0.4  # the radius of the cage


def test_neighbours_are_where_the_potential_has_its_minima(configurations: list[Configuration]):
    for a, b, sigma in (("A", "A", 1.0), ("A", "B", 0.8)):
        curves = [
            pair_distribution(
                c.positions, c.cell, c.pbc, c.of_species(a), c.of_species(b), r_max=2.0, n_bins=20
            )
            for c in configurations
        ]
        g = np.mean([curve[1] for curve in curves], axis=0)
        # At T = 2, above the depth of the well, neighbours are nearer than its minimum at 1.12.
        assert 0.95 * sigma < curves[0][0][np.argmax(g)] < 1.2 * sigma
        assert g.max() > 1.5


def test_the_same_mixture_from_an_include_file(tmp_path: Path):
    (tmp_path / "own.lammps").write_text(kob_andersen_2d().commands)
    include = f"system={{include: {tmp_path / 'own.lammps'}, options: {{species: [A, B, C], "
    options = "composition: [20, 11, 12], dimension: 2}}"
    config = liquid_config(
        tmp_path / "run",
        include + options,
        f"particles={N}",
        "density=1.19",
        "temperatures=[2.0]",
        "replicas=1",
        "configurations=1",
        "cage=null",
        "dynamics=npt",
        "pressure=10",
        "equilibration={length: 1, budget: 2, wave_number: 7}",
        "separation=0.2",
        "ensemble={runs: 2, times: [0.01], dynamics: nvt}",
    )
    (c,) = Dataset(simulate(config).datasets[0])
    assert c.plane == 2
    assert c.cell[0, 0] == c.cell[1, 1] != pytest.approx(np.sqrt(N / 1.19), rel=1e-3)
    assert np.ptp(c.structures["inherent"][:, 2]) == 0


@pytest.fixture(scope="module")
def flat() -> Configuration:
    """A jittered square lattice, at z = 3, in a sheared cell that leans out of the plane."""
    rng = np.random.default_rng(5)
    length = np.sqrt(N / 1.19)
    sites = np.stack(np.unravel_index(rng.permutation(100)[:N], (10, 10)), axis=1) / 10
    cell = np.array([[length, 0, 0], [0.3 * length, length, 0], [1.0, 0.5, 4.0]])
    positions = np.pad(sites, [(0, 0), (0, 1)]) @ cell + rng.uniform(-0.1, 0.1, (N, 3))
    positions[:, 2] = 3.0
    return Configuration(
        positions=positions,
        cell=cell,
        pbc=(True, True, False),
        species=np.repeat([0, 1, 2], [40, 22, 24]),
        species_names=("A", "B", "C"),
        name="flat",
    )


@pytest.mark.parametrize("across", [0, 1, 2])
def test_any_plane_is_quenched_in_itself(flat: Configuration, across: int):
    turn, order = rotation(across), np.roll([0, 1, 2], across + 1)
    turned = moved(
        flat,
        positions=flat.positions @ turn,
        cell=(flat.cell @ turn)[order],
        pbc=tuple(np.array(flat.pbc)[order].tolist()),
    )
    assert turned.plane == across
    done = quench(turned, kob_andersen_2d())
    energy, force = energies_and_forces(turned, done.structures["inherent"])
    np.testing.assert_allclose(done.scalars["inherent_energy"], energy, rtol=0, atol=1e-7)
    assert np.abs(force).max() < 1e-7
    back = done.structures["inherent"] @ turn.T
    np.testing.assert_allclose(back[:, 2], 3.0, atol=1e-12)  # rounding of two rotations


def test_a_dataset_of_the_plane_is_quenched(flat: Configuration, tmp_path: Path):
    with DatasetWriter(tmp_path / "in.h5") as writer:
        writer.add(flat)
    report = quench_file(tmp_path / "in.h5", tmp_path / "out.h5", kob_andersen_2d())
    assert report.largest_force <= 1e-8
    (done,) = Dataset(tmp_path / "out.h5")
    assert done.pbc == flat.pbc
    np.testing.assert_array_equal(done.cell, flat.cell)


def test_dimensions_that_do_not_fit_are_reported(flat: Configuration, tmp_path: Path):
    own = tmp_path / "own.in"
    own.write_text("mass * 1\npair_style zero 2\npair_coeff * *\n")
    solid = moved(liquid(30), species_names=("A", "B"), name="solid")
    two = moved(flat, species=flat.species % 2, species_names=("A", "B"))
    for wrong, message in [
        (lambda: quench(two, kob_andersen()), "flat: pbc: .*three-dim.*, which is two-dim"),
        (lambda: quench(solid, kob_andersen_2d()), "solid: pbc: .*no images across it"),
        (lambda: from_include(own, ("A",), dimension=4), "dimension: expected 2 or 3; found 4"),
    ]:
        with pytest.raises(InputError, match=message):
            wrong()


def test_f_s_and_g_of_the_plane():
    # Independent components of variance 2Dt: F_s = exp(-k^2 D t), as in three dimensions.
    rng = np.random.default_rng(5)
    k, dt = 7.25, 0.02
    displacements = np.pad(rng.normal(scale=np.sqrt(2 * dt), size=(50_000, 2)), [(0, 0), (0, 1)])
    f_s = self_intermediate_scattering(displacements, k, dimension=2)
    # J_0 has a standard deviation below 0.5: four standard errors.
    assert f_s == pytest.approx(np.exp(-(k**2) * dt), abs=4 * 0.5 / np.sqrt(50_000))
    gas = np.pad(rng.uniform(0, 20, (4000, 2)), [(0, 0), (0, 1)])
    everyone = np.ones(4000, dtype=bool)
    r, g = pair_distribution(
        gas, 20 * np.eye(3), (True, True, False), everyone, everyone, r_max=2.0, n_bins=20
    )
    pairs = 4000**2 / 2 * 2 * np.pi * r * 0.1 / 400
    assert np.all(np.abs(g - 1) < 5 / np.sqrt(pairs))  # five standard errors of Poisson counts

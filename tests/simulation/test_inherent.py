"""Inherent structures: at a minimum, near the start, with the right energies."""

from __future__ import annotations

import numpy as np
import pytest
from matscipy.neighbours import neighbour_list
from systems import liquid, moved, rotation

from glassml.data import Configuration
from glassml.errors import InputError, SimulationError
from glassml.simulation import from_include, kob_andersen, quench, run_lammps, wahnstrom
from glassml.simulation.exchange import LammpsFrame, read_snapshot, write_data

EPSILON = np.array([[1.0, 1.5], [1.5, 0.5]])
SIGMA = np.array([[1.0, 0.8], [0.8, 0.88]])


def energies_and_forces(
    configuration: Configuration, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Kob-Andersen, shifted at 2.5 sigma_ab, with matscipy's pairs: [N] and [N, 3]."""
    i, j, r, vector = neighbour_list(
        "ijdD", cutoff=2.5, positions=positions, cell=configuration.cell, pbc=[True] * 3
    )
    a, b = configuration.species[i], configuration.species[j]
    epsilon, sigma = EPSILON[a, b], SIGMA[a, b]
    inside = r < 2.5 * sigma
    x6, end = (sigma / r) ** 6, 0.4**6
    pair = inside * 4 * epsilon * ((x6**2 - x6) - (end**2 - end))
    push = inside * 24 * epsilon * (2 * x6**2 - x6) / r**2
    energy = np.bincount(i, pair / 2, configuration.n_particles)
    force = np.zeros_like(positions)
    np.add.at(force, i, -push[:, None] * vector)
    return energy, force


@pytest.fixture(scope="module", params=["orthogonal", "triclinic", "turned", "left-handed"])
def before(request: pytest.FixtureRequest) -> Configuration:
    """Small liquids whose particles are scattered over several images of the box."""
    start = liquid(200, seed=4, triclinic=request.param != "orthogonal")
    turn = {
        "turned": rotation(3),
        "left-handed": np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]),
    }.get(request.param, np.eye(3))
    images = np.random.default_rng(1).integers(-2, 3, (200, 3))
    return moved(
        start,
        positions=(start.positions + images @ start.cell) @ turn,
        cell=start.cell @ turn,
        scalars={"other": np.arange(200.0)},
        provenance={"origin": "a test"},
        name="small",
    )


@pytest.fixture(scope="module")
def after(before: Configuration) -> Configuration:
    return quench(before, kob_andersen(), force_tolerance=1e-9)


def test_energies_are_those_of_an_independent_computation(after: Configuration):
    for name, positions in (
        ("potential_energy", after.positions),
        ("inherent_energy", after.structures["inherent"]),
    ):
        energy, _ = energies_and_forces(after, positions)
        # Rounding of sums of some 60 terms up to 1e3 (thermal) in double precision.
        np.testing.assert_allclose(after.scalars[name], energy, rtol=1e-10, atol=1e-10)


def test_no_force_is_left(after: Configuration):
    _, force = energies_and_forces(after, after.structures["inherent"])
    largest = np.linalg.norm(force, axis=1).max()
    # Positions are known to 1e-14 and forces change by up to 1e3 a length.
    assert largest <= 1e-9 + 1e-10
    assert largest == pytest.approx(after.provenance["quench_largest_force"], abs=1e-10)


def test_it_is_a_minimum_and_lower(after: Configuration):
    inherent = after.structures["inherent"]
    lowest = after.scalars["inherent_energy"].sum()
    assert lowest < after.scalars["potential_energy"].sum()
    rng = np.random.default_rng(2)
    for _ in range(5):
        near = inherent + 1e-4 * rng.normal(size=inherent.shape)
        assert energies_and_forces(after, near)[0].sum() > lowest


def test_particles_stay_near_and_in_order(before: Configuration, after: Configuration):
    displacement = after.structures["inherent"] - before.positions
    # The start is a jittered lattice, far from any minimum, yet no particle crosses half the box.
    assert np.linalg.norm(displacement, axis=1).max() < 1.5
    # Internal forces do not move the centre of mass.
    np.testing.assert_allclose(displacement.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_array_equal(after.positions, before.positions)
    np.testing.assert_array_equal(after.scalars["other"], before.scalars["other"])
    assert after.provenance["origin"] == "a test"
    assert after.provenance["quench_system"] == "kob-andersen"
    assert after.provenance["quench_iterations"] > 0


def test_a_minimum_stays_where_it_is(after: Configuration):
    again = quench(moved(after, positions=after.structures["inherent"]), kob_andersen())
    np.testing.assert_allclose(again.structures["inherent"], again.positions, atol=1e-8)
    assert again.provenance["quench_iterations"] <= 1  # LAMMPS looks at the forces after one


@pytest.mark.parametrize("length", [20.0, 2.2], ids=["large box", "box below the cutoff"])
def test_any_box_is_right(length: float):
    start = Configuration(
        positions=np.array([[0.0, 0, 0], [1.0, 0.3, 0]]),
        cell=np.eye(3) * length,
        species=np.array([0, 1]),
        species_names=("A", "B"),
    )
    after = quench(start, kob_andersen(), force_tolerance=1e-10)
    for name, positions in (
        ("potential_energy", start.positions),
        ("inherent_energy", after.structures["inherent"]),
    ):
        energy, _ = energies_and_forces(start, positions)
        np.testing.assert_allclose(after.scalars[name], energy, rtol=1e-10)


def test_two_particles_find_their_distance():
    start = Configuration(
        positions=np.array([[0.1, 0, 0], [19.0, 0.2, 0.1]]),  # neighbours across the boundary
        cell=np.eye(3) * 20,
        species=np.array([1, 0]),
        species_names=("B", "A"),  # not in the system's order
    )
    after = quench(start, kob_andersen(), force_tolerance=1e-11)
    difference = after.structures["inherent"][0] - after.structures["inherent"][1] + [20, 0, 0]
    # V'' = 57.1 epsilon / sigma^2 at the minimum turns forces of 1e-11 into lengths.
    assert np.linalg.norm(difference) == pytest.approx(2 ** (1 / 6) * 0.8, abs=1e-12)
    end = 4 * 1.5 * (0.4**12 - 0.4**6)
    np.testing.assert_allclose(after.scalars["inherent_energy"], (-1.5 - end) / 2, rtol=1e-12)


def test_other_systems_and_truncations_differ():
    start = liquid(60, seed=1)
    energies = {
        quench(start, system).scalars["inherent_energy"].mean()
        for system in (kob_andersen(), kob_andersen("force-shifted"), wahnstrom())
    }
    assert len(energies) == 3


def test_what_does_not_fit_is_named():
    start = liquid(30, name="mine")
    for wrong, message in [
        ({"species_names": ("A", "C")}, r"mine: species: expected .*\['A', 'B'\]; found 'C'"),
        ({"length_unit": "nm"}, "mine: length_unit: expected 'lj'.*found 'nm'"),
        ({"pbc": (True, True, False)}, "mine: pbc: expected all three"),
    ]:
        with pytest.raises(InputError, match=message):
            quench(moved(start, **wrong), kob_andersen())
    with pytest.raises(InputError, match="force_tolerance: expected a positive"):
        quench(start, kob_andersen(), force_tolerance=0.0)
    with pytest.raises(InputError, match="max_iterations: expected a positive"):
        quench(start, kob_andersen(), max_iterations=0)


def test_a_quench_that_does_not_converge_says_so():
    with pytest.raises(
        SimulationError, match=r"(?s)mine: quench: expected no force above 1e-08; found .* after 3 "
    ):
        quench(liquid(30, name="mine"), kob_andersen(), max_iterations=3)


def test_lammps_errors_name_the_configuration(tmp_path):
    # It is read on one particle of each type, and fails once particles overlap.
    (tmp_path / "own.in").write_text(
        "mass * 1\npair_style lj/cut 2.5\npair_coeff * * 1 1\n"
        'if "$(atoms) > 10" then "error_of_mine"\n'
    )
    system = from_include(tmp_path / "own.in", ("A", "B"))
    with pytest.raises(
        SimulationError, match=r"(?s)mine: quench: .*Unknown command: error_of_mine"
    ):
        quench(liquid(30, name="mine"), system)


def test_no_digit_is_lost_on_the_way_into_lammps_and_back(before: Configuration, tmp_path):
    frame = write_data(tmp_path / "in.data", before, kob_andersen())
    np.testing.assert_allclose(frame.cell @ frame.rotation.T, before.cell, atol=1e-14)
    run_lammps(
        f"boundary p p p\nread_data in.data\n{kob_andersen().commands}"
        "write_dump all custom out.dump id type xu yu zu modify sort id format float %.17g\n",
        cwd=tmp_path,
    )
    back = read_snapshot(tmp_path / "out.dump")
    positions = frame.from_lammps(np.stack([back["xu"], back["yu"], back["zu"]], axis=1))
    # LAMMPS wraps into the box: adding a box length and subtracting it rounds once.
    np.testing.assert_allclose(positions, before.positions, rtol=0, atol=5e-14)
    np.testing.assert_array_equal(back["type"], before.species + 1)


def test_orthogonal_cells_are_not_turned():
    cell = np.diag([3.1, 4.7, 5.9])
    frame = LammpsFrame.of(cell)
    np.testing.assert_array_equal(frame.rotation, np.eye(3))
    np.testing.assert_array_equal(frame.cell, cell)


@pytest.mark.parametrize(
    "text", ["", "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n9\nITEM: ATOMS id\n1\n"]
)
def test_an_unfinished_snapshot_is_noticed(text: str, tmp_path):
    (tmp_path / "cut.dump").write_text(text)
    with pytest.raises(SimulationError, match=r"cut\.dump: expected a snapshot"):
        read_snapshot(tmp_path / "cut.dump")

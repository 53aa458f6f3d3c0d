"""Cage centres: averages within the cage, and the known averages of a particle in a well."""

from __future__ import annotations

import re

import numpy as np
import pytest
from systems import liquid, moved

from glassml.data import Configuration
from glassml.errors import InputError, SimulationError
from glassml.physics.units import UNIT_STYLES
from glassml.simulation import System, from_include, kob_andersen, quench, run_lammps
from glassml.simulation.cage import cage_commands, cage_structure

# Independent particles: springs (k = 50) pull each to the middle of its own cube of side 2, however
# far from there it starts along x.
WELL = """\
mass * 1.0
pair_style zero 1.0
pair_coeff * *
variable pull atom -50*(x-2*floor(x/2)-1)
fix pull all addforce v_pull 0.0 0.0
fix tie all spring/self 50.0 yz
"""


def lattice(n: int = 216, offset: float = 0.0) -> Configuration:
    """Particles at the middle of cubes of side 2, displaced along x."""
    side = round(n ** (1 / 3))
    sites = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return Configuration(
        positions=2.0 * sites + 1.0 + [offset, 0, 0],
        cell=np.eye(3) * 2 * side,
        species=np.zeros(n, int),
        species_names=("A",),
        name="wells",
    )


@pytest.fixture(scope="module")
def wells(tmp_path_factory: pytest.TempPathFactory) -> System:
    path = tmp_path_factory.mktemp("wells") / "wells.in"
    path.write_text(WELL)
    return from_include(path, ("A",))


@pytest.fixture(scope="module")
def minimum() -> Configuration:
    """A small Kob-Andersen glass at a minimum, so that its cages hold."""
    start = quench(liquid(150, seed=3, triclinic=True), kob_andersen())
    return moved(start, positions=start.structures["inherent"], name="glass")


def test_the_centre_of_a_harmonic_well(wells: System):
    offset, temperature = 0.1, 0.05
    after = cage_structure(
        lattice(offset=offset), wells, temperature, seed=7, radius=0.9, n_steps=4000
    )
    centres = after.structures["cage"] - after.positions
    expected = np.array([-offset, 0, 0])
    # T / k = 0.032^2: no particle comes near the wall; the mean over 216 particles is this exact.
    error = after.provenance["cage_error"]
    assert 0 < error < 0.03
    np.testing.assert_allclose(centres.mean(axis=0), expected, atol=4 * error / np.sqrt(3 * 216))
    # The reported error is the true one.
    made = np.sqrt(np.square(centres - expected).sum(axis=1).mean())
    assert error == pytest.approx(made, rel=0.15)


def test_longer_runs_are_more_exact(wells: System):
    errors = [
        cage_structure(lattice(), wells, 0.05, seed=7, radius=0.9, n_steps=steps).provenance[
            "cage_error"
        ]
        for steps in (500, 8000)
    ]
    # Four times: the error falls with the root of the length.
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.25)


def test_averages_lie_within_the_cage(minimum: Configuration):
    for radius in (0.05, 0.4):
        after = cage_structure(minimum, kob_andersen(), 0.44, seed=3, radius=radius, n_steps=2000)
        distance = np.linalg.norm(after.structures["cage"] - after.positions, axis=1)
        assert 0 < distance.max() < radius


def test_free_particles_are_kept_by_the_wall(tmp_path):
    (tmp_path / "free.in").write_text("mass * 1\npair_style zero 1\npair_coeff * *\n")
    free = from_include(tmp_path / "free.in", ("A",))
    after = cage_structure(lattice(), free, 1.0, seed=5, radius=0.5, n_steps=20_000)
    centres = after.structures["cage"] - after.positions
    error = after.provenance["cage_error"]
    # By symmetry the centre is the start, and the spheres are sampled many times over.
    np.testing.assert_allclose(centres.mean(axis=0), 0, atol=4 * error / np.sqrt(3 * 216))
    assert error < 0.1


def test_a_run_repeats_and_its_seed_matters(minimum: Configuration):
    def centres(seed: int) -> np.ndarray:
        after = cage_structure(minimum, kob_andersen(), 0.44, seed=seed, n_steps=200)
        assert after.provenance["cage_seed"] == seed
        assert after.provenance["cage_temperature"] == 0.44
        assert after.provenance["cage_radius"] == 0.4
        return after.structures["cage"]

    np.testing.assert_array_equal(centres(1), centres(1))
    assert not np.allclose(centres(1), centres(2))


@pytest.mark.parametrize("units", UNIT_STYLES)
def test_the_wall_is_as_stiff_in_all_units(units: str, tmp_path):
    """Its force must be m (0.2 / dt)^2 d in units that follow from LAMMPS' own kinetic energy."""
    system = System(
        name="free",
        species_names=("A",),
        composition=(1.0,),
        number_density=None,
        timestep=0.25,
        commands="mass 1 2.0\npair_style zero 1.0\npair_coeff * *\n",
        masses=(2.0,),
        units=units,
    )
    (tmp_path / "start.in").write_text(
        f"units {units}\nregion box block 0 8 0 8 0 8 units box\ncreate_box 1 box\n"
        "create_atoms 1 single 2 4 4 units box\ncreate_atoms 1 single 6 4 4 units box\n"
        f"{system.commands}"
        "velocity all set 1 0 0 units box\nthermo_modify norm no\nrun 0\n"
        'print "$(ke:%.17g)" file ke.txt\n'
    )
    run_lammps(tmp_path / "start.in", cwd=tmp_path)
    kinetic = float((tmp_path / "ke.txt").read_text())  # of two particles with m = 2, v = 1
    commands = cage_commands(system, 1.0, seed=1, radius=0.4)
    (stiffness,) = map(float, re.findall(r"fx atom -(\S+)\*v_glassml_out", commands))
    # LAMMPS' physical constants are of 2006, those of ASE later ones.
    assert stiffness == pytest.approx(kinetic * (0.2 / 0.25) ** 2, rel=1e-5)


def test_wrong_arguments_are_named(minimum: Configuration, tmp_path):
    for wrong, message in [
        ({"temperature": 0.0}, "cage: temperature: expected a positive"),
        ({"radius": -1.0}, "cage: radius: expected a positive"),
        ({"n_steps": 3}, "cage: n_steps: expected at least 10"),
        ({"seed": 0}, "cage: seed: expected a number from 1"),
    ]:
        with pytest.raises(InputError, match=message):
            cage_structure(minimum, kob_andersen(), **{"temperature": 0.44, "seed": 1, **wrong})
    (tmp_path / "own.in").write_text(
        'mass * 1\npair_style zero 1\npair_coeff * *\nif "$(atoms) > 10" then "mine"\n'
    )
    with pytest.raises(SimulationError, match=r"(?s)glass: cage: .*Unknown command: mine"):
        cage_structure(minimum, from_include(tmp_path / "own.in", ("A", "B")), 0.44, seed=1)

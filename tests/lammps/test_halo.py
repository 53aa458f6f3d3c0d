"""The halo without LAMMPS: edges from any division of particles among ranks are those of Python."""

from __future__ import annotations

import dataclasses
import subprocess

import numpy as np
import pytest
import torch
from systems import liquid

from glassml.graph import build_graph
from glassml.simulation.lammps import find_lammps

CUTOFF = 2.0


@dataclasses.dataclass(frozen=True)
class SimpleConfiguration:
    """As Configuration, which would refuse such positions."""

    cell: np.ndarray
    positions: np.ndarray
    pbc: tuple[bool, bool, bool] = (True, True, True)

    @property
    def n_particles(self) -> int:
        return len(self.positions)


@pytest.fixture
def edges_on_ranks(build_tree, tmp_path):
    """Runs the program on ranks; returns the lines that each rank wrote."""

    def run(configuration, ranks, owners, origin=(0.0, 0.0, 0.0)):
        numbers = [[CUTOFF], origin, *configuration.cell, np.array(configuration.pbc, dtype=int)]
        lines = [" ".join(f"{x:.17g}" for x in row) for row in numbers]
        lines.append(str(configuration.n_particles))
        for rank, x in zip(owners, configuration.positions, strict=True):
            lines.append(f"{rank} " + " ".join(f"{c:.17g}" for c in x))
        (tmp_path / "input").write_text("\n".join(lines) + "\n")
        program = build_tree / "bin" / "glassml_halo_driver"
        command = [str(find_lammps().mpiexec), "-n", str(ranks), str(program), "edges"]
        result = subprocess.run(
            [*command, "input", "output"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return [(tmp_path / f"output.{rank}").read_text().splitlines() for rank in range(ranks)]

    return run


def sorted_edges(configuration, receiver, sender, vector):
    """Pairs with the number of cells between the two positions [E, 5], and vectors [E, 3]."""
    difference = configuration.positions[sender] - configuration.positions[receiver]
    cells = np.linalg.solve(configuration.cell.T, (vector - difference).T).T
    shifts = np.rint(cells).astype(int)
    np.testing.assert_allclose(cells, shifts, atol=1e-9)
    keys = np.column_stack([receiver, sender, shifts])
    order = np.lexsort(keys.T[::-1])
    return keys[order], vector[order]


def check(configuration, outputs):
    """The edges of all ranks together are those of the graph in Python."""
    lines = [line for output in outputs for line in output]
    assert not [line for line in lines if line.startswith("error")]
    words = [line.split()[1:] for line in lines if line.startswith("edge")]
    table = np.array(words, dtype=float).reshape(-1, 5)
    found = sorted_edges(configuration, *table[:, :2].astype(int).T, table[:, 2:])
    graph = build_graph(configuration, CUTOFF, dtype=torch.float64)
    sender, receiver = graph.edge_index.numpy()
    expected = sorted_edges(configuration, receiver, sender, graph.edge_vector.numpy())
    assert len(expected[0]) > 0
    np.testing.assert_array_equal(found[0], expected[0])
    # Coordinates of some cells' length, rounded when particles are moved by cells.
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=1e-12)


def rows(outputs):
    """Own rows, all rows, sent rows and images of each rank."""
    return np.array([output[-1].split()[1:] for output in outputs], dtype=int)


def slabs(configuration, ranks, axis=0):
    """Each rank owns a part of the cell along one direction."""
    fractional = np.linalg.solve(configuration.cell.T, configuration.positions.T)[axis]
    return (fractional % 1.0 * ranks).astype(int)


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("triclinic", [False, True])
@pytest.mark.parametrize("pbc", [(True, True, True), (False, True, False)])
def test_domains(edges_on_ranks, ranks, triclinic, pbc):
    configuration = liquid(300, seed=ranks, triclinic=triclinic, pbc=pbc)
    outputs = edges_on_ranks(configuration, ranks, slabs(configuration, ranks))
    check(configuration, outputs)
    own, n_rows, sent, _ = rows(outputs).T
    assert own.sum() == 300
    assert sent.sum() == (n_rows - own).sum()  # a state is sent once for each rank that reads it
    assert np.all(n_rows <= 300)  # an atom has one row however many images


def test_only_what_is_near_is_exchanged(edges_on_ranks):
    """Of a long system each rank gets images within a cutoff of its part, and reads fewer rows."""
    cube = liquid(1000, seed=1)
    stretched = np.diag([8.0, 0.36, 0.36])
    wrapped = cube.positions % np.diag(cube.cell)
    configuration = dataclasses.replace(
        cube, cell=cube.cell @ stretched, positions=wrapped @ stretched
    )
    outputs = edges_on_ranks(configuration, 4, slabs(configuration, 4))
    check(configuration, outputs)
    length, width = configuration.cell[0, 0], configuration.cell[1, 1]
    density = 1000 / (length * width**2)
    within = density * (length / 4 + 2 * CUTOFF) * (width + 2 * CUTOFF) ** 2 - 250
    own, n_rows, _, images = rows(outputs).T
    np.testing.assert_allclose(images, within, rtol=0.1)
    np.testing.assert_allclose(n_rows - own, 1000 * 2 * CUTOFF / length, rtol=0.2)


@pytest.mark.parametrize("triclinic", [False, True])
def test_cell_smaller_than_the_cutoff(edges_on_ranks, triclinic):
    configuration = liquid(3, seed=2, triclinic=triclinic)
    assert np.all(np.diag(configuration.cell) < CUTOFF)
    for ranks, owners in [(1, [0, 0, 0]), (2, [1, 0, 1]), (3, [2, 2, 0])]:
        check(configuration, edges_on_ranks(configuration, ranks, owners))


@pytest.mark.parametrize("triclinic", [False, True])
def test_positions_far_from_the_others_of_their_rank(edges_on_ranks, triclinic):
    """Hops between domains, and particles that are not wrapped."""
    configuration = liquid(200, seed=3, triclinic=triclinic)
    owners = slabs(configuration, 4)
    rng = np.random.default_rng(4)
    cells = rng.integers(-1, 2, (200, 3)) * (rng.random((200, 3)) < 0.1)
    cells[17] = [40, -3, 1]
    positions = configuration.positions + cells @ configuration.cell
    owners[rng.random(200) < 0.1] = 0
    unwrapped = dataclasses.replace(configuration, positions=positions)
    check(unwrapped, edges_on_ranks(unwrapped, 4, owners))


def test_particles_are_divided_at_random(edges_on_ranks):
    configuration = liquid(150, seed=5, triclinic=True)
    owners = np.random.default_rng(6).integers(0, 3, 150)
    check(configuration, edges_on_ranks(configuration, 3, owners))


def test_ranks_without_particles(edges_on_ranks):
    configuration = liquid(60, seed=7)
    outputs = edges_on_ranks(configuration, 4, np.full(60, 2))
    check(configuration, outputs)
    np.testing.assert_array_equal(rows(outputs)[[0, 1, 3]], 0)


def test_the_origin_does_not_matter(edges_on_ranks):
    configuration = liquid(60, seed=8)
    origin = np.array([100.0, -50.0, 3.0])
    moved = dataclasses.replace(configuration, positions=configuration.positions + origin)
    owners = slabs(configuration, 2)
    check(moved, edges_on_ranks(moved, 2, owners, origin))
    # The same particles, seen from a corner of the cell that is far away.
    check(moved, edges_on_ranks(moved, 2, owners))


def test_open_system_with_one_particle_far_away(edges_on_ranks):
    configuration = liquid(60, seed=9, pbc=(False, False, False))
    positions = configuration.positions.copy()
    positions[5] = [1e7, -2e7, 3e7]
    configuration = dataclasses.replace(configuration, positions=positions)
    check(configuration, edges_on_ranks(configuration, 2, slabs(liquid(60, seed=9), 2)))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "position y of particle 41: expected a finite number; found nan: the simulation"),
        (-np.inf, "position y of particle 41: expected a finite number; found -inf: the simulati"),
        (
            1e300,
            "position y of particle 41: expected a position within a million cells of the periodic "
            "cell; found 1e+300: the simulation is unstable",
        ),
    ],
)
def test_a_bad_position_is_told_by_its_rank_and_stops_none(edges_on_ranks, value, words):
    configuration = liquid(60, seed=10)
    positions = configuration.positions.copy()
    positions[41, 1] = value
    bad = SimpleConfiguration(configuration.cell, positions)
    owners = np.arange(60) % 2
    first, second = edges_on_ranks(bad, 2, owners)
    assert next(line for line in second if line.startswith("error")).startswith("error " + words)
    assert not [line for line in second if line.startswith("edge")]
    assert not [line for line in first if line.startswith("error")]
    # The other rank has all edges except those with this particle.
    graph = build_graph(configuration, CUTOFF)
    sender, receiver = graph.edge_index.numpy()
    expected = np.count_nonzero((receiver % 2 == 0) & (sender != 41))
    assert len([line for line in first if line.startswith("edge")]) == expected

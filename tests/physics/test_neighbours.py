"""The neighbour searches, the compiled one and matscipy's, against a direct one and each other."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from matscipy.neighbours import neighbour_list
from systems import liquid

from glassml.errors import InputError
from glassml.physics import Neighbours, find_neighbours
from glassml.physics import neighbour_library as library
from glassml.physics import neighbours as module

PERIODIC = (True, True, True)


@pytest.fixture(params=["compiled", "matscipy"])
def search(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both searches in turn. The compiled one must be there: CI has built it."""
    assert library.compiled_search() is not None
    if request.param == "matscipy":
        monkeypatch.setattr(module, "compiled_search", lambda: None)
    return request.param


def of_matscipy(positions: np.ndarray, cell: np.ndarray, pbc: tuple, cutoff: float) -> Neighbours:
    receiver, sender, vector = neighbour_list(
        "ijD", cutoff=cutoff, positions=positions, cell=cell, pbc=pbc
    )
    return Neighbours(sender, receiver, vector.reshape(-1, 3))


def in_order(found: Neighbours) -> Neighbours:
    """The pairs sorted by receiver, sender and vector, which rounding must not exchange."""
    rounded = np.round(found.vector, 9)
    order = np.lexsort((*rounded.T, found.sender, found.receiver))
    return Neighbours(*(part[order] for part in found))


def direct_search(positions: np.ndarray, cell: np.ndarray, pbc: tuple, cutoff: float) -> list:
    """All (receiver, sender, vector) within two shells of images, sorted."""
    images = [(-2, -1, 0, 1, 2) if periodic else (0,) for periodic in pbc]
    shifts = np.array(list(product(*images)))
    vectors = positions[None, :, None] - positions[:, None, None] + (shifts @ cell)
    r = np.linalg.norm(vectors, axis=3)
    i, j, s = np.nonzero((r < cutoff) & (r > 0))
    return sorted((a, b, *vectors[a, b, c]) for a, b, c in zip(i, j, s, strict=True))


@pytest.mark.parametrize("pbc", [PERIODIC, (True, False, True), (False, False, False)])
@pytest.mark.parametrize("triclinic", [False, True])
@pytest.mark.parametrize("n", [5, 40])  # with 5 particles the cutoff is longer than the box
def test_pairs_equal_a_direct_search(n: int, triclinic: bool, pbc: tuple, search: str) -> None:
    system = liquid(n, triclinic=triclinic, seed=7)
    sender, receiver, vector = find_neighbours(system.positions, system.cell, pbc, 2.0)
    expected = direct_search(system.positions, system.cell, pbc, 2.0)
    assert len(expected) > n
    found = sorted((i, j, *v) for i, j, v in zip(receiver, sender, vector, strict=True))
    assert [pair[:2] for pair in found] == [pair[:2] for pair in expected]
    # 1e-14: rounding of coordinates of order 1 to 10.
    np.testing.assert_allclose(
        [pair[2:] for pair in found], [pair[2:] for pair in expected], rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("triclinic", [False, True])
@pytest.mark.parametrize("cutoff", [0.7, 1.5, 3.3])
def test_edges_without_a_build_are_those_of_matscipy_to_the_last_bit(
    cutoff: float, triclinic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lengths are divided by a power of two before the search. That must change nothing."""
    monkeypatch.setattr(module, "compiled_search", lambda: None)
    system = liquid(300, triclinic=triclinic, seed=1)
    found = find_neighbours(system.positions, system.cell, system.pbc, cutoff)
    for ours, theirs in zip(
        found, of_matscipy(system.positions, system.cell, PERIODIC, cutoff), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert np.all(np.diff(found.receiver) >= 0)


@pytest.mark.parametrize("seed", range(60))
def test_any_cell_and_periodicity_that_matscipy_takes(seed: int) -> None:
    """Flat, long, tilted and left-handed cells, shorter than the cutoff, particles far outside."""
    random = np.random.default_rng(seed)
    cell = np.diag(random.uniform(1.0, 6.0, 3))
    cell += random.normal(scale=0.8, size=(3, 3)) if seed % 2 else 0.0
    cell[0] *= -1 if seed % 5 == 0 else 1
    pbc = tuple(bool(periodic) for periodic in random.random(3) < 0.7)
    n, far = int(random.integers(1, 60)), 30 if seed % 3 == 0 else 1
    positions = (random.uniform(-1, 2, (n, 3)) * far) @ cell
    cutoff = random.uniform(0.3, 3.0)
    found = find_neighbours(positions, cell, pbc, cutoff)
    assert np.all(np.diff(found.receiver) >= 0)
    expected = in_order(of_matscipy(positions, cell, pbc, cutoff))
    found = in_order(found)
    np.testing.assert_array_equal(found.receiver, expected.receiver)
    np.testing.assert_array_equal(found.sender, expected.sender)
    # Rounding of coordinates of the order of 100.
    np.testing.assert_allclose(found.vector, expected.vector, rtol=0, atol=1e-12)


def test_a_cell_without_vectors() -> None:
    """As of ASE's molecules: nothing is periodic, and there is no cell."""
    positions = np.array([[0.0, 0, 0], [0, 0, 1], [0, 3, 0]])
    found = find_neighbours(positions, np.zeros((3, 3)), (False, False, False), 1.5)
    assert found.sender.tolist() == [1, 0]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1e300])
def test_positions_that_are_no_numbers_are_refused(wrong: float) -> None:
    positions = np.array([[0.0, 0, 0], [0, wrong, 1]])
    with pytest.raises(InputError, match=r"positions that are finite .* for particle 1"):
        find_neighbours(positions, np.eye(3), (True, False, True), 0.5)


def test_opposite_pairs_are_opposite_to_the_last_bit() -> None:
    """So no pair at the cutoff is an edge in one direction alone."""
    system = liquid(300, triclinic=True, seed=2)
    # Some particles have left the box.
    far = system.positions + np.arange(300)[:, None] % 4 * system.cell.sum(axis=0)
    found = find_neighbours(far, system.cell, PERIODIC, 1.7)
    opposite = Neighbours(found.receiver, found.sender, -found.vector)
    for one, other in zip(in_order(found), in_order(opposite), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_crystal_whose_shell_is_at_the_cutoff() -> None:
    """24 neighbours are at the cutoff but for rounding: the pairs are closer by their vectors."""
    from ase.build import bulk

    crystal = bulk("Cu", a=1.7, cubic=True).repeat(4)
    cutoff = 1.7 * np.sqrt(1.5)
    found = find_neighbours(crystal.positions, crystal.cell.array, PERIODIC, cutoff)
    length = np.linalg.norm(found.vector, axis=1)
    assert length.max() < cutoff * (1 + 1e-15)
    assert np.bincount(found.receiver).min() >= 12 + 6
    pairs = sorted(zip(found.sender, found.receiver, strict=True))
    assert pairs == sorted(zip(found.receiver, found.sender, strict=True))


@pytest.mark.parametrize("n", [1, 700, 3000])
def test_the_number_of_threads_changes_nothing(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    system = liquid(n, seed=3)
    results = []
    for threads in (1, 2, 7):
        monkeypatch.setattr(library, "search_threads", lambda threads=threads: threads)
        results.append(find_neighbours(system.positions, system.cell, PERIODIC, 2.0))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_a_few_particles_far_apart_take_little_memory() -> None:
    positions = np.array([[0.0, 0, 0], [1, 0, 0], [1e6, 1e6, 1e6]])
    found = find_neighbours(positions, 2e6 * np.eye(3), PERIODIC, 1.5)
    assert found.sender.tolist() == [1, 0]


def test_a_library_that_does_not_load_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "libglassml_neighbours.so"
    damaged.write_text("no library")
    monkeypatch.setattr(library, "library_path", lambda name: damaged)
    load = library.compiled_search.__wrapped__
    with pytest.warns(RuntimeWarning, match="the neighbour search of matscipy is slower"):
        assert load() is None
    monkeypatch.setenv("GLASSML_BACKEND", "reference")
    assert load() is None


def test_the_search_needs_no_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from glassml.physics import find_neighbours\n"
        "from glassml.physics.neighbour_library import compiled_search, search_threads\n"
        "assert compiled_search() is not None\n"
        "find_neighbours(np.zeros((2, 3)), np.eye(3), (True,) * 3, 0.5)\n"
        "print(search_threads(), 'torch' in sys.modules)\n"
    )
    for variable, threads in (("3", "3"), ("", str(len(os.sched_getaffinity(0))))):
        environment = {**os.environ, "OMP_NUM_THREADS": variable}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert done.stdout.split() == [threads, "False"]


@pytest.mark.parametrize("unit", [1e-10, 1e-8, 1e4])
def test_pairs_do_not_depend_on_the_unit_of_length(unit: float, search: str) -> None:
    """In metres the volume of a box is 1e-27, which matscipy takes for zero."""
    system = liquid(40)
    plain = find_neighbours(system.positions, system.cell, system.pbc, 2.0)
    scaled = find_neighbours(system.positions * unit, system.cell * unit, system.pbc, 2.0 * unit)
    np.testing.assert_array_equal(scaled.sender, plain.sender)
    np.testing.assert_array_equal(scaled.receiver, plain.receiver)
    np.testing.assert_allclose(scaled.vector / unit, plain.vector, rtol=1e-12, atol=1e-12)


def test_no_pair(search: str) -> None:
    found = find_neighbours(np.array([[0.0, 0, 0], [5, 5, 5]]), 20 * np.eye(3), PERIODIC, 2.0)
    assert [part.shape for part in found] == [(0,), (0,), (0, 3)]


@pytest.mark.parametrize("cutoff", [0.0, -1.0, np.nan])
def test_nonsense_cutoff_is_refused(cutoff: float) -> None:
    with pytest.raises(InputError, match=f"cutoff: expected a positive length; found {cutoff}"):
        find_neighbours(np.zeros((1, 3)), np.eye(3), PERIODIC, cutoff)


def test_positions_far_away_are_damage() -> None:
    """Wrapping them would take seconds, and leave no digits."""
    positions = np.array([[0.0, 0, 0], [1, 1e20, 1]])
    with pytest.raises(
        InputError, match=r"within 1e\+06 boxes of the origin; found one .* 1\.0e\+19"
    ):
        find_neighbours(positions, 10 * np.eye(3), PERIODIC, 2.0)
    assert len(find_neighbours(positions, 10 * np.eye(3), (True, False, True), 2.0).sender) == 0

"""Edges on disk: the same graphs to the last bit, even if files are damaged or removed."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from systems import liquid, moved
from torch_geometric.data import Data

from glassml.data import Configuration
from glassml.graph import GraphCache, build_graph
from glassml.physics import neighbours

CUTOFF = 1.5


def same(one: Data, other: Data) -> bool:
    names = ("species", "scalars", "edge_index", "edge_vector", "y")
    return all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name])
        for name in names
        if name in one or name in other
    )


def labelled(seed: int = 0, **options: object) -> Configuration:
    system = liquid(50, seed=seed, **options)
    rng = np.random.default_rng(seed)
    return moved(
        system,
        times=[1.0],
        propensity=rng.random((50, 1)),
        scalars={"energy": rng.random(50)},
    )


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for every search for edges."""
    found: list[int] = []
    search = neighbours._search

    def counted(*arguments: np.ndarray) -> object:
        found.append(1)
        return search(*arguments)

    monkeypatch.setattr(neighbours, "_search", counted)
    return found


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("triclinic", [False, True])
def test_graphs_equal_those_built_anew(
    tmp_path: Path, searches: list[int], dtype: torch.dtype, triclinic: bool
) -> None:
    system = labelled(triclinic=triclinic)
    expected = build_graph(system, CUTOFF, ["energy"], dtype)
    searches.clear()
    for _ in range(3):  # a new cache each time, as in a new run
        assert same(GraphCache(tmp_path).graph(system, CUTOFF, ["energy"], dtype), expected)
    assert len(searches) == 1


def test_particles_without_an_edge(tmp_path: Path) -> None:
    system = labelled()
    for cutoff in (0.1, 0.8):  # none at all, and some
        expected = build_graph(system, cutoff)
        for _ in range(2):
            assert same(GraphCache(tmp_path).graph(system, cutoff), expected)


def test_which_changes_need_a_new_search(tmp_path: Path, searches: list[int]) -> None:
    cache, system = GraphCache(tmp_path), labelled()
    cache.graph(system, CUTOFF)
    searches.clear()
    nudged = system.positions.copy()
    nudged[3, 1] = np.nextafter(nudged[3, 1], 10.0)
    variants = [
        (moved(system, positions=nudged), CUTOFF, torch.float32),
        (moved(system, cell=1.01 * system.cell), CUTOFF, torch.float32),
        (moved(system, pbc=(True, True, False)), CUTOFF, torch.float32),
        (system, np.nextafter(CUTOFF, 2.0), torch.float32),
        (system, CUTOFF, torch.float64),
    ]
    for number, (variant, cutoff, dtype) in enumerate(variants, 1):
        assert same(
            cache.graph(variant, cutoff, (), dtype), build_graph(variant, cutoff, (), dtype)
        )
        assert len(searches) == 2 * number
    searches.clear()
    relabelled = moved(system, propensity=2 * system.propensity, species=1 - system.species)
    graph = cache.graph(relabelled, CUTOFF, ["energy"])
    assert searches == []
    assert same(graph, build_graph(relabelled, CUTOFF, ["energy"]))


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def another(path: Path) -> None:
    np.savez(path, sender=np.zeros(3, np.int32), degree=np.zeros(50, np.int32), vector=np.eye(3))


def pickled(path: Path) -> None:
    np.savez(path, sender=np.array([{}], object), degree=np.zeros(50), vector=np.eye(3))


@pytest.mark.parametrize("damage", [half, flip, another, pickled, lambda p: p.write_bytes(b"")])
def test_damaged_entries_are_replaced(tmp_path: Path, searches: list[int], damage) -> None:
    system = labelled()
    expected = build_graph(system, CUTOFF)
    GraphCache(tmp_path).graph(system, CUTOFF)
    (path,) = entries(tmp_path)
    damage(path)
    searches.clear()
    assert same(GraphCache(tmp_path).graph(system, CUTOFF), expected)
    assert same(GraphCache(tmp_path).graph(system, CUTOFF), expected)
    assert len(searches) == 1
    assert entries(tmp_path) == [path]


def _fill(folder: str, seeds: list[int]) -> None:
    cache = GraphCache(folder, limit=1e5)
    for seed in seeds:
        cache.graph(labelled(seed), CUTOFF)


def test_many_may_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    seeds = list(range(6))
    writers = [
        context.Process(target=_fill, args=(str(tmp_path), 3 * order))
        for order in (seeds, seeds[::-1], seeds[3:] + seeds[:3])
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    for seed in seeds:
        expected = build_graph(labelled(seed), CUTOFF)
        assert same(GraphCache(tmp_path).graph(labelled(seed), CUTOFF), expected)


def test_the_folder_stays_below_its_limit(tmp_path: Path) -> None:
    GraphCache(tmp_path).graph(labelled(0), CUTOFF)
    size = entries(tmp_path)[0].stat().st_size
    cache = GraphCache(tmp_path, limit=3.5 * size)
    old = time.time() - 7200
    for age, seed in enumerate((1, 2)):
        cache.graph(labelled(seed), CUTOFF)
        newest = max(entries(tmp_path), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (old + age, old + age))
    first = set(entries(tmp_path))
    assert len(first) == 3
    cache.graph(labelled(3), CUTOFF)  # replaces that of seed 1, which was unused for longest
    assert len(entries(tmp_path)) == 3
    assert len(first & set(entries(tmp_path))) == 2
    cache.graph(labelled(4), CUTOFF)  # replaces that of seed 2
    cache.graph(labelled(5), CUTOFF)  # is not kept: all entries were used within the hour
    assert len(entries(tmp_path)) == 3
    for seed in (0, 5):
        assert same(cache.graph(labelled(seed), CUTOFF), build_graph(labelled(seed), CUTOFF))


def test_a_folder_that_cannot_be_written_only_warns(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = GraphCache(tmp_path / "file" / "cache")
    expected = build_graph(labelled(), CUTOFF)
    with pytest.warns(RuntimeWarning, match="graphs are not cached: .*cannot write here"):
        assert same(cache.graph(labelled(), CUTOFF), expected)
    assert same(cache.graph(labelled(), CUTOFF), expected)  # warns only once

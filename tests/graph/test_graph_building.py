"""The graph builder against a direct search over all pairs and images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from systems import liquid, moved

from glassml.errors import InputError
from glassml.graph import build_graph, collate, first_edge


def _direct(positions: np.ndarray, cell: np.ndarray, cutoff: float) -> set[tuple]:
    """All (receiver, sender, rounded vector) by brute force over two shells of images."""
    shifts = np.array([(i, j, k) for i in range(-2, 3) for j in range(-2, 3) for k in range(-2, 3)])
    vectors = positions[None, :, None] - positions[:, None, None] + (shifts @ cell)
    r = np.linalg.norm(vectors, axis=3)
    i, j, s = np.nonzero((r < cutoff) & (r > 0))
    return {(a, b, *np.round(vectors[a, b, c], 9)) for a, b, c in zip(i, j, s, strict=True)}


@pytest.mark.parametrize("triclinic", [False, True])
@pytest.mark.parametrize("n", [5, 40])
def test_edges_equal_a_direct_search(n: int, triclinic: bool) -> None:
    system = liquid(n, triclinic=triclinic, seed=7)
    graph = build_graph(system, 2.0, dtype=torch.float64)
    sender, receiver = graph.edge_index.numpy()
    found = [
        (i, j, *np.round(v, 9))
        for i, j, v in zip(receiver, sender, graph.edge_vector.numpy(), strict=True)
    ]
    assert len(found) == len(set(found))
    assert set(found) == _direct(system.positions, system.cell, 2.0)


def test_edges_are_sorted_by_receiver_and_the_row_pointer_counts_them() -> None:
    system = liquid(40)
    graph = build_graph(system, 1.0)
    receiver = graph.edge_index[1]
    assert (receiver[1:] >= receiver[:-1]).all()
    pointer = first_edge(receiver, graph.num_nodes)
    assert pointer[0] == 0
    assert pointer[-1] == len(receiver)
    torch.testing.assert_close(pointer.diff(), torch.bincount(receiver, minlength=40))


def test_isolated_particle_has_no_edge() -> None:
    system = moved(liquid(2), positions=np.array([[0.0, 0, 0], [5, 5, 5]]), cell=np.eye(3) * 20)
    graph = build_graph(system, 2.0)
    assert graph.edge_index.shape == (2, 0)
    assert graph.edge_vector.shape == (0, 3)
    assert first_edge(graph.edge_index[1], 2).tolist() == [0, 0, 0]


def test_batch_shifts_senders_and_keeps_receivers_sorted() -> None:
    graphs = [build_graph(liquid(20, seed=s), 1.5) for s in (1, 2)]
    batch = collate(graphs)
    assert batch.num_nodes == 40
    second = batch.edge_index[:, graphs[0].edge_index.shape[1] :]
    torch.testing.assert_close(second, graphs[1].edge_index + 20)


def test_labels_and_scalars_arrive_in_order() -> None:
    values = np.arange(12.0)
    system = liquid(
        12,
        scalars={"a": values, "b": -values},
        times=np.array([1.0, 2.0]),
        propensity=np.stack([values, 2 * values], axis=1),
    )
    graph = build_graph(system, 1.0, ("b", "a"), torch.float64)
    np.testing.assert_array_equal(graph.scalars.numpy(), np.stack([-values, values], axis=1))
    np.testing.assert_array_equal(graph.y.numpy(), system.propensity)


def test_missing_scalar_is_named() -> None:
    with pytest.raises(InputError, match="scalars: expected 'potential_energy'; found none"):
        build_graph(liquid(5), 1.0, ("potential_energy",))


def test_nonsense_cutoff_is_refused() -> None:
    with pytest.raises(InputError, match="cutoff: expected a positive length; found -1"):
        build_graph(liquid(5), -1.0)

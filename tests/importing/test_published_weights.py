"""Published weights give the published numbers (data beside the checkout, see CONTRIBUTING.md).

The references are in float64. Predictions in float32 differ from them by up to 6e-6.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassml.data import Configuration, ReadOptions, read_configurations
from glassml.export import read_manifest
from glassml.graph import build_graph, first_edge
from glassml.importing import imported
from glassml.inference import Predictor
from glassml.models import GlassModel

pytestmark = pytest.mark.shared_data

# peers.md: Pearson coefficients of the edge outputs of model 1 to 8.
EDGES = (0.4324, 0.4214, 0.4297, 0.4328, 0.4310, 0.4322, 0.4349, 0.4338)


def weights(folder: Path, name: str) -> Path:
    """A file of published weights; older copies of the data lack them."""
    path = folder / "peers" / name
    if not path.is_file():
        pytest.skip(f"needs the published weights {path}")
    return path


@pytest.fixture(scope="module")
def bapst_file(shared_data: Path) -> Path:
    return weights(shared_data, "bapst/t044_s09.ckpt.index")


@pytest.fixture(scope="module")
def first_of_botan(shared_data: Path) -> Configuration:
    """The first training configuration, whose file has the final positions of 32 runs."""
    path = shared_data / "botan_T0.44" / "train" / "isoconfig_N4096T0.44_1_tc07.npz"
    return next(iter(read_configurations(path, options=ReadOptions(final_positions=True))))


def test_bapst_predicts_the_published_labels(
    glassml: Callable[..., Any], shared_data: Path, bapst_file: Path, tmp_path: Path
):
    file = tmp_path / "bapst.pt"
    done = glassml("import", "bapst", bapst_file, "-o", file)
    assert done.code == 0, done.err
    assert "62401 parameters, float32, t = 0.132" in done.out
    assert "note: published weights of google-deepmind/deepmind-research on GitHub" in done.err
    record = read_manifest(file).training
    assert record.temperatures == (0.44,)
    assert record.imported is not None
    assert record.imported.licence == "Apache-2.0"
    (here,) = read_configurations(shared_data / "deepmind" / "test_large.pickle")
    (values,) = Predictor(file, "cpu").predict([here])
    found = values["propensity"][:, 0]
    reference = np.load(weights(shared_data, "bapst/reference_test_large.npz"))["prediction"]
    np.testing.assert_allclose(found, reference, rtol=0, atol=1e-5)
    of_a = here.species == 0
    assert here.times is not None
    assert here.propensity is not None
    assert here.times[0] == 0.132
    pearson = np.corrcoef(found[of_a], here.propensity[of_a, 0])[0, 1]
    assert pearson == pytest.approx(0.9346, abs=5e-5)


def nodes_and_edges(model: GlassModel, here: Configuration) -> tuple[np.ndarray, np.ndarray]:
    """Propensity [N] and bond displacement [E], edges in the order of the graph."""
    graph = build_graph(here, model.cutoff, dtype=next(model.parameters()).dtype)
    first = first_edge(graph.edge_index[1], graph.num_nodes)
    inputs = (graph.species, graph.scalars, graph.edge_vector, graph.edge_index[0], first)
    with torch.inference_mode():
        state, edges = model.encode_all(*inputs)
        nodes, bonds = model.propensity(state), model.bond_displacement(edges)
    return nodes[:, 0].numpy(), bonds[:, 0].numpy()


def start(folder: Path, k: int) -> GlassModel:
    path = weights(folder, f"botan/model{k}.pth")
    found = imported("botan", path, times=[4120.0], as_start=True)
    assert found.training.imported is not None
    assert found.training.untrained == ("propensity",)
    return found.model


def test_botan_computes_the_reference(shared_data: Path, first_of_botan: Configuration):
    reference = np.load(weights(shared_data, "botan/reference_train1.npz"))
    nodes, bonds = nodes_and_edges(start(shared_data, 1).double(), first_of_botan)
    np.testing.assert_allclose(nodes, reference["node_model1"], rtol=0, atol=1e-5)
    sender, receiver = build_graph(first_of_botan, 2.0).edge_index.numpy()
    ours = np.lexsort((sender, receiver))
    theirs = np.lexsort((reference["sender"], reference["receiver"]))
    np.testing.assert_array_equal(sender[ours], reference["sender"][theirs])
    np.testing.assert_allclose(bonds[ours], reference["edge_model1"][theirs], rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def bond_labels(first_of_botan: Configuration) -> np.ndarray:
    """Mean distance of the particles of each edge over the runs, minus the initial one: [E]."""
    here = first_of_botan
    sender, receiver = build_graph(here, 2.0).edge_index.numpy()
    box = np.diag(here.cell)

    def distance(positions: np.ndarray) -> np.ndarray:
        apart = positions[receiver] - positions[sender]
        return np.linalg.norm(apart - box * np.round(apart / box), axis=1)

    assert here.final_positions is not None
    later = np.mean([distance(run) for run in here.final_positions[:, 0]], axis=0)
    return later - distance(here.positions)


@pytest.mark.parametrize("k", range(1, 9))
def test_botan_predicts_the_published_bond_displacements(
    shared_data: Path, first_of_botan: Configuration, bond_labels: np.ndarray, k: int
):
    """Over pairs of A particles that begin closer than 1.35."""
    here = first_of_botan
    _, bonds = nodes_and_edges(start(shared_data, k), here)
    graph = build_graph(here, 2.0)
    of_a = (here.species[graph.edge_index.numpy()] == 0).all(axis=0)
    near = of_a & (np.linalg.norm(graph.edge_vector.numpy(), axis=1) < 1.35)
    assert near.sum() == 35_958
    pearson = np.corrcoef(bonds[near], bond_labels[near])[0, 1]
    assert pearson == pytest.approx(EDGES[k - 1], abs=2e-4)

"""A two-dimensional liquid: a plane in three dimensions, without images across it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from systems import moved

from glassml.data import Configuration
from glassml.export import save_model
from glassml.graph import build_graph
from glassml.inference import Predictor
from glassml.models import build

CUTOFF = 2.0


@pytest.fixture(scope="module")
def flat() -> Configuration:
    """81 particles of three species on a jittered square lattice, density 1.2."""
    rng = np.random.default_rng(5)
    length = np.sqrt(81 / 1.2)
    sites = np.stack(np.meshgrid(np.arange(9), np.arange(9)), -1).reshape(-1, 2) * length / 9
    return Configuration(
        positions=np.pad(sites + rng.uniform(-0.15, 0.15, (81, 2)), [(0, 0), (0, 1)]),
        cell=length * np.eye(3),
        pbc=(True, True, False),
        species=rng.permutation(81) % 3,
        species_names=("A", "B", "C"),
    )


def _direct(flat: Configuration) -> np.ndarray:
    """Vectors [pairs, 2] to all neighbours, by a search over the images in the plane."""
    plane, edge = flat.positions[:, :2], flat.cell[0, 0]
    shifts = edge * np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)
    vectors = (plane[None, :, None] - plane[:, None, None] + shifts).reshape(-1, 2)
    r = np.linalg.norm(vectors, axis=1)
    return vectors[(r > 0) & (r < CUTOFF)]


# A third cell vector shorter than the cutoff would show images across the plane if there were any.
@pytest.mark.parametrize("height", [0.5, 8.2])
def test_the_graph_has_the_neighbours_in_the_plane_only(flat: Configuration, height: float) -> None:
    cell = flat.cell.copy()
    cell[2, 2] = height
    graph = build_graph(moved(flat, cell=cell), CUTOFF, dtype=torch.float64)
    vectors = graph.edge_vector.numpy()
    assert (vectors[:, 2] == 0.0).all()
    expected = _direct(flat)
    order, other = np.lexsort(vectors[:, :2].T.round(9)), np.lexsort(expected.T.round(9))
    # 1e-12: rounding of differences of coordinates of order 10.
    np.testing.assert_allclose(vectors[order, :2], expected[other], atol=1e-12)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("se3gnn-v2", {"n_layers": 2, "channels": 4, "l_max": 3}), ("geo-gnn", {"n_degrees": 8})],
)
def test_predictions_do_not_change_when_the_plane_is_turned(
    flat: Configuration, tmp_path, name: str, settings: dict
) -> None:
    torch.manual_seed(3)
    model = build(name, species=("A", "B", "C"), times=(1.0, 5.0), **settings)
    save_model(model.double(), tmp_path / "flat.pt", dtype="float64")
    predictor = Predictor(tmp_path / "flat.pt")
    (plain,) = predictor.predict([flat])
    angle = 0.7
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    tilted = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]) @ turn  # and into another plane
    for rotation in (turn, tilted):
        turned = moved(flat, positions=flat.positions @ rotation.T, cell=flat.cell @ rotation.T)
        # 1e-10: rounding after some thousand operations; a broken symmetry shows at 1e-3.
        (found,) = predictor.predict([turned])
        np.testing.assert_allclose(found["propensity"], plain["propensity"], atol=1e-10)
    assert np.ptp(plain["propensity"], axis=0).min() > 1e-3  # it does depend on the neighbours

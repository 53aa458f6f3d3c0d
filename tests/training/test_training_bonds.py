"""Networks on edges: bond displacements as labels, random axes, and a start from another run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from systems import liquid, moved
from tiny_dataset import labelled, write_dataset, write_runs
from torch_geometric.data import Batch

from glassml.errors import ConfigError, InputError
from glassml.graph import build_graph, collate
from glassml.physics import bond_displacement
from glassml.training import load_trained_model, parse_config, train
from glassml.training.augmentation import random_axes, turned_edges


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_runs(tmp_path_factory.mktemp("bonds")) / "runs.h5"


@pytest.fixture
def botan(runs: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "data": {"train": str(runs), "graph_cache": None},
        "model": {"name": "botan", "width": 8, "n_layers": 2},
        "training": {
            "epochs": 2,
            "optimiser": {"lr": 1e-2},
            "accelerator": "cpu",
            "dtype": "float64",
            "weight_averaging": 0,
        },
        "output": str(tmp_path / "run"),
    }


def rows_of(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(encoding="utf-8") as stream:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(stream)]


def test_bond_displacements_of_two_particles() -> None:
    """From a distance of 2 across a periodic boundary to 3 and to 5, on average 4."""
    edges = np.array([[0, 1], [1, 0]])
    vector = np.array([[2.0, 0, 0], [-2.0, 0, 0]])  # x_0 - x_1, then the other way round
    runs = np.array([[[[1.0, 0, 0], [0, 0, 0]]], [[[0, 0, 0], [-3.0, 0, 0]]]])
    found = bond_displacement(edges, vector, np.zeros((2, 3)), runs)
    np.testing.assert_allclose(found, [[2.0], [2.0]], rtol=1e-15)


def test_bond_displacements_when_edges_are_of_another_structure() -> None:
    """Edges of inherent positions: the distances are those of the particles all the same."""
    rng = np.random.default_rng(0)
    start = liquid(40)
    ways = rng.normal(size=(3, 2, 40, 3))
    graph = build_graph(start, 2.0)
    index, vector = graph.edge_index.numpy(), graph.edge_vector.double().numpy()
    plain = bond_displacement(index, vector, np.zeros((40, 3)), ways)
    shift = 0.1 * rng.normal(size=(40, 3))  # from the other structure to the start
    other = vector - shift[index[0]] + shift[index[1]]
    np.testing.assert_allclose(
        bond_displacement(index, other, shift, ways + shift), plain, atol=1e-12
    )


def test_axes_are_the_symmetries_of_a_cube() -> None:
    torch.manual_seed(0)
    axes = random_axes(2000)
    torch.testing.assert_close(axes @ axes.mT, torch.eye(3).expand(2000, 3, 3), rtol=0, atol=0)
    assert len(torch.unique(axes, dim=0)) == 48


def test_each_graph_of_a_batch_has_its_own_axes() -> None:
    torch.manual_seed(0)
    graphs = [build_graph(liquid(30, seed=s), 2.0, (), torch.float64) for s in range(4)]
    batch = collate(graphs)
    assert isinstance(batch, Batch)
    turned = turned_edges(batch)
    sizes = [len(graph.edge_vector) for graph in graphs]
    found = []
    for graph, part in zip(graphs, turned.split(sizes), strict=True):
        matrix = torch.linalg.lstsq(graph.edge_vector, part).solution
        torch.testing.assert_close(matrix, matrix.round(), rtol=0, atol=1e-12)
        found.append(matrix.round())
    assert len(torch.unique(torch.stack(found), dim=0)) > 1


def test_training_on_edges_alone_learns_them(botan: dict[str, Any]) -> None:
    botan["training"] |= {"epochs": 12, "bond_weight": 1.0}
    botan["model"]["width"] = 16
    rows = rows_of(train(parse_config(botan)).folder)
    assert rows[-1]["validation/bond_loss"] < 0.9 * rows[0]["validation/bond_loss"]
    assert -1 <= rows[-1]["validation/bond_pearson"] <= 1


def test_edges_change_what_is_learnt(botan: dict[str, Any], tmp_path: Path) -> None:
    folders = []
    for weight in (0.0, 0.6):
        botan["training"] |= {"bond_weight": weight}
        botan["output"] = str(tmp_path / f"{weight}")
        folders.append(train(parse_config(botan)).folder)
    without, with_edges = (rows_of(folder) for folder in folders)
    assert "validation/bond_loss" not in without[0]
    assert with_edges[-1]["validation/loss"] != without[-1]["validation/loss"]
    scale = load_trained_model(folders[1]).model.bond_scale
    assert scale.shape == (1,)
    assert 0.1 < float(scale) < 2.0


def test_training_begins_with_the_parameters_of_another(
    botan: dict[str, Any], tmp_path: Path
) -> None:
    botan["training"] |= {"bond_weight": 1.0}
    first = train(parse_config(botan)).folder
    botan["training"] |= {
        "bond_weight": 0.0, "start_from": str(first), "optimiser": {"lr": 1e-12}, "epochs": 1,
    }  # fmt: skip
    botan["output"] = str(tmp_path / "second")
    second = load_trained_model(train(parse_config(botan)).folder)
    before = load_trained_model(first)
    for name, value in before.model.named_parameters():
        # New models are built in single precision, whatever they are trained in.
        torch.testing.assert_close(second.model.get_parameter(name), value, rtol=0, atol=1e-6)
    assert second.record.network is not None
    assert second.record.network.training == before.record


def test_a_model_of_another_size_is_no_start(botan: dict[str, Any], tmp_path: Path) -> None:
    first = train(parse_config(botan)).folder
    botan["training"] |= {"start_from": str(first)}
    botan["model"]["width"] = 9
    botan["output"] = str(tmp_path / "second")
    with pytest.raises(ConfigError, match=r"start_from: .* expected the shape \[9, 1\].* \[8, 1\]"):
        train(parse_config(botan))
    botan["model"] = {"name": "bapst", "width": 8, "n_layers": 2}
    with pytest.raises(ConfigError, match=r"start_from: .* expected a bapst.*; found a botan"):
        train(parse_config(botan))


def test_random_axes_are_the_default_of_models_that_need_them(
    botan: dict[str, Any], tmp_path: Path
) -> None:
    losses = []
    for k, augmentation in enumerate((None, "axes", "none")):
        botan["training"] |= {"augmentation": augmentation}
        botan["output"] = str(tmp_path / f"{k}")
        losses.append(rows_of(train(parse_config(botan)).folder)[-1]["train/loss"])
    assert losses[0] == losses[1] != losses[2]


def test_labels_of_edges_need_the_runs(botan: dict[str, Any], tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "plain.h5", [moved(labelled(s)) for s in range(3)])
    botan["data"]["train"] = str(path)
    botan["training"] |= {"bond_weight": 0.5}
    with pytest.raises(InputError, match=r"expected final positions.*found none.*--final-pos"):
        train(parse_config(botan))


def test_only_models_of_edges_have_a_bond_weight(botan: dict[str, Any]) -> None:
    botan["model"] = {"name": "se3gnn", "channels": 2, "l_max": 1, "n_layers": 1}
    botan["training"] |= {"bond_weight": 0.5}
    with pytest.raises(ConfigError, match=r"bond_weight: expected 0 for se3gnn.*found 0\.5"):
        train(parse_config(botan))

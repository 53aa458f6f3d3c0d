"""Networks on edges: bond displacements as labels, random axes, and a start from another run."""

from __future__ import annotations

import csv
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from systems import liquid, moved
from tiny_dataset import labelled, write_dataset, write_runs
from torch_geometric.data import Batch

from glassml.errors import ConfigError, InputError, ModelFileWarning
from glassml.export import save_model
from glassml.graph import build_graph, collate
from glassml.inference import Predictor
from glassml.physics import bond_displacement
from glassml.training import load_trained_model, parse_config, resume, train
from glassml.training.augmentation import random_axes, turned_edges
from glassml.training.module import bond_pearson

EDGES = {"bond_weight": 1.0, "monitor": "bond_loss"}  # a training on edges alone


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
            "schedule": {"milestones": []},
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
    botan["training"] |= {"epochs": 12, **EDGES}
    botan["model"]["width"] = 16
    result = train(parse_config(botan))
    rows = rows_of(result.folder)
    losses = [row["validation/bond_loss"] for row in rows]
    assert min(losses) < 0.9 * losses[0]
    assert losses[result.best_epoch - 1] == min(losses)


def test_coefficient_of_bonds_is_of_near_pairs_of_the_first_species() -> None:
    """Two configurations, one without such pairs."""
    random = np.random.default_rng(3)
    graphs = [build_graph(liquid(60, seed=s), 2.0, (), torch.float64) for s in (1, 2)]
    graphs[1].species[:] = 1
    for graph in graphs:
        graph.bond_label = torch.from_numpy(random.normal(size=(graph.num_edges, 2)))
    batch = collate(graphs)
    bonds = batch.bond_label + torch.from_numpy(random.normal(size=batch.bond_label.shape))
    species, (sender, receiver) = graphs[0].species, graphs[0].edge_index
    near = (species[sender] == 0) & (species[receiver] == 0)
    near &= graphs[0].edge_vector.norm(dim=1) < 1.35
    assert 0 < near.sum() < graphs[0].num_edges
    label, found = graphs[0].bond_label[near].numpy(), bonds[: graphs[0].num_edges][near].numpy()
    expected = [np.corrcoef(label[:, t], found[:, t])[0, 1] for t in range(2)]
    np.testing.assert_allclose(float(bond_pearson(bonds, batch, 2.0)), np.mean(expected))
    none = collate(graphs[1:])
    assert bond_pearson(none.bond_label, none, 2.0).isnan()


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
    botan["training"] |= EDGES
    first = train(parse_config(botan)).folder
    del botan["training"]["bond_weight"], botan["training"]["monitor"]
    botan["training"] |= {"start_from": str(first), "optimiser": {"lr": 1e-12}, "epochs": 1}
    botan["output"] = str(tmp_path / "second")
    second = load_trained_model(train(parse_config(botan)).folder)
    before = load_trained_model(first)
    for name, value in before.model.named_parameters():
        # New models are built in single precision, whatever they are trained in.
        torch.testing.assert_close(second.model.get_parameter(name), value, rtol=0, atol=1e-6)
    for name in ("label_mean", "label_scale", "bond_scale"):
        value = before.model.get_buffer(name)
        torch.testing.assert_close(second.model.get_buffer(name), value, rtol=0, atol=1e-6)
    assert second.record.network is not None
    assert second.record.network.training == before.record
    assert second.record.recipe["start_from"] == "run"
    shutil.rmtree(first)  # which a run that is resumed needs no more
    resumed = resume(tmp_path / "second", ["training.epochs=2"]).folder
    assert load_trained_model(resumed).record.network == second.record.network


def test_files_offer_and_warn_of_what_was_not_trained(
    botan: dict[str, Any], tmp_path: Path
) -> None:
    outputs, said = [], []
    for k, chosen in enumerate(({}, {"bond_weight": 0.5}, EDGES)):
        settings = {**botan, "output": str(tmp_path / f"{k}")}
        settings["training"] = {**botan["training"], "epochs": 1, **chosen}
        trained = load_trained_model(train(parse_config(settings)).folder)
        file = tmp_path / f"{k}.pt"
        manifest = save_model(trained.model, file, training=trained.record)
        outputs.append([entry.name for entry in manifest.edge_outputs])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            predictor = Predictor(file, device="cpu", check_domain=False)
            predictor.predict([labelled(0)])
            predictor.predict([labelled(1)])
        said.append([str(w.message) for w in caught if w.category is ModelFileWarning])
    assert outputs == [[], ["bond_displacement"], ["bond_displacement"]]
    assert said == [[], [], ["2.pt: propensity: not trained, so its values mean nothing"]]
    with pytest.raises(InputError, match=r"0\.pt: expected a model with outputs for edges"):
        Predictor(tmp_path / "0.pt", device="cpu").predict_edges(labelled(0))


def test_a_model_of_another_size_is_no_start(botan: dict[str, Any], tmp_path: Path) -> None:
    first = train(parse_config(botan)).folder
    botan["training"] |= {"start_from": str(first)}
    botan["model"]["width"] = 9
    botan["output"] = str(tmp_path / "second")
    with pytest.raises(ConfigError, match=r"start_from: .* model\.width: expected 9, .* found 8"):
        train(parse_config(botan))
    botan["model"] = {"name": "botan", "width": 8, "n_layers": 3}
    with pytest.raises(ConfigError, match=r"model\.n_layers: expected 3, .* found 2"):
        train(parse_config(botan))
    botan["model"] = {"name": "bapst", "width": 8, "n_layers": 2}
    with pytest.raises(ConfigError, match=r"start_from: .* model: expected bapst, .*; found botan"):
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


@pytest.mark.parametrize(
    ("data", "training", "message"),
    [
        ({}, {"bond_weight": 1}, r"monitor: expected bond_pearson or bond_loss"),
        ({}, {"monitor": "bond_loss"}, r"monitor: expected a quantity of particles"),
        ({"reversed": "back.h5"}, {"bond_weight": 0.5}, r"expected 0 with data\.reversed"),
    ],
)
def test_settings_of_edges_fit_together(
    botan: dict[str, Any], data: dict[str, Any], training: dict[str, Any], message: str
) -> None:
    botan["data"] |= data
    botan["training"] |= training
    with pytest.raises(ConfigError, match=message):
        parse_config(botan)


def test_only_models_of_edges_have_a_bond_weight(botan: dict[str, Any]) -> None:
    botan["model"] = {"name": "se3gnn", "channels": 2, "l_max": 1, "n_layers": 1}
    botan["training"] |= {"bond_weight": 0.5}
    with pytest.raises(ConfigError, match=r"bond_weight: expected 0 for se3gnn.*found 0\.5"):
        train(parse_config(botan))

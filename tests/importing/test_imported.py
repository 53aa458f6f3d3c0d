"""Imported networks compute what the publications say, and files of other networks are refused.

The networks are computed a second time, in numpy and as peers describe them, from the tensors as
they are in the files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from systems import liquid
from weight_files import bapst_tensors, botan_tensors, write_bapst, write_botan, write_bundle

from glassml.data import Configuration
from glassml.errors import ConfigError, ModelFileError
from glassml.files import sha256_of
from glassml.graph import build_graph, first_edge
from glassml.importing import imported
from glassml.importing.published import _BOTAN_START, _KNOWN, _checksum
from glassml.models import GlassModel

Layer = Callable[[str, int, str], np.ndarray]


def perceptron(layer: Layer, name: str, x: np.ndarray, last: bool = True) -> np.ndarray:
    """Linear layers and ReLU; layer(name, k, kind) are weights [inputs, outputs] and biases."""
    for k in range(2 if last else 3):
        x = x @ layer(name, k, "w") + layer(name, k, "b")
        x = np.maximum(x, 0) if last or k < 2 else x
    return x


def edges_of(configuration: Configuration, cutoff: float = 2.0) -> tuple[np.ndarray, ...]:
    """Senders, receivers, and vectors from sender to receiver, by the nearest image."""
    apart = configuration.positions[:, None] - configuration.positions[None]  # receiver - sender
    box = np.diag(configuration.cell)
    apart -= box * np.round(apart / box)
    near = np.linalg.norm(apart, axis=2) < cutoff
    receiver, sender = np.nonzero(near & ~np.eye(len(near), dtype=bool))
    return sender, receiver, apart[receiver, sender]


def bapst_in_numpy(tensors: dict[str, np.ndarray], configuration: Configuration) -> np.ndarray:
    def layer(name: str, k: int, kind: str) -> np.ndarray:
        return tensors[f"Graph/{name}/mlp/linear_{k}/{kind}"].astype(float)

    sender, receiver, vector = edges_of(configuration)
    itself = np.arange(configuration.n_particles)
    sender, receiver = np.append(sender, itself), np.append(receiver, itself)
    vector = np.append(vector, np.zeros((len(itself), 3)), axis=0)
    x0 = perceptron(layer, "graph_independent/node_model", configuration.species[:, None] * 1.0)
    e0 = perceptron(layer, "graph_independent/edge_model", vector)
    x, e = x0, e0
    for _ in range(7):
        both = np.hstack([x, x0])
        e = perceptron(
            layer, "graph_network/edge_block", np.hstack([e, e0, both[receiver], both[sender]])
        )
        total = np.zeros_like(x)
        np.add.at(total, receiver, e)
        x = perceptron(layer, "graph_network/node_block", np.hstack([total, both]))
    return perceptron(layer, "graph_independent_1/node_model", x, last=False)


def botan_in_numpy(
    tensors: dict[str, torch.Tensor], configuration: Configuration
) -> tuple[np.ndarray, np.ndarray]:
    def layer(name: str, k: int, kind: str) -> np.ndarray:
        stored = tensors[f"{name}.fc{k + 1}.{'weight' if kind == 'w' else 'bias'}"]
        return stored.double().numpy().T

    sender, receiver, vector = edges_of(configuration)
    x0 = perceptron(layer, "node_encoder", configuration.species[:, None] * 1.0)
    e0 = perceptron(layer, "edge_encoder", vector)
    x, e = x0, e0
    for _ in range(7):
        read = np.hstack([x[sender], x[receiver], e, e0])
        e = perceptron(layer, "network.edge_model.mlp", read)
        total = np.zeros_like(x)
        np.add.at(total, receiver, e)
        x = perceptron(layer, "network.node_model.mlp", np.hstack([x, x0, total]))
    return perceptron(layer, "decoder", x, last=False), perceptron(layer, "decoder", e, last=False)


def ours(model: GlassModel, configuration: Configuration) -> tuple[torch.Tensor, torch.Tensor]:
    """The final state and the edges of a model, in float64."""
    graph = build_graph(configuration, model.cutoff, dtype=torch.float64)
    first = first_edge(graph.edge_index[1], graph.num_nodes)
    inputs = (graph.species, graph.scalars, graph.edge_vector, graph.edge_index[0], first)
    with torch.no_grad():
        return model.double().encode_all(*inputs)


def test_bapst_is_the_network_of_the_publication(tmp_path: Path):
    tensors, here = bapst_tensors(5), liquid(80, seed=3)
    file = write_bundle(tmp_path / "net.ckpt.index", tensors)
    model = imported("bapst", file, times=[0.132]).model
    state, _ = ours(model, here)
    expected = bapst_in_numpy(tensors, here)
    assert np.ptp(expected) > 0.1 * abs(expected).max()  # it depends on the particle
    found = model.propensity(state).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12 * abs(expected).max())


def test_botan_is_the_network_of_the_publication(tmp_path: Path):
    tensors, here = botan_tensors(5), liquid(80, seed=3)
    model = imported("botan", write_botan(tmp_path / "net.pth", 5), times=[4120.0]).model
    state, edges = ours(model, here)
    nodes, bonds = botan_in_numpy(tensors, here)
    assert np.ptp(nodes) > 0.1 * abs(nodes).max()
    assert np.ptp(bonds) > 0.1 * abs(bonds).max()
    found = model.propensity(state).detach().numpy()
    np.testing.assert_allclose(found, nodes, rtol=1e-10, atol=1e-12 * abs(nodes).max())
    graph = build_graph(here, model.cutoff)
    sender, receiver, _ = edges_of(here)  # sorted by receiver, then sender
    order = np.lexsort((graph.edge_index[0], graph.edge_index[1]))
    np.testing.assert_array_equal(graph.edge_index.numpy()[:, order], [sender, receiver])
    found = model.bond_displacement(edges).detach().numpy()[order]
    np.testing.assert_allclose(found, bonds, rtol=1e-10, atol=1e-12 * abs(bonds).max())


@pytest.mark.parametrize(("name", "number"), [("bapst", 62_401), ("botan", 54_209)])
def test_width_and_number_of_parameters_follow_from_the_file(
    tmp_path: Path, name: str, number: int
):
    write = {"bapst": write_bapst, "botan": write_botan}[name]
    suffix = {"bapst": "net.ckpt.index", "botan": "net.pth"}[name]
    model = imported(name, write(tmp_path / suffix, 64), times=[1.0], species=("Ni", "P")).model
    assert model.hyperparameters["width"] == 64
    assert sum(p.numel() for p in model.parameters()) == number
    assert model.species == ("Ni", "P")
    assert not model.training
    small = imported(name, write(tmp_path / suffix, 3), times=[1.0]).model
    assert small.hyperparameters["width"] == 3


def test_the_record_names_the_files(tmp_path: Path):
    table = write_bapst(tmp_path / "net.ckpt.index")
    found = imported("bapst", table, times=[1.0])
    entry = found.training.imported
    assert entry is not None
    data = tmp_path / "net.ckpt.data-00000-of-00001"
    assert [(f.file, f.sha256) for f in entry.files] == [
        (path.name, sha256_of(path)) for path in (table, data)
    ]
    assert (entry.published, entry.licence, entry.trained_on) == (None, None, None)
    assert found.training.origin == {}
    assert found.notes == (
        "no known published weights have these numbers: where they come from is unknown",
    )


def without(tensors: dict, name: str) -> dict:
    return {key: value for key, value in tensors.items() if key != name}


EDGE, NODE = "Graph/graph_network/edge_block/mlp", "Graph/graph_independent/node_model/mlp"
BAPST_PROBLEMS = {
    "no width": (
        without(bapst_tensors(), f"{NODE}/linear_0/w"),
        rf"{NODE}/linear_0/w: expected this tensor, of two dimensions, .*found none among 27 tens",
    ),
    "no bias": (
        without(bapst_tensors(), f"{EDGE}/linear_1/b"),
        rf"{EDGE}/linear_1/b: expected this tensor, of shape \[4\], as in a network of Bapst",
    ),
    "another tensor": ({"w": np.ones((2, 2), np.float32)}, r"found none among 1 tensors \('w'\)"),
    "another width inside": (
        bapst_tensors() | {f"{EDGE}/linear_1/w": np.ones((5, 5), np.float32)},
        rf"{EDGE}/linear_1/w: expected shape \[4, 4\] in .* of width 4; found \[5, 5\]",
    ),
    "the network of the JAX version": (
        bapst_tensors()
        | {"Graph/graph_network/node_block/mlp/linear_0/w": np.ones((16, 4), np.float32)},
        r"node_block/mlp/linear_0/w: expected shape \[12, 4\] .*; found \[16, 4\]",
    ),
    "a width of zero": (
        bapst_tensors() | {f"{NODE}/linear_0/w": np.ones((1, 0), np.float32)},
        r"expected two dimensions, and a width from 1 to 4096; found shape \[1, 0\]",
    ),
    "numbers that are none": (
        bapst_tensors() | {f"{EDGE}/linear_0/b": np.full(4, np.nan, np.float32)},
        rf"{EDGE}/linear_0/b: expected finite numbers",
    ),
}


@pytest.mark.parametrize("name", BAPST_PROBLEMS)
def test_other_networks_are_not_taken_for_that_of_bapst(tmp_path: Path, name: str):
    tensors, words = BAPST_PROBLEMS[name]
    file = write_bundle(tmp_path / "net.ckpt.index", tensors)
    with pytest.raises(ModelFileError, match=rf"net\.ckpt\.index: .*{words}"):
        imported("bapst", file, times=[1.0])


BOTAN_PROBLEMS = {
    "no weight": (
        without(botan_tensors(), "decoder.fc3.weight"),
        r"decoder\.fc3\.weight: expected this tensor, of shape \[1, 4\], as in a network of BOTAN",
    ),
    "two outputs": (
        botan_tensors() | {"decoder.fc3.weight": torch.ones(2, 4)},
        r"decoder\.fc3\.weight: expected shape \[1, 4\] .*; found \[2, 4\]",
    ),
    "no dimension": (
        botan_tensors() | {"node_encoder.fc1.weight": torch.ones(())},
        r"node_encoder\.fc1\.weight: expected two dimensions, .*; found shape \[\]",
    ),
    "half precision": (
        botan_tensors() | {"decoder.fc1.bias": torch.ones(4, dtype=torch.float16)},
        r"decoder\.fc1\.bias: expected float32 numbers; found float16",
    ),
}


@pytest.mark.parametrize("name", BOTAN_PROBLEMS)
def test_other_networks_are_not_taken_for_botan(tmp_path: Path, name: str):
    tensors, words = BOTAN_PROBLEMS[name]
    torch.save(tensors, tmp_path / "net.pth")
    with pytest.raises(ModelFileError, match=rf"net\.pth: {words}"):
        imported("botan", tmp_path / "net.pth", times=[1.0])


def test_arguments(tmp_path: Path):
    file = write_botan(tmp_path / "net.pth")
    for arguments, words in (
        (("se3gnn-v2", file), r"model: expected one of bapst, botan, eignn; found 'se3gnn-v2'"),
        (("bottan", file), r"found 'bottan' \(did you mean 'botan'\?\)"),
        (("botan", file), r"net\.pth: time: expected the time .*; found none\. Give it \(--time\)"),
    ):
        with pytest.raises(ConfigError, match=words):
            imported(*arguments)
    for species in (("A",), ("A", "B", "C")):
        with pytest.raises(ConfigError, match="species: expected two names, as botan tells two"):
            imported("botan", file, times=[1.0], species=species)
    with pytest.raises(ConfigError, match="times: expected one or more positive times"):
        imported("botan", file, times=[-1.0])
    with pytest.raises(ModelFileError, match=r"net\.pth: expected the table of a TensorFlow"):
        imported("bapst", file, times=[1.0])


def test_published_weights_are_known_by_their_numbers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The numbers of this test stand in for published ones; test_published_weights.py has those."""
    file = write_botan(tmp_path / "any_name.pth")
    parameters = dict(imported("botan", file, times=[1.0]).model.named_parameters())
    numbers = {name: value.detach() for name, value in parameters.items()}
    monkeypatch.setitem(_KNOWN, _checksum(numbers), _BOTAN_START)
    with pytest.raises(ModelFileError, match=r"trained on edges alone \(bond .*Give --as-start"):
        imported("botan", file, times=[1.0])
    found = imported("botan", file, times=[1.0], as_start=True)
    entry = found.training.imported
    assert entry is not None
    assert found.training.untrained == ("propensity",)
    assert entry.licence == "Apache-2.0"
    assert found.notes[1].startswith("trained on edges alone")
    other = botan_tensors()
    other["decoder.fc3.bias"] += 1e-6
    torch.save(other, file)
    assert imported("botan", file, times=[1.0]).training.imported.published is None

"""Weights of BOTAN, from the files of its authors' PyTorch code."""

from __future__ import annotations

from pathlib import Path

import torch

from glassml.importing.torch_file import TorchFile
from glassml.importing.weights import Layers, Weights, width_in

__all__ = ["read_botan"]

_OWNER = "BOTAN"


def read_botan(path: str | Path) -> Weights:
    """The parameters of `botan` in a file of h3-Open-BDEC/pyg_botan.

    Args:
        path: a state dict, such as ``model1.pth``.

    Raises:
        ModelFileError: see `TorchFile`, or the parameters are of another network.
    """
    file = TorchFile(path)
    width = width_in(file, "node_encoder.fc1.weight", 0, _OWNER)
    layers = Layers(file, _OWNER, width, _name, transposed=False)
    parameters = {
        **layers.read("node_encoder", "node_encoder", (1, width, width)),
        **layers.read("edge_encoder", "edge_encoder", (3, width, width)),
        **layers.read("network.edge_model.mlp", "edge_network", (4 * width, width, width)),
        **layers.read("network.node_model.mlp", "node_network", (3 * width, width, width)),
        **layers.read("decoder", "decoder", (width, width, width, 1)),
    }
    edges, nodes = "edge_network.linears.0.weight", "node_network.linears.0.weight"
    # Theirs read sender, receiver, edge, first edge; and particle, first particle, sum over edges.
    sender, receiver, edge, first_edge = parameters[edges].split(width, dim=1)
    parameters[edges] = torch.cat([edge, first_edge, receiver, sender], dim=1)
    node, first_node, total = parameters[nodes].split(width, dim=1)
    parameters[nodes] = torch.cat([total, node, first_node], dim=1)
    return Weights({"width": width}, parameters, (file.path,))


def _name(perceptron: str, layer: int, kind: str) -> str:
    return f"{perceptron}.fc{layer + 1}.{kind}"

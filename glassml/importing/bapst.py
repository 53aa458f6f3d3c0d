"""Weights of the network of Bapst et al., from the checkpoints of their TensorFlow code."""

from __future__ import annotations

from pathlib import Path

from glassml.importing.tensor_bundle import TensorBundle
from glassml.importing.weights import Layers, Weights, width_in

__all__ = ["read_bapst"]

_OWNER = "Bapst et al."
_KINDS = {"weight": "w", "bias": "b"}


def read_bapst(path: str | Path) -> Weights:
    """The parameters of `bapst` in a checkpoint of google-deepmind/deepmind-research.

    The first layer of the edge update reads the code of the edge, its first code, and both codes of
    the receiver, then of the sender; that of the node update the sum over edges and both codes of
    the particle: the order of `glassml.models.Bapst`. The checkpoint has decoders of edges too,
    which their code never uses, and moments of the optimiser.

    Args:
        path: ``NAME.ckpt.index``; ``NAME.ckpt.data-00000-of-00001`` lies beside it.

    Raises:
        ModelFileError: see `TensorBundle`, or the checkpoint is of another network.
    """
    bundle = TensorBundle(path)
    width = width_in(bundle, _name("graph_independent/node_model", 0, "weight"), 1, _OWNER)
    layers = Layers(bundle, _OWNER, width, _name, transposed=True)
    parameters = {
        **layers.read("graph_independent/node_model", "node_encoder", (1, width, width)),
        **layers.read("graph_independent/edge_model", "edge_encoder", (3, width, width)),
        **layers.read("graph_network/edge_block", "edge_network", (6 * width, width, width)),
        **layers.read("graph_network/node_block", "node_network", (3 * width, width, width)),
        **layers.read("graph_independent_1/node_model", "decoder", (width, width, width, 1)),
    }
    return Weights({"width": width}, parameters, (bundle.path, bundle.data))


def _name(perceptron: str, layer: int, kind: str) -> str:
    return f"Graph/{perceptron}/mlp/linear_{layer}/{_KINDS[kind]}"

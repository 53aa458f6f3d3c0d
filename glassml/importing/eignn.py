"""Weights of EIGNN, from the files of its authors' PyTorch code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glassml.errors import ModelFileError
from glassml.importing.torch_file import TorchFile
from glassml.importing.weights import Weights
from glassml.models import build, shift_inputs

__all__ = ["read_eignn"]

_OWNER = "EIGNN"
# Name in the model -> name in the file, of what each layer has; modules of layers come first there.
_OF_LAYER = {
    "gate": "lin1",
    "gate_of_order": "lin2",
    "renewal": "lin3",
    "filter": "lin_cat",
    "message": "lin_r",
}
_NORMS = {
    "norm_weight": "norm.weight",
    "norm_bias": "norm.bias",
    "mean_scale": "norm.mean_scale",
    "path_weight": "o3_lin.weight",
    "vector_norm.weight": "e_norm.weight",
    "vector_norm.bias": "e_norm.bias",
    "vector_norm.running_mean": "e_norm.running_mean",
    "vector_norm.running_var": "e_norm.running_var",
}
_OUTSIDE = {
    "encoder.weight": "lin_embedding.weight",
    "encoder.bias": "lin_embedding.bias",
    "merge.weight": "lin_cat.weight",
    "merge.bias": "lin_cat.bias",
    "last_message.weight": "agg_3.nn.lins.0.weight",
    "last_message.bias": "agg_3.nn.lins.0.bias",
    "mix.weight": "out.lins.0.weight",
    "mix_norm.weight": "out.norms.0.module.weight",
    "mix_norm.bias": "out.norms.0.module.bias",
    "mix_norm.running_mean": "out.norms.0.module.running_mean",
    "mix_norm.running_var": "out.norms.0.module.running_var",
    "decoder.weight": "out.lins.1.weight",
}
_LAYERS = "interactions"


def read_eignn(path: str | Path) -> Weights:
    """The parameters of `eignn` in a file of xjiang-hnu/EIGNN.

    The file is a checkpoint whose entry ``net`` holds the parameters, or a state dict. It also
    holds constants of e3nn, which are not read.

    Args:
        path: such as ``t044_EIGNN_cage.pt``.

    Raises:
        ModelFileError: see `TorchFile`, or the parameters are of another network.
    """
    file = TorchFile(path, entry="net")
    width = _rows(file, "encoder.weight", "lin_embedding.weight")
    outputs = _rows(file, "decoder.weight", "out.lins.1.weight")
    numbers = {name.split(".")[1] for name in file.shapes if name.startswith(f"{_LAYERS}.")}
    if outputs % 2 or not numbers:
        raise ModelFileError(
            f"{file.path}: expected outputs for two species and layers named {_LAYERS}.0 and so "
            f"on, as in a network of {_OWNER}; found {outputs} outputs and {len(numbers)} layers"
        )
    hyperparameters = {"width": width, "n_layers": len(numbers)}
    cage = build(
        "eignn",
        times=tuple(range(1, outputs // 2 + 1)),
        scalar_inputs=shift_inputs("cage"),
        **hyperparameters,
    )
    shapes = {name: tuple(value.shape) for name, value in cage.state_dict().items()}
    parameters = {}
    for ours, theirs in _names(file, len(numbers)).items():
        parameters[ours] = _tensor(file, theirs, shapes[ours])
    return Weights(hyperparameters, parameters, (file.path,), outputs // 2)


def _names(file: TorchFile, n_layers: int) -> dict[str, str]:
    """Name in the model -> name in the file of everything that is read."""
    names = dict(_OUTSIDE)
    for layer in range(n_layers):
        inside = {
            f"{ours}.{kind}": f"{theirs}.{kind}"
            for ours, theirs in _OF_LAYER.items()
            for kind in ("weight", "bias")
        } | _NORMS
        for ours, theirs in inside.items():
            names[f"layers.{layer}.{ours}"] = _of_layer(file, layer, theirs)
    return names


def _of_layer(file: TorchFile, layer: int, name: str) -> str:
    """The full name of a tensor of a layer; the names of the modules in between may be any."""
    found = [
        known
        for known in file.shapes
        if known.startswith(f"{_LAYERS}.{layer}.") and known.endswith(f".{name}")
    ]
    if len(found) != 1:
        raise ModelFileError(
            f"{file.path}: {_LAYERS}.{layer}: expected one tensor {name}, as in a network of "
            f"{_OWNER}; found {len(found)}"
        )
    return found[0]


def _rows(file: TorchFile, ours: str, name: str) -> int:
    if len(file.shapes.get(name, ())) != 2:
        raise ModelFileError(
            f"{file.path}: {name}: expected this tensor, of two dimensions, as in a network of "
            f"{_OWNER} ({ours}); found {file.shapes.get(name, 'none')}"
        )
    return file.shapes[name][0]


def _tensor(file: TorchFile, name: str, shape: tuple[int, ...]) -> Tensor:
    if file.shapes.get(name) != shape:
        found = list(file.shapes[name]) if name in file.shapes else "none"
        raise ModelFileError(
            f"{file.path}: {name}: expected shape {list(shape)} as in a network of {_OWNER}; found "
            f"{found}"
        )
    values = file.read(name)
    if not np.isfinite(values).all():
        raise ModelFileError(f"{file.path}: {name}: expected finite numbers; found others")
    return torch.from_numpy(values.copy())

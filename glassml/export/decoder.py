"""Replacing the linear decoder of a model file, for other times or another state point."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from glassml.domain import Domain
from glassml.errors import ConfigError, ModelFileError
from glassml.export.archive import load_module, model_path, read_manifest, write_archive
from glassml.export.baking import trial_systems
from glassml.export.manifest import Manifest, manifest_of
from glassml.models import GlassModel, Redecoded, rebuild
from glassml.provenance import TrainingRecord

__all__ = ["check_decoder", "replace_decoder"]

# Largest difference, relative to the largest value, between what a written file predicts and the
# decoder applied to its descriptors: only the order of the sums differs.
_ROUNDING = {"float32": 1e-4, "float64": 1e-10}


def check_decoder(path: str | Path) -> None:
    """Check that a model file has a linear decoder over its descriptors, which can be replaced.

    Raises:
        ModelFileError: it has none; or see `read_manifest`.
    """
    file = model_path(path)
    manifest = read_manifest(path)
    names = [entry.name for entry in manifest.outputs]
    n_columns = len(manifest.output("descriptors").columns) if "descriptors" in names else 0
    shape = (len(manifest.species), len(manifest.times))
    _redecoded(file, manifest, manifest.times, np.zeros((*shape, n_columns)), np.zeros(shape))


def replace_decoder(
    path: str | Path,
    output: str | Path,
    *,
    times: Sequence[float],
    weight: np.ndarray,
    bias: np.ndarray,
    training: TrainingRecord,
    domain: Domain | None = None,
) -> Manifest:
    """Write a copy of a model file that predicts propensity = bias + weight x descriptors.

    Everything else in the file stays as it is, tables included.

    Args:
        path: model file, or the name of a model that ships with glassml.
        output: the file to write (complete, or not at all).
        times: times [time] of the new propensity columns.
        weight: [species, T, D] [length], for the columns of ``descriptors``.
        bias: [species, T] [length].
        training: the training record of the decoder, for the new manifest.
        domain: what the data that the decoder was fitted to are like, for the new manifest; None if
            this is unknown.

    Returns:
        The manifest that was written.

    Raises:
        ModelFileError: the model has no linear decoder over descriptors, or this glassml does not
            know the form of its file.
    """
    file = model_path(path)
    manifest = read_manifest(path)
    changed = _redecoded(file, manifest, times, weight, bias)
    module = load_module(path, torch.device("cpu"))
    _take_over(file, module, changed, getattr(torch, manifest.dtype))
    _check_outputs(file, module, changed.model, manifest, weight, bias)
    # What it reads is checked against each other.
    changed.model.positions, changed.model.window = manifest.positions, manifest.window
    changed.model.domain = domain
    described = manifest_of(changed.model, manifest.dtype, training)
    # All other entries of the manifest stay as they are.
    renewed = (
        "glassml_version",
        "hyperparameters",
        "n_parameters",
        "outputs",
        "training",
        "domain",
    )
    written = manifest.model_copy(update={name: getattr(described, name) for name in renewed})
    write_archive(module, written, output)
    return written


def _redecoded(
    file: Path, manifest: Manifest, times: Sequence[float], weight: np.ndarray, bias: np.ndarray
) -> Redecoded:
    try:
        model = rebuild(manifest.model, manifest.hyperparameters)
    except ConfigError as error:
        raise ModelFileError(
            f"{file}: expected a model that this glassml can build, to replace its decoder; found "
            f"another ({error})"
        ) from None
    changed = model.redecoded(times, torch.from_numpy(weight), torch.from_numpy(bias))
    if changed is None:
        raise ModelFileError(
            f"{file}: expected a model with a linear decoder over its descriptors, such as "
            f"se3gnn-v2; found {manifest.model}, which has none to refit"
        )
    return changed


def _take_over(
    file: Path, module: torch.jit.ScriptModule, changed: Redecoded, dtype: torch.dtype
) -> None:
    """Replace attributes of the exported module; TorchScript knows tensors without their shapes."""
    for name in changed.attributes:
        *parents, last = name.split(".")
        value = reduce(getattr, [*parents, last], changed.model)
        owner: Any = module
        for part in parents:
            owner = getattr(owner, part, None)
        if not hasattr(owner, last):
            raise ModelFileError(
                f"{file}: expected {name!r} in a file of {changed.model.name}; found none. Export "
                "the model again with this glassml"
            )
        if isinstance(value, nn.Parameter):
            value = nn.Parameter(value.detach().to(dtype), requires_grad=False)
        elif isinstance(value, torch.Tensor):
            value = value.to(dtype)
        setattr(owner, last, value)


def _check_outputs(
    file: Path,
    module: torch.jit.ScriptModule,
    model: GlassModel,
    manifest: Manifest,
    weight: np.ndarray,
    bias: np.ndarray,
) -> None:
    """Compare with the decoder applied to the module's own descriptors, on a fixed test system."""
    dtype = getattr(torch, manifest.dtype)
    species, scalars, edge_vector, sender, first = trial_systems(model)[0]
    with torch.no_grad():
        system = (species, scalars.to(dtype), edge_vector.to(dtype), sender, first)
        state = module.encode(*system)
        found = module.propensity(state).double().numpy()
        columns = module.descriptors(state).double().numpy()
    terms = weight[species] * columns[:, None, :]
    expected = bias[species] + terms.sum(axis=2)
    # Terms of both signs may cancel; the rounding error is relative to the terms.
    scale = np.abs(terms).sum(axis=2).max() + np.abs(bias).max()
    if found.shape != expected.shape or not (
        np.abs(found - expected).max() <= _ROUNDING[manifest.dtype] * scale
    ):
        raise ModelFileError(
            f"{file}: expected propensity as a linear function of the descriptors; found other "
            "values. Export the model again with this glassml"
        )

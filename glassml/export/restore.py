"""From a model file back to the model, if export left its parameters unchanged."""

from __future__ import annotations

from pathlib import Path

import torch

import glassml
from glassml.errors import ConfigError, ModelFileError
from glassml.export.archive import load_module, model_path, read_manifest
from glassml.export.baking import largest_error, outputs_of, rounded_system, trial_systems
from glassml.models import GlassModel, rebuild

__all__ = ["restored_model"]

_TOLERANCE = 1e-4  # relative; as for tables of radial networks


def restored_model(path: str | Path) -> GlassModel:
    """The model of a file, for instance as a member of a committee.

    Args:
        path: model file, or the name of a model that ships with glassml.

    Returns:
        The model in evaluation mode, in the precision of the file. Only models whose parameters
        are exported as they are can be restored, such as `structural`. Networks with radial tables
        or batch norms are exported in another form; load them from their run folders. Files of
        earlier versions may hold constants that the present code makes itself: the restored model
        gives the same outputs.

    Raises:
        ModelFileError: it cannot be restored; or see `read_manifest`.
    """
    file, manifest = model_path(path), read_manifest(path)
    module = load_module(path, torch.device("cpu"))
    exported, dtype = module.state_dict(), getattr(torch, manifest.dtype)
    try:
        model = rebuild(manifest.model, manifest.hyperparameters)
        model.to(dtype)
        model.load_state_dict({name: exported[name] for name in model.state_dict()})
    except (ConfigError, KeyError, RuntimeError):
        raise ModelFileError(
            f"{file}: expected a model that is exported as it is, such as structural; found "
            f"{manifest.model}. Give its run folder or checkpoint instead"
        ) from None
    names = [output.name for output in manifest.outputs]
    if not set(names) <= {output.name for output in model.outputs}:
        raise ModelFileError(
            f"{file}: expected outputs among {', '.join(o.name for o in model.outputs)}, those of "
            f"{manifest.model} in glassml {glassml.__version__}; found {', '.join(names)}"
        )
    error = _difference(model.eval(), module, names, dtype)
    if not error <= _TOLERANCE:
        raise ModelFileError(
            f"{file}: expected a model that its parameters describe; found one that glassml "
            f"{glassml.__version__} does not calculate in the same way (largest relative "
            f"difference {error:.1e}). Use the file as it is, or train the model again"
        )
    model.positions = manifest.positions
    model.window = manifest.window
    model.domain = manifest.domain
    return model


def _difference(
    model: GlassModel, module: torch.jit.ScriptModule, names: list[str], dtype: torch.dtype
) -> float:
    """Largest relative difference of the outputs with these names on systems for trial."""
    errors = []
    for system in trial_systems(model):
        rounded = rounded_system(system, dtype)
        expected = outputs_of(module, names, rounded)
        errors.append(largest_error(outputs_of(model, names, rounded), expected))
    return max(errors)

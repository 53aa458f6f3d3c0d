"""From a model file back to the model, if export left its parameters unchanged."""

from __future__ import annotations

from pathlib import Path

import torch

from glassml.errors import ConfigError, ModelFileError
from glassml.export.archive import load_module, model_path, read_manifest
from glassml.models import GlassModel, rebuild

__all__ = ["restored_model"]


def restored_model(path: str | Path) -> GlassModel:
    """The model of a file, for instance as a member of a committee.

    Args:
        path: model file, or the name of a model that ships with glassml.

    Returns:
        The model in evaluation mode, in the precision of the file. Only models whose parameters
        are exported as they are can be restored, such as `structural`. Networks are exported in
        another form; load them from their run folders.

    Raises:
        ModelFileError: it cannot be restored; or see `read_manifest`.
    """
    file, manifest = model_path(path), read_manifest(path)
    exported = load_module(path, torch.device("cpu")).state_dict()
    try:
        model = rebuild(manifest.model, manifest.hyperparameters)
        model.to(getattr(torch, manifest.dtype))
        # TorchScript also keeps buffers that the model builds itself.
        remade = {name for name, _ in model.named_buffers()} - set(model.state_dict())
        model.load_state_dict({k: v for k, v in exported.items() if k not in remade})
    except (ConfigError, RuntimeError):
        raise ModelFileError(
            f"{file}: expected a model that is exported as it is, such as structural; found "
            f"{manifest.model}. Give its run folder or checkpoint instead"
        ) from None
    model.positions = manifest.positions
    model.window = manifest.window
    model.domain = manifest.domain
    return model.eval()

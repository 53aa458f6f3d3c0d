"""A model as TorchScript, in memory."""

from __future__ import annotations

import copy
import io
import warnings
from typing import Any

import torch

from glassml.models import GlassModel

__all__ = ["load_script", "reloaded", "save_script", "script_model"]


def script_model(model: GlassModel, dtype: torch.dtype) -> torch.jit.ScriptModule:
    """The model as TorchScript in evaluation mode, on the CPU; the model itself is not changed.

    A copy is converted to its form for deployment (`GlassModel.deploy`), then rounded to ``dtype``.
    """
    copied = copy.deepcopy(model).eval().to(device="cpu", dtype=torch.float64)
    copied.deploy()
    with warnings.catch_warnings():
        _ignore_deprecation()
        return torch.jit.script(copied.to(dtype))


def save_script(script: torch.jit.ScriptModule, extra: dict[str, str]) -> io.BytesIO:
    """An archive of the script with further files, given as name -> content."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        _ignore_deprecation()
        torch.jit.save(script, buffer, extra)
    buffer.seek(0)
    return buffer


def load_script(source: Any, device: torch.device) -> torch.jit.ScriptModule:
    """The module of an archive, a path or open file, in evaluation mode."""
    with warnings.catch_warnings():
        _ignore_deprecation()
        return torch.jit.load(source, map_location=device).eval()


def reloaded(model: GlassModel, dtype: torch.dtype) -> torch.jit.ScriptModule:
    """The module that results from exporting the model and loading it again, in memory."""
    return load_script(save_script(script_model(model, dtype), {}), torch.device("cpu"))


def _ignore_deprecation() -> None:
    # TorchScript is frozen upstream but is the format that LAMMPS' C++ side can load.
    warnings.filterwarnings("ignore", message=".*torch.jit.* is deprecated")

"""Model files whose manifest says something else than the model."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from glassml.nn import ops

__all__ = ["rewritten"]


def rewritten(model: Path, target: Path, **changes: object) -> Path:
    """A copy of a model file with changed entries in its manifest."""
    ops.load()  # networks do not load without their operators
    extra = {"manifest.json": ""}
    module = torch.jit.load(str(model), _extra_files=extra)
    manifest = {**json.loads(extra["manifest.json"]), **changes}
    torch.jit.save(module, str(target), _extra_files={"manifest.json": json.dumps(manifest)})
    return target

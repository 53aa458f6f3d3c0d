"""An exported model whose values are known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from glassml.export import save_model
from glassml.models import build

ModelMaker = Callable[..., Path]


@pytest.fixture(scope="session")
def analytic(tmp_path_factory: pytest.TempPathFactory) -> ModelMaker:
    """Exports the analytic model in float64 with the given hyperparameters."""
    folder = tmp_path_factory.mktemp("models")
    files: dict[str, Path] = {}

    def make(**hyperparameters: object) -> Path:
        key = repr(sorted(hyperparameters.items()))
        if key not in files:
            files[key] = folder / f"analytic{len(files)}.pt"
            save_model(build("analytic", **hyperparameters), files[key], dtype="float64")
        return files[key]

    return make

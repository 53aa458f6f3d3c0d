"""Fixtures that several rooms' tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from glassml.export import save_model
from glassml.models import build

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real simulation data beside the checkout (see CONTRIBUTING.md); absent at most users'."""
    folder = _REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the published data sets in {folder} (BOTAN, DeepMind)")
    return folder


@pytest.fixture(scope="session")
def cuda() -> torch.device:
    """An NVIDIA GPU; tests that use it carry the mark ``cuda``."""
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU that torch can use")
    return torch.device("cuda")


@pytest.fixture(scope="session")
def analytic(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
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

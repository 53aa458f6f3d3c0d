"""A small network, and labels that it can be refitted to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from glassml.data import Configuration
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import build
from glassml.provenance import TrainingRecord


@pytest.fixture
def one_thread() -> Iterator[None]:
    """The order of sums over threads varies, and with it the last bit of results."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights in float64; it predicts the times 1 and 10."""
    torch.manual_seed(11)
    model = build("se3gnn-v2", times=(1.0, 10.0), l_max=1, channels=2, n_layers=2, dropout=0.0)
    path = tmp_path_factory.mktemp("network") / "small.pt"
    save_model(model, path, dtype="float64", training=TrainingRecord(epoch=7))
    return path


@pytest.fixture(scope="session")
def linear_labels(small_network: Path) -> Callable[..., np.ndarray]:
    """Labels that are linear in the network's descriptors, plus a little noise; positive."""
    predictor = Predictor(small_network, device="cpu")
    slope = np.random.default_rng(8).normal(size=(2, 2, 4))

    def labels(configuration: Configuration, rng: np.random.Generator) -> np.ndarray:
        x = predictor.predict([configuration], ("descriptors",))[0]["descriptors"]
        y = np.einsum("ntd,nd->nt", slope[configuration.species], x)
        return np.abs(y + 0.02 * np.std(y) * rng.normal(size=y.shape) + 50.0)

    return labels

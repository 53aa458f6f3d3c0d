"""Labelled datasets and a small network for studies of what a model is worth elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from systems import liquid, moved

from glassml.data import Configuration, DatasetWriter
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import build
from glassml.provenance import TrainingRecord


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums over threads come in any order, which comparisons to the last bit would see."""
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


MakeDataset = Callable[..., Path]


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """Writes configurations of 60 particles.

    Their labels are those of a function of (configuration, predicted outputs of a model or None).
    """

    def make(
        name: str,
        labels: Callable[[Configuration, np.random.Generator], np.ndarray],
        times: tuple[float, ...] = (3.0, 30.0),
        seeds: range = range(6),
        description: dict | None = None,
        **provenance: float,
    ) -> Path:
        path = tmp_path / name
        with DatasetWriter(path, description) as writer:
            for seed in seeds:
                bare = liquid(60, seed=seed)
                writer.add(
                    moved(
                        bare,
                        name=f"c{seed}",
                        times=np.array(times),
                        propensity=labels(bare, np.random.default_rng(seed)),
                        n_runs=8,
                        provenance=provenance,
                    )
                )
        return path

    return make


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

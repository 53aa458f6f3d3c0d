"""A dataset small enough to train on within a second, and runs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_dataset import labelled, write_dataset

from glassml.training import RunResult, parse_config, train


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "tiny.h5"
    return write_dataset(path, [labelled(seed) for seed in range(8)])


@pytest.fixture(autouse=True)
def graph_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of graphs in the user's cache, a new one for every test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "glassml" / "graphs"


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """In all tests of training."""


@pytest.fixture
def settings(dataset: Path, tmp_path: Path) -> dict[str, Any]:
    """A configuration of a small model, to be changed by the tests."""
    return {
        "data": {"train": str(dataset), "validation": 0.25},
        "model": {"name": "se3gnn-v2", "l_max": 1, "channels": 2, "n_layers": 2, "dropout": 0.3},
        "training": {
            "epochs": 4,
            "optimiser": {"lr": 1e-2, "betas": [0.99, 0.999]},
            "schedule": {"milestones": [2]},
            "label_noise": 0,
            "weight_averaging": 0,
            "gradient_clip": None,
            "accelerator": "cpu",
        },
        "output": str(tmp_path / "run"),
    }


@pytest.fixture
def run(settings: dict[str, Any]) -> Callable[[], RunResult]:
    """Trains with the settings as they then are."""
    return lambda: train(parse_config(settings))

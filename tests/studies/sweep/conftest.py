"""A dataset and a sweep so small that a run takes less than a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from training.tiny_dataset import labelled, sweep_settings, write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "tiny.h5"
    return write_dataset(path, [labelled(seed) for seed in range(6)])


@pytest.fixture
def settings(dataset: Path, tmp_path: Path) -> dict[str, Any]:
    """A sweep over two settings and two folds, to be changed by the tests."""
    return sweep_settings(dataset, tmp_path / "sweep")

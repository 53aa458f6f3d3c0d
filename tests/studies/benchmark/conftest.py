"""A task of six small configurations in two folds, whose trainings take less than a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from training.tiny_dataset import TIMES, labelled, write_dataset

from glassml.data import Dataset
from glassml.studies.benchmark import BenchmarkTask, Entry, OpenTask, load_entry, open_task
from glassml.studies.benchmark.results import Cost


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "tiny.h5"
    return write_dataset(path, [labelled(seed) for seed in range(6)])


@pytest.fixture(scope="session")
def colder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("colder") / "colder.h5"
    return write_dataset(path, [labelled(seed) for seed in (20, 21)])


@pytest.fixture
def settings(data: Path) -> dict[str, Any]:
    """The fields of the task, to be changed by the tests."""
    names = [f"sample_{k}" for k in range(6)]
    return {
        "name": "tiny",
        "asks": "Predict the propensity of six small configurations.",
        "datasets": {
            "tiny": {
                "about": "six configurations",
                "make": "Run write_dataset",
                "positions": dict(Dataset(data).positions_sha256),
            },
            "colder": {"about": "two others", "make": "Run it again"},
        },
        "data": "tiny",
        "species": ["A", "B"],
        "times": TIMES.tolist(),
        "time": 100.0,
        "folds": [
            {"train": names[:3], "validation": [names[3]], "test": names[4:]},
            {"train": names[3:], "validation": [names[2]], "test": names[:2]},
        ],
        "transfer": [{"dataset": "colder", "times": [[100.0, 100.0]]}],
    }


@pytest.fixture
def task_file(settings: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture
def opened(settings: dict[str, Any], data: Path) -> OpenTask:
    return open_task(BenchmarkTask.model_validate(settings), {"tiny": data})


@pytest.fixture
def entry(tmp_path: Path) -> Callable[..., Entry]:
    """Makes an entry of the given fields, through a file."""

    def make(name: str, **fields: Any) -> Entry:
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps(fields))  # which is YAML, without references
        return load_entry(str(path))

    return make


@pytest.fixture
def no_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for the process that measures a prediction, which takes seconds to start.

    `test_benchmark_cost.py` measures one.
    """
    made_up = Cost(particles=50, seconds=0.25, peak_bytes=2e6)
    monkeypatch.setattr(
        "glassml.studies.benchmark.scoring.prediction_cost", lambda *arguments: made_up
    )


def planted(labels: np.ndarray, species: np.ndarray, pearson: float, seed: int) -> np.ndarray:
    """Predictions [N, T] whose Pearson coefficient with the labels is given, for each species."""
    rng = np.random.default_rng(seed)
    result = np.empty_like(labels, dtype=float)
    for s in np.unique(species):
        for t in range(labels.shape[1]):
            y = labels[species == s, t]
            y = (y - y.mean()) / y.std()
            z = rng.normal(size=len(y))
            z -= z.mean()
            z -= y * (z @ y) / (y @ y)
            z /= z.std()
            result[species == s, t] = pearson * y + np.sqrt(1 - pearson**2) * z
    return result


@pytest.fixture
def write_predictions(data: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes predictions with a planted coefficient for each configuration into an npz file."""

    def write(name: str, pearson: dict[str, float], **changes: Any) -> Path:
        dataset = Dataset(data)
        parts = {"configuration": [], "particle": [], "propensity": []}  # type: dict[str, list]
        for k, (chosen, value) in enumerate(pearson.items()):
            c = dataset[chosen]
            parts["configuration"].append(np.full(c.n_particles, chosen))
            parts["particle"].append(np.arange(c.n_particles))
            parts["propensity"].append(planted(np.asarray(c.propensity), c.species, value, k))
        arrays = {key: np.concatenate(values) for key, values in parts.items()}
        path = tmp_path / name
        np.savez(path, **{**arrays, "times": TIMES, **changes})
        return path

    return write

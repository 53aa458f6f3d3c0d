"""Small files of every format, written by the tests themselves."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systems import deepmind_pickle

from glassml.data import Configuration

N_PARTICLES = 12
N_RUNS = 3
BOX = (N_PARTICLES / 1.2) ** (1 / 3)
BOTAN_NAME = "isoconfig_N12T0.44_7_tc07.npz"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20231)


@pytest.fixture
def botan_arrays(rng: np.random.Generator) -> dict[str, np.ndarray]:
    initial = rng.uniform(0, BOX, (N_PARTICLES, 3))
    initial[:2] = [[0.0, 0.0, 0.0], [0.99 * BOX] * 3]  # the positions span the box
    return {
        "types": np.array([0] * 9 + [1] * 3, np.int8),
        "initial_positions": initial,
        "positions": initial + rng.normal(0, 0.2, (N_RUNS, N_PARTICLES, 3)),
    }


@pytest.fixture
def write_botan(tmp_path: Path, botan_arrays: dict[str, np.ndarray]) -> Callable[..., Path]:
    """Writes a BOTAN file, with entries replaced (None: left out)."""

    def write(name: str = BOTAN_NAME, **replaced: Any) -> Path:
        arrays = {
            key: value for key, value in (botan_arrays | replaced).items() if value is not None
        }
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **arrays)
        return path

    return write


@pytest.fixture
def deepmind_content(rng: np.random.Generator) -> dict[str, Any]:
    """What a file of DeepMind holds."""
    return deepmind_pickle(rng)


@pytest.fixture
def write_deepmind(tmp_path: Path, deepmind_content: dict[str, Any]) -> Callable[..., Path]:
    """Writes a DeepMind file, with entries replaced (None: left out)."""

    def write(name: str = "sample.pickle", **replaced: Any) -> Path:
        content = {k: v for k, v in (deepmind_content | replaced).items() if v is not None}
        path = tmp_path / name
        path.write_bytes(pickle.dumps(content, protocol=3))
        return path

    return write


@pytest.fixture
def make_configuration(rng: np.random.Generator) -> Callable[..., Configuration]:
    """A configuration with everything that Atoms hold too; fields may be replaced."""

    def make(**replaced: Any) -> Configuration:
        n = replaced.pop("n", 5)
        fields: dict[str, Any] = {
            "positions": rng.uniform(-3, 6, (n, 3)),
            "cell": np.array([[3.0, 0, 0], [0.5, 4.0, 0], [-0.2, 0.3, 5.0]]),
            "species": np.arange(n) % 2,
            "species_names": ("A", "B"),
            "pbc": (True, True, False),
            "scalars": {"potential_energy": rng.normal(size=n)},
            "times": [0.5, 4.0],
            "propensity": rng.uniform(0, 1, (n, 2)),
            "n_runs": 32,
            "name": "sample",
            "provenance": {"source": "a test", "seed": 7, "temperature": 0.44},
        }
        return Configuration(**(fields | replaced))

    return make


@pytest.fixture
def make_complete(
    rng: np.random.Generator, make_configuration: Callable[..., Configuration]
) -> Callable[..., Configuration]:
    """A configuration with every field set but the final positions; fields may be replaced."""

    def make(**replaced: Any) -> Configuration:
        n = replaced.get("n", 5)
        fields = {
            "n_runs": 4,
            "structures": {"inherent": rng.uniform(-3, 6, (n, 3))},
            "statistics": {
                "square_displacement": rng.uniform(1, 2, (n, 2)),
                "mean_displacement": rng.normal(size=(n, 2, 3)),
                "propensity_halves": rng.uniform(0, 1, (n, 2, 2)),
            },
            "predictions": {"BOTAN": np.where(np.arange(2 * n) % 3, 0.5, np.nan).reshape(n, 2)},
        }
        return make_configuration(**(fields | replaced))

    return make


def same(one: Configuration, other: Configuration) -> bool:
    """Whether two configurations hold exactly the same data."""
    arrays = ("positions", "cell", "species", "times", "propensity", "final_positions")
    mappings = ("scalars", "structures", "statistics", "predictions")
    plain = ("species_names", "pbc", "n_runs", "length_unit", "name", "provenance")
    return (
        all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
        and all(getattr(one, name) == getattr(other, name) for name in plain)
        and all(_same_entries(getattr(one, name), getattr(other, name)) for name in mappings)
    )


def _same_entries(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name], equal_nan=True) for name in one
    )


@pytest.fixture(name="same")
def _same() -> Callable[[Configuration, Configuration], bool]:
    return same

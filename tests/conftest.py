"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from systems import liquid, moved

from glassml.cli import main
from glassml.data import Configuration, DatasetWriter
from glassml.export import save_model
from glassml.models import build

_REPOSITORY = Path(__file__).resolve().parent.parent


# OpenMP takes a thread for every core, and its threads and the ranks of MPI wait in loops: several
# processes on few cores then need many times as long as they compute. Tests of threads ask torch
# for a number of them, so they show the same.
_SHARED_CORES = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "MPIR_CVAR_CH4_PROGRESS_THROTTLE": "1",  # MPICH: a rank sleeps after so many looks in vain
    "MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT": "100",
}


def pytest_configure(config: pytest.Config) -> None:
    """Test files that run at the same time (``-n``), and programs of theirs, share the cores."""
    if config.getoption("numprocesses", default=None):
        for name, value in _SHARED_CORES.items():
            os.environ.setdefault(name, value)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real simulation data beside the checkout (see CONTRIBUTING.md); absent at most users'."""
    folder = _REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the published data sets in {folder} (BOTAN, DeepMind)")
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums over threads come in any order, which comparisons to the last bit would see."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


MakeDataset = Callable[..., Path]


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """Writes a dataset of configurations of 60 particles.

    Their labels come from a function of a configuration and a random number generator.
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


class Finished(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def glassml(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Finished]:
    """Runs the entry point of the command; faster than a process, which must import torch."""

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["glassml", *(str(a) for a in arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return Finished(int(stopped.value.code or 0), *capfd.readouterr())

    return run

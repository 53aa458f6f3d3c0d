"""Model files, and the `glassml` command run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from glassml.cli import main
from glassml.export import save_model
from glassml.models import build

ModelMaker = Callable[..., Path]


class Finished(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def analytic(tmp_path_factory: pytest.TempPathFactory) -> ModelMaker:
    """Exports the analytic model in float64 with the given hyperparameters."""
    folder = tmp_path_factory.mktemp("models")
    files: dict[str, Path] = {}

    def make(**hyperparameters: object) -> Path:
        key = repr(sorted(hyperparameters.items()))
        if key not in files:
            files[key] = folder / f"analytic{len(files)}.pt"
            save_model(
                build("analytic", **hyperparameters),
                files[key],
                dtype="float64",
                training={"data": "none: its values are known", "metrics": {"pearson": 0.5}},
            )
        return files[key]

    return make


@pytest.fixture
def glassml(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Finished]:
    """Runs the entry point of the command; quicker than a process, which imports torch anew."""

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["glassml", *(str(a) for a in arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return Finished(int(stopped.value.code or 0), *capfd.readouterr())

    return run

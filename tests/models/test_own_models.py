"""Models in a user's own Python files: `GLASSML_MODELS`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from glassml.cli.app import app
from glassml.data import Dataset
from glassml.errors import ConfigError
from glassml.inference import Predictor
from glassml.models import available, build, registry

# Propensity: 0.1 times the number of neighbours within the cutoff, whatever is learnt.
_OWN = """
import torch
from torch import Tensor, nn
from glassml.models import GlassModel, register

@register("own")
class Neighbours(GlassModel):
    def __init__(
        self,
        species: tuple[str, ...] = ("A", "B"),
        times: tuple[float, ...] = (1.0,),
        cutoff: float = 2.0,
        scalar_inputs: tuple[str, ...] = (),
        length_unit: str = "lj",
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        self.scale = nn.Parameter(torch.full((self.n_times,), 0.1))
        self._declare([1, 1], [self.propensity_output()])

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        return torch.ones([species.shape[0], 1], dtype=scalars.dtype)

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        return edge_vector

    @torch.jit.export
    def step(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        return (first_edge[1:] - first_edge[:-1]).to(state.dtype).unsqueeze(1)

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        return state * self.scale
"""


@pytest.fixture(autouse=True)
def registry_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone for the next one."""
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    monkeypatch.setattr(registry, "_OWN_FILES", set(registry._OWN_FILES))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the model `own`."""
    file = tmp_path / "own.py"
    file.write_text(_OWN)
    monkeypatch.setenv("GLASSML_MODELS", str(file))
    return file


def test_is_found_by_name(own: Path) -> None:
    assert "own" in available()
    assert build("own", cutoff=1.5).cutoff == 1.5


def test_files_of_one_name_are_told_apart(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "folder" / own.name
    other.parent.mkdir()
    other.write_text(_OWN.replace('register("own")', 'register("other")'))
    monkeypatch.setenv("GLASSML_MODELS", os.pathsep.join([str(own), str(other)]))
    assert {"own", "other"} <= set(available())


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import torch\nlayer = nn.Linear(1, 1)\n", r"own\.py, line 2: .* found: NameError: "),
        ("class Broken(:\n", r"own\.py: .* found: SyntaxError: .*line 1"),
        (_OWN.replace('"own"', '"se3gnn"'), r"own\.py, line 6: .* found 'se3gnn'"),
    ],
    ids=["error", "syntax", "name of glassml"],
)
def test_mistakes_in_the_file_are_named(
    own: Path, code: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.write_text(code)
    with pytest.raises(ConfigError, match=message):
        available()
    monkeypatch.delenv("GLASSML_MODELS")
    assert build("se3gnn").__class__.__module__ == "glassml.models.se3gnn"


@pytest.mark.parametrize("wrong", ["no_such_file.py", "glassml.models"])
def test_what_is_no_file_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSML_MODELS", wrong)
    with pytest.raises(ConfigError, match=f"GLASSML_MODELS: .*found '{wrong}'"):
        available()


def test_is_trained_exported_and_run(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text("data: {train: kob_andersen_T0.64, graph_cache: null}")
    settings = ["model.name=own", "training.epochs=1", "training.standardise=false"]
    run = CliRunner().invoke
    trained = run(app, ["train", "own.yaml", *settings])
    assert trained.exit_code == 0, trained.output
    exported = run(app, ["export", "runs/own", "-o", "own.pt"])
    assert exported.exit_code == 0, exported.output
    # The file needs no source.
    own.unlink()
    monkeypatch.delenv("GLASSML_MODELS")
    configuration = Dataset("kob_andersen_T0.64")[0]
    predicted = Predictor("own.pt").predict([configuration])[0]["propensity"]
    assert predicted.shape == configuration.propensity.shape
    assert np.isfinite(predicted).all()
    assert np.ptp(predicted[:, 0]) > 0

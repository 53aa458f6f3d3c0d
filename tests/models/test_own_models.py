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
from glassml.models import available, build

# Propensity: 0.1 times the number of neighbours within the cutoff, whatever is learnt.
_OWN = """
import torch
from torch import Tensor, nn
from glassml.models import GlassModel, register

@register("NAME")
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


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A file with a model that is called as the test."""
    file = tmp_path / "own.py"
    file.write_text(_OWN.replace("NAME", request.node.name))
    monkeypatch.setenv("GLASSML_MODELS", str(file))
    return file


def test_is_found_by_name(own: Path, request: pytest.FixtureRequest) -> None:
    assert request.node.name in available()
    assert build(request.node.name, cutoff=1.5).cutoff == 1.5


def test_files_of_one_name_are_told_apart(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "folder" / own.name
    other.parent.mkdir()
    other.write_text(_OWN.replace("NAME", "the_other"))
    monkeypatch.setenv("GLASSML_MODELS", os.pathsep.join([str(own), str(other)]))
    assert {"the_other", "test_files_of_one_name_are_told_apart"} <= set(available())


@pytest.mark.parametrize("wrong", ["no_such_file.py", "glassml.models"])
def test_what_is_no_file_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSML_MODELS", wrong)
    with pytest.raises(ConfigError, match=f"GLASSML_MODELS: .*found '{wrong}'"):
        available()


def test_is_trained_exported_and_run(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text("data: {train: kob_andersen_T0.64, graph_cache: null}")
    settings = [
        f"model.name={request.node.name}",
        "training.epochs=1",
        "training.standardise=false",
    ]
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

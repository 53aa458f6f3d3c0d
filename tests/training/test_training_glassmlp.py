"""The published recipe of GlassMLP, made small, on the dataset that ships with glassml."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_dataset import write_dataset

from glassml.data import Dataset, view_of
from glassml.export import read_manifest, save_model
from glassml.inference import Predictor
from glassml.models import GlassMLP
from glassml.simulation.cell_surfaces import with_surface
from glassml.training import load_config, train
from glassml.training.checkpoint import load_trained_model

RECIPE = Path(__file__).resolve().parents[2] / "examples" / "train" / "glassmlp.yaml"


def test_from_inherent_structures_to_a_model_file(tmp_path: Path) -> None:
    with Dataset("kob_andersen_T0.64") as dataset:
        some = [with_surface(dataset[k], (0.5, 0.44)) for k in range(4)]
    smaller = [
        f"data.train={write_dataset(tmp_path / 'inherent.h5', some)}",
        "data.validation=0.25",
        "data.graph_cache=null",
        "model.cutoff=2.0",
        "model.averaging_lengths=[0, 1, 2]",
        "training.accelerator=cpu",
        "training.stages=[{epochs: 2, lr: 5.0e-3},"
        " {epochs: 1, lr: 1.0e-3, loss: {name: absolute, spatial: {}}}]",
        f"output={tmp_path / 'run'}",
    ]
    result = train(load_config(RECIPE, smaller))
    assert result.epochs == 3
    trained = load_trained_model(result.folder)
    model = trained.model
    assert isinstance(model, GlassMLP)
    # All that is learnt is of species A; the networks of B are those that the run began with.
    assert [model.bias_3[k].item() != 0 for k in range(10)] == [True] * 5 + [False] * 5
    file = tmp_path / "model.pt"
    save_model(model, file, training=trained.record)
    manifest = read_manifest(file)
    assert manifest.positions == "inherent"
    assert "130, 238202" in manifest.citations[0]
    seen = view_of(some[0], "inherent")
    found = Predictor(file, device="cpu").predict(some[:1], ("propensity", "bottleneck"))[0]
    assert found["bottleneck"].shape == (1000, 10)
    near = found["propensity"][seen.species == 0]
    # After three epochs already of the size of the labels, from 0.1 to 1.
    labels = seen.propensity[seen.species == 0]
    np.testing.assert_allclose(near.mean(axis=0), labels.mean(axis=0), rtol=0.3)


def test_the_recipe_as_published() -> None:
    training = load_config(RECIPE).training
    assert training.epochs == 550
    assert [stage.lr for stage in training.stages] == [5e-4, 2e-4, 4e-5, 2e-5]
    patience = [stage.early_stopping and stage.early_stopping.patience for stage in training.stages]
    assert patience == [None, 15, None, 15]
    spatial = [None if s.loss is None else s.loss.spatial for s in training.stages]
    assert spatial[:2] == [None, None]
    assert all(s is not None and s.weight == pytest.approx(0.5) for s in spatial[2:])

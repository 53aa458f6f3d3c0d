"""First steps without parameters: training computes them once, with the same result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from systems import moved
from tiny_dataset import labelled, write_dataset

from glassml.graph import build_graph, first_edge
from glassml.models import GlassMLP, GlassModel, Structural
from glassml.training import parse_config, resume, train
from glassml.training.checkpoint import load_trained_model
from glassml.training.data_module import DataModule
from glassml.training.fixed_steps import FixedSteps

SCALARS = ("inherent_energy", "inherent_voronoi_surface")
MLP = {"name": "glassmlp", "cutoff": 2.0, "averaging_lengths": [0.0, 0.5, 2.0]}


def with_scalars(seed: int) -> Any:
    draw = np.random.default_rng(seed)
    one = labelled(seed)
    return moved(one, scalars={name: draw.normal(k, 1 + k, 50) for k, name in enumerate(SCALARS)})


CONFIGURATIONS = [with_scalars(seed) for seed in range(5)]


@pytest.fixture
def mlp(settings: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    data = write_dataset(tmp_path / "scalars.h5", CONFIGURATIONS)
    settings["data"] = {
        "train": str(data), "scalars": list(SCALARS), "validation": ["sample_0", "sample_3"],
    }  # fmt: skip
    settings["model"] = dict(MLP)
    return settings


def encoded(model: GlassModel, k: int) -> torch.Tensor:
    graph = build_graph(CONFIGURATIONS[k], model.cutoff, SCALARS, torch.float64)
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    with torch.no_grad():
        return model.encode(graph.species, graph.scalars, graph.edge_vector, sender, pointer)


@pytest.mark.parametrize("cache", [True, False])
def test_columns_are_standardised_by_the_training_set(mlp: dict[str, Any], cache: bool) -> None:
    mlp["data"] |= {"cache": cache, "graph_cache": None}
    mlp["training"]["dtype"] = "float64"
    model = load_trained_model(train(parse_config(mlp)).folder).model
    assert isinstance(model, GlassMLP)
    columns = np.concatenate([model.columns(encoded(model, k)).numpy() for k in (1, 2, 4)])
    species = np.concatenate([CONFIGURATIONS[k].species for k in (1, 2, 4)])
    for s in range(2):
        mean, scale = columns[species == s].mean(axis=0), columns[species == s].std(axis=0)
        # Means, and the scalars' own scales, are kept in float32.
        np.testing.assert_allclose(model.column_mean[s], mean, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(1 / model.column_factor[s], scale, rtol=1e-4)


def test_training_as_with_edges(mlp: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With random axes, nothing is computed in advance; distances do not change by them."""
    first = train(parse_config(mlp)).folder
    seen = []
    original = FixedSteps.added_to

    def noting(self: FixedSteps, graph: Any) -> Any:
        result = original(self, graph)
        seen.append("edge_index" in result)
        return result

    monkeypatch.setattr(FixedSteps, "added_to", noting)
    again = train(parse_config({**mlp, "output": mlp["output"] + "_2"})).folder
    # Five configurations, each once, whose edges are not kept.
    assert seen == [False] * 5
    # The scales of the first run come from its training set; the second run begins with them.
    mlp["training"] |= {"augmentation": "axes", "start_from": str(first)}
    mlp["training"] |= {"optimiser": {"lr": 1e-30}, "epochs": 1}
    turned = train(parse_config({**mlp, "output": mlp["output"] + "_3"}))
    assert len(seen) == 5
    mlp["training"]["augmentation"] = "none"
    plain = train(parse_config({**mlp, "output": mlp["output"] + "_4"}))
    assert turned.metrics["validation/loss"] == pytest.approx(
        plain.metrics["validation/loss"], rel=1e-5
    )
    assert load_trained_model(again).record.epoch == load_trained_model(first).record.epoch


def test_the_run_resumes_with_the_scales_of_its_start(mlp: dict[str, Any], tmp_path: Path) -> None:
    """The second training has other data, but the scales of the first."""
    first = train(parse_config(mlp)).folder
    other = [
        moved(with_scalars(seed), name=f"other_{seed}", positions=labelled(seed).positions + 0.01)
        for seed in range(10, 13)
    ]
    mlp["data"] |= {
        "train": str(write_dataset(tmp_path / "other.h5", other)),
        "validation": ["other_12"],
    }
    mlp["training"] |= {"start_from": str(first), "schedule": {"milestones": []}}
    whole = train(parse_config({**mlp, "output": str(tmp_path / "whole")})).folder
    mlp["training"]["epochs"] = 2
    part = train(parse_config({**mlp, "output": str(tmp_path / "part")})).folder
    resume(part, ["training.epochs=4"])
    expected, found = load_trained_model(whole).model, load_trained_model(part).model
    start = load_trained_model(first).model
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=0, atol=0)
        if name in ("column_mean", "column_factor", "scalar_mean", "label_scale"):
            torch.testing.assert_close(start.state_dict()[name], value, rtol=0, atol=0)


def test_structural_trains_without_edges_too(settings: dict[str, Any]) -> None:
    settings["model"] = {"name": "structural", "cutoff": 1.6, "shells": 4, "averages": 1}
    settings["training"] |= {"standardise": False, "optimiser": {"lr": 1e-3}}
    config = parse_config(settings)
    model = load_trained_model(train(config).folder).model
    assert isinstance(model, Structural)
    assert model.fixed_steps == model.n_steps == 2


def test_some_steps_may_be_left(settings: dict[str, Any]) -> None:
    """Edges stay, and the state is that after the first step."""
    from glassml.training.split import open_split

    config = parse_config(settings)
    model = Structural(cutoff=1.6, shells=4, averages=1)
    model.fixed_steps = 1
    data = DataModule(open_split(config.data), config.data, config.training, 1.6, 1)
    data.prepare()
    data.fix_steps(model, measure=True)
    graph = data.train_set[0]
    assert graph.edge_index is not None
    assert graph.state.shape == (50, model.state_widths[1])

"""Training on reversed runs: which are used, how they count, and that such runs resume exactly."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from systems import moved
from tiny_dataset import RUNS, labelled, write_dataset, write_runs

from glassml.data import DatasetWriter, reverse_dataset
from glassml.errors import ConfigError
from glassml.training import load_trained_model, parse_config, resume, train
from glassml.training.checkpoint import LAST, read_checkpoint
from glassml.training.data_module import DataModule
from glassml.training.module import PropensityModule
from glassml.training.split import open_split


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def reversing(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    settings["data"] = {
        "train": str(folder / "runs.h5"),
        "reversed": str(folder / "back.h5"),
        "reversed_share": 1.5,
        "validation": ["sample_1", "sample_4"],
    }
    settings["training"] |= {
        "schedule": {"name": "cosine"},
        "label_noise": 12,
        "weight_averaging": 0.9,
    }
    return settings


def module_of(settings: dict[str, Any]) -> DataModule:
    config = parse_config(settings)
    module = DataModule(open_split(config.data), config.data, config.training, cutoff=2.0)
    module.prepare()
    return module


def test_runs_of_held_out_configurations_are_not_used(reversing: dict[str, Any]) -> None:
    split = open_split(parse_config(reversing).data)
    starts = {source.name.split("_reversed")[0] for source in split.reversed}
    assert starts == {"sample_0", "sample_2", "sample_3", "sample_5"}
    assert len(split.reversed) == 4 * RUNS


def test_an_epoch_draws_its_share_and_lets_it_stand_for_all(reversing: dict[str, Any]) -> None:
    module = module_of(reversing)
    loader = module.train_dataloader()
    drawn = []
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        trust = [float(batch.trust[0]) for batch in loader]
        # 1.5 for each of four configurations; float32
        assert sorted(trust) == pytest.approx([1 / 13] * 6 + [RUNS / 15] * 4, rel=1e-6)
        drawn.append(list(loader.sampler))
    assert drawn[0] != drawn[1]
    standing = {round(float(b.trust[0]), 3): float(b.stands_for[0]) for b in loader}
    assert standing == {0.077: 2.0, 0.2: 1.0}  # six drawn of twelve
    # In the mean over many epochs every run is drawn as often as any other.
    counts = np.zeros(4 + 4 * RUNS)
    for epoch in range(400):
        loader.sampler.set_epoch(epoch)
        counts[list(loader.sampler)] += 1
    assert (counts[:4] == 400).all()
    # Each of the others in half of the epochs, with a standard deviation of 10.
    assert np.abs(counts[4:] - 200).max() < 45


def curves(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(encoding="utf-8") as stream:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(stream)]


def test_an_interrupted_run_resumes_to_the_same_curves(
    reversing: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(parse_config(reversing))
    whole = curves(tmp_path / "run")
    reversing["output"] = str(tmp_path / "stopped")
    step = PropensityModule.training_step

    def stopped(self: PropensityModule, batch: Any, batch_idx: int) -> torch.Tensor:
        if (self.current_epoch, batch_idx) == (2, 3):
            raise RuntimeError("pulled the plug")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(PropensityModule, "training_step", stopped)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        train(parse_config(reversing))
    monkeypatch.setattr(PropensityModule, "training_step", step)
    assert curves(tmp_path / "stopped") == whole[:2]
    resume(tmp_path / "stopped")
    assert curves(tmp_path / "stopped") == whole
    one, other = (
        load_trained_model(tmp_path / name / LAST).model.state_dict() for name in ("run", "stopped")
    )
    for name, value in one.items():
        assert torch.equal(other[name], value), name
    rates = [float(row["learning_rate"]) for row in whole]
    # At the first step of each of four epochs: rising within the first, then half a cosine.
    cosine = [0.5e-2 * (1 + np.cos(np.pi * epoch / 4)) for epoch in (1, 2, 3)]
    np.testing.assert_allclose(rates, [1e-3, *cosine], rtol=1e-6)
    with pytest.raises(ConfigError, match=r"training\.epochs: expected .* cosine"):
        resume(tmp_path / "run", ["training.epochs=9"])


def test_a_cosine_goes_on_with_the_number_of_devices_that_it_began_with(
    reversing: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reversing["training"]["epochs"] = 2
    save = PropensityModule.on_validation_epoch_end

    def stopped(self: PropensityModule) -> None:
        if self.current_epoch == 1:
            raise RuntimeError("pulled the plug")
        save(self)

    with monkeypatch.context() as patch:
        patch.setattr(PropensityModule, "on_validation_epoch_end", stopped)
        with pytest.raises(RuntimeError, match="pulled the plug"):
            train(parse_config(reversing))
    # Four configurations and six runs: two processes would make five steps of ten.
    with pytest.raises(ConfigError, match=r"training\.devices: expected 10 steps .* found 5"):
        resume(tmp_path / "run", ["training.devices=2"])
    assert resume(tmp_path / "run").epochs == 2


@pytest.mark.parametrize("side", ["train", "validation"])
def test_runs_are_refused_where_they_would_leak(
    reversing: dict[str, Any], folder: Path, side: str
) -> None:
    both = [str(folder / "runs.h5"), str(folder / "back.h5")]
    others = {"train": both, "validation": 0.2} if side == "train" else {"validation": both[1]}
    reversing["data"] = {**reversing["data"], **others}
    with pytest.raises(ConfigError, match=rf"data\.{side}: expected no reversed runs"):
        open_split(parse_config(reversing).data)


def test_what_is_exported_is_the_average(reversing: dict[str, Any], tmp_path: Path) -> None:
    train(parse_config(reversing))
    checkpoint = read_checkpoint(tmp_path / "run" / LAST)
    last = checkpoint["current_model_state"]["model.decoder.weight"]
    mean = checkpoint["state_dict"]["model.decoder.weight"]
    assert not torch.equal(last, mean)
    exported = load_trained_model(tmp_path / "run" / LAST)
    torch.testing.assert_close(exported.model.decoder.weight.detach(), mean)
    record = json.loads((tmp_path / "run" / "data.json").read_text(encoding="utf-8"))
    assert len(record["reversed"]) == 4 * RUNS
    runs = exported.record.reversed_runs
    assert runs is not None
    assert runs.number == 4 * RUNS
    # They began from the configurations that were trained on, and from no others.
    trained = [c.positions_sha256 for c in exported.record.train.configurations]
    assert sorted(runs.starts) == sorted(trained)
    roles = {file.file: file.role for file in exported.record.data}
    assert roles == {"runs.h5": "configurations", "back.h5": "reversed runs"}
    assert exported.record.n_runs == (RUNS,)  # not also 1, which is that of a reversed run


def test_other_datasets_are_refused(reversing: dict[str, Any], tmp_path: Path, folder: Path):
    reversing["data"]["reversed"] = str(folder / "runs.h5")
    with pytest.raises(ConfigError, match="expected a dataset of `glassml data reverse`"):
        open_split(parse_config(reversing).data)
    with DatasetWriter(tmp_path / "other.h5") as writer:
        writer.add(
            moved(
                labelled(9),
                times=[0.5],
                propensity=np.full((50, 1), 0.5),
                n_runs=2,
                final_positions=labelled(9).positions + np.broadcast_to([0.5, 0, 0], (2, 1, 50, 3)),
            )
        )
    reverse_dataset(tmp_path / "other.h5", tmp_path / "other_back.h5")
    reversing["data"]["reversed"] = str(tmp_path / "other_back.h5")
    with pytest.raises(ConfigError, match="expected runs that started from configurations of"):
        open_split(parse_config(reversing).data)


def test_a_model_of_inherent_structures_sees_these(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    shifted = []
    for seed in range(6):
        start = labelled(seed)
        inherent = start.positions + 0.01 * np.random.default_rng(seed).normal(size=(50, 3))
        shifted.append(moved(start, structures={"inherent": inherent}))
    write_dataset(tmp_path / "quenched.h5", shifted)
    settings["data"] = {
        "train": str(tmp_path / "quenched.h5"),
        "positions": "inherent",
        "scalars": ["inherent_displacement"],
    }
    module = module_of(settings)
    graph = module.train_set[0]
    source = module.train_set.sources[0].read()
    difference = np.linalg.norm(source.structures["inherent"] - source.positions, axis=1)
    np.testing.assert_allclose(graph.scalars[:, 0], difference, rtol=1e-6)  # float32
    sender, receiver = (int(k) for k in graph.edge_index[:, 0])
    apart = source.structures["inherent"][sender] - source.structures["inherent"][receiver]
    length = source.cell[0, 0]
    nearest = apart - length * np.round(apart / length)
    # The first edge may be of another image than the nearest one, but by whole boxes.
    rest = (graph.edge_vector[0].numpy() - nearest) / length
    np.testing.assert_allclose(rest, np.round(rest), atol=1e-6)
    train(parse_config(settings))
    model = load_trained_model(tmp_path / "run").model
    assert model.positions == "inherent"

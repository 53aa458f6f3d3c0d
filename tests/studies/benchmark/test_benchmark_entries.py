"""The three ways to take part, and what is said about wrong files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studies.benchmark.tiny_recipe import TRAINING

from glassml.errors import ConfigError
from glassml.simulation.pipeline import load_simulate_config
from glassml.studies.benchmark import (
    Entry,
    OpenTask,
    load_entry,
    load_task,
    run_benchmark,
)

TESTED = ("sample_4", "sample_5")
REPOSITORY = Path(__file__).resolve().parents[3]


RECIPES = sorted((REPOSITORY / "examples/benchmark").glob("*.yaml"))
DATA = REPOSITORY / "examples/benchmark/own_temperatures.yaml"  # a recipe of `glassml simulate`


@pytest.mark.parametrize("path", [p for p in RECIPES if p != DATA], ids=lambda path: path.stem)
def test_recipes_in_the_examples_are_entries(path: Path) -> None:
    entry = load_entry(str(path))
    assert entry.name == path.stem
    assert entry.way in ("train", "refit")


def test_the_recipe_of_the_data_makes_those_of_the_task() -> None:
    config = load_simulate_config(DATA)
    task = load_task("own_temperatures")
    assert [f"T{temperature:g}" for temperature in config.temperatures] == list(task.datasets)
    assert isinstance(config.ensemble.times, tuple)
    assert tuple(time.value for time in config.ensemble.times) == task.times
    assert config.configurations == len({c for fold in task.folds for c in fold.test})


def test_a_model_of_the_registry_is_an_entry() -> None:
    assert load_entry("structural").way == "refit"
    found = load_entry("botan")
    assert (found.name, found.train) == ("botan", ({"model": {"name": "botan"}},))


def test_files_are_beside_the_entry_file(entry: Callable[..., Entry], tmp_path: Path) -> None:
    found = entry("theirs", predictions="out_{fold}.csv", reads="cage")
    assert found.predictions == str(tmp_path / "out_{fold}.csv")
    assert str(found.reads) == "cage"
    read = entry("more", predictions="o.npz", reads={"positions": "cage", "scalars": ["energy"]})
    assert str(read.reads) == "cage + energy"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, r"expected exactly one of train, refit, model, predictions; found none"),
        ({"refit": {}, "model": "m.pt"}, r"exactly one of .*; found refit, model"),
        ({"predictions": "p.npz"}, r"reads: expected the positions that the predictions were"),
        ({"model": "m.pt", "reads": "thermal"}, r"reads: expected none, as the model says it"),
        ({"predictions": "p.npz", "reads": "warm"}, r"reads.positions: expected one of thermal, "),
        ({"train": {"epochs": 3}}, r"train: expected the sections data, model and training"),
        ({"train": {"data": {"train": "x.h5"}}}, r"train: expected no data.train, which the task"),
        ({"train": {"model": {"name": "botann"}}}, r"train.model.name: .*did you mean 'botan'"),
        ({"refit": {"model": "structural", "penalty": 3}}, r"refit.penalty: unknown field"),
        ({"refit": {"settings": {"cutof": 2.0}}}, r"refit.settings: .*did you mean 'cutoff'"),
        (
            {"refit": {"model": "m_{fold}.pt", "settings": {"cutoff": 2.0}}},
            r"refit.settings: expected none for m_{fold}.pt, as they are for .*; found cutoff",
        ),
        (
            {"refit": {"model": "bapst", "settings": {"width": 3}}},
            r"refit.settings: expected none for bapst, as they are for .*; found width",
        ),
        (
            {"refit": {"settings": {"times": [1]}}},
            r"refit.settings: expected some of cutoff, .*; found times, which the data and other",
        ),
    ],
)
def test_wrong_entries_are_refused(
    entry: Callable[..., Entry], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        entry("wrong", **fields)


def test_what_is_no_entry_is_named() -> None:
    with pytest.raises(ConfigError, match=r"entry: expected an entry file .*did you mean 'botan'"):
        load_entry("botann")
    with pytest.raises(ConfigError, match=r"absent.npz: expected a model file or predictions"):
        load_entry("absent.npz", "thermal")


def test_positions_of_predictions_must_be_stated(write_predictions: Callable[..., Path]) -> None:
    path = str(write_predictions("p.npz", dict.fromkeys(TESTED, 0.5)))
    with pytest.raises(ConfigError, match=r"--reads: expected the positions that .*p.npz was"):
        load_entry(path)
    assert str(load_entry(path, "inherent").reads) == "inherent"


@pytest.mark.parametrize(
    ("pearson", "changes", "message"),
    [
        (TESTED[:1], {}, r"expected predictions for the test configuration sample_5 of fold 1"),
        (TESTED, {"particle": np.arange(100)}, r"sample_\d: particle: expected numbers from 0 to"),
        (TESTED, {"propensity": np.ones((100, 3))}, r"expected one particle and one row of 2 prop"),
        (TESTED, {"propensity": np.full((100, 2), np.nan)}, r"expected finite predictions; found"),
        (TESTED, {"times": np.array([0.5, 7.0])}, r"species A at t = 100; found none"),
        (TESTED, {"configuration": np.full(100, "other")}, r"configuration: expected names of"),
    ],
)
@pytest.mark.usefixtures("no_cost")
def test_wrong_predictions_are_explained(
    opened: OpenTask,
    write_predictions: Callable[..., Path],
    tmp_path: Path,
    pearson: tuple[str, ...],
    changes: dict[str, Any],
    message: str,
) -> None:
    path = write_predictions("p.npz", dict.fromkeys(pearson, 0.5), **changes)
    entry = load_entry(str(path), "thermal")
    failures = run_benchmark(opened, [entry], tmp_path / "out")
    assert list(failures) == ["p, fold 1", "p, fold 2"]
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(failures["p, fold 1"])


def test_a_recipe_for_several_devices_is_refused(
    opened: OpenTask, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    training = TRAINING["training"] | {"devices": 2}
    with pytest.raises(ConfigError, match=r"wide: training.devices: expected 1 in a benchmark"):
        run_benchmark(opened, [entry("wide", train=TRAINING | {"training": training})], tmp_path)

"""Which runs a sweep consists of."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from systems import moved
from training.tiny_dataset import labelled, write_dataset
from typer.testing import CliRunner

from glassml.cli import app
from glassml.data import Dataset, reverse_dataset
from glassml.errors import ConfigError, GlassMLError
from glassml.studies.sweep import Plan, load_sweep_config, parse_sweep_config, plan

REPOSITORY = Path(__file__).resolve().parents[3]


def planned(settings: dict[str, Any]) -> Plan:
    return plan(parse_sweep_config(settings))


def test_every_configuration_is_held_out_once(settings, dataset) -> None:
    settings |= {"folds": 4, "axes": {}}
    points = planned(settings).points
    held_out = [name for p in points for name in p.config.data.validation]
    assert sorted(held_out) == sorted(Dataset(dataset).names)
    assert sorted(len(p.config.data.validation) for p in points) == [1, 1, 2, 2]
    assert [p.fold for p in points] == [0, 1, 2, 3]
    assert [p.size for p in points] == [6 - len(p.config.data.validation) for p in points]
    other = planned(settings | {"fold_seed": 1}).points
    assert [p.config.data.validation for p in other] != [p.config.data.validation for p in points]


def test_one_setting_at_a_time_or_all_combinations(settings) -> None:
    settings["axes"] = {"model.channels": [2, 3], "training.epochs": [3, 4, 5]}
    separate = planned(settings)
    assert [v.name for v in separate.variants] == [
        "base", "model.channels=2", "model.channels=3",
        "training.epochs=3", "training.epochs=4", "training.epochs=5",
    ]  # fmt: skip
    changed = {
        (p.config.model.hyperparameters["channels"], p.config.training.epochs)
        for p in separate.points
    }
    assert changed == {(2, 3), (3, 3), (2, 4), (2, 5)}
    product = planned(settings | {"combine": "product"})
    assert len(product.variants) == 6
    assert len({p.key for p in product.points}) == 12


def test_equal_settings_share_a_run(settings) -> None:
    points = planned(settings).points
    keys = {(p.variant, p.fold): p.key for p in points}
    for fold in (0, 1):
        # The base has two channels.
        assert (
            keys["base", fold] == keys["model.channels=2", fold] != keys["model.channels=3", fold]
        )
    assert len(points) == 6
    assert len(set(keys.values())) == 4


def test_named_variants(settings) -> None:
    settings["variants"] = {"wide": {"model.channels": 4, "data.scalars": ["potential_energy"]}}
    point = next(p for p in planned(settings).points if p.variant == "wide")
    assert point.config.model.hyperparameters["channels"] == 4
    assert point.config.data.scalars == ("potential_energy",)


def test_smaller_training_sets_lie_in_larger_ones(settings, dataset) -> None:
    settings |= {"folds": 3, "axes": {}, "sizes": [1, 2, 4], "seeds": [0, 1]}
    names = set(Dataset(dataset).names)
    chosen: dict[tuple[int, int], list[set[str]]] = {}
    for p in planned(settings).points:
        rest = names - {*p.config.data.validation, *p.config.data.exclude}
        assert len(rest) == p.size
        chosen.setdefault((p.fold, p.seed), []).append(rest)
    assert len(chosen) == 6
    assert all(one < two < four for one, two, four in chosen.values())
    singles = {(key, *sets[0]) for key, sets in chosen.items()}
    assert {name for (fold, seed), name in singles if fold == 0} != set()
    # Each seed draws its own: over three folds they do not all agree.
    assert any(chosen[fold, 0][0] != chosen[fold, 1][0] for fold in range(3))


def test_without_folds_the_base_says_what_is_held_out(settings, dataset) -> None:
    settings |= {"folds": None, "axes": {}, "sizes": [2]}
    settings["base"]["data"]["validation"] = ["sample_4"]
    (point,) = planned(settings).points
    assert point.config.data.validation == ("sample_4",)
    assert len(point.config.data.exclude) == 3
    settings["base"]["data"]["validation"] = 0.5
    (drawn,) = planned(settings).points
    assert len(drawn.config.data.validation) == 3


def test_a_validation_dataset_of_its_own(settings, dataset, tmp_path: Path) -> None:
    other = write_dataset(tmp_path / "validation.h5", [labelled(50)])
    settings["base"]["data"]["validation"] = str(other)
    (point,) = planned(settings | {"folds": None, "axes": {}}).points
    assert point.config.data.validation == str(other)
    with pytest.raises(ConfigError, match=r"folds: expected null, as base\.data\.validation"):
        planned(settings)


def test_a_run_is_known_by_its_data_not_by_their_place(settings, dataset, tmp_path: Path) -> None:
    keys = [p.key for p in planned(settings).points]
    shutil.copy(dataset, tmp_path / "moved.h5")
    settings["base"]["data"] |= {"train": str(tmp_path / "moved.h5"), "cache": False}
    assert [p.key for p in planned(settings).points] == keys
    settings["base"]["training"]["optimiser"]["lr"] = 2e-2
    assert not set(keys) & {p.key for p in planned(settings).points}


def test_runs_with_and_without_reversed_runs_differ(settings, tmp_path: Path) -> None:
    starts = []
    for seed in range(6):
        start = labelled(seed)
        ways = np.random.default_rng(seed).normal(size=(2, 1, 50, 3))
        lengths = np.linalg.norm(ways, axis=3).mean(axis=0).T
        labels = {"times": start.times[:1], "propensity": lengths, "n_runs": 2}
        starts.append(moved(start, **labels, final_positions=start.positions + ways))
    write_dataset(tmp_path / "runs.h5", starts)
    reverse_dataset(tmp_path / "runs.h5", tmp_path / "two.h5")
    reverse_dataset(tmp_path / "runs.h5", tmp_path / "one.h5", runs=1)
    shutil.copy(tmp_path / "two.h5", tmp_path / "moved.h5")
    settings["base"]["data"] |= {
        "train": str(tmp_path / "runs.h5"),
        "reversed": str(tmp_path / "two.h5"),
    }
    settings |= {
        "axes": {},
        "variants": {
            "none": {"data.reversed": []},
            "one": {"data.reversed": str(tmp_path / "one.h5")},
            "moved": {"data.reversed": str(tmp_path / "moved.h5")},
        },
    }
    keys = {(p.variant, p.fold): p.key for p in planned(settings).points}
    for fold in (0, 1):
        assert len({keys[name, fold] for name in ("base", "none", "one")}) == 3
        assert keys["base", fold] == keys["moved", fold]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axis": {}}, r"axis: unknown field \(did you mean 'axes'\?\)"),
        ({"base": None}, "base: expected a mapping"),
        ({"axes": {"model.channels": 3}}, "axes.model.channels: expected a list of one or more"),
        ({"axes": {"model.channels": [3, 3]}}, "axes.model.channels: expected different values"),
        (
            {"axes": {"model.chanels": [3]}},
            r"model: expected hyperparameters of se3gnn-v2 .*found 'chanels'",
        ),
        (
            {"axes": {"model.channels": [3, 0]}},
            "model.channels=0: model.channels: expected a whole",
        ),
        ({"axes": {"trainin.epochs": [3]}}, "trainin: unknown field"),
        (
            {"axes": {"training.epochs.x": [3]}},
            "training.epochs: expected a section with fields; found 3",
        ),
        ({"axes": {"training.epochs": [0]}}, "training.epochs=0: training.epochs: expected a num"),
        ({"axes": {"training.seed": [1, 2]}}, "axes: .*; found 'training.seed'. List seeds in"),
        ({"variants": {"v": {"data.train": "x"}}}, "variants.v: .*; found 'data.train'"),
        ({"variants": {"base": {}}}, "variants: expected different names; found 'base' twice"),
        ({"folds": 1}, "folds: expected a number greater than or equal to 2; found 1"),
        ({"folds": 7}, "folds: expected at most 6, the number of configurations; found 7"),
        ({"sizes": [4]}, "sizes: expected at most 3, the number to train on in fold 1; found 4"),
        ({"sizes": []}, r"sizes: expected a list of one or more values; found \[\]"),
        ({"sizes": [0]}, "sizes.0: expected a number greater than or equal to 1; found 0"),
        ({"seeds": [0, 0]}, "seeds: expected different values"),
        ({"epoch": "first"}, "epoch: expected 'last' or 'best'; found 'first'"),
        ({"species": "C"}, "species: expected one of A, B; found 'C'"),
        ({"time": 3.0}, "time: expected one of 0.5, 100; found 3"),
        ({"combine": "both"}, "combine: expected 'separate' or 'product'; found 'both'"),
    ],
)
def test_mistakes_are_explained(settings, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        planned(settings | change)


def test_a_base_in_a_file_and_overrides(settings, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.yaml").write_text(yaml.safe_dump(settings["base"]))
    Path("sizes.yaml").write_text("base: train.yaml\nfolds: 3\n")
    config = load_sweep_config("sizes.yaml", ["base.training.epochs=9", "sizes=[1, 2]"])
    assert config.output == Path("runs/sizes")
    assert config.base["training"]["epochs"] == 9
    listed = CliRunner().invoke(app, ["sweep", "sizes.yaml", "sizes=[1, 2]", "--list"])
    assert listed.exit_code == 0, listed.output
    assert len(listed.stdout.splitlines()) == 6
    assert "base, 2 configurations, seed 0, fold 3" in listed.stdout
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "nowhere.yaml: cannot read"),
        (["folds=2"], "expected a sweep file, then"),
        (["empty.yaml"], "empty.yaml: expected sections base, axes"),
        (["base.yaml"], "nowhere.yaml: cannot read"),
    ],
)
def test_a_wrong_command_is_explained(
    tmp_path: Path, monkeypatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.yaml").write_text("")
    Path("base.yaml").write_text("base: nowhere.yaml\n")
    with pytest.raises(GlassMLError, match=message):
        CliRunner().invoke(app, ["sweep", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("name", ["ablation", "learning_curve"])
def test_examples_are_complete(name: str, monkeypatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    found = plan(load_sweep_config(f"examples/studies/{name}.yaml"))
    assert found.folds == 5
    expected = {
        "ablation": {"base", "model.l_max=0", "model.n_layers=5", "model.channels=8"},
        "learning_curve": {"base", "inherent energies as inputs"},
    }
    assert expected[name] <= {variant.name for variant in found.variants}

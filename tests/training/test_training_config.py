"""Configuration files: defaults, overrides, and messages that name the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glassml.errors import ConfigError
from glassml.models import parameters_of
from glassml.settings import apply_overrides, write_yaml
from glassml.training import TrainConfig, load_config, parse_config

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "train"


def _values() -> dict[str, Any]:
    return {"data": {"train": "a.h5"}}


def _parsed(*overrides: str) -> TrainConfig:
    return parse_config(apply_overrides(_values(), overrides), source="c.yaml")


def test_defaults_are_the_recipe_for_few_configurations() -> None:
    recipe = load_config(_EXAMPLES.parent / "few_configurations" / "network.yaml")
    defaults = _parsed()
    assert recipe.training.model_copy(update={"epochs": 100}) == defaults.training
    given, preset = recipe.model, parameters_of(defaults.model.name)
    assert {**parameters_of(given.name), **given.hyperparameters} == preset


def test_the_published_recipe_is_an_example() -> None:
    config = load_config(_EXAMPLES / "se3gnn_v2.yaml")
    training = config.training
    assert config.model.name == "se3gnn-v2"
    assert config.model.hyperparameters.items() <= parameters_of("se3gnn-v2").items()
    assert (training.label_noise, training.weight_averaging) == (0, 0)
    assert training.gradient_clip is None
    assert training.schedule.name == "steps"
    assert training.optimiser.name == "adam"
    assert training.optimiser.lr == 1e-3
    assert training.optimiser.betas == (0.99, 0.999)
    assert training.optimiser.weight_decay == 1e-7
    assert training.epochs == 100
    assert training.batch_size == 1


_TRAININGS = [
    *_EXAMPLES.glob("*.yaml"),
    *_EXAMPLES.parent.glob("few_configurations/network*.yaml"),
    *_EXAMPLES.parent.glob("many_times/train_*.yaml"),
]


@pytest.mark.parametrize("path", sorted(_TRAININGS), ids=lambda p: p.stem)
def test_examples_are_valid(path: Path) -> None:
    config = load_config(path)
    assert config.output == Path("runs") / path.stem


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("training.schedule.milestones=[3]", "steps"),
        ("training.schedule.gamma=0.1", "steps"),
        ("training.epochs=3", "cosine"),
    ],
)
def test_milestones_stand_for_steps(override: str, name: str) -> None:
    assert _parsed(override).training.schedule.name == name


def test_there_are_examples() -> None:
    found = {path.stem for path in _TRAININGS}
    assert {"botan_small", "se3gnn_v2", "network", "train_short", "train_long"} <= found


def test_overrides_are_yaml_values_in_dotted_fields() -> None:
    config = _parsed(
        "training.optimiser.lr=1e-2",  # which YAML reads as a string
        "data.scalars=[potential_energy]",
        "training.early_stopping.patience=3",
        "model.channels=4",
        "training.schedule.milestones=[]",
    )
    assert config.training.optimiser.lr == 1e-2
    assert config.data.scalars == ("potential_energy",)
    assert config.training.early_stopping is not None
    assert config.training.early_stopping.patience == 3
    assert config.model.hyperparameters == {"channels": 4}
    assert config.training.schedule.milestones == ()


def test_overrides_leave_the_given_values_alone() -> None:
    values = {"data": {"train": "a.h5"}}
    apply_overrides(values, ["data.train=b.h5"])
    assert values == {"data": {"train": "a.h5"}}


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("training.epoch=3", ["training.epoch", "did you mean 'epochs'", "batch_size"]),
        ("training.epochs=-1", ["training.epochs", "greater than 0", "-1"]),
        ("training.epochs=many", ["training.epochs", "a whole number", "'many'"]),
        ("training.monitor=r2", ["training.monitor", "'pearson_mean'", "'r2'"]),
        ("training.standardise=3", ["training.standardise", "true or false", "3"]),
        ("training.devices=0", ["training.devices", "positive number of devices or auto", "0"]),
        ("training.devices=true", ["training.devices", "positive number of devices", "True"]),
        ("training.seed=5000000000", ["training.seed", "4294967295", "5000000000"]),
        ("training.early_stopping=3", ["training.early_stopping", "patience", "3"]),
        ("training.schedule.milestones=[5, 3]", ["training.schedule.milestones", "increasing"]),
        ("training.species_weight={A: -1}", ["training.species_weight.A", "-1"]),
        ("data.validation=2", ["data.validation", "a fraction", "found 2"]),
        ("data.validation=[]", ["data.validation", "list of names", "found []"]),
        ("data.train=null", ["data.train", "path of an HDF5 dataset", "None"]),
        ("data=null", ["data.train", "needed", "path of an HDF5 dataset"]),
        ("data.scalars=[a, a]", ["data.scalars", "different names"]),
        ("trainin.epochs=3", ["trainin", "did you mean 'training'"]),
        ("model.name=se3gnn-v", ["model.name", "se3gnn-v1", "did you mean 'se3gnn-v"]),
        ("model.chanels=4", ["model: expected", "'chanels'", "did you mean 'channels'", "l_max"]),
        ("model.times=[1]", ["model.times", "comes from the dataset"]),
        ("model.scalar_inputs=[a]", ["model.scalar_inputs", "data.scalars"]),
        ("training.epochs", ["'training.epochs'", "section.field=value"]),
        ("=3", ["section.field=value"]),
        ("training.epochs=[", ["YAML", "training.epochs"]),
        ("data.train.x=3", ["data.train", "expected a section with fields"]),
    ],
)
def test_a_mistake_is_named_with_what_is_accepted(override: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        _parsed(override)
    for part in parts:
        assert part in str(error.value)
    assert "pydantic" not in str(error.value)


def test_every_mistake_has_its_line() -> None:
    with pytest.raises(ConfigError) as error:
        _parsed("training.epochs=0", "training.batch_size=0")
    lines = str(error.value).splitlines()
    assert [line.split(":")[1].strip() for line in lines] == [
        "training.epochs",
        "training.batch_size",
    ]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "found an empty file"),
        ("- 1", "sections"),
        ("data: [", "expected YAML"),
        ("\xff", "utf-8"),
        ("output: a\noutput: b", "'output' is set twice.*line 2"),
        ("a: &x 1\noutput: *x", r"references are not supported \(\*x\).*line 2"),
        ("output: !!python/object/apply:os.system [true]", "tags are not supported"),
        ("output: " + "[" * 5000, "nested too deeply"),
        ("training: {epochs: " + "9" * 5000 + "}", "digits"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"c\.yaml: .*" + part):
        load_config(path)


def test_a_date_is_text(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {train: a.h5}\noutput: 2026-11-30\n")
    assert load_config(path).output == Path("2026-11-30")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot read"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_written_configuration_reads_back(tmp_path: Path) -> None:
    config = _parsed("model.channels=4", "data.validation=[x]", "output=runs/x")
    write_yaml(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config

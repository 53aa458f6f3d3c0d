"""Configurations that are left out of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassml.errors import ConfigError
from glassml.training.split import open_split
from glassml.training.train_config import DataConfig


def names(dataset: Path, **settings: object) -> tuple[list[str], list[str]]:
    split = open_split(DataConfig(train=dataset, **settings))
    return [s.name for s in split.train], [s.name for s in split.validation]


def test_what_is_left_out_is_on_neither_side(dataset: Path) -> None:
    train, validation = names(dataset, exclude=["sample_1", "sample_6"], validation=["sample_0"])
    assert train == ["sample_2", "sample_3", "sample_4", "sample_5", "sample_7"]
    assert validation == ["sample_0"]


def test_a_fraction_is_of_the_rest(dataset: Path) -> None:
    train, validation = names(dataset, exclude=["sample_0", "sample_1"], validation=0.5)
    assert (len(train), len(validation)) == (3, 3)
    assert not {"sample_0", "sample_1"} & {*train, *validation}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exclude": ["x"]}, "data.exclude: expected the name of one configuration .*'x'"),
        (
            {"exclude": [f"sample_{k}" for k in range(8)]},
            "data.exclude: .*the names of some",
        ),
        (
            {"exclude": ["sample_1"], "validation": ["sample_1"]},
            "data.validation: expected the name .*'sample_1'",
        ),
    ],
)
def test_mistakes_are_explained(dataset: Path, settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        names(dataset, **settings)

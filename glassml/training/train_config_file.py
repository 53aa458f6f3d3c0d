"""Reading, checking and writing the configuration of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glassml.errors import ConfigError
from glassml.models import available, parameters_of
from glassml.settings import apply_overrides, close_match, read_yaml, validated
from glassml.training.train_config import FROM_DATA, TrainConfig

__all__ = ["load_config", "parse_config"]


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """The checked configuration of a YAML file.

    Args:
        path: YAML file with the sections of `TrainConfig`.
        overrides: ``section.field=value`` each; the value is read as YAML.

    Raises:
        ConfigError: the file cannot be read, or a field is unknown or has a wrong value.
    """
    values = apply_overrides(read_yaml(path, TrainConfig), overrides, "training.epochs=20")
    config = parse_config(values, source=str(path))
    if config.output is None:
        config = config.model_copy(update={"output": Path("runs") / Path(path).stem})
    return config


def parse_config(values: Mapping[str, Any], source: str = "configuration") -> TrainConfig:
    """Check nested values and fill in the defaults.

    Args:
        values: nested mappings with the fields of `TrainConfig`.
        source: where they come from, for messages.

    Raises:
        ConfigError: a field is unknown, missing or has a wrong value; one line for each.
    """
    config = validated(TrainConfig, values, source)
    _check_model(config, source)
    return config


def _check_model(config: TrainConfig, source: str) -> None:
    name, given = config.model.name, config.model.hyperparameters
    if name not in available():
        raise ConfigError(
            f"{source}: model.name: expected one of {', '.join(available())}; found {name!r}"
            f"{close_match(name, available())}"
        )
    known = [key for key in parameters_of(name) if key not in FROM_DATA]
    for key in given:
        if key in FROM_DATA:
            where = "data.scalars" if key == "scalar_inputs" else "the dataset"
            raise ConfigError(f"{source}: model.{key}: not a setting; it comes from {where}")
        if key not in known:
            raise ConfigError(
                f"{source}: model.{key}: {name} has no such hyperparameter"
                f"{close_match(key, known)}; it has {', '.join(known)}"
            )

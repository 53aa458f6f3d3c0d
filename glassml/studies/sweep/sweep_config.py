"""The settings of `glassml sweep`, with accepted values and defaults."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeInt, PositiveFloat

from glassml.errors import ConfigError
from glassml.settings import apply_overrides, read_yaml, validated
from glassml.training import TrainConfig
from glassml.work import ClusterConfig

__all__ = ["SweepConfig", "load_sweep_config", "parse_sweep_config"]


def _different(value: Any) -> Any:
    if isinstance(value, list | tuple) and len({repr(v) for v in value}) != len(value):
        raise ValueError("expected different values")
    return value


def _values(value: Any) -> Any:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("expected a list of one or more values")
    return _different(value)


_Sizes = Annotated[
    tuple[Annotated[int, Field(ge=1, strict=True)], ...],
    BeforeValidator(_values),
]
_Seed = Annotated[int, Field(ge=0, le=2**32 - 1, strict=True)]


class SweepConfig(BaseModel):
    """A sweep: many training runs that differ in some settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    base: dict[str, Any] = Field(
        description="sections of a training configuration, or the path of a file that holds them"
    )
    axes: dict[str, Annotated[list[Any], BeforeValidator(_values)]] = Field(
        default={},
        description="dotted settings of the training configuration, each with a list of values",
    )
    combine: Literal["separate", "product"] = Field(
        default="separate",
        description="`separate`: change one setting of the base at a time (ablation); `product`: "
        "all combinations",
    )
    variants: dict[str, dict[str, Any]] = Field(
        default={}, description="named groups of dotted settings that are changed together"
    )
    seeds: Annotated[tuple[_Seed, ...], BeforeValidator(_values)] = Field(
        default=(0,), description="values of `training.seed`"
    )
    folds: Annotated[int, Field(ge=2, strict=True)] | None = Field(
        default=None,
        description="cross-validation: number of parts, each of which is held out in turn; null: "
        "`data.validation` of the base is held out",
    )
    fold_seed: NonNegativeInt = Field(
        default=0,
        description="seed of the random choice of the folds, and of the configurations of `sizes`",
    )
    sizes: _Sizes | None = Field(
        default=None,
        description="learning curve: numbers of training configurations. Smaller sets are parts "
        "of larger ones, and each seed draws its own; null: all configurations",
    )
    epoch: Literal["last", "best"] = Field(
        default="last",
        description="epoch that table and picture show, `last` or `best`; the CSV files have "
        "both. `best` was chosen on the held-out configurations, so its coefficients are too high; "
        "those of `last` are free of any selection",
    )
    species: str | None = Field(
        default=None, description="species that table and picture show; null: the first"
    )
    time: PositiveFloat | None = Field(
        default=None,
        description="time [time] that table and picture show; null: average over all times",
    )
    cluster: ClusterConfig | None = Field(
        default=None,
        description="where trainings run with Dask; null: on this machine without Dask",
    )
    output: Path | None = Field(default=None, description="folder; null: `runs/<name of the file>`")


def load_sweep_config(path: str | Path, overrides: Sequence[str] = ()) -> SweepConfig:
    """The checked configuration of a sweep file.

    Args:
        path: YAML file with the fields of `SweepConfig`.
        overrides: ``field=value`` each, such as ``base.training.epochs=5``.

    Raises:
        ConfigError: a file cannot be read, or a field is unknown or has a wrong value.
    """
    values = read_yaml(path, SweepConfig)
    base = values.get("base")
    if isinstance(base, str):
        values = {**values, "base": read_yaml(base, TrainConfig)}
    config = parse_sweep_config(apply_overrides(values, overrides, "folds=5"), str(path))
    if config.output is None:
        config = config.model_copy(update={"output": Path("runs") / Path(path).stem})
    return config


def parse_sweep_config(values: dict[str, Any], source: str = "sweep") -> SweepConfig:
    """Check nested values and fill in the defaults.

    Args:
        values: nested mappings with the fields of `SweepConfig`.
        source: where they come from, for messages.

    Raises:
        ConfigError: a field is unknown, missing or has a wrong value; one line for each.
    """
    config = validated(SweepConfig, values, source)
    reserved = {
        "output": "The sweep gives each run its folder",
        "training.seed": "List seeds in the field seeds",
        "training.devices": "Runs of a sweep use one device each",
        "data.validation": "Set it in base, or ask for folds",
        "data.exclude": "Give numbers of configurations in the field sizes",
        "data.train": "All runs of a sweep use the same data. Write another sweep",
    }
    places = [("axes", config.axes)]
    places += [(f"variants.{name}", fields) for name, fields in config.variants.items()]
    for place, fields in places:
        for name in fields:
            if name in reserved:
                raise ConfigError(
                    f"{source}: {place}: expected settings that can vary; found {name!r}. "
                    f"{reserved[name]}"
                )
    return config

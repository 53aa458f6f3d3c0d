"""From a sweep's configuration to its training runs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassml.errors import ConfigError, not_one_of
from glassml.models import build
from glassml.physics import column_of
from glassml.settings import with_fields
from glassml.studies.sweep.sweep_config import SweepConfig
from glassml.studies.sweep.sweep_runs import training_task
from glassml.training import TrainConfig, parse_config
from glassml.training.split import Split, open_split
from glassml.work import Task

__all__ = ["BASE", "Plan", "Point", "Variant", "plan"]

BASE = "base"


@dataclass(frozen=True)
class Variant:
    """Settings that a sweep compares.

    Attributes:
        name: name in tables.
        axis: the setting that differs from the base; None if it is not exactly one of the axes.
        value: value of that setting.
        fields: dotted settings that replace those of the base.
    """

    name: str
    axis: str | None
    value: Any
    fields: dict[str, Any]


@dataclass(frozen=True)
class Point:
    """One training run.

    Attributes:
        task: trains and predicts; points whose tasks have the same key share one run.
        variant: name of the settings.
        size: number of training configurations.
        asked: the number that the sweep asks for; None: all configurations of the fold.
        seed: seed of the training.
        fold: index of the part that is held out, from 0.
        config: configuration of the run, without its folder.
    """

    task: Task
    variant: str
    size: int
    asked: int | None
    seed: int
    fold: int
    config: TrainConfig

    @property
    def key(self) -> str:
        """Hash of everything that decides the outcome; the name of the run's folder."""
        return self.task.key

    def __str__(self) -> str:
        return f"{self.variant}, {self.size} configurations, seed {self.seed}, fold {self.fold + 1}"


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep, in order.

    Attributes:
        variants: the settings that are compared.
        points: runs; several may have the same key.
        species: names of the species of the data.
        times: times [time] of the labels.
        time_unit: how their unit is written; "" if it has none, or it is unknown.
        folds: number of folds, 1 if there is no cross-validation.
    """

    variants: tuple[Variant, ...]
    points: tuple[Point, ...]
    species: tuple[str, ...]
    times: tuple[float, ...]
    time_unit: str
    folds: int


def plan(config: SweepConfig, source: str = "sweep") -> Plan:
    """The runs of a sweep, with the settings of each checked.

    Args:
        config: the sweep.
        source: where it comes from, for messages.

    Raises:
        ConfigError: a setting is unknown, has a wrong value or does not fit the data.
        InputError: the data cannot be read.
    """
    variants = _variants(config)
    base = _parsed(config, {}, f"{source}: base")
    if base.training.devices != 1:
        raise ConfigError(
            f"{source}: base.training.devices: expected 1 in a sweep; found "
            f"{base.training.devices}. Use -j for more"
        )
    split = open_split(base.data)
    checksums = {base.data.reversed: _checksums(split)}
    folds = list(_folds(config, base, source))
    points = []
    for variant in variants:
        parsed = _parsed(config, variant.fields, f"{source}: {variant.name}")
        _check_model(parsed, split.species, split.times, f"{source}: {variant.name}")
        if parsed.data.reversed not in checksums:
            checksums[parsed.data.reversed] = _checksums(open_split(parsed.data))
        for fold, held_out in enumerate(folds):
            for seed in config.seeds:
                for size, exclude in _subsets(config, held_out, fold, seed, source):
                    run = _run_config(parsed, seed, held_out, exclude)
                    asked = size if config.sizes else None
                    task = training_task(run, checksums[parsed.data.reversed])
                    points.append(Point(task, variant.name, size, asked, seed, fold, run))
    _check_shown(config, split.species, split.times, source)
    # The most informative runs come first: every setting once, then further folds and seeds.
    points.sort(key=lambda point: (config.seeds.index(point.seed), point.fold))
    return Plan(
        tuple(variants), tuple(points), split.species, split.times, split.time_unit, len(folds)
    )


@dataclass(frozen=True)
class _HeldOut:
    """The configurations that a fold holds out (None: a separate dataset), and all others."""

    names: tuple[str, ...] | None
    pool: tuple[str, ...]


def _variants(config: SweepConfig) -> list[Variant]:
    axes = config.axes
    found = [Variant(BASE, None, None, {})]
    if config.combine == "separate":
        for name, values in axes.items():
            found += [Variant(f"{name}={_text(v)}", name, v, {name: v}) for v in values]
    elif axes:
        found = []
        for combination in itertools.product(*axes.values()):
            fields = dict(zip(axes, combination, strict=True))
            name = ", ".join(f"{key}={_text(value)}" for key, value in fields.items())
            found.append(Variant(name, None, None, fields))
    found += [Variant(name, None, None, fields) for name, fields in config.variants.items()]
    names = [variant.name for variant in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"variants: expected different names; found {twice!r} twice")
    return found


def _checksums(split: Split) -> list[str]:
    """Checksums of the data files; keys contain these, so they do not depend on paths."""
    return [dataset.sha256 for dataset in split.datasets]


def _text(value: Any) -> str:
    return json.dumps(value, default=str) if not isinstance(value, str) else value


def _parsed(config: SweepConfig, fields: dict[str, Any], source: str) -> TrainConfig:
    return parse_config(with_fields(config.base, fields), source)


def _check_model(
    config: TrainConfig, species: Sequence[str], times: Sequence[float], source: str
) -> None:
    """Build the model once, so that a wrong value is reported before hours of training."""
    try:
        build(
            config.model.name,
            species=species,
            times=times,
            scalar_inputs=config.data.scalars,
            **config.model.hyperparameters,
        )
    except ConfigError as error:
        raise ConfigError(f"{source}: model.{error}") from None


def _check_shown(
    config: SweepConfig, species: Sequence[str], times: Sequence[float], source: str
) -> None:
    if config.species is not None and config.species not in species:
        raise ConfigError(f"{source}: species: {not_one_of(config.species, species)}")
    if config.time is not None and column_of(config.time, times) is None:
        shown = ", ".join(f"{t:g}" for t in times)
        raise ConfigError(f"{source}: time: expected one of {shown}; found {config.time:g}")


def _folds(config: SweepConfig, base: TrainConfig, source: str) -> Iterator[_HeldOut]:
    split = open_split(base.data)
    train = tuple(s.name for s in split.train)
    validation = tuple(s.name for s in split.validation)
    own_file = isinstance(base.data.validation, str)
    if config.folds is None:
        yield _HeldOut(None if own_file else validation, train)
        return
    if own_file:
        raise ConfigError(
            f"{source}: folds: expected null, as base.data.validation is a separate dataset; found "
            f"{config.folds}. Remove one of the two"
        )
    # In the order of the file: the fraction that the base draws does not matter.
    names = [n for d in split.datasets for n in d.names if n in {*train, *validation}]
    if config.folds > len(names):
        raise ConfigError(
            f"{source}: folds: expected at most {len(names)}, the number of configurations; found "
            f"{config.folds}"
        )
    order = np.random.default_rng(config.fold_seed).permutation(len(names))
    for fold in range(config.folds):
        chosen = {names[i] for i in order[fold :: config.folds]}
        yield _HeldOut(
            tuple(n for n in names if n in chosen), tuple(n for n in names if n not in chosen)
        )


def _subsets(
    config: SweepConfig, held_out: _HeldOut, fold: int, seed: int, source: str
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each size of the training set, with the names that it leaves out; the sets are nested."""
    pool = held_out.pool
    order = np.random.default_rng([config.fold_seed, seed, fold]).permutation(len(pool))
    for size in config.sizes or (len(pool),):
        if size > len(pool):
            raise ConfigError(
                f"{source}: sizes: expected at most {len(pool)}, the number to train on"
                f"{f' in fold {fold + 1}' if config.folds else ''}; found {size}"
            )
        left_out = {pool[i] for i in order[size:]}
        yield size, tuple(name for name in pool if name in left_out)


def _run_config(
    parsed: TrainConfig, seed: int, held_out: _HeldOut, exclude: tuple[str, ...]
) -> TrainConfig:
    changes: dict[str, Any] = {"exclude": (*parsed.data.exclude, *exclude)}
    if held_out.names is not None:
        changes["validation"] = held_out.names
    return parsed.model_copy(
        update={
            "data": parsed.data.model_copy(update=changes),
            "training": parsed.training.model_copy(update={"seed": seed}),
            "output": None,
        }
    )

"""The configurations that a run trains on, and those that it validates on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassml.data import REVERSED_FROM, Configuration, Dataset, units_of
from glassml.errors import ConfigError, InputError
from glassml.physics import same_times
from glassml.training.train_config import DataConfig

__all__ = ["ConfigurationSource", "Split", "check_fits", "check_new_positions", "open_split"]


@dataclass(frozen=True)
class ConfigurationSource:
    """One configuration of one dataset, read when it is needed."""

    dataset: Dataset
    index: int

    @property
    def name(self) -> str:
        """Name of the configuration in its file."""
        return self.dataset.names[self.index]

    def read(self, final_positions: bool = False) -> Configuration:
        """The configuration; with the final positions of its runs if they are asked for."""
        return self.dataset.read(self.index, final_positions=final_positions)

    @property
    def checksum(self) -> str:
        """Checksum of its contents as stored in the file; nothing else is read."""
        return self.dataset.checksum(self.name)

    @property
    def reversed_from(self) -> str | None:
        """Hash of the positions that a reversed run started from; None for other configurations."""
        return self.dataset.reversed_from(self.name)

    @property
    def n_windows(self) -> int:
        """Number of windows that it has averaged positions of, but at least 1."""
        return max(self.dataset.n_windows(self.name), 1)

    def __str__(self) -> str:
        return f"{self.dataset.path}: configuration {self.name!r}"


@dataclass(frozen=True)
class Split:
    """The configurations to train on and those to validate on, and what they have in common."""

    train: tuple[ConfigurationSource, ...]
    validation: tuple[ConfigurationSource, ...]
    species: tuple[str, ...]
    times: tuple[float, ...]
    length_unit: str
    reversed: tuple[ConfigurationSource, ...] = ()

    @property
    def datasets(self) -> list[Dataset]:
        """The files behind the configurations, each once."""
        sources = (*self.train, *self.validation, *self.reversed)
        return list({s.dataset.path: s.dataset for s in sources}.values())

    @property
    def time_unit(self) -> str:
        """How the unit of ``times`` is written; "" if it has none, or it is unknown."""
        return units_of(self.train[0].dataset).time


def open_split(config: DataConfig) -> Split:
    """Open the datasets and decide which configurations are for training.

    Raises:
        InputError: a file cannot be read or holds no labels.
        ConfigError: the validation set is empty or takes everything, a configuration occurs
            twice, one to exclude does not exist, or a reversed run is not in ``data.reversed``.
    """
    train = [s for path in config.train for s in _sources(path)]
    train = _without(train, config.exclude)
    if isinstance(config.validation, str):
        validation = _sources(config.validation)
    elif isinstance(config.validation, float):
        train, validation = _drawn(train, config.validation, config.split_seed)
    else:
        train, validation = _named(train, config.validation)
    _check_apart(train, validation)
    _check_no_runs("data.train", train)
    _check_no_runs("data.validation", validation)
    first = train[0].read()
    if first.times is None:
        raise InputError(f"{train[0]}: expected labels (times and propensity); found none")
    times = tuple(float(t) for t in first.times)
    return Split(
        tuple(train),
        tuple(validation),
        first.species_names,
        times,
        first.length_unit,
        _reversed_from(train, config),
    )


def check_fits(
    source: ConfigurationSource, configuration: Configuration, split: Split, scalars: Sequence[str]
) -> None:
    """Check that a configuration has labels, times, species, unit and scalars as the run needs.

    Raises:
        InputError: it differs from the first training configuration or lacks one of the scalars.
    """
    if configuration.propensity is None or configuration.times is None:
        raise InputError(f"{source}: expected labels (times and propensity); found none")
    times = tuple(configuration.times.tolist())
    facts = (
        ("times", split.times if same_times(times, split.times) else times, split.times),
        ("species", configuration.species_names, split.species),
        ("length unit", configuration.length_unit, split.length_unit),
    )
    for what, found, expected in facts:
        if found != expected:
            raise InputError(
                f"{source}: {what}: expected {_text(expected)} as in {split.train[0]}; "
                f"found {_text(found)}. All configurations of a run need the same"
            )
    for name in scalars:
        if name not in configuration.scalars:
            raise InputError(
                f"{source}: data.scalars: expected names of per-particle scalars of the dataset "
                f"({', '.join(configuration.scalars) or 'it has none'}); found {name!r}"
            )


def check_new_positions(
    source: ConfigurationSource, configuration: Configuration, seen: dict[str, ConfigurationSource]
) -> None:
    """Refuse positions that another configuration also has.

    Their checksums may still differ: one of the two may hold more energies, inherent positions or
    predictions, or labels from other runs.

    Raises:
        ConfigError: ``seen``, to which this configuration is added, has these positions.
    """
    first = seen.setdefault(configuration.positions_sha256, source)
    if first is not source:
        raise ConfigError(
            f"data: expected every configuration once, on one side only; found {source} with the "
            f"positions of {first}"
        )


def _reversed_from(
    train: Sequence[ConfigurationSource], config: DataConfig
) -> tuple[ConfigurationSource, ...]:
    """The reversed runs that started from training configurations; others would leak labels.

    Raises:
        ConfigError: none of them is, or a configuration is not a reversed run.
    """
    sources = [s for path in config.reversed for s in _sources(path)]
    starts = {s.read().positions_sha256 for s in train} if sources else set()
    kept = []
    for source in sources:
        start = source.reversed_from
        if start is None:
            raise ConfigError(
                f"data.reversed: {source}: expected a dataset of `glassml data reverse`; found "
                f"a configuration without {REVERSED_FROM!r} in its provenance"
            )
        if start in starts:
            kept.append(source)
    if sources and not kept:
        raise ConfigError(
            f"data.reversed: expected runs that started from configurations of data.train; found "
            f"{len(sources)} from others"
        )
    return tuple(kept)


def _check_no_runs(field: str, sources: Sequence[ConfigurationSource]) -> None:
    """Refuse reversed runs among ordinary configurations, where they could leak labels."""
    for source in sources:
        if source.reversed_from is not None:
            raise ConfigError(
                f"{field}: expected no reversed runs, which contain the labels of the "
                f"configurations that they started from; found {source}. Give the dataset of "
                "`glassml data reverse` as data.reversed, where runs of held-out configurations "
                "are left out"
            )


def _sources(path: str | Path) -> list[ConfigurationSource]:
    dataset = Dataset(path)
    if not len(dataset):
        raise InputError(f"{path}: expected configurations; found none")
    return [ConfigurationSource(dataset, index) for index in range(len(dataset))]


def _check_apart(
    train: Sequence[ConfigurationSource], validation: Sequence[ConfigurationSource]
) -> None:
    """Refuse a configuration that occurs twice, whatever its names and files."""
    seen: dict[str, ConfigurationSource] = {}
    for source in train:
        first = seen.setdefault(source.checksum, source)
        if first is not source:
            raise ConfigError(
                f"data.train: expected every configuration once; found {source} with the data of "
                f"{first}"
            )
    for source in validation:
        if source.checksum in seen:
            raise ConfigError(
                f"data.validation: expected configurations that are not trained on; found {source} "
                f"with the data of {seen[source.checksum]}. Give others, or a fraction such as 0.2 "
                "of the training data"
            )


def _drawn(
    sources: Sequence[ConfigurationSource], fraction: float, seed: int
) -> tuple[list[ConfigurationSource], list[ConfigurationSource]]:
    number = max(1, round(fraction * len(sources)))
    if number >= len(sources):
        raise ConfigError(
            f"data.validation: a fraction of {fraction:g} of {len(sources)} configuration(s) "
            "leaves none to train on; expected at least one for each"
        )
    chosen = set(np.random.default_rng(seed).permutation(len(sources))[:number].tolist())
    rest = [s for i, s in enumerate(sources) if i not in chosen]
    return rest, [sources[i] for i in sorted(chosen)]


def _named(
    sources: Sequence[ConfigurationSource], names: Sequence[str]
) -> tuple[list[ConfigurationSource], list[ConfigurationSource]]:
    _check_names("data.validation", sources, names)
    validation = [s for s in sources if s.name in names]
    if len(validation) == len(sources):
        raise ConfigError(
            "data.validation: expected the names of some configurations; found all, with none left "
            "to train on"
        )
    return [s for s in sources if s.name not in names], validation


def _without(
    sources: Sequence[ConfigurationSource], names: Sequence[str]
) -> list[ConfigurationSource]:
    _check_names("data.exclude", sources, names)
    rest = [s for s in sources if s.name not in names]
    if not rest:
        raise ConfigError(
            "data.exclude: expected the names of some configurations; found all, with none left to "
            "train on"
        )
    return rest


def _check_names(field: str, sources: Sequence[ConfigurationSource], names: Sequence[str]) -> None:
    known = [s.name for s in sources]
    for name in names:
        if known.count(name) != 1:
            listed = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
            raise ConfigError(
                f"{field}: expected the name of one configuration of data.train ({listed}); "
                f"found {name!r}, which {known.count(name)} of them have"
            )


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)

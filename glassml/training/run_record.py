"""What a run records: its data, and the training record of its model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from glassml.provenance import (
    DataFile,
    ReversedRuns,
    Side,
    SplitSettings,
    TrainingRecord,
)
from glassml.scores import Score
from glassml.training.data_module import DataModule
from glassml.training.pearson_metric import metric_name
from glassml.training.split import Split
from glassml.training.train_config import TrainConfig, TrainingConfig

__all__ = ["RunData", "run_record", "with_results"]

_KINDS: tuple[Literal["all", "mean"], ...] = ("all", "mean")


class RunData(BaseModel):
    """Which data a run uses: contents of ``data.json``.

    Attributes:
        files: the datasets.
        train: names of the configurations to train on.
        validation: names of those to validate on.
        reversed: names of the reversed runs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: tuple[DataFile, ...]
    train: tuple[str, ...]
    validation: tuple[str, ...]
    reversed: tuple[str, ...] = ()

    @classmethod
    def of(cls, split: Split) -> RunData:
        """The data of a split."""
        return cls(
            files=_data_files(split),
            train=tuple(source.name for source in split.train),
            validation=tuple(source.name for source in split.validation),
            reversed=tuple(source.name for source in split.reversed),
        )

    def same_as(self, other: RunData) -> bool:
        """Whether files and configurations are the same; earlier versions noted no roles."""
        return self._without_roles() == other._without_roles()

    def _without_roles(self) -> RunData:
        files = tuple(file.model_copy(update={"role": None}) for file in self.files)
        return self.model_copy(update={"files": files})


def run_record(config: TrainConfig, data: DataModule, versions: dict[str, str]) -> TrainingRecord:
    """The record of a run before its first epoch.

    Args:
        config: of the run.
        data: prepared, so that it knows its configurations.
        versions: package -> its version.
    """
    split, validation = data.split, config.data.validation
    starts = dict.fromkeys(str(data.known[source].reversed_from) for source in split.reversed)
    runs = ReversedRuns(number=len(split.reversed), starts=tuple(starts)) if starts else None
    return TrainingRecord(
        data=_data_files(split),
        train=Side.of(data.known[source] for source in split.train),
        validation=Side.of(data.known[source] for source in split.validation),
        reversed_runs=runs,
        split=SplitSettings(
            # The file name alone, as for the datasets: the model goes to other machines.
            validation=Path(validation).name if isinstance(validation, str) else validation,
            split_seed=config.data.split_seed,
        ),
        origin=data.origins.summary(),
        recipe=_recipe(config.training),
        versions=versions,
    )


def _recipe(training: TrainingConfig) -> dict[str, Any]:
    """The settings; of a run that the training began with, the name alone."""
    recipe = training.model_dump(mode="json")
    if training.start_from is not None:
        recipe["start_from"] = training.start_from.name
    return recipe


def with_results(
    record: TrainingRecord,
    epoch: int,
    metrics: Mapping[str, float],
    species: Sequence[str],
    times: Sequence[float],
) -> TrainingRecord:
    """The record of a run after an epoch.

    Args:
        record: the record before the epoch.
        epoch: counted from 1.
        metrics: of that epoch by their names in the run (`metric_name`), those that are finite.
        species: names of the species.
        times: times [time] of the labels.
    """

    def side(before: Side, stage: str) -> Side:
        named = {
            (kind, name, time): metrics.get(metric_name(stage, kind, name, time), math.nan)
            for kind in _KINDS
            for name in species
            for time in times
        }
        scores = tuple(
            Score(species=name, time=time, kind=kind, value=value)
            for (kind, name, time), value in named.items()
            if math.isfinite(value)
        )
        losses = {name: metrics.get(f"{stage}/{name}") for name in ("loss", "weighted_loss")}
        return before.model_copy(update={**losses, "scores": scores})

    return record.model_copy(
        update={
            "epoch": epoch,
            "train": side(record.train, "train"),
            "validation": side(record.validation, "validation"),
        }
    )


def _data_files(split: Split) -> tuple[DataFile, ...]:
    runs = {source.dataset.path for source in split.reversed}
    return tuple(
        DataFile.of(dataset, "reversed runs" if dataset.path in runs else "configurations")
        for dataset in split.datasets
    )

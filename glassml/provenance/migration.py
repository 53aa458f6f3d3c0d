"""Conversion of records of format 1, from model files and checkpoints.

The classes below list every entry that glassml ever wrote. Entries of other names become notes.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from glassml.data import REVERSED_FROM
from glassml.provenance.accuracy import Accuracy
from glassml.provenance.parts import (
    DataFile,
    KnownConfiguration,
    ReversedRuns,
    RidgeFit,
    Role,
    Side,
    SplitSettings,
)
from glassml.provenance.record import NetworkRecord, OriginValue, TrainingRecord
from glassml.scores import Score

__all__ = ["is_accuracy_of_version_1", "migrated_accuracy", "migrated_training"]

# "validation/loss", "validation/pearson_mean" (the mean over times of the first species) or
# "validation/pearson_mean/A/t=0.5".
_METRIC = re.compile(
    r"^(?P<stage>train|validation|cross-validated)/"
    r"(loss|pearson_(?P<kind>all|mean)(/(?P<species>.+)/t=(?P<time>[-+.e\d]+))?)$"
)

_KINDS: dict[str, Literal["all", "mean"]] = {"all": "all", "mean": "mean"}


def migrated_training(values: Any) -> TrainingRecord:
    """The record that corresponds to the entry ``training`` of a manifest of format 1.

    Args:
        values: the entry as JSON has it. A checkpoint of format 1 has the same entries.

    Raises:
        ValidationError: an entry has another form.
    """
    return _Training.model_validate(values).record()


def migrated_accuracy(values: Any) -> Accuracy:
    """The accuracy that corresponds to its form in format 1; the kind of its errors is unknown.

    Raises:
        ValidationError: an entry is unknown or has another form.
    """
    return _Accuracy.model_validate(values).accuracy()


def is_accuracy_of_version_1(values: Any) -> bool:
    """Whether an accuracy has the form of format 1."""
    return isinstance(values, dict) and "pearson" in values


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Coefficient(_Entry):
    species: str
    time: float
    kind: Literal["all", "mean"]
    value: float = Field(ge=-1, le=1)
    error: float | None = Field(default=None, ge=0)

    def score(self) -> Score:
        kind: Literal["unspecified"] | None = None if self.error is None else "unspecified"
        return Score(**self.model_dump(), error_kind=kind)


class _Accuracy(_Entry):
    protocol: str
    pearson: tuple[_Coefficient, ...]

    def accuracy(self) -> Accuracy:
        return Accuracy(protocol=self.protocol, scores=tuple(c.score() for c in self.pearson))


class _DataFile(_Entry):
    file: str
    sha256: str
    configurations: int

    def data_file(self, role: Role | None) -> DataFile:
        return DataFile(**self.model_dump(), role=role)


class _Network(_Entry):
    file: str
    n_parameters: int
    times: tuple[float, ...]
    training: _Training

    def record(self) -> NetworkRecord:
        return NetworkRecord(
            file=self.file,
            n_parameters=self.n_parameters,
            times=self.times,
            training=self.training.record(),
        )


class _Training(_Entry):
    """Entries of a training run, of a refit (from ``reversed_data`` on), and of a committee.

    In a committee, ``members`` holds the entries of each member; entries that all share stand
    beside it. People could add entries of their own. These become notes: they must not make a file
    useless.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    data: tuple[_DataFile, ...] = ()
    train_configurations: int | None = None
    reversed_runs: int = 0
    validation_configurations: int | None = None
    train: tuple[str, ...] | None = None
    validation: tuple[str, ...] | None = None
    split: SplitSettings | None = None
    origin: dict[str, tuple[OriginValue, ...]] = {}
    recipe: RidgeFit | dict[str, Any] = Field(default={}, union_mode="left_to_right")
    versions: dict[str, str] = {}
    epoch: int | None = None
    metrics: dict[str, float | None] = {}  # None is JSON's NaN
    accuracy: _Accuracy | None = None
    reversed_data: _DataFile | None = None
    label_noise: float = 0.0
    network: _Network | None = None
    members: tuple[_Training, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> _Training:
        for field in ("train", "validation"):
            names, number = getattr(self, field), getattr(self, f"{field}_configurations")
            if names and number not in (None, len(names)):
                raise ValueError(
                    f"{field}_configurations: expected the number of names in {field} "
                    f"({len(names)}); found {number}"
                )
        return self

    def record(self) -> TrainingRecord:
        """The same as a record."""
        accuracy = None if self.accuracy is None else self.accuracy.accuracy()
        if self.members:
            members = tuple(self._with_what_is_shared(member).record() for member in self.members)
            return TrainingRecord(members=members, accuracy=accuracy, notes=self._notes())
        return TrainingRecord(
            data=self._data_files(),
            train=self._side("train", self.train, self.train_configurations),
            validation=self._side("validation", self.validation, self.validation_configurations),
            reversed_runs=self._runs(),
            split=self.split,
            origin=self._origin(),
            recipe={} if isinstance(self.recipe, RidgeFit) else self.recipe,
            ridge=self._ridge(),
            versions=self.versions,
            epoch=self.epoch,
            accuracy=accuracy or self._cross_validation(),
            network=None if self.network is None else self.network.record(),
            notes=self._notes(),
        )

    def _notes(self) -> dict[str, Any]:
        metrics = {k: v for k, v in self.metrics.items() if not _METRIC.match(k)}
        return {**(self.model_extra or {}), **({"metrics": metrics} if metrics else {})}

    def _with_what_is_shared(self, member: _Training) -> _Training:
        shared = self.model_fields_set - member.model_fields_set - {"members", "accuracy"}
        return member.model_copy(update={name: getattr(self, name) for name in shared})

    def _data_files(self) -> tuple[DataFile, ...]:
        """With their roles. Datasets of reversed runs came last; their number was not recorded."""
        roles: list[Role | None] = ["configurations"] * len(self.data)
        if self.reversed_runs and len(self.data) > 1:
            roles[1:] = [*([None] * (len(self.data) - 2)), "reversed runs"]
        files = [file.data_file(role) for file, role in zip(self.data, roles, strict=True)]
        if self.reversed_data is not None:
            files.append(self.reversed_data.data_file("reversed runs"))
        return tuple(files)

    def _side(self, stage: str, names: tuple[str, ...] | None, number: int | None) -> Side:
        loss = self.metrics.get(f"{stage}/loss")
        loss = loss if loss is not None and math.isfinite(loss) else None
        return Side(
            number=len(names or ()) if number is None else number,
            configurations=tuple(KnownConfiguration(name=name) for name in names or ()),
            # In this format the loss of training was always what was minimised.
            loss=None if stage == "train" else loss,
            weighted_loss=loss if stage == "train" else None,
            scores=self._scores(stage),
        )

    def _scores(self, stage: str) -> tuple[Score, ...]:
        found = ((_METRIC.match(name), value) for name, value in self.metrics.items())
        return tuple(
            Score(
                species=match["species"],
                time=float(match["time"]),
                kind=_KINDS[match["kind"]],
                value=value,
            )
            for match, value in found
            if match is not None
            and match["stage"] == stage
            and match["species"]
            and value is not None
            and math.isfinite(value)
        )

    def _runs(self) -> ReversedRuns | None:
        number = self.reversed_data.configurations if self.reversed_data else self.reversed_runs
        starts = tuple(str(value) for value in self.origin.get(REVERSED_FROM, ()))
        return ReversedRuns(number=number, starts=starts) if number else None

    def _origin(self) -> dict[str, tuple[OriginValue, ...]]:
        """Without the entries about reversed runs: their starts, and that each is one run."""
        origin = {key: values for key, values in self.origin.items() if key != REVERSED_FROM}
        if self.reversed_runs and "n_runs" in origin:
            origin["n_runs"] = tuple(number for number in origin["n_runs"] if number != 1)
        return origin

    def _ridge(self) -> RidgeFit | None:
        if not isinstance(self.recipe, RidgeFit):
            return None
        # Refits recorded it beside the recipe.
        noise = self.label_noise or self.recipe.label_noise
        return self.recipe.model_copy(update={"label_noise": noise})

    def _cross_validation(self) -> Accuracy | None:
        scores = self._scores("cross-validated")
        chosen_by = self.recipe.chosen_by if isinstance(self.recipe, RidgeFit) else None
        return Accuracy.cross_validated(chosen_by, scores) if scores else None

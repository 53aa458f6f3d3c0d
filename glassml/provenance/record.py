"""The record of a training, and what can be derived from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field, model_validator

from glassml.data import Dataset
from glassml.provenance.accuracy import Accuracy
from glassml.provenance.parts import (
    DataFile,
    Hyperplane,
    ImportedWeights,
    KnownConfiguration,
    Part,
    ReversedRuns,
    RidgeFit,
    Side,
    SplitSettings,
)

__all__ = ["NetworkRecord", "OriginValue", "TrainingRecord"]

OriginValue = str | int | float

_OF_THE_RUN = (
    "validation configurations of the training run, which also chose the epoch: slightly optimistic"
)


class TrainingRecord(Part):
    """How a model was trained. For an untrained model no field is set.

    For a committee only ``members`` and ``accuracy`` are set. For a model with refitted decoders
    this is the record of the refit, and ``network`` holds the record of the network behind them.
    If the training began with the parameters of another model, ``network`` is that model.

    Attributes:
        data: the datasets.
        train: the configurations that the parameters were fitted to.
        validation: the configurations that chose the epoch.
        reversed_runs: further training data, None if there were none.
        split: how the configurations were split into training and validation, None if they were
            not.
        origin: provenance of the configurations: entry (or ``n_runs``) -> its distinct values, for
            entries that have few of them.
        recipe: settings of the training by their names in its configuration file, for people:
            later versions may have other settings, so programs should not rely on them.
        ridge: the fit of linear decoders, None if they were trained.
        imported: parameters that another program trained; None if glassml did.
        hyperplanes: what divides soft from hard particles, for models of softness.
        untrained: outputs that were not trained, whose values mean nothing; "OUTPUT of SPECIES" if
            it was not trained for one species alone.
        versions: package -> its version.
        epoch: the epoch that was kept, counted from 1; None if there were none.
        accuracy: scores that were measured after the training, None if there are none.
        members: for a committee, the record of each member.
        network: for a model with refitted decoders, the network behind them; for one whose training
            began with the parameters of another model, that model.
        notes: entries of a record of format 1 that glassml does not know.
    """

    data: tuple[DataFile, ...] = ()
    train: Side = Side()
    validation: Side = Side()
    reversed_runs: ReversedRuns | None = None
    split: SplitSettings | None = None
    origin: dict[str, tuple[OriginValue, ...]] = Field(default={})
    recipe: dict[str, Any] = Field(default={})
    ridge: RidgeFit | None = None
    imported: ImportedWeights | None = None
    hyperplanes: tuple[Hyperplane, ...] = ()
    untrained: tuple[str, ...] = ()
    versions: dict[str, str] = Field(default={})
    epoch: int | None = Field(default=None, ge=0)
    accuracy: Accuracy | None = None
    members: tuple[TrainingRecord, ...] = ()
    network: NetworkRecord | None = None
    notes: dict[str, Any] = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _with_present_names(cls, values: Any) -> Any:
        """Earlier versions wrote what was minimised as the loss of the training side."""
        train = values.get("train") if isinstance(values, dict) else None
        if not isinstance(train, dict) or "loss" not in train or "weighted_loss" in train:
            return values
        renamed = {("weighted_loss" if k == "loss" else k): v for k, v in train.items()}
        return {**values, "train": renamed}

    @property
    def parts(self) -> tuple[TrainingRecord, ...]:
        """The records of the members of a committee; for any other model, its own record."""
        return self.members or (self,)

    @property
    def untrained_outputs(self) -> tuple[str, ...]:
        """Outputs that were not trained, in the model or a member of it."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.untrained))

    def seen(self, dataset: Dataset) -> tuple[str, ...]:
        """Names of the configurations of a dataset that the model has seen.

        A configuration counts if it was used in training or in validation (which chooses the
        epoch), for the model, a member of it, or the network behind its decoders. A reversed run
        counts if the configuration that it began from does, and the other way round. Configurations
        are recognised by their positions, in any dataset; a copy with wrapped or rounded positions
        is another configuration. Records of format 1 hold names only: then configurations count
        only in the datasets that the model was trained on, where all reversed runs count.
        """
        trainings = list(self._trainings())
        hashes = {value for one in trainings for value in one._hashes}
        nameless = [one for one in trainings if not one._knows_positions]
        by_name = []
        if any(one.data for one in nameless):
            checksum = dataset.sha256
            by_name = [one for one in nameless if checksum in {f.sha256 for f in one.data}]
        if not hashes and not by_name:
            return ()
        return tuple(
            known.name
            for known in KnownConfiguration.all_of(dataset)
            if hashes & known.hashes or any(one._seen_by_name(known) for one in by_name)
        )

    def coefficients(self) -> Accuracy | None:
        """The measured accuracy of the model, or else that of the validation of its run.

        Returns:
            None if the record has neither.
        """
        if self.accuracy is None and self.validation.scores:
            return Accuracy(protocol=_OF_THE_RUN, scores=self.validation.scores)
        return self.accuracy

    @property
    def data_files(self) -> tuple[DataFile, ...]:
        """The datasets of the model, or of all members of a committee; each once."""
        return tuple(dict.fromkeys(file for part in self.parts for file in part.data))

    def origin_values(self, entry: str) -> tuple[OriginValue, ...]:
        """The distinct values of an entry of ``origin``, over all members of a committee."""
        return tuple(
            dict.fromkeys(value for part in self.parts for value in part.origin.get(entry, ()))
        )

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the systems in the data, else of those whose interactions averaged positions."""
        found = self.origin_values("system") or self.origin_values("average_system")
        return tuple(str(value) for value in found)

    @property
    def temperatures(self) -> tuple[float, ...]:
        """Temperatures of the data, else of the runs that averaged positions [energy]."""
        found = self.origin_values("temperature") or self.origin_values("average_temperature")
        return _numbers(found)

    @property
    def citations(self) -> tuple[str, ...]:
        """Publications of the data."""
        return tuple(str(value) for value in self.origin_values("citation"))

    @property
    def n_runs(self) -> tuple[int, ...]:
        """Numbers of runs behind a label, without reversed runs (one run each)."""
        return tuple(int(value) for value in _numbers(self.origin_values("n_runs")))

    @property
    def tau_alpha(self) -> float | None:
        """The relaxation time of the data [time]; None if it is unknown or there are several."""
        values = _numbers(self.origin_values("tau_alpha"))
        return values[0] if len(values) == 1 else None

    def _trainings(self) -> Iterator[TrainingRecord]:
        """The records of everything that was fitted to data: members, networks behind decoders."""
        for part in self.parts:
            if part is not self:
                yield from part._trainings()
                continue
            yield part
            if part.network is not None:
                yield from part.network.training._trainings()

    @property
    def _known(self) -> tuple[KnownConfiguration, ...]:
        return (*self.train.configurations, *self.validation.configurations)

    @property
    def _hashes(self) -> set[str]:
        starts = set() if self.reversed_runs is None else set(self.reversed_runs.starts)
        return starts.union(*(configuration.hashes for configuration in self._known))

    @property
    def _knows_positions(self) -> bool:
        """Whether it can recognise what it has seen by positions alone."""
        sides = (self.train, self.validation)
        complete = all(side.configurations or not side.number for side in sides)
        return complete and all(c.positions_sha256 is not None for c in self._known)

    def _seen_by_name(self, configuration: KnownConfiguration) -> bool:
        """Whether it has seen a configuration of one of its own datasets, judged by its name."""
        return (
            configuration.reversed_from is not None
            or any(
                side.number and not side.configurations for side in (self.train, self.validation)
            )
            or configuration.name in (*self.train.names, *self.validation.names)
        )


class NetworkRecord(Part):
    """The network behind decoders that were refitted, or that a training began with.

    Attributes:
        file: name of the model file that it was taken from.
        n_parameters: number of parameters in that file, its own decoders included.
        times: times that the file predicted [time].
        training: the file's record.
    """

    file: str
    n_parameters: int = Field(ge=0)
    times: tuple[float, ...]
    training: TrainingRecord


def _numbers(values: tuple[OriginValue, ...]) -> tuple[float, ...]:
    return tuple(value for value in values if isinstance(value, int | float))


TrainingRecord.model_rebuild()

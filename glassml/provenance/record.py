"""The record of a training, and the questions that are asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from glassml.data import Dataset
from glassml.provenance.accuracy import Accuracy
from glassml.provenance.parts import (
    DataFile,
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
    """How a model came about. That of an untrained model has no field set.

    Of a committee only ``members`` and ``accuracy`` are set. Of a model whose decoders were
    refitted the record is that of the refit, and ``network`` has that of the network behind them.

    Attributes:
        data: the datasets.
        train: the configurations that the parameters were fitted to.
        validation: the configurations that chose the epoch.
        reversed_runs: further training data, None if there were none.
        split: how training and validation were told apart, None if nothing was split.
        origin: what the configurations say of themselves: entry of their provenance (and
            ``n_runs``) -> its distinct values, for entries that have few of them.
        recipe: settings of the training by their names in its configuration file. Later versions
            may have others, so nothing but people should rely on them.
        ridge: the fit of linear decoders, None if they were trained.
        versions: package -> its version.
        epoch: the epoch that was kept, counted from 1; None if there were none.
        accuracy: what was measured afterwards, None if nothing was.
        members: of a committee, the record of each.
        network: of a model with refitted decoders, the network behind them.
        notes: entries of a record of format 1 that glassml does not know; format 1 took any.
    """

    data: tuple[DataFile, ...] = ()
    train: Side = Side()
    validation: Side = Side()
    reversed_runs: ReversedRuns | None = None
    split: SplitSettings | None = None
    origin: dict[str, tuple[OriginValue, ...]] = Field(default={})
    recipe: dict[str, Any] = Field(default={})
    ridge: RidgeFit | None = None
    versions: dict[str, str] = Field(default={})
    epoch: int | None = Field(default=None, ge=0)
    accuracy: Accuracy | None = None
    members: tuple[TrainingRecord, ...] = ()
    network: NetworkRecord | None = None
    notes: dict[str, Any] = Field(default={})

    @property
    def parts(self) -> tuple[TrainingRecord, ...]:
        """The records of the members of a committee; of any other model its own."""
        return self.members or (self,)

    def seen(self, dataset: Dataset) -> tuple[str, ...]:
        """Names of the configurations of a dataset that the model has seen.

        In training or in validation, which chooses the epoch; by a member of it, or by the network
        behind its decoders. A reversed run counts as seen if the configuration that it began from
        does, and the other way round. Configurations are recognised in any dataset by their
        positions to the last bit; a copy that was wrapped or rounded is another configuration.
        Records of format 1 know only names: then the dataset must be the one that the model was
        trained on, of which all reversed runs count as seen.
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
            if hashes & known.hashes or any(one._names(known) for one in by_name)
        )

    def coefficients(self) -> Accuracy | None:
        """How accurate the model is: what was measured, else the validation of its run.

        Returns:
            None if the record says nothing about it.
        """
        if self.accuracy is None and self.validation.scores:
            return Accuracy(protocol=_OF_THE_RUN, scores=self.validation.scores)
        return self.accuracy

    @property
    def data_files(self) -> tuple[DataFile, ...]:
        """The datasets of the model, or of all members of a committee; each once."""
        return tuple(dict.fromkeys(file for part in self.parts for file in part.data))

    def origin_values(self, entry: str) -> tuple[OriginValue, ...]:
        """The distinct values of an entry of ``origin``, of all members of a committee."""
        return tuple(
            dict.fromkeys(value for part in self.parts for value in part.origin.get(entry, ()))
        )

    @property
    def systems(self) -> tuple[str, ...]:
        """What the data are of."""
        return tuple(str(value) for value in self.origin_values("system"))

    @property
    def temperatures(self) -> tuple[float, ...]:
        """Of the data [energy]."""
        return _numbers(self.origin_values("temperature"))

    @property
    def citations(self) -> tuple[str, ...]:
        """Where the data were published."""
        return tuple(str(value) for value in self.origin_values("citation"))

    @property
    def n_runs(self) -> tuple[int, ...]:
        """Numbers of runs behind a label; that of a reversed run, which is one, does not count."""
        return tuple(int(value) for value in _numbers(self.origin_values("n_runs")))

    @property
    def tau_alpha(self) -> float | None:
        """The relaxation time of the data [time]; None if it is unknown or there are several."""
        values = _numbers(self.origin_values("tau_alpha"))
        return values[0] if len(values) == 1 else None

    def _trainings(self) -> Iterator[TrainingRecord]:
        """The records of everything that was fitted to data: members, and networks behind them."""
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
        """Whether it needs no names to recognise what it has seen."""
        sides = (self.train, self.validation)
        complete = all(side.configurations or not side.number for side in sides)
        return complete and all(c.positions_sha256 is not None for c in self._known)

    def _names(self, configuration: KnownConfiguration) -> bool:
        """Whether it has seen a configuration of one of its own datasets, judged by its name."""
        return (
            configuration.reversed_from is not None
            or any(
                side.number and not side.configurations for side in (self.train, self.validation)
            )
            or configuration.name in (*self.train.names, *self.validation.names)
        )


class NetworkRecord(Part):
    """The network behind decoders that were refitted.

    Attributes:
        file: name of the model file that it was taken from.
        n_parameters: of that file, its own decoders included.
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

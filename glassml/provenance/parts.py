"""The parts of a training record: data files, configurations, the two sides of a training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    WrapSerializer,
    model_serializer,
    model_validator,
)

from glassml.data import REVERSED_FROM, Configuration, Dataset
from glassml.scores import Score

__all__ = [
    "DataFile",
    "Hyperplane",
    "ImportedWeights",
    "KnownConfiguration",
    "Part",
    "ReversedRuns",
    "RidgeFit",
    "Role",
    "Scores",
    "Side",
    "SplitSettings",
    "WeightFile",
]


def _short(score: Score, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
    """A score without unknown entries; an undefined value stays null."""
    return {k: v for k, v in handler(score).items() if v is not None or k == "value"}


Role = Literal["configurations", "reversed runs"]
Scores = tuple[Annotated[Score, WrapSerializer(_short)], ...]


class Part(BaseModel):
    """A part of a record. It is written without the fields that have their default values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def stated(self) -> dict[str, Any]:
        """The fields that differ from their defaults: field -> value."""
        fields = type(self).model_fields.items()
        values = {name: getattr(self, name) for name, _ in fields}
        return {name: values[name] for name, field in fields if values[name] != field.default}

    @model_serializer(mode="wrap")
    def _only_what_is_stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        stated = self.stated()
        return {name: value for name, value in handler(self).items() if name in stated}


class DataFile(Part):
    """A dataset.

    Attributes:
        file: its name, without folders.
        sha256: checksum of its contents (`Dataset.sha256`).
        configurations: how many it holds.
        role: what it was used as; None if the record does not say.
    """

    file: str
    sha256: str
    configurations: int = Field(ge=0)
    role: Role | None = None

    @classmethod
    def of(cls, dataset: Dataset, role: Role) -> DataFile:
        """The entry that identifies a dataset."""
        return cls(
            file=dataset.path.name,
            sha256=dataset.sha256,
            configurations=len(dataset),
            role=role,
        )


class KnownConfiguration(Part):
    """A configuration that a model has seen.

    Attributes:
        name: its name in its dataset.
        positions_sha256: `Configuration.positions_sha256`, by which it is recognised in any
            dataset; None in records of model files of format 1.
        reversed_from: for a reversed run, the hash of the positions that it began from.
    """

    name: str
    positions_sha256: str | None = None
    reversed_from: str | None = None

    @classmethod
    def of(cls, configuration: Configuration) -> KnownConfiguration:
        """The entry that identifies a configuration."""
        start = configuration.provenance.get(REVERSED_FROM)
        return cls(
            name=configuration.name,
            positions_sha256=configuration.positions_sha256,
            reversed_from=None if start is None else str(start),
        )

    @classmethod
    def all_of(cls, dataset: Dataset) -> tuple[KnownConfiguration, ...]:
        """What identifies each configuration of a dataset; little of the file is read."""
        return tuple(
            cls(name=name, positions_sha256=positions, reversed_from=dataset.reversed_from(name))
            for name, positions in dataset.positions_sha256.items()
        )

    @property
    def hashes(self) -> set[str]:
        """The known hashes of its positions, and of those that it began from."""
        return {value for value in (self.positions_sha256, self.reversed_from) if value}


class Side(Part):
    """The configurations that a model was trained on, or those that it was validated on.

    Attributes:
        number: how many there are; reversed runs do not count.
        configurations: which ones; empty in records that give their number alone.
        loss: the mean squared error on them in the epoch that was kept, summed over times [-];
            None if it is not known.
        weighted_loss: what was minimised in that epoch [-]: labels have weights, and reversed runs
            count. None for validation.
        scores: the coefficients in that epoch that are defined.
    """

    number: int = Field(default=0, ge=0)
    configurations: tuple[KnownConfiguration, ...] = ()
    loss: float | None = None
    weighted_loss: float | None = None
    scores: Scores = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Side:
        if self.configurations and len(self.configurations) != self.number:
            raise ValueError(
                f"number: expected that of the configurations ({len(self.configurations)}); "
                f"found {self.number}"
            )
        return self

    @classmethod
    def of(cls, configurations: Iterable[KnownConfiguration]) -> Side:
        """A side of these configurations, without scores."""
        known = tuple(configurations)
        return cls(number=len(known), configurations=known)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the configurations."""
        return tuple(configuration.name for configuration in self.configurations)


class ReversedRuns(Part):
    """Reversed runs of configurations that were trained on, as further training data.

    Attributes:
        number: how many there are.
        starts: hashes of the positions that they began from; empty if the record does not say.
    """

    number: int = Field(gt=0)
    starts: tuple[str, ...] = ()


class SplitSettings(Part):
    """How configurations for validation were chosen.

    Attributes:
        validation: a fraction, their names, or the name of a dataset of their own.
        split_seed: seed of the random choice of a fraction.
    """

    validation: float | str | tuple[str, ...]
    split_seed: int


class RidgeFit(Part):
    """The ridge regression that fitted linear decoders.

    Attributes:
        decoders: which descriptors were fitted to which labels, in words.
        penalties: [species][T] [-], in units of the variance of a descriptor.
        chosen_by: what was left out to choose the penalties; None if the record does not say.
        label_noise: labels of R runs counted R / (R + label_noise) [-].
    """

    decoders: str
    penalties: tuple[tuple[float, ...], ...]
    chosen_by: str | None = None
    label_noise: float = Field(default=0.0, ge=0)


class Hyperplane(Part):
    """The hyperplane between soft and hard particles of one species.

    Attributes:
        species: name of the species.
        particles: number of particles that it was fitted to, half of them soft.
        penalty: C of the support vector machine [-].
        accuracy: fraction of particles on the right side, in parts of the trajectory that were left
            out of the fit [-].
        accuracy_error: its standard error over these parts [-].
        parts: number of parts.
    """

    species: str
    particles: int = Field(ge=2)
    penalty: float = Field(gt=0)
    accuracy: float = Field(ge=0, le=1)
    accuracy_error: float = Field(ge=0)
    parts: int = Field(ge=2)


class WeightFile(Part):
    """A file that parameters were read from.

    Attributes:
        file: its name, without folders.
        sha256: checksum of the file.
    """

    file: str
    sha256: str


class ImportedWeights(Part):
    """Parameters that were not trained by glassml.

    Attributes:
        files: the files that they were read from.
        published: where files with the same numbers were published; None if this is unknown.
        licence: that of the place where they were published, as its authors state it.
        trained_on: what they were trained on, as far as it is known.
    """

    files: tuple[WeightFile, ...]
    published: str | None = None
    licence: str | None = None
    trained_on: str | None = None

"""How accurate a model was found to be, as its manifest says."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glassml.errors import InputError, ModelFileError, field_problem
from glassml.export.manifest import Manifest

__all__ = ["Accuracy", "Coefficient", "accuracy_of", "read_accuracy"]

_OF_THE_RUN = (
    "validation configurations of the training run, which also chose the epoch: slightly optimistic"
)
_METRIC = re.compile(r"^validation/pearson_(all|mean)/(.+)/t=([^/]+)$")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Coefficient(_Entry):
    """A Pearson coefficient between predictions and labels of particles of one species.

    Attributes:
        species: name of the species.
        time: time of the labels [time].
        kind: "all" (particles of all configurations pooled) or "mean" (within each configuration,
            then averaged).
        value: the coefficient [-].
        error: its standard error [-], None if it was not measured.
    """

    species: str
    time: float
    kind: Literal["all", "mean"]
    value: float = Field(ge=-1, le=1)
    error: float | None = Field(default=None, ge=0)

    def __str__(self) -> str:
        return f"{self.value:.3f}" + ("" if self.error is None else f" ± {self.error:.3f}")


class Accuracy(_Entry):
    """What stands in the manifest as ``training.accuracy``.

    Attributes:
        protocol: on which configurations it was measured, and how the errors were.
        pearson: the coefficients.
    """

    protocol: str
    pearson: tuple[Coefficient, ...]

    def find(self, species: str, time: float, kind: str) -> Coefficient | None:
        """One of the coefficients, None if it was not measured."""
        for entry in self.pearson:
            # Names of metrics have ten digits of the time.
            same_time = math.isclose(entry.time, time, rel_tol=1e-9)
            if same_time and (entry.species, entry.kind) == (species, kind):
                return entry
        return None


def accuracy_of(manifest: Manifest) -> Accuracy | None:
    """How accurate a model is: ``training.accuracy``, else the metrics of its training run.

    Returns:
        None if the manifest says nothing about it.

    Raises:
        ModelFileError: ``training.accuracy`` is not what `Accuracy` describes.
    """
    given = manifest.training.get("accuracy")
    if given is None:
        return _of_the_run(manifest.training.get("metrics", {}))
    try:
        return Accuracy.model_validate(given)
    except ValidationError as error:
        first: dict[str, Any] = dict(error.errors()[0])
        field = ".".join(["training", "accuracy", *map(str, first["loc"])])
        raise ModelFileError(f"manifest.json: field '{field}': {field_problem(first)}") from None


def read_accuracy(path: str | Path) -> Accuracy:
    """An accuracy from a JSON file of the form that `Accuracy` describes.

    Raises:
        InputError: the file cannot be read, or has another form.
    """
    try:
        return Accuracy.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror}") from None
    except ValidationError as error:
        first: dict[str, Any] = dict(error.errors()[0])
        field = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"{path}: {field}: {field_problem(first)}") from None


def _of_the_run(metrics: dict[str, float | None]) -> Accuracy | None:
    found = [(_METRIC.match(name), value) for name, value in metrics.items()]
    pearson = [
        Coefficient.model_validate(
            {"species": match[2], "time": match[3], "kind": match[1], "value": value}
        )
        for match, value in found
        if match is not None and value is not None  # which is how JSON writes NaN
    ]
    return Accuracy(protocol=_OF_THE_RUN, pearson=tuple(pearson)) if pearson else None

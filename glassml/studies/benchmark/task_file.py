"""The tasks of the benchmark: which data, which fixed splits, and what is scored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, model_validator

from glassml.data import shipped_names
from glassml.errors import ConfigError, not_one_of
from glassml.settings import read_yaml, validated

__all__ = ["BenchmarkTask", "Fold", "TaskDataset", "TransferTest", "load_task", "shipped_tasks"]

_FOLDER = Path(__file__).parent / "tasks"


def _names(value: Any) -> Any:
    if (
        not isinstance(value, list | tuple)
        or not value
        or not all(isinstance(v, str) for v in value)
    ):
        raise ValueError("expected a list of one or more names of configurations")
    if len(set(value)) != len(value):
        raise ValueError("expected different names")
    return tuple(value)


_Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TaskDataset(_Part):
    """A dataset that a task reads."""

    about: str = Field(description="what it is, in words")
    make: str = Field(
        default="",
        description="how a user gets it, in words or commands; empty: it ships with glassml under "
        "its name in the task",
    )
    positions: dict[str, str] = Field(
        default={},
        description="configuration -> checksum of its positions "
        "(`Configuration.positions_sha256`), by which the task knows its data; of those that are "
        "not listed, the name alone counts",
    )
    citation: str = Field(default="", description="publication of the data")


class Fold(_Part):
    """A fixed split, by names of configurations.

    Names may be patterns such as ``N4096T0.44_4??``. A configuration that matches several is for
    the test, else for validation.
    """

    train: _Names = Field(description="configurations that parameters are fitted to")
    validation: _Names = Field(description="configurations that may choose the epoch")
    test: _Names = Field(description="configurations that are scored, and used for nothing else")

    @model_validator(mode="after")
    def _is_disjoint(self) -> Fold:
        listed = [*self.train, *self.validation, *self.test]
        twice = next((name for name in listed if listed.count(name) > 1), None)
        if twice is not None:
            raise ValueError(
                f"expected every configuration on one side only; found {twice!r} on two"
            )
        return self


class TransferTest(_Part):
    """Scoring on another dataset, such as another temperature, without training there."""

    dataset: str = Field(description="a dataset of the task")
    times: tuple[tuple[PositiveFloat, PositiveFloat], ...] = Field(
        min_length=1,
        description="pairs: a time of the task, and the time of the other dataset whose labels "
        "these predictions are compared with [time]",
    )


class BenchmarkTask(_Part):
    """A task: data with fixed splits, on which models are compared."""

    name: str = Field(description="as it is called")
    asks: str = Field(description="what a model has to do, in a sentence")
    about: str = Field(default="", description="what is special about it, and where it comes from")
    datasets: dict[str, TaskDataset] = Field(
        min_length=1, description="every dataset that the task reads, by name"
    )
    data: str = Field(description="the dataset that the folds are of")
    species: tuple[str, ...] = Field(
        min_length=1, description="species that are scored; the first one is in the table"
    )
    times: tuple[PositiveFloat, ...] = Field(
        min_length=1, description="times of the labels, which are all scored [time]"
    )
    time: PositiveFloat = Field(description="the time that is in the table [time]")
    folds: tuple[Fold, ...] = Field(min_length=1, description="fixed splits of the data")
    transfer: tuple[TransferTest, ...] = Field(
        default=(), description="scores on other datasets, where they are available"
    )
    published: float | None = Field(
        default=None,
        description="temperature of published curves to show beside (`glassml evaluate "
        "--published`); null: none",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> BenchmarkTask:
        _check_known("data", self.data, self.datasets)
        for test in self.transfer:
            _check_known("transfer.dataset", test.dataset, self.datasets)
            for time, _ in test.times:
                _check_known("transfer.times", time, self.times)
        _check_known("time", self.time, self.times)
        for name, dataset in self.datasets.items():
            if not dataset.make and name not in shipped_names():
                raise ValueError(
                    f"datasets.{name}.make: expected how a user gets it, as it does not ship with "
                    "glassml; found nothing"
                )
        return self

    def is_shipped(self, dataset: str) -> bool:
        """Whether a dataset of the task comes with glassml."""
        return not self.datasets[dataset].make


def _check_known(field: str, value: Any, known: Any) -> None:
    if value not in known:
        raise ValueError(f"{field}: expected one of {', '.join(map(str, known))}; found {value}")


def shipped_tasks() -> tuple[str, ...]:
    """Names of the tasks that come with glassml."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_task(task: str | Path) -> BenchmarkTask:
    """The checked task of a file, or the one of this name that comes with glassml.

    Args:
        task: YAML file with the fields of `BenchmarkTask`, or one of `shipped_tasks`.

    Raises:
        ConfigError: there is no such file or task, or a field is unknown or has a wrong value.
    """
    path = Path(task)
    if path.suffix not in (".yaml", ".yml"):
        if str(task) not in shipped_tasks():
            raise ConfigError(f"task: {not_one_of(str(task), shipped_tasks())}, or a YAML file")
        path = _FOLDER / f"{task}.yaml"
    found = validated(BenchmarkTask, read_yaml(path, BenchmarkTask), str(path))
    if found.name != path.stem:
        raise ConfigError(
            f"{path}: name: expected that of the file, {path.stem!r}; found {found.name!r}"
        )
    return found

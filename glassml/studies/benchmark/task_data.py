"""The data of a task: opened, recognised by their positions, and split as the task says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import h5py

from glassml.data import Dataset, ReadOptions, convert, dataset_path, find_inputs
from glassml.errors import InputError, not_one_of
from glassml.physics import column_of, same_times
from glassml.progress import SILENT, Progress
from glassml.studies.benchmark.task_file import BenchmarkTask

__all__ = ["OpenTask", "Split", "open_task"]


@dataclass(frozen=True)
class Split:
    """The configurations of one fold.

    Attributes:
        number: of the fold, from 1.
        train: names of those to train on.
        validation: of those that may choose the epoch.
        test: of those that are scored.
    """

    number: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class OpenTask:
    """A task with its data.

    Attributes:
        task: the task.
        datasets: those that are there, by their names in the task.
        splits: of its data, in order.
    """

    task: BenchmarkTask
    datasets: Mapping[str, Dataset]
    splits: tuple[Split, ...]

    @property
    def data(self) -> Dataset:
        """The dataset that the folds are of."""
        return self.datasets[self.task.data]


def open_task(
    task: BenchmarkTask,
    files: Mapping[str, str | Path] | None = None,
    folder: str | Path = ".",
    progress: Progress = SILENT,
) -> OpenTask:
    """Open the data of a task and check that they are what it was made for.

    Args:
        task: the task.
        files: name of a dataset in the task -> dataset of glassml, or a file or folder of another
            format that `glassml data convert` reads, which is converted once.
        folder: where converted data are kept.
        progress: shows conversions.

    Raises:
        InputError: data are missing, of another format, or not those of the task; a dataset for
            transfer may be missing.
    """
    given = dict(files or {})
    for name in given:
        if name not in task.datasets:
            raise InputError(f"--data: {task.name}: {not_one_of(name, task.datasets)}")
    datasets = {}
    for name, about in task.datasets.items():
        if name in given:
            datasets[name] = _opened(Path(given[name]), name, Path(folder), progress)
        elif task.is_shipped(name):
            datasets[name] = Dataset(name)
        elif name == task.data:
            raise InputError(
                f"--data: {task.name}: expected the dataset {name} ({about.about}); found none. "
                f"{about.make}. Then add --data {name}=PATH"
            )
    for name, dataset in datasets.items():
        _check_positions(task, name, dataset)
    _check_labels(task, datasets[task.data])
    _check_transfer(task, datasets)
    splits = tuple(_split(task, k, datasets[task.data]) for k in range(len(task.folds)))
    return OpenTask(task, datasets, splits)


def _opened(path: Path, name: str, folder: Path, progress: Progress) -> Dataset:
    """A dataset; files of another format are converted, with the final positions of runs."""
    file = dataset_path(path)
    if not file.exists():
        raise InputError(f"--data: {path}: expected data of {name}; found no such file or folder")
    if file.is_file() and h5py.is_hdf5(file):
        return Dataset(file)
    converted = folder / "data" / f"{name}.h5"
    if not converted.is_file():
        converted.parent.mkdir(parents=True, exist_ok=True)
        options = ReadOptions(final_positions=True)
        convert(find_inputs([path]), converted, options=options, progress=progress)
    return Dataset(converted)


def _check_positions(task: BenchmarkTask, name: str, dataset: Dataset) -> None:
    known = task.datasets[name].positions
    if not known:
        return
    found = dataset.positions_sha256
    for configuration, expected in known.items():
        if configuration not in found:
            raise InputError(
                f"{dataset.path}: expected the configurations of {name}, such as "
                f"{configuration}; found {', '.join(dataset.names[:3])}, ... without it. "
                f"{task.datasets[name].make}"
            )
        if found[configuration] != expected:
            raise InputError(
                f"{dataset.path}: {configuration}: expected the positions that the task "
                f"{task.name} was made for; found others, by their checksum. The data were "
                "changed, or are of another source"
            )


def _check_labels(task: BenchmarkTask, dataset: Dataset) -> None:
    times = dataset.common_times().tolist()
    if not same_times(times, task.times):
        raise InputError(
            f"{dataset.path}: times: expected labels at {_shown(task.times)}, those of the task "
            f"{task.name}; found {_shown(times)}"
        )
    for species in task.species:
        if species not in dataset.species_names:
            raise InputError(
                f"{dataset.path}: species: expected {', '.join(task.species)}; found "
                f"{', '.join(dataset.species_names)}"
            )


def _check_transfer(task: BenchmarkTask, datasets: Mapping[str, Dataset]) -> None:
    for test in task.transfer:
        if test.dataset not in datasets:
            continue
        dataset = datasets[test.dataset]
        known = dataset.common_times().tolist()
        for _, time in test.times:
            if column_of(time, known) is None:
                raise InputError(
                    f"{dataset.path}: times: expected labels at t = {time:g}, with which the task "
                    f"{task.name} compares predictions; found {_shown(known)}"
                )


def _split(task: BenchmarkTask, index: int, dataset: Dataset) -> Split:
    fold, where = task.folds[index], f"{dataset.path}: fold {index + 1} of {task.name}"
    test = _matching(fold.test, dataset, f"{where}: test")
    validation = _matching(fold.validation, dataset, f"{where}: validation", test)
    train = _matching(fold.train, dataset, f"{where}: train", (*test, *validation))
    return Split(index + 1, train, validation, test)


def _matching(
    patterns: Sequence[str], dataset: Dataset, where: str, taken: Sequence[str] = ()
) -> tuple[str, ...]:
    """The configurations that match a pattern and are not taken, in the order of the dataset."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in dataset.names):
            raise InputError(
                f"{where}: expected configurations {pattern}; found none among "
                f"{', '.join(dataset.names[:3])}, ..."
            )
    found = tuple(
        name
        for name in dataset.names
        if name not in taken and any(fnmatchcase(name, pattern) for pattern in patterns)
    )
    if not found:
        raise InputError(f"{where}: expected configurations; found all of them on another side")
    return found


def _shown(times: Sequence[float]) -> str:
    return ", ".join(f"{time:g}" for time in times)

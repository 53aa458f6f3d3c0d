"""Predictions of other models, in an npz or a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from glassml.data import Configuration, Dataset
from glassml.data.readers.npz import npz_entries
from glassml.errors import InputError

__all__ = ["PredictionFile"]

_HEAD = ("configuration", "particle")


class PredictionFile:
    """Per-particle predictions from a file, checked against a dataset.

    A CSV file has the columns ``configuration`` (a name in the dataset), ``particle`` (from 0, in
    the order of the dataset) and one per time, with the time as its heading. An npz file has the
    same in the arrays ``configuration`` [M], ``particle`` [M], ``times`` [K] and ``propensity``
    [M, K]. Rows may come in any order. Configurations may be left out, and so may all particles of
    a species in a configuration.

    Args:
        path: file whose name ends in .csv or .npz.
        dataset: the configurations that are predicted.

    Raises:
        InputError: the file cannot be read, or names a configuration that is not in the dataset.
    """

    def __init__(self, path: str | Path, dataset: Dataset) -> None:
        self.path = Path(path)
        readers = {".csv": _read_csv, ".npz": _read_npz}
        if self.path.suffix not in readers:
            raise InputError(
                f"{self.path}: expected predictions in a file that ends in .csv or .npz"
            )
        names, self._particle, self.times, self._values = readers[self.path.suffix](self.path)
        self._check(names, dataset)
        order = np.argsort(names, kind="stable")
        self._rows = {
            str(part[0]): rows for part, rows in zip(*_runs(names[order], order), strict=True)
        }

    def of(self, configuration: Configuration) -> np.ndarray | None:
        """The predictions for a configuration of the dataset: [N, K] [length], or None.

        Raises:
            InputError: a particle does not exist, occurs twice, or is missing although others of
                its species are there.
        """
        rows = self._rows.get(configuration.name)
        if rows is None:
            return None
        particle = self._particle[rows]
        where = f"{self.path}: configuration {configuration.name}"
        n = configuration.n_particles
        if particle.min() < 0 or particle.max() >= n:
            wrong = particle[(particle < 0) | (particle >= n)][0]
            raise InputError(
                f"{where}: particle: expected numbers from 0 to {n - 1}; found {wrong}"
            )
        rows_of = np.bincount(particle, minlength=n)
        if rows_of.max() > 1:
            raise InputError(
                f"{where}: expected one row per particle; found {rows_of.max()} of particle "
                f"{rows_of.argmax()}"
            )
        for s, name in enumerate(configuration.species_names):
            of_species = rows_of[configuration.species == s]
            if of_species.any() and not of_species.all():
                raise InputError(
                    f"{where}: expected rows of all {len(of_species)} particles of species {name} "
                    f"or of none; found {of_species.sum()}"
                )
        result = np.full((n, len(self.times)), np.nan)
        result[particle] = self._values[rows]
        return result

    def _check(self, names: np.ndarray, dataset: Dataset) -> None:
        unknown = sorted(set(names.tolist()) - set(dataset.names))
        if unknown:
            raise InputError(
                f"{self.path}: configuration: expected names of {dataset.path} such as "
                f"{dataset.names[0]!r}; found {unknown[0]!r}"
            )
        if len(np.unique(self.times)) != len(self.times) or not np.all(self.times > 0):
            raise InputError(
                f"{self.path}: times: expected different positive times; found "
                f"{self.times.tolist()}"
            )
        bad = np.flatnonzero(~np.isfinite(self._values).all(axis=1))
        if len(bad):
            raise InputError(
                f"{self.path}: expected finite predictions; found {self._values[bad[0]].tolist()} "
                f"for particle {self._particle[bad[0]]} of {names[bad[0]]}"
            )


# Names of configurations [M], particles [M], times [K] and predictions [M, K].
_Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _runs(names: np.ndarray, order: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Sorted names and the rows that they come from, split where the name changes."""
    starts = np.flatnonzero(names[1:] != names[:-1]) + 1
    return np.split(names, starts), np.split(order, starts)


def _read_csv(path: Path) -> _Columns:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected a CSV file of predictions; {error}") from None
    head = [heading.strip() for heading in rows[0]] if rows else []
    if tuple(head[:2]) != _HEAD or len(head) < 3 or len(rows) < 2:
        raise InputError(
            f"{path}: expected the columns configuration, particle and one per time, with rows "
            f"below; found {', '.join(head) or 'nothing'} and {max(len(rows) - 1, 0)} rows"
        )
    try:
        times = np.array([float(heading) for heading in head[2:]])
    except ValueError:
        raise InputError(
            f"{path}: expected times as headings of the columns after particle; found "
            f"{', '.join(head[2:])}"
        ) from None
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(head):
            raise InputError(
                f"{path}: line {number}: expected {len(head)} values; found {len(row)}"
            )
    body = np.array(rows[1:])
    try:
        return body[:, 0], body[:, 1].astype(np.int64), times, body[:, 2:].astype(np.float64)
    except ValueError as error:
        raise InputError(f"{path}: expected numbers after the first column; {error}") from None


def _read_npz(path: Path) -> _Columns:
    arrays = npz_entries(path)
    for name in (*_HEAD, "times", "propensity"):
        if name not in arrays:
            raise InputError(
                f"{path}: expected the arrays configuration, particle, times and propensity; found "
                f"{', '.join(arrays) or 'none'}"
            )
    names, particle, times = (np.atleast_1d(arrays[name]) for name in (*_HEAD, "times"))
    values = arrays["propensity"]
    if names.dtype.kind != "U" or particle.dtype.kind not in "iu" or values.dtype.kind not in "fiu":
        raise InputError(
            f"{path}: expected text in configuration, whole numbers in particle and numbers in "
            f"propensity; found {names.dtype}, {particle.dtype} and {values.dtype}"
        )
    expected = (len(names), len(times))
    if particle.shape != expected[:1] or values.shape != expected or not len(names):
        raise InputError(
            f"{path}: expected one particle and one row of {len(times)} propensities for each of "
            f"the {len(names)} entries of configuration; found shapes {list(particle.shape)} and "
            f"{list(values.shape)}"
        )
    return names, particle.astype(np.int64), times.astype(np.float64), values.astype(np.float64)

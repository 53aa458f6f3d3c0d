"""Labels in a separate file, for structure files without labels.

The suffix of the file decides between three forms:

- ``.npz``: arrays ``id`` [N], ``propensity`` [N, T] (or [N] for one time) and, optionally,
  ``times`` [T];
- ``.h5``, ``.hdf5``: datasets of these names;
- any other suffix: text, with one line per particle. A line holds the particle's id and its label
  at each time, separated by blanks or commas; ``#`` starts a comment. The first line may name the
  columns, ``id`` and then the times, as in ``id 0.5 4.0``.

Ids are those of the structure file (LAMMPS' atom ids), in any order. If it has none, they count its
particles from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from glassml.data.readers.base import Fields
from glassml.data.readers.npz import npz_entries
from glassml.errors import InputError

__all__ = ["LabelTable", "read_labels"]


@dataclass(frozen=True)
class LabelTable:
    """The labels of one configuration.

    Attributes:
        path: the file.
        ids: int64 [N], different.
        propensity: float64 [N, T] [length].
        times: float64 [T] [time], if the file has them.
    """

    path: Path
    ids: np.ndarray
    propensity: np.ndarray
    times: np.ndarray | None

    def of(self, ids: np.ndarray) -> np.ndarray:
        """The labels [N, T] of the particles with these ids [N], in their order.

        Raises:
            InputError: a particle has no label, or a label no particle.
        """
        missing, others = np.setdiff1d(ids, self.ids), np.setdiff1d(self.ids, ids)
        if len(missing) or len(others):
            raise InputError(
                f"{self.path}: id: expected the {len(ids)} ids of the particles, each once; found "
                f"{len(self.ids)} ids, {len(missing)} particles without a label"
                f"{_some(missing)} and {len(others)} labels without a particle{_some(others)}"
            )
        order = np.argsort(self.ids)
        return self.propensity[order[np.searchsorted(self.ids, ids, sorter=order)]]


def read_labels(path: Path) -> LabelTable:
    """Read a file of labels.

    Raises:
        InputError: the file is missing, damaged or of another form, or an id occurs twice.
    """
    if not path.is_file():
        raise InputError(f"{path}: expected a file of labels; found none")
    if path.suffix == ".npz":
        fields = Fields(path, npz_entries(path))
    elif path.suffix in (".h5", ".hdf5"):
        fields = Fields(path, _hdf5_entries(path))
    else:
        fields = Fields(path, _text_entries(path))
    ids = fields.array("id", None, integer=True)
    labels = np.asarray(fields["propensity"])
    labels = fields.checked(
        "propensity", labels[:, None] if labels.ndim == 1 else labels, len(ids), None
    )
    unique, counts = np.unique(ids, return_counts=True)
    if counts.max(initial=1) > 1:
        raise fields.error("id", "different ids", f"{unique[counts.argmax()]} more than once")
    times = None if fields.get("times") is None else fields.array("times", labels.shape[1])
    return LabelTable(path, ids, labels, times)


def _hdf5_entries(path: Path) -> dict[str, np.ndarray]:
    try:
        with h5py.File(path, "r") as file:
            names = ("id", "propensity", "times")
            return {
                name: file[name][()] for name in names if isinstance(file.get(name), h5py.Dataset)
            }
    except OSError as error:
        raise InputError(f"{path}: expected an HDF5 file of labels; found: {error}") from None


def _text_entries(path: Path) -> dict[str, np.ndarray]:
    try:
        lines = path.read_text(encoding="utf-8").replace(",", " ").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a text file of labels; found: {error}") from None
    rows = [(number, line.partition("#")[0].split()) for number, line in enumerate(lines, 1)]
    rows = [(number, words) for number, words in rows if words]
    if not rows:
        raise InputError(f"{path}: expected lines with an id and labels; found none")
    entries = {}
    if rows[0][1][0] == "id":
        entries["times"] = np.array(_numbers(path, *rows.pop(0), skip=1))
    values = [_numbers(path, number, words) for number, words in rows]
    for (number, _), row in zip(rows, values, strict=True):
        if len(row) != len(values[0]) or len(row) < 2 or row[0] != int(row[0]):
            raise InputError(
                f"{path}: line {number}: expected a whole number (the id) and "
                f"{max(len(values[0]) - 1, 1)} labels; found {len(row)} numbers"
                + (f", the first {row[0]:g}" if row else "")
            )
    table = np.array(values)
    if len(table):
        entries |= {"id": table[:, 0].astype(np.int64), "propensity": table[:, 1:]}
    return entries


def _numbers(path: Path, number: int, words: list[str], skip: int = 0) -> list[float]:
    try:
        return [float(word) for word in words[skip:]]
    except ValueError as error:
        raise InputError(f"{path}: line {number}: expected numbers; found: {error}") from None


def _some(ids: np.ndarray) -> str:
    return f" (such as {ids[0]})" if len(ids) else ""

"""Labels in a separate file, for structure files without labels.

The suffix of the file decides between three forms:

- ``.npz``: arrays ``id`` [N], ``propensity`` [N, T] (or [N] for one time) and, optionally,
  ``times`` [T];
- ``.h5``, ``.hdf5``: datasets of these names;
- any other suffix: text, with one line per particle. A line holds the particle's id and its label
  at each time, separated by blanks, commas, semicolons or tabs; ``#`` starts a comment. The first
  line may name the columns, ``id`` and then the times, as in ``id 0.5 4.0``. Tables of spreadsheets
  may have quotes and, between semicolons or tabs, decimal commas.

Ids are those of the structure file (LAMMPS' atom ids), in any order. If it has none, they count its
particles from 1.
"""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from glassml.data.readers.base import Fields
from glassml.data.readers.npz import npz_entries
from glassml.data.readers.stated import check_last_line
from glassml.data.storage import DAMAGED, read_array
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
                name: read_array(file[name])
                for name in names
                if isinstance(file.get(name), h5py.Dataset)
            }
    except DAMAGED as error:
        raise InputError(f"{path}: expected an HDF5 file of labels; found: {error}") from None


def _text_entries(path: Path) -> dict[str, np.ndarray]:
    lines = _lines(path)
    rows = [(number, _words(path, number, line)) for number, line in enumerate(lines, 1)]
    rows = [(number, words) for number, words in rows if words]
    if not rows:
        raise InputError(f"{path}: expected lines with an id and labels; found none")
    entries = {}
    if rows[0][1][0].lower() == "id":
        number, words = rows.pop(0)
        entries["times"] = np.array([_number(path, number, word) for word in words[1:]])
    n_columns = len(rows[0][1]) if rows else 0
    for number, words in rows:
        if len(words) != n_columns or n_columns < 2:
            raise InputError(
                f"{path}: line {number}: expected a whole number (the id) and "
                f"{max(n_columns - 1, 1)} labels; found {len(words)} numbers"
            )
    if rows:
        labels = [[_number(path, number, word) for word in words[1:]] for number, words in rows]
        ids = [_id(path, number, words[0]) for number, words in rows]
        entries |= {"id": np.array(ids), "propensity": np.array(labels)}
    return entries


def _lines(path: Path) -> list[str]:
    """The lines of a text file without comments; spreadsheets may begin it with a mark."""
    try:
        content = path.read_bytes()
        marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if marked else "utf-8").removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a text file of labels; found: {error}") from None
    lines = text.splitlines()
    if lines and lines[-1].partition("#")[0].strip():
        check_last_line(f"{path}", text.replace("\r", "\n"), "table")
    if lines and re.fullmatch(r"sep=.", lines[0].strip()):  # by which Excel knows the separator
        lines[0] = ""
    return [line.partition("#")[0].strip() for line in lines]


def _words(path: Path, number: int, line: str) -> list[str]:
    """The cells of a line, without quotes; commas in cells are decimal ones."""
    unquoted = re.sub(r'"[^"]*"', "", line)
    separator = ";" if ";" in unquoted else None
    mixed = re.search(r"\S +\S|,\s*\t|\t\s*,", unquoted)  # tabs that are no more than blanks
    if separator is None and "\t" in unquoted and not mixed:
        separator = "\t"
    if separator is None and '"' in line:
        separator = "," if "," in unquoted else " "
    if separator is None and "," in line and re.search(r"[^\s,]\s+[^\s,]", line):
        raise InputError(
            f"{path}: line {number}: expected commas or blanks between numbers, and decimal points "
            f"in them; found both: {line[:60]!r}"
        )
    if separator is None:
        cells = re.split(r"\s*,\s*|\s+", line) if line else []
    else:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    words = [cell.strip(" '") for cell in cells]
    while words and not words[-1]:  # empty columns at the end of a table
        words.pop()
    return [word.replace(",", ".") for word in words] if separator else words


def _number(path: Path, number: int, word: str) -> float:
    try:
        if "_" in word:  # Python takes 1_0 for 10
            raise ValueError(f"could not convert string to float: {word!r}")
        return float(word)
    except ValueError as error:
        raise InputError(f"{path}: line {number}: expected numbers; found: {error}") from None


def _id(path: Path, number: int, word: str) -> int:
    if re.fullmatch(r"\d{1,18}", word):
        return int(word)
    value = _number(path, number, word)
    if not value.is_integer() or abs(value) > 2**53:
        raise InputError(
            f"{path}: line {number}: expected a whole number (the id) and labels; found numbers, "
            f"the first {word}"
        )
    return int(value)


def _some(ids: np.ndarray) -> str:
    return f" (such as {ids[0]})" if len(ids) else ""

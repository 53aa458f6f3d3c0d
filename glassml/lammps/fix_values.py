"""The values of `fix glassml`, with the names that their columns have in the model."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glassml.errors import InputError, not_one_of
from glassml.lammps.library import LammpsLibrary

if TYPE_CHECKING:
    from glassml.export import Manifest

__all__ = ["FixDescription", "FixValues", "described", "gathered"]

# In lammps_plugin/src/glassmlplugin.cpp
_DESCRIBE = "glassml_describe_fix"
_GATHER = "glassml_gather_fix"
_MOST_NUMBERS = 2**31  # that MPI sends at once


@dataclass(frozen=True)
class FixDescription:
    """What a ``fix glassml`` says about itself.

    Attributes:
        fix: its ID.
        model: the model file.
        every: steps from one evaluation to the next.
        evaluated: step of the last evaluation; None if there was none, and all values are 0.
        columns: for each column the output that it belongs to, and its own name.
    """

    fix: str
    model: Path
    every: int
    evaluated: int | None
    columns: tuple[tuple[str, str], ...]


class FixValues(Mapping[str, np.ndarray]):
    """Outputs of the model by name, such as "propensity": float64 [n, columns].

    Attributes:
        description: what the fix says about itself.
        ids: int64 [n], the ID of the atom of each row.
        array: float64 [n, C], all outputs side by side, as f_ID[1], f_ID[2], ... in a script. Atoms
            that are not in the group of the fix have the value 0.
    """

    def __init__(self, description: FixDescription, ids: np.ndarray, array: np.ndarray) -> None:
        self.description = description
        self.ids = ids
        self.array = array

    @property
    def step(self) -> int | None:
        """The step of the configuration that the values belong to; None before the first one."""
        return self.description.evaluated

    @property
    def columns(self) -> tuple[str, ...]:
        """The name of every column of ``array``, such as "propensity_t=4120"."""
        return tuple(column for _, column in self.description.columns)

    @cached_property
    def manifest(self) -> Manifest:
        """Times, species and units of the model, read from its file."""
        from glassml.export import read_manifest

        return read_manifest(self.description.model)

    @property
    def times(self) -> tuple[float, ...]:
        """The times [time] of the columns of the propensity."""
        return self.manifest.times

    def column(self, name: str) -> np.ndarray:
        """One column by its name, float64 [n].

        Raises:
            InputError: there is no column of this name.
        """
        if name not in self.columns:
            raise InputError(f"fix {self.description.fix}: {not_one_of(name, self.columns)}")
        return self.array[:, self.columns.index(name)]

    def __getitem__(self, output: str) -> np.ndarray:
        chosen = [k for k, (name, _) in enumerate(self.description.columns) if name == output]
        if not chosen:
            raise KeyError(f"fix {self.description.fix}: {not_one_of(output, list(self))}")
        return self.array[:, chosen]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self.description.columns))

    def __len__(self) -> int:
        return len(set(self))


def described(library: LammpsLibrary, fix: str) -> FixDescription:
    """Ask a fix what its columns are.

    Raises:
        InputError: there is no ``fix glassml`` of this ID.
    """
    text = None
    if library.has(_DESCRIBE) and library.fix_columns(fix) is not None:
        text = library.call(_DESCRIBE, ctypes.c_char_p, (ctypes.c_char_p, fix.encode()))
    if text is None:
        raise InputError(
            f"fix {fix}: expected the ID of a fix glassml; found no such fix. Without the plugin, "
            "glassml.lammps.LammpsPredictor evaluates models"
        )
    rows = [line.split("\t") for line in text.decode().splitlines()]
    single = {row[0]: row[1] for row in rows if len(row) == 2}
    evaluated = int(single["evaluated"])
    return FixDescription(
        fix=fix,
        model=Path(single["model"]),
        every=int(single["every"]),
        evaluated=None if evaluated < 0 else evaluated,
        columns=tuple((row[1], row[2]) for row in rows if row[0] == "column"),
    )


def gathered(library: LammpsLibrary, description: FixDescription) -> FixValues:
    """The values of a fix on all ranks, sorted by ID. Collective.

    Raises:
        InputError: there are too many.
    """
    width = 1 + len(description.columns)
    if library.n_atoms * width >= _MOST_NUMBERS:
        raise InputError(
            f"fix {description.fix}: expected less than 2^31 numbers to gather; found "
            f"{library.n_atoms} atoms with {width} each. Read each rank's atoms"
        )
    rows = np.zeros((library.n_atoms, width))
    name, target = description.fix.encode(), rows.ctypes.data
    library.call(_GATHER, None, (ctypes.c_char_p, name), (ctypes.c_void_p, target))
    rows = rows[rows[:, 0] > 0]  # atoms that LAMMPS has lost, but still counts
    rows = rows[np.argsort(rows[:, 0])]
    return FixValues(description, rows[:, 0].astype(np.int64), rows[:, 1:])

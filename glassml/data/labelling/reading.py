"""Reading the frames of a trajectory, and only those that are needed where this is possible."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np
from ase import Atoms

from glassml.data.configuration import Configuration
from glassml.data.labelling.following import Follower, Path
from glassml.data.labelling.schedule import Entry, Schedule, as_atoms
from glassml.data.readers.frames import Frames
from glassml.errors import InputError
from glassml.progress import Progress

__all__ = ["Followed", "TrajectoryReader"]


class Followed(NamedTuple):
    """A frame: its number among those that do not repeat, where it is, and where the particles are.

    ``name`` is for messages.
    """

    number: int
    entry: Entry
    name: str
    atoms: Atoms
    path: Path


class TrajectoryReader:
    """Reads frames in order and follows their particles.

    If the file says where the particles are without periodic wrapping, frames that are not needed
    are left out.

    Args:
        schedule: of the trajectory.
        unwrap: see `glassml.data.labelling.following.WAYS`.
        pbc: periodic directions; None: as the frames say.
    """

    def __init__(
        self, schedule: Schedule, unwrap: str, pbc: tuple[bool, bool, bool] | None
    ) -> None:
        self._schedule, self._pbc = schedule, pbc
        self._follower = Follower(unwrap)
        self._numbers = np.cumsum([not entry.repeats for entry in schedule.entries]) - 1
        self.unwrapping = ""

    def read(
        self, needed: Collection[int], progress: Progress, stage: str = "labelling"
    ) -> Iterator[Followed]:
        """The frames with these numbers, and others between them.

        Args:
            needed: numbers of frames that do not repeat.
            progress: of the frames.
            stage: what they are read for, for people.

        Raises:
            InputError: a frame cannot be read or followed.
        """
        entries = self._schedule.entries
        with progress.stage(stage, len(entries)) as advance:
            done = -1
            for k, name, atoms in self._chosen(needed):
                if entries[k].repeats:
                    self._follower.check_repeated(atoms, name)
                else:
                    path = self._follower.follow(atoms, name)
                    yield Followed(int(self._numbers[k]), entries[k], name, atoms, path)
                advance(k - done)
                done = k

    def _chosen(self, needed: Collection[int]) -> Iterator[tuple[int, str, Atoms]]:
        """Index of the entry, name and Atoms of each frame that has to be read."""
        entries = self._schedule.entries
        ends = _joints(entries)
        for file, source in enumerate(self._schedule.files):
            read = [k for k, entry in enumerate(entries) if entry.file == file]
            if not read:
                continue
            found: Iterator[tuple[str, Atoms | Configuration]]
            if source.select is None:
                first, last = entries[read[0]].number, entries[read[-1]].number
                found = islice(source.frames, first, last + 1)
            else:
                _, sample = next(source.select([entries[read[0]].number]))
                if not self._follower.by_continuity(self._bounded(sample)):
                    _check_ids(source, sample)
                    read = [k for k in read if int(self._numbers[k]) in needed or k in ends]
                found = source.select([entries[k].number for k in read])
            for k, (name, frame) in zip(read, found, strict=True):
                yield k, name, self._bounded(frame)

    def _bounded(self, frame: Atoms | Configuration) -> Atoms:
        atoms = as_atoms(frame)
        if self._pbc is not None:
            atoms.pbc = self._pbc
        self.unwrapping = self._follower.describe(atoms)
        return atoms


def _check_ids(source: Frames, sample: Atoms | Configuration) -> None:
    """LAMMPS writes atoms in any order, which shows at once only if they are followed closely."""
    if "id" not in as_atoms(sample).arrays:
        raise InputError(
            f"{source.path}: ids: expected a column id, as LAMMPS changes the order of the atoms; "
            "found none. Write it; if the atoms were sorted, --unwrap continuity follows them from "
            "frame to frame"
        )


def _joints(entries: tuple[Entry, ...]) -> set[int]:
    """The first frame, and the two on each side of a joint of files or of a repetition."""
    joints = {0}
    for k, (here, after) in enumerate(pairwise(entries)):
        if here.file != after.file or after.repeats:
            joints |= {k, k + 1}
    return joints

"""The frames of a trajectory in one or several files, and when each was written.

Times come from the frames themselves (``ITEM: TIME`` of LAMMPS, ``Time`` of extxyz), else from the
numbers of their time steps and the length of a step, else from the interval between frames.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from ase import Atoms

from glassml.data.atoms import atoms_from_configuration
from glassml.data.configuration import Configuration
from glassml.data.readers.frame_clock import FrameClock, clock_of, time_of
from glassml.data.readers.frames import Frames, open_frames
from glassml.errors import InputError
from glassml.progress import SILENT, Progress

__all__ = ["Clock", "Entry", "Schedule", "as_atoms", "read_schedule"]


@dataclass(frozen=True)
class Clock:
    """What the user says about times.

    Attributes:
        timestep: length of a time step [time], for frames with numbers of time steps.
        frame_interval: between two frames [time]; it replaces what the frames state.
        start: frames before this time [time] are left out.
        stop: frames after this time [time] are left out.
    """

    timestep: float | None = None
    frame_interval: float | None = None
    start: float | None = None
    stop: float | None = None

    def __post_init__(self) -> None:
        for name in ("timestep", "frame_interval"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option}: expected a positive time; found {value:g}")
        if self.timestep is not None and self.frame_interval is not None:
            raise InputError(
                "--timestep, --frame-interval: expected one of them, as each gives the times of "
                "the frames; found both"
            )


@dataclass(frozen=True)
class Entry:
    """A frame: the number of its file, and its number there.

    Attributes:
        repeats: whether it is the frame before it again, as at the joint of two files.
    """

    file: int
    number: int
    repeats: bool = False


@dataclass(frozen=True)
class Schedule:
    """The frames of a trajectory in order.

    Attributes:
        files: of the trajectory, each to be iterated over once.
        entries: of the frames, repeated ones included.
        times: when each was written, [F] [time]; a repeated frame has the time of the one before.
    """

    files: tuple[Frames, ...]
    entries: tuple[Entry, ...]
    times: np.ndarray

    @cached_property
    def times_of_different(self) -> np.ndarray:
        """The times [time] of the frames that do not repeat."""
        return self.times[[not entry.repeats for entry in self.entries]]

    @property
    def spacing(self) -> float:
        """The smallest time between two frames [time]."""
        return float(np.diff(self.times_of_different).min())


@dataclass(frozen=True)
class _Seen:
    """A frame when it is first met; ``checksum`` of its positions if they were read."""

    entry: Entry
    clock: FrameClock
    checksum: bytes = b""


def as_atoms(frame: Atoms | Configuration) -> Atoms:
    """A frame as Atoms, also if it comes from a dataset."""
    return frame if isinstance(frame, Atoms) else atoms_from_configuration(frame)


def read_schedule(
    paths: Sequence[Path],
    clock: Clock,
    kind: str | None = None,
    progress: Progress = SILENT,
    pbc: tuple[bool, bool, bool] | None = None,
) -> Schedule:
    """Find the frames of a trajectory and their times.

    Files other than LAMMPS dumps are read for this, with one frame in memory at a time.

    Args:
        paths: files of the trajectory, in order.
        clock: what the files do not state.
        kind: ASE's name of the format, or "gsd". Default: determined from the files.
        progress: of the files.
        pbc: periodic directions, in place of those in the files.

    Raises:
        InputError: a file cannot be read, frames have no times or are out of order, or fewer than
            two frames are left.
    """
    files: list[Frames] = []
    seen: list[_Seen] = []
    for number, path in enumerate(progress.watch(paths, "finding frames", len(paths))):
        source = open_frames(path, kind=kind, pbc=pbc, ids=True, unwrapped=True)
        if source.clocks is not None:
            seen += [_Seen(Entry(number, k), stated) for k, stated in enumerate(source.clocks)]
        else:
            for k, (_, frame) in enumerate(source.frames):
                atoms = as_atoms(frame)
                digest = hashlib.sha256(atoms.positions.tobytes()).digest()
                seen.append(_Seen(Entry(number, k), clock_of(atoms), digest))
            source = open_frames(path, kind=kind, pbc=pbc, ids=True, unwrapped=True)
        files.append(source)
    return _within(_timed(files, seen, clock), clock)


def _timed(files: list[Frames], seen: list[_Seen], clock: Clock) -> Schedule:
    entries: list[Entry] = []
    times: list[float] = []
    interval = clock.frame_interval
    for k, here in enumerate(seen):
        before = seen[k - 1] if k else None
        repeats = before is not None and _is_again(before, here)
        if interval is not None:
            time = times[-1] + (not repeats) * interval if times else 0.0
        else:
            name = f"{files[here.entry.file].path}: frame {here.entry.number}"
            time = _time(here, clock, name)
            if before is not None and time < times[-1]:
                joint = before.entry.file != here.entry.file
                raise _out_of_order(name, joint, times[-1], time)
            repeats = before is not None and time == times[-1]
        entries.append(replace(here.entry, repeats=bool(repeats)))
        times.append(time)
    return Schedule(tuple(files), tuple(entries), np.array(times))


def _is_again(before: _Seen, here: _Seen) -> bool:
    """Whether a frame whose time is not stated is the one before it again."""
    if before.entry.file == here.entry.file:
        return False
    same_step = here.clock.step is not None and here.clock.step == before.clock.step
    return same_step or (here.checksum != b"" and here.checksum == before.checksum)


def _time(here: _Seen, clock: Clock, name: str) -> float:
    time = time_of(here.clock, clock.timestep, name)
    if time is not None:
        return time
    if here.clock.step is None:
        raise InputError(
            f"{name}: time: expected a time or the number of a time step; found neither. Give the "
            "time between two frames (--frame-interval)"
        )
    raise InputError(
        f"{name}: time: expected a time; found the number of a time step alone "
        f"({here.clock.step}). Give the length of a step (--timestep)"
    )


def _out_of_order(name: str, joint: bool, earlier: float, time: float) -> InputError:
    hint = (
        "Give the files in order. If they are independent trajectories, label each and join the "
        "datasets with `glassml data merge`; if they overlap, remove what occurs twice; if the "
        "clock was reset, give --frame-interval"
        if joint
        else "Sort the frames, or divide the file where a new trajectory begins"
    )
    return InputError(
        f"{name}: time: expected one after {earlier:g}, that of the frame before; "
        f"found {time:g}. {hint}"
    )


def _within(schedule: Schedule, clock: Clock) -> Schedule:
    """The frames from ``start`` to ``stop``."""
    low = -math.inf if clock.start is None else clock.start
    high = math.inf if clock.stop is None else clock.stop
    # Times pass through text: those at the limits themselves are inside.
    slack = 1e-9 * float(np.abs(schedule.times).max())
    inside = (schedule.times >= low - slack) & (schedule.times <= high + slack)
    chosen = np.flatnonzero(inside)
    if len(np.unique(schedule.times[chosen])) < 2:
        limits = "" if clock.start is None and clock.stop is None else " from --start to --stop"
        raise InputError(
            f"{schedule.files[0].path}: frames: expected two or more at different "
            f"times{limits}; found {len(chosen)} of {len(schedule.times)}, which were written "
            f"between {schedule.times[0]:g} and {schedule.times[-1]:g}"
        )
    entries = [schedule.entries[k] for k in chosen]
    entries[0] = replace(entries[0], repeats=False)
    return Schedule(schedule.files, tuple(entries), schedule.times[chosen])

"""When a frame of a trajectory was written: what the frame states, and what time that is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase import Atoms

from glassml.errors import InputError

__all__ = ["FrameClock", "clock_of", "time_of"]

# Names in atoms.info, as glassml's readers, ASE and other programs write them.
_TIMES, _STEPS = ("time", "Time"), ("timestep", "Timestep", "step", "Step")


class FrameClock(NamedTuple):
    """When a frame was written: number of the time step, and time [time]; None if not stated."""

    step: int | None
    time: float | None


def clock_of(atoms: Atoms) -> FrameClock:
    """What a frame states in ``info``: ``time`` or ``Time``; ``timestep``, ``step`` or the like."""
    time, step = (
        next((atoms.info[name] for name in names if name in atoms.info), None)
        for names in (_TIMES, _STEPS)
    )
    return FrameClock(
        None if step is None else int(step), None if time is None else float(np.asarray(time))
    )


def time_of(clock: FrameClock, timestep: float | None, name: str) -> float | None:
    """The time [time] at which a frame was written; None if it is not known.

    Args:
        clock: what the frame states.
        timestep: length of a time step [time], if the user gave it.
        name: of the frame, for the error.

    Raises:
        InputError: the frame states its time, and the user gave the length of a step.
    """
    if clock.time is None:
        return None if clock.step is None or timestep is None else clock.step * timestep
    if timestep is not None:
        raise InputError(
            f"{name}: --timestep: expected none, as the frames state their times; found "
            f"{timestep:g}"
        )
    return clock.time

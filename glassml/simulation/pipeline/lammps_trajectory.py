"""Trajectories that LAMMPS wrote, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glassml.errors import SimulationError

__all__ = ["Frame", "read_frames"]


class Frame(NamedTuple):
    """One frame.

    Attributes:
        step: time step.
        positions: float64 [N, 3] [length], not wrapped, in the order of ids.
    """

    step: int
    positions: np.ndarray


def read_frames(path: Path, steps: list[int]) -> Iterator[Frame]:
    """Read a dump with columns ``id xu yu zu``, sorted by id.

    Args:
        path: the file.
        steps: the time steps that it must hold, in order.

    Raises:
        SimulationError: the file holds other steps or is cut off, as on a full disk.
    """
    expected = iter(steps)
    with path.open(encoding="utf-8") as stream:
        while stream.readline():
            try:
                step = int(stream.readline())
                stream.readline()
                n = int(stream.readline())
                for _ in range(5):  # the box and the names of the columns
                    stream.readline()
                table = np.array([stream.readline().split() for _ in range(n)], float)
                positions = table[:, 1:4]
            except (ValueError, IndexError):
                raise _wrong(path, "a frame that is cut off") from None
            if step != next(expected, None):
                raise _wrong(path, f"a frame of step {step}")
            yield Frame(step, np.ascontiguousarray(positions))
    missing = next(expected, None)
    if missing is not None:
        raise _wrong(path, f"no frame of step {missing}; is the disk full?")


def _wrong(path: Path, found: str) -> SimulationError:
    return SimulationError(f"{path}: expected LAMMPS to write all frames; found {found}")

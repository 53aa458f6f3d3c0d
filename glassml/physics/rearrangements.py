"""Rearrangements of particles: where they jump from one cage to another, by the function p_hop.

R. Candelier et al., Phys. Rev. Lett. 105, 135702 (2010); A. Smessaert, J. Rottler, Phys. Rev. E 88,
022314 (2013).
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

__all__ = ["HopFunction", "Jumps", "Rearrangements"]


class HopFunction:
    r"""p_hop of all particles, frame by frame.

    For a frame t with the windows A = [t - tau/2, t] and B = [t, t + tau/2],

    .. math:: p_\mathrm{hop}(i, t) = \sqrt{\langle (r_i - \langle r_i \rangle_B)^2 \rangle_A
        \langle (r_i - \langle r_i \rangle_A)^2 \rangle_B}

    For a particle that vibrates in its cage this is the square of the vibration, and for one that
    jumps at t nearly the square of the jump.

    As <(r - c)^2> is the variance of r plus the square of its mean minus c, sums over the windows
    are enough; they are carried from frame to frame.

    Args:
        half: number of intervals in tau/2: a window has ``half + 1`` frames.
    """

    def __init__(self, half: int) -> None:
        self.half = half
        self._frames: deque[np.ndarray] = deque()

    def add(self, positions: np.ndarray) -> np.ndarray | None:
        """The next frame.

        Args:
            positions: [N, 3] [length], not wrapped.

        Returns:
            p_hop [N] [length^2] of the frame ``half`` frames ago; None for the first 2 ``half``
            frames.
        """
        frames, half = self._frames, self.half
        if not frames:
            self._origin = np.array(positions)
            # Sums over both windows of the positions and of their squares.
            self._sums = np.zeros((2, *positions.shape))
            self._squares = np.zeros((2, len(positions)))
        frames.append(positions - self._origin)
        self._change(1, frames[-1], 1)
        if len(frames) > half + 1:
            self._change(1, frames[-half - 2], -1)
        if len(frames) > half:
            self._change(0, frames[-half - 1], 1)
        if len(frames) > 2 * half + 1:
            self._change(0, frames.popleft(), -1)
        if len(frames) < 2 * half + 1:
            return None
        mean = self._sums / (half + 1)
        variance = self._squares / (half + 1) - (mean**2).sum(axis=2)
        apart = ((mean[0] - mean[1]) ** 2).sum(axis=1)
        return np.sqrt(np.prod(np.maximum(variance, 0.0) + apart, axis=0))

    def _change(self, window: int, frame: np.ndarray, sign: int) -> None:
        self._sums[window] += sign * frame
        self._squares[window] += sign * (frame**2).sum(axis=1)


class Jumps(NamedTuple):
    """Rearrangements: one row for each.

    Attributes:
        frame: int [J], where p_hop has its largest value.
        particle: int [J].
        size: [J] that value [length^2].
    """

    frame: np.ndarray
    particle: np.ndarray
    size: np.ndarray


class Rearrangements:
    """Finds rearrangements: stretches of time in which p_hop is above a threshold.

    Args:
        threshold: [length^2].
        first: number of the first frame that has a p_hop.

    Attributes:
        last_active: int [N], the last frame so far in which p_hop was above the threshold; -1 if
            there was none.
    """

    def __init__(self, threshold: float, first: int) -> None:
        self.threshold = threshold
        self.last_active = np.zeros(0, np.int64)
        self._frame = first
        self._largest = self._where = np.zeros(0)
        self._found: list[Jumps] = []

    def add(self, hop: np.ndarray) -> None:
        """The next frame: p_hop [N] [length^2]."""
        if not len(self.last_active):
            self.last_active = np.full(len(hop), -1)
            self._largest = np.zeros(len(hop))
            self._where = np.zeros(len(hop), np.int64)
        above = hop > self.threshold
        self._close(~above & (self._largest > 0))
        higher = above & (hop > self._largest)
        self._largest[higher], self._where[higher] = hop[higher], self._frame
        self.last_active[above] = self._frame
        self._frame += 1

    def jumps(self) -> Jumps:
        """All rearrangements so far, in order of time."""
        self._close(self._largest > 0)
        joined = [np.concatenate(part) for part in zip(*self._found, strict=True)]
        order = np.lexsort((joined[1], joined[0]))
        return Jumps(*(part[order] for part in joined))

    def _close(self, ended: np.ndarray) -> None:
        """Stretches that end before this frame."""
        particles = np.flatnonzero(ended)
        self._found.append(
            Jumps(self._where[particles].astype(np.int64), particles, self._largest[particles])
        )
        self._largest[particles] = 0.0

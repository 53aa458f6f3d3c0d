"""Which frames of a trajectory get labels, and which other frames each of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glassml.data.windows import Window
from glassml.errors import InputError
from glassml.physics.times import TOLERANCE

__all__ = ["LabelledFrame", "Plan", "make_plan"]

# Of the smallest time between frames: by so much may times be rounded in the file.
_ROUNDING = 1e-4


@dataclass(frozen=True)
class LabelledFrame:
    """A frame that gets labels. All numbers are indices of frames.

    Attributes:
        frame: the frame itself.
        sides: the frames at each of the T times after it, and those at each time before it; one of
            the two if the other is incomplete.
        windows: the frames of each window, in the order in which they are averaged: the last of the
            first window is the frame itself.
    """

    frame: int
    sides: tuple[tuple[int, ...], ...]
    windows: tuple[tuple[int, ...], ...] = ()

    @property
    def needs(self) -> set[int]:
        """All frames that are needed, itself included."""
        return {self.frame}.union(*self.sides, *self.windows)


@dataclass(frozen=True)
class Plan:
    """The labelled frames.

    Attributes:
        labelled: in order.
        spacing: at least this time is between two of them [time].
    """

    labelled: tuple[LabelledFrame, ...]
    spacing: float


def make_plan(
    frames: np.ndarray,
    labels: Sequence[float],
    *,
    spacing: float | None = None,
    one_sided: bool = False,
    window: Window | None = None,
    windows: int = 1,
) -> Plan:
    """Choose the frames that get labels.

    The first frame that has everything it needs is labelled, then the first one at least
    ``spacing`` later, and so on. Windows alternate: past, future seen backwards, further past, ...

    Args:
        frames: times [F] [time] of the frames, increasing.
        labels: times [T] [time] of the labels, increasing.
        spacing: [time]. Default: the longest time of the labels.
        one_sided: also label frames that have all times on one side only.
        window: how positions are averaged; None: not at all.
        windows: number of windows of each frame.

    Raises:
        InputError: no two frames are this far apart in time, or no frame has everything.
    """
    between = float(np.diff(frames).min())
    for time in labels:
        _check_possible(frames, time, between)
    after, before = ([_partners(frames, s * t, between) for t in labels] for s in (1, -1))
    complete = [np.min(side, axis=0) >= 0 for side in (after, before)]
    enough = complete[0] | complete[1] if one_sided else complete[0] & complete[1]
    if not enough.any():
        raise _none_complete(frames, labels, one_sided)
    samples = [] if window is None else _samples(frames, window, windows, between)
    for of_window in samples:
        enough &= np.min(of_window, axis=0) >= 0
    spacing = max(labels) if spacing is None else spacing
    chosen: list[LabelledFrame] = []
    for k in np.flatnonzero(enough):
        if chosen and frames[k] - frames[chosen[-1].frame] < spacing - _ROUNDING * between:
            continue
        sides = tuple(
            tuple(int(of_time[k]) for of_time in side)
            for side, whole in zip((after, before), complete, strict=True)
            if whole[k]
        )
        of_windows = tuple(tuple(int(s[k]) for s in of_window) for of_window in samples)
        chosen.append(LabelledFrame(int(k), sides, of_windows))
    if not chosen:
        raise InputError(
            f"--average: expected frames with {windows} window(s) of {window} that also have "
            f"frames at all times of the labels; found none among {len(frames)} frames"
        )
    return Plan(tuple(chosen), spacing)


def _partners(frames: np.ndarray, shift: float, between: float) -> np.ndarray:
    """For each frame the index of the one that is ``shift`` [time] later, -1 without one."""
    slack = max(TOLERANCE * abs(shift), _ROUNDING * between)
    wanted = frames + shift
    found = np.searchsorted(frames, wanted - slack)
    index = np.minimum(found, len(frames) - 1)
    return np.where(np.abs(frames[index] - wanted) <= slack, index, -1)


def _samples(
    frames: np.ndarray, window: Window, windows: int, between: float
) -> list[list[np.ndarray]]:
    """For each window and sample the indices [F] of the frames, -1 without one."""
    result = []
    for number in range(windows):
        direction, stretch = 1 if number % 2 else -1, number // 2
        steps = range((stretch + 1) * window.samples - 1, stretch * window.samples - 1, -1)
        of_window = [_partners(frames, direction * k * window.interval, between) for k in steps]
        if not (np.min(of_window, axis=0) >= 0).any():
            raise InputError(
                f"--average: expected {windows} window(s) of {window}, all of whose samples are "
                f"frames; found frames {between:g} apart, and none that "
                f"{'follow' if direction > 0 else 'precede'} another one in this way. Write "
                "frames more often, or average fewer samples or at a longer --sample-interval"
            )
        result.append(of_window)
    return result


def _check_possible(frames: np.ndarray, time: float, between: float) -> None:
    """Check that two frames are this far apart."""
    length = float(frames[-1] - frames[0])
    if time > length + _ROUNDING * between:
        raise InputError(
            f"--time: expected at most {length:g}, the time from the first to the last frame; "
            f"found {time:g}"
        )
    if (_partners(frames, time, between) >= 0).any():
        return
    above = np.searchsorted(frames, frames + time)
    later, earlier = above < len(frames), above - 1 > np.arange(len(frames))
    nearest = [
        *(frames[above - 1] - frames)[earlier].max(initial=0.0, keepdims=True),
        (frames[above[later]] - frames[later]).min(),
    ]
    raise InputError(
        f"--time: expected the time between two frames, such as "
        f"{' or '.join(f'{value:g}' for value in nearest if value)}; found {time:g} (the frames "
        f"are {between:g} apart)"
    )


def _none_complete(frames: np.ndarray, labels: Sequence[float], one_sided: bool) -> InputError:
    """The error if no frame has other frames at all times of the labels."""
    length, longest = float(frames[-1] - frames[0]), max(labels)
    if not one_sided and longest > length / 2:
        return InputError(
            f"--time: expected at most {length / 2:g}, half of the time from the first to the last "
            f"frame, as labels are taken in both directions; found {longest:g}. --one-sided takes "
            f"one direction where the other is too short, up to {length:g}"
        )
    return InputError(
        f"--time: expected times for which some frame has others "
        f"{'on one side' if one_sided else 'before and after it'}, at all of them together; found "
        f"{', '.join(f'{t:g}' for t in labels)}, and no such frame among {len(frames)}. Give fewer "
        "times, or frames that are evenly spaced"
    )

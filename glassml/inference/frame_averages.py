"""From the frames of a trajectory to what a model reads: averages over windows of frames."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from glassml.data import Configuration, Frames, Window, view_of
from glassml.errors import InputError
from glassml.inference.frame_times import FrameTimes
from glassml.inference.model_inputs import ModelInputs
from glassml.inference.sample_clock import SampleClock
from glassml.inference.windowed import PositionWindow, SameParticles, window_note
from glassml.physics.times import same_time

__all__ = ["Evaluation", "FrameAverages", "evaluations"]

_DUMP = "lammps-dump-text"

# A frame with its name, and what is evaluated for it.
Named = tuple[str, Atoms | Configuration]


@dataclass(frozen=True)
class FrameAverages:
    """Which frames of a trajectory are evaluated, and over what is averaged.

    The frames that were chosen count from 1. A window ends with the frame that is evaluated.

    Attributes:
        samples: number of successive frames that positions are averaged over. None: the window of
            the model, whose samples are found by the times of the frames. 0: none; the positions
            in the file are used as they are.
        every: frames ``every``, 2 ``every``, ... are evaluated. None: as often as windows fit
            without overlap; each frame, if there are no windows.
        smooth: number of evaluations whose propensities are averaged (see
            `glassml.inference.Smoothing`); None: no such average.
        timestep: time of one step [time], for frames that have a step but no time.
    """

    samples: int | None = None
    every: int | None = None
    smooth: int | None = None
    timestep: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """A frame to be evaluated.

    Attributes:
        frame: as it was read.
        configuration: the input of the model.
        as_given: whether the model reads ``configuration.positions`` (see `Predictor.predict`).
        window: how its positions were averaged; None if they were not.
    """

    frame: Atoms | Configuration
    configuration: Configuration
    as_given: bool
    window: Window | None = None


def evaluations(
    frames: Frames,
    inputs: ModelInputs,
    averages: FrameAverages,
    passed: Callable[[], None],
    model: str,
) -> Iterator[Evaluation]:
    """The frames to be evaluated, each as soon as it was read.

    Args:
        frames: see `glassml.data.open_frames`; LAMMPS dumps with ``ids``, if something is averaged.
        inputs: how frames are translated for the model.
        averages: over what is averaged.
        passed: called for each frame that is not evaluated.
        model: name of the model's file, for messages.

    Raises:
        InputError: the frames do not fit the averages or the model.

    Warns:
        UserWarning: the window differs from that of the model, or cannot be compared with it.
    """
    _check_options(frames, inputs, averages, model)
    window = inputs.manifest.window
    if window is not None and averages.samples != 0 and not _is_dataset(frames):
        yield from _averaged(frames, inputs, averages, passed, model, window)
        return
    clock = SampleClock(1, 1 if averages.every is None else averages.every)
    particles = None if averages.smooth is None else _Followed(frames)
    number = 0
    for number, (name, frame) in enumerate(frames.frames, start=1):
        if not clock.is_evaluation(number):
            passed()
        elif isinstance(frame, Configuration):
            # A dataset may hold several structures of a configuration; a file of frames holds one.
            yield Evaluation(frame, frame, as_given=False)
        else:
            configuration = inputs.configuration(frame, name)
            if particles is not None:
                particles.check(name, frame)
                particles.same.check(configuration)
            yield Evaluation(frame, configuration, as_given=True)
    _check_enough(frames, clock, number)


def _averaged(
    frames: Frames,
    inputs: ModelInputs,
    averages: FrameAverages,
    passed: Callable[[], None],
    model: str,
    expected: Window,
) -> Iterator[Evaluation]:
    inputs = inputs.of_samples()
    clock, named = _clock(frames, averages, expected)
    times, particles = FrameTimes(averages.timestep), _Followed(frames)
    window = PositionWindow(clock, expected.interval)
    number, compared = 0, False
    for number, (name, frame) in enumerate(named, start=1):
        assert isinstance(frame, Atoms)
        times.frame(name, frame)
        particles.check(name, frame)
        averaged = None
        if clock.is_sample(number):
            times.sample(first=clock.is_first(number))
            window.interval = times.interval or expected.interval
            averaged = window.add(number, inputs.configuration(frame, name))
        if averaged is None:
            passed()
            continue
        if not compared:
            _compare(frames, times, window.window, expected, model)
            compared = True
        view = view_of(averaged, inputs.manifest.positions)
        yield Evaluation(frame, view, as_given=True, window=window.window)
    _check_enough(frames, clock, number)


class _Followed:
    """Whether frames have the same particles in the same order."""

    def __init__(self, frames: Frames) -> None:
        self.same = SameParticles()
        self._dump = frames.format == _DUMP
        self._first: tuple[str, np.ndarray] | None = None

    def check(self, name: str, atoms: Atoms) -> None:
        """Compare the ids of the particles with those of the first frame, if there are as many."""
        if "id" not in atoms.arrays:
            if self._dump:
                raise InputError(
                    f"{name}: expected the column id, as averages follow each particle and LAMMPS "
                    "changes the order; found none. Add id to the dump (in Python, read it with "
                    "open_frames(..., ids=True))"
                )
            return
        if self._first is None:
            self._first = name, atoms.arrays["id"]
        first, ids = self._first[1], atoms.arrays["id"]
        if len(first) == len(ids) and not np.array_equal(first, ids):
            differ = np.flatnonzero(first != ids)[0]
            raise InputError(
                f"{name}: id: expected the particles of {self._first[0]} in the same order, as "
                f"averages follow each of them; found {ids[differ]} instead of {first[differ]}. "
                "Choose frames with the same particles"
            )


def _check_options(
    frames: Frames, inputs: ModelInputs, averages: FrameAverages, model: str
) -> None:
    given = [
        name
        for name, value in (
            ("average", averages.samples or None),
            ("every", averages.every),
            ("smooth", averages.smooth),
        )
        if value is not None
    ]
    if _is_dataset(frames) and given:
        raise InputError(
            f"{given[0]}: expected a trajectory; found the dataset {frames.path}, whose "
            "configurations do not follow one another. It holds averaged positions itself, if it "
            "was made with them. Leave the option out"
        )
    if averages.samples is not None and averages.samples < 0:
        raise InputError(
            f"average: expected a number of frames, or 0 to use positions as they are; found "
            f"{averages.samples}"
        )
    if averages.samples and inputs.manifest.window is None:
        raise InputError(
            f"average: expected a model of averaged positions; found {model}, which reads "
            f"{inputs.manifest.positions} positions. Leave the option out; --smooth averages its "
            "predictions"
        )


def _clock(
    frames: Frames, averages: FrameAverages, window: Window
) -> tuple[SampleClock, Iterator[Named]]:
    """Which frames are samples, and all frames."""
    samples, stride, named = averages.samples, 1, frames.frames
    if samples is None:
        samples = window.samples
    if averages.samples is None and samples > 1:
        stride, named = _stride(frames, averages, window)
    every = samples * stride if averages.every is None else averages.every
    return SampleClock(samples, every, stride), named


def _stride(frames: Frames, averages: FrameAverages, window: Window) -> tuple[int, Iterator[Named]]:
    """How many frames there are from sample to sample of the model's window, by the first two."""
    head = list(itertools.islice(frames.frames, 2))
    known = FrameTimes(averages.timestep)
    found = [known.frame(name, atoms) for name, atoms in head if isinstance(atoms, Atoms)]
    times = [time for time in found if time is not None]
    choice = (
        f"Give the number of frames to average over, such as --average {window.samples}, or "
        "--average 0 if the positions in the file are averages"
    )
    if len(times) < 2 or known.what != "time":
        what = "steps only; add --timestep TIME" if known.what == "step" else "neither"
        raise InputError(
            f"{frames.path}: expected frames with times (ITEM: TIME in a LAMMPS dump, 'time' in "
            f"atoms.info) or with steps and a time step, as the model reads averages over {window};"
            f" found {what if len(head) > 1 else 'a single frame'}. {choice}"
        )
    apart = times[1] - times[0]
    stride = round(window.interval / apart)
    if not stride or not same_time(stride * apart, window.interval):
        raise InputError(
            f"{frames.path}: expected frames {window.interval:g} apart or a whole part of it, as "
            f"the model reads averages over {window}; found {apart:g} from {head[0][0]} to "
            f"{head[1][0]}. {choice}"
        )
    return stride, itertools.chain(head, frames.frames)


def _compare(
    frames: Frames, times: FrameTimes, found: Window, expected: Window, model: str
) -> None:
    """Warn if the window is not that of the model."""
    if found.samples > 1 and times.interval is None:
        what = "steps only; give the time step (--timestep)" if times.what else "none"
        note = (
            f"{frames.path}: expected times of the frames, to compare averages over "
            f"{found.samples} of them with {expected}, which {model} was trained on; found {what}. "
            f"Frames are taken to be {expected.interval:g} apart"
        )
    else:
        note = window_note(model, expected, found)
    if note:
        warnings.warn(note, stacklevel=2)


def _check_enough(frames: Frames, clock: SampleClock, number: int) -> None:
    if 0 < number < clock.every:
        raise InputError(
            f"{frames.path}: expected {clock.every} or more frames, as the first evaluation is at "
            f"frame {clock.every} of those chosen; found {number}. Evaluate more often, or average "
            "over fewer frames"
        )


def _is_dataset(frames: Frames) -> bool:
    return frames.format == "glassml-dataset"

"""Which particles of a trajectory are about to rearrange, and which have long not rearranged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glassml.data import Configuration
from glassml.data.atoms import configuration_from_atoms
from glassml.data.labelling.reading import Followed, TrajectoryReader
from glassml.data.labelling.schedule import Schedule, read_schedule
from glassml.data.readers.structure import species_of_atoms
from glassml.errors import InputError
from glassml.inference import usual_spacing
from glassml.models import REFERENCE_SPACING
from glassml.physics import (
    HopFunction,
    Jumps,
    Rearrangements,
    relaxation_time,
    self_intermediate_scattering,
)
from glassml.progress import Progress
from glassml.studies.softness.options import SoftnessOptions

__all__ = ["Rearranging", "configuration_of", "find_rearranging", "open_schedule"]

# Published for the Kob-Andersen liquid, in its units.
_TAU, _THRESHOLD, _TRAINING_THRESHOLD = 10.0, 0.2, 0.6
_ORIGINS = 8  # of F_s, evenly spaced
_UNEVEN = 1e-3  # of the time between frames: times pass through text
_FEWEST = 2  # looks in each part of the trajectory


@dataclass(frozen=True)
class Rearranging:
    """What happens in a trajectory that is looked at every ``step`` frames.

    A rearrangement at frame t belongs to the look before it, when it is about to happen: to look m
    at frame ``looks[m]`` if looks[m] < t <= looks[m] + step.

    Attributes:
        first: the first frame.
        spacing: mean distance between particles [length].
        interval: time between frames [time].
        step: number of frames between looks, tau / 2.
        tau: length of both windows of p_hop [time].
        quiet: how long hard particles have not rearranged [time].
        measured: whether this is the measured tau_alpha.
        threshold: p_hop of a rearrangement [length^2].
        training_threshold: p_hop of those that are learnt from [length^2].
        looks: int [M], frames.
        jumps: all rearrangements.
        active: int [M, N], the last frame before ``looks[m] + step`` in which p_hop was above the
            threshold.
        frames: number of frames of the trajectory.
        unwrapping: how periodic wrapping was undone, for people.
    """

    first: Configuration
    spacing: float
    interval: float
    step: int
    tau: float
    quiet: float
    measured: bool
    threshold: float
    training_threshold: float
    looks: np.ndarray
    jumps: Jumps
    active: np.ndarray
    frames: int
    unwrapping: str

    def soft(self, threshold: float) -> np.ndarray:
        """Which particles are about to rearrange by more than a threshold: bool [M, N]."""
        found = np.zeros(self.active.shape, bool)
        look = (self.jumps.frame - self.looks[0] - 1) // self.step
        chosen = (look >= 0) & (look < len(found)) & (self.jumps.size > threshold)
        found[look[chosen], self.jumps.particle[chosen]] = True
        return found

    def hard(self) -> np.ndarray:
        """Which have not rearranged for a time ``quiet``, nor are about to: bool [M, N]."""
        return self.active < (self.looks - self.quiet_frames)[:, None]

    @property
    def quiet_frames(self) -> int:
        """The time ``quiet`` in frames."""
        return int(np.ceil(self.quiet / self.interval - _UNEVEN))


def open_schedule(
    files: Sequence[Path], options: SoftnessOptions, progress: Progress
) -> tuple[Schedule, TrajectoryReader]:
    """The frames of a trajectory, and what reads them; once."""
    schedule = read_schedule(files, options.clock, options.kind, progress, options.pbc)
    return schedule, TrajectoryReader(schedule, options.unwrap, options.pbc)


def configuration_of(frame: Followed, options: SoftnessOptions) -> Configuration:
    """A frame as a configuration."""
    frame.atoms.set_cell(frame.path.cell)
    return configuration_from_atoms(
        frame.atoms,
        species_of_atoms(frame.atoms, options.species, frame.name),
        {},
        length_unit=options.length_unit,
        name=f"frame{frame.number}",
    )


def find_rearranging(
    files: Sequence[Path], options: SoftnessOptions, progress: Progress
) -> Rearranging:
    """Find the rearrangements of a trajectory.

    Raises:
        InputError: the frames are not evenly spaced, too few or cannot be followed; or tau_alpha
            is not known.
    """
    schedule, reader = open_schedule(files, options, progress)
    interval, where = _interval(schedule), str(schedule.files[0].path)
    frames = reader.read(
        range(len(schedule.times_of_different)), progress, "finding rearrangements"
    )
    pass_ = _Pass(interval, len(schedule.times_of_different), options, where)
    for frame in frames:
        pass_.see(frame)
    return replace(pass_.result(), unwrapping=reader.unwrapping)


class _Pass:
    """The first pass over a trajectory."""

    def __init__(self, interval: float, frames: int, options: SoftnessOptions, where: str) -> None:
        self.interval, self.frames, self.options, self.where = interval, frames, options, where
        self.first: Configuration | None = None
        self.active: list[np.ndarray] = []
        self.origins: dict[int, np.ndarray] = {}
        self.scattering = np.zeros((2, frames))  # sums of F_s and how many, by the time between

    def see(self, frame: Followed) -> None:
        """The next frame."""
        if self.first is None:
            self._begin(configuration_of(frame, self.options))
        assert self.first is not None
        positions = frame.path.fractional @ self.first.cell
        self._scatter(frame.number, positions)
        hop = self.hop.add(positions)
        if hop is None:
            return
        self.finder.add(hop)
        known = frame.number - self.half
        # The looks are chosen when tau_alpha is known; each is a multiple of tau/2.
        if known % self.half == 0:
            self.active.append(self.finder.last_active.astype(np.int32))

    def _begin(self, first: Configuration) -> None:
        options = self.options
        self.first = first
        self.spacing = usual_spacing([first], first.length_unit)
        self.half, self.tau = self._half(first.length_unit)
        sigma = self.spacing / REFERENCE_SPACING
        self.threshold = options.threshold or _THRESHOLD * sigma**2
        self.training_threshold = options.training_threshold or max(
            _TRAINING_THRESHOLD * sigma**2, self.threshold
        )
        # The same number, as it is printed, may be smaller by rounding.
        if math.isclose(self.training_threshold, self.threshold, rel_tol=1e-5):
            self.training_threshold = self.threshold
        if self.training_threshold < self.threshold:
            raise InputError(
                f"--training-threshold: expected at least --threshold ({self.threshold:g}); found "
                f"{self.training_threshold:g}"
            )
        self.hop = HopFunction(self.half)
        self.finder = Rearrangements(self.threshold, self.half)

    def _half(self, unit: str) -> tuple[int, float]:
        """tau/2 in frames, and tau."""
        tau = self.options.tau
        if tau is None and unit != "lj":
            raise InputError(
                f"--tau: expected the length of both windows of p_hop, as the default ({_TAU:g}) "
                "is in LJ units; found none. Choose several times that of a vibration in a cage"
            )
        tau = _TAU if tau is None else tau
        half = round(tau / 2 / self.interval)
        if half < 1 or abs(half * self.interval - tau / 2) > _UNEVEN * half * self.interval:
            raise InputError(
                f"--tau: expected an even multiple of the time between frames, {self.interval:g}; "
                f"found {tau:g}"
            )
        if self.frames < 4 * half + 1:
            raise InputError(
                f"{self.where}: frames: expected {4 * half + 1} or more, for windows of p_hop of "
                f"{tau:g} (--tau) and the time before and after them; found {self.frames}"
            )
        return half, tau

    def _scatter(self, number: int, positions: np.ndarray) -> None:
        assert self.first is not None
        if number % max(1, self.frames // _ORIGINS) == 0 and len(self.origins) < _ORIGINS:
            self.origins[number] = positions
        wave_number = 2 * np.pi / self.spacing
        for origin, before in self.origins.items():
            f_s = self_intermediate_scattering(
                positions - before, wave_number, self.first.dimension
            )
            self.scattering[:, number - origin] += float(f_s), 1.0

    def _quiet(self) -> float:
        """How long hard particles have not rearranged."""
        if self.options.quiet is not None:
            return self.options.quiet
        sums, counts = self.scattering
        seen = counts > 0
        f_s = sums[seen] / counts[seen]
        found = relaxation_time(np.flatnonzero(seen) * self.interval, f_s)
        if found is None:
            raise InputError(
                f"{self.where}: tau_alpha: expected particles that relax within the trajectory; "
                f"found F_s = {f_s.min():.2f} or more. Say how long hard particles have not "
                "rearranged (--quiet)"
            )
        return found

    def result(self) -> Rearranging:
        """What was found, after the last frame."""
        quiet, half, parts = self._quiet(), self.half, self.options.parts
        # p_hop must be known for all of the quiet time before a look.
        before = half + int(np.ceil(quiet / self.interval - _UNEVEN))
        first = -(-before // half)
        looks = half * np.arange(first, len(self.active), dtype=np.int64)
        if len(looks) < _FEWEST * parts:
            needed = before + (_FEWEST * parts + 2) * half + 1
            raise InputError(
                f"{self.where}: frames: expected {needed} or more: {parts} parts (--parts) of "
                f"{_FEWEST} times tau/2 = {self.tau / 2:g} (--tau) after a time of {quiet:.3g} "
                f"without rearrangements (--quiet); found {self.frames}"
            )
        assert self.first is not None
        return Rearranging(
            first=self.first,
            spacing=self.spacing,
            interval=self.interval,
            step=half,
            tau=self.tau,
            quiet=quiet,
            measured=self.options.quiet is None,
            threshold=self.threshold,
            training_threshold=self.training_threshold,
            looks=looks,
            jumps=self.finder.jumps(),
            # Number k is that of frame (k + 1) half: at the end of the time after look k half.
            active=np.array(self.active)[looks // half],
            frames=self.frames,
            unwrapping="",
        )


def _interval(schedule: Schedule) -> float:
    """The time between frames."""
    apart = np.diff(schedule.times_of_different)
    if np.ptp(apart) > _UNEVEN * apart.mean():
        raise InputError(
            f"{schedule.files[0].path}: frames: expected even times between frames, for the "
            f"windows of p_hop; found {apart.min():g} to {apart.max():g}. Choose a part of the "
            "trajectory (--start, --stop), or write frames at even times"
        )
    return float(apart.mean())

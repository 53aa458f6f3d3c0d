"""Windows of a trajectory: samples of a moving system in, averaged positions for a model out."""

from __future__ import annotations

import numpy as np

from glassml.data import Configuration, Window, with_windows
from glassml.errors import InputError
from glassml.inference.sample_clock import SampleClock
from glassml.physics import PositionAverage

__all__ = ["PositionWindow", "SameParticles", "window_note"]


class SameParticles:
    """Checks that all configurations of a trajectory have the same particles in the same order."""

    def __init__(self) -> None:
        self._first: Configuration | None = None

    def check(self, configuration: Configuration) -> None:
        """Check a configuration against the first one.

        Raises:
            InputError: another number of particles, other species, or other periodic directions.
        """
        if self._first is None:
            self._first = configuration
        first, name = self._first, configuration.name
        if configuration.n_particles != first.n_particles:
            raise InputError(
                f"{name}: particles: expected the {first.n_particles} of {first.name}, as averages "
                f"follow each of them; found {configuration.n_particles}"
            )
        before, now = (np.array(c.species_names)[c.species] for c in (first, configuration))
        differ = np.flatnonzero(before != now)
        if len(differ):
            raise InputError(
                f"{name}: species: expected those of {first.name} in the same order; found "
                f"{now[differ[0]]} instead of {before[differ[0]]} at index {differ[0]}. Keep the "
                "particles in order, as averages follow each of them"
            )
        if configuration.pbc != first.pbc:
            raise InputError(
                f"{name}: pbc: expected {first.pbc}, as in {first.name}; found {configuration.pbc}"
            )


class PositionWindow:
    """Collects the samples of one system, window by window.

    `glassml.physics.averaging` defines the averages.

    Args:
        clock: which samples belong to a window, and when it ends.
        interval: time between two samples [time], for the provenance of the configurations. It
            may be set later, but before the first window ends.
    """

    def __init__(self, clock: SampleClock, interval: float) -> None:
        self.clock = clock
        self.interval = interval
        self._particles = SameParticles()
        self._average = PositionAverage()

    @property
    def window(self) -> Window:
        """How positions are averaged."""
        return Window(self.interval, self.clock.samples)

    def add(self, number: int, sample: Configuration) -> Configuration | None:
        """Add the sample of this number, for which `SampleClock.is_sample` holds.

        Args:
            number: as the clock counts, in ascending order.
            sample: N particles. Its scalar ``average_energy``, if it has one, is the energy of each
                particle in this sample.

        Returns:
            At the end of a window, the sample with averaged positions (see
            `glassml.data.with_windows`) and with the mean as ``average_energy``; else None.

        Raises:
            InputError: the particles are not those of the samples before.
        """
        self._particles.check(sample)
        if self.clock.is_first(number):
            self._average = PositionAverage(sample.pbc)
        self._average.add(sample.positions, sample.cell, sample.scalars.get("average_energy"))
        if not self.clock.is_evaluation(number):
            return None
        return with_windows(sample, [self._average.result()], self.window)


def window_note(model: str, expected: Window, found: Window, where: str = "") -> str:
    """A warning that a model reads averages over another window; "" for the same window.

    Args:
        model: name of its file.
        expected: the window of its training.
        found: the window of the averages that it reads.
        where: their configuration, if there are others.
    """
    if found.same_as(expected):
        return ""
    return (
        f"{model} was trained on averages over {expected}; found averages over {found}"
        f"{where and f' in {where}'}: its predictions are less accurate for these"
    )

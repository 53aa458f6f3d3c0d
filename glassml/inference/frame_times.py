"""When the frames of a trajectory are: their order, and how far apart they are."""

from __future__ import annotations

from ase import Atoms

from glassml.data.readers.frame_clock import clock_of, time_of
from glassml.errors import InputError
from glassml.physics.times import same_time

__all__ = ["FrameTimes"]


class FrameTimes:
    """Follows the times of frames, one by one, and the distances between samples of windows.

    A frame's time is the one that it states or, with a time step, that times the step that it
    states (see `glassml.data.readers.frame_clock`). Without both, steps still show the order.

    Args:
        timestep: time of one step [time], if steps are to be converted.

    Raises:
        InputError: the time step is not positive.
    """

    def __init__(self, timestep: float | None = None) -> None:
        if timestep is not None and not timestep > 0:
            raise InputError(f"timestep: expected a positive time; found {timestep:g}")
        self._timestep = timestep
        self.what: str | None = None  # what frames have: "time", "step" or ""; None: no frame yet
        self._frame: tuple[str, float] | None = None  # name and time of the frame before
        self._sample: tuple[str, float] | None = None
        self._spacing: float | None = None

    @property
    def interval(self) -> float | None:
        """From one sample to the next [time]; None if it is not known."""
        return self._spacing if self.what == "time" else None

    def frame(self, name: str, atoms: Atoms) -> float | None:
        """Take the next frame.

        Returns:
            Its time [time], or its step if the time is unknown; None if both are.

        Raises:
            InputError: it does not come after the frame before, or has no time and others do; or it
                states its time, and there is a time step too.
        """
        what, time = self._time_of(name, atoms)
        if self.what not in (None, what):
            raise InputError(
                f"{name}: expected {_article(self.what)}, as the frames before have; found "
                f"{_article(what)}. Leave this frame out with the index"
            )
        self.what = what
        before = self._frame
        if time is None:
            return None
        if before is not None and not time > before[1]:
            raise InputError(
                f"{name}: {what}: expected one after {before[1]:.12g}, that of {before[0]}; found "
                f"{time:.12g}. Bring the frames into order, and leave out those that occur twice"
            )
        self._frame = (name, time)
        return time

    def sample(self, *, first: bool) -> None:
        """Use the last frame as a sample.

        Args:
            first: whether a window begins with it.

        Raises:
            InputError: the distance from the sample before is another one than between samples
                before.
        """
        before, now = self._sample, self._frame
        self._sample = now
        if first or before is None or now is None:
            return
        spacing = now[1] - before[1]
        if self._spacing is None:
            self._spacing = spacing
        elif not same_time(spacing, self._spacing):
            raise InputError(
                f"{now[0]}: {self.what}: expected {before[1] + self._spacing:.12g}, which is "
                f"{self._spacing:.6g} after {before[0]}, as for the frames before; found "
                f"{now[1]:.12g}. Averages need evenly spaced frames. Choose such frames with the "
                "index, or write them at even intervals"
            )

    def _time_of(self, name: str, atoms: Atoms) -> tuple[str, float | None]:
        clock = clock_of(atoms)
        time = time_of(clock, self._timestep, name)
        if time is not None:
            return "time", time
        return ("", None) if clock.step is None else ("step", float(clock.step))


def _article(what: str | None) -> str:
    return f"a {what}" if what else "neither a time nor a step"

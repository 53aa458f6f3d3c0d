"""Averaged positions of a configuration: one or more windows of the trajectory that it is part of.

`glassml.physics.averaging` defines them. In a configuration, window 1 has the structure ``average``
and the scalars ``average_energy``, ``vibration`` and ``average_displacement``. Further windows have
the same names with a number: ``average_2``, ``vibration_2``, ... They belong to the same positions
and the same labels, and serve as augmentation. Provenance holds the interval between samples
[time] and their number, which all windows share.

In equilibrium a run from a configuration, seen backwards, is as likely as any other past of it. A
window of such a run therefore takes its samples in reverse order, so that the present one is the
configuration itself.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace

from glassml.data.configuration import Configuration
from glassml.errors import InputError
from glassml.physics.averaging import AveragedPositions
from glassml.physics.times import same_time

__all__ = [
    "AVERAGE",
    "WINDOW_SCALARS",
    "Window",
    "count_windows",
    "number_of_windows",
    "reads_window",
    "window_name",
    "window_needed",
    "window_of",
    "with_windows",
    "without_windows",
]

#: The name of averaged positions among the structures of a configuration.
AVERAGE = "average"
#: The scalars of a window, in this order the mean energy [energy], the rms distance from the
#: averaged position and the distance of the averaged from the thermal position [length].
WINDOW_SCALARS = ("average_energy", "vibration", "average_displacement")

_INTERVAL, _SAMPLES = "average_interval", "average_samples"


@dataclass(frozen=True)
class Window:
    """How positions were averaged.

    Attributes:
        interval: between two samples [time].
        samples: number of samples.
    """

    interval: float
    samples: int

    def __post_init__(self) -> None:
        if not (0 < self.interval < math.inf and self.samples >= 1):
            raise ValueError(
                "window: expected a positive interval and one sample or more; found "
                f"{self.samples} samples every {self.interval}"
            )

    def __str__(self) -> str:
        if self.samples == 1:
            return "1 sample"
        return f"{self.samples} samples every {self.interval:g}"

    def same_as(self, other: Window) -> bool:
        """Whether both have the same number of samples and, within rounding, interval."""
        return self.samples == other.samples and same_time(self.interval, other.interval)


def reads_window(positions: str, scalars: Iterable[str]) -> bool:
    """Whether a model of these positions and scalars needs averages over a window."""
    return positions == AVERAGE or any(name in WINDOW_SCALARS for name in scalars)


def window_name(name: str, window: int) -> str:
    """The name of a structure or scalar in the window of this number, which counts from 1."""
    return name if window == 1 else f"{name}_{window}"


def number_of_windows(configuration: Configuration) -> int:
    """How many windows a configuration has averaged positions of."""
    return count_windows(configuration.structures)


def count_windows(structures: Container[str]) -> int:
    """How many windows are among the names of structures."""
    number = 0
    while window_name(AVERAGE, number + 1) in structures:
        number += 1
    return number


def window_of(configuration: Configuration) -> Window | None:
    """How the averaged positions of a configuration were made; None if it has none.

    Raises:
        InputError: it has averaged positions, but its provenance does not say how they were made.
    """
    if AVERAGE not in configuration.structures:
        return None
    interval, samples = (configuration.provenance.get(key) for key in (_INTERVAL, _SAMPLES))
    try:
        return Window(float(interval), int(samples))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(
            f"{configuration.name}: provenance: expected {_INTERVAL} and {_SAMPLES}, which say "
            f"how the averaged positions were made; found {interval!r} and {samples!r}"
        ) from None


def window_needed(configuration: Configuration, where: str) -> Window:
    """How the averaged positions were made that a model reads, itself or their scalars.

    Args:
        configuration: N particles.
        where: its file and name, for the error.

    Raises:
        InputError: it has no averaged positions, or it is not known how they were made.
    """
    window = window_of(configuration)
    if window is None:
        raise InputError(
            f"{where}: structures: expected {AVERAGE!r}, as the model reads averages over a window "
            f"(positions {AVERAGE}, or one of the scalars {', '.join(WINDOW_SCALARS)}); found "
            f"{', '.join(configuration.structures) or 'none'}. `glassml average` adds them"
        )
    return window


def with_windows(
    configuration: Configuration, averages: Sequence[AveragedPositions], window: Window
) -> Configuration:
    """The configuration with averaged positions of one or more windows.

    Those that it had are replaced.

    Args:
        configuration: N particles.
        averages: of windows whose present is this configuration or, with ``path``, another moment
            of a run from it. ``average_displacement`` is the distance from that present.
        window: how each of them was made.
    """
    kept = without_windows(configuration)
    structures, scalars = dict(kept.structures), dict(kept.scalars)
    for number, average in enumerate(averages, start=1):
        path = 0.0 if average.path is None else average.path
        structures[window_name(AVERAGE, number)] = configuration.positions + path + average.shift
        values = (average.energy, average.vibration, average.displacement)
        for name, value in zip(WINDOW_SCALARS, values, strict=True):
            if value is not None:
                scalars[window_name(name, number)] = value
    return replace(
        configuration,
        structures=structures,
        scalars=scalars,
        provenance={
            **configuration.provenance,
            _INTERVAL: window.interval,
            _SAMPLES: window.samples,
        },
    )


def without_windows(configuration: Configuration) -> Configuration:
    """The configuration without averaged positions, their scalars and their provenance."""
    old = {
        window_name(name, k)
        for k in range(1, number_of_windows(configuration) + 1)
        for name in (AVERAGE, *WINDOW_SCALARS)
    }
    return replace(
        configuration,
        structures={k: v for k, v in configuration.structures.items() if k not in old},
        scalars={k: v for k, v in configuration.scalars.items() if k not in old},
        provenance={
            k: v for k, v in configuration.provenance.items() if not k.startswith("average_")
        },
    )

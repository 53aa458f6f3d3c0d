"""How a trajectory is labelled."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from glassml.data.labelling.schedule import Clock
from glassml.data.species import SpeciesMap
from glassml.errors import InputError

__all__ = ["LabelOptions"]


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """How a trajectory is labelled.

    Attributes:
        times: of the labels [time], in any order.
        clock: times of the frames.
        spacing: least time between labelled configurations [time]. Default: the longest of
            ``times``.
        one_sided: also label frames with one direction only (R = 1).
        unwrap: how periodic wrapping is undone, see `glassml.data.labelling.following.WAYS`.
        samples: of each window of averaged positions; None: no windows.
        sample_interval: between two samples [time]. Default: the smallest time between frames.
        windows: number of windows of each configuration.
        energy: the array of potential energies. Default: ``c_pe`` or ``potential_energy`` where
            the frames have it.
        species: the species of the file's types or symbols.
        length_unit: unit of the file's lengths. Default: that of the file, else "lj".
        pbc: periodic directions, if the files do not state them correctly.
        kind: ASE's name of the format, or "gsd". Default: determined from the files.
    """

    times: tuple[float, ...]
    clock: Clock = field(default_factory=Clock)
    spacing: float | None = None
    one_sided: bool = False
    unwrap: str = "auto"
    samples: int | None = None
    sample_interval: float | None = None
    windows: int = 1
    energy: str | None = None
    species: SpeciesMap | None = None
    length_unit: str | None = None
    pbc: tuple[bool, bool, bool] | None = None
    kind: str | None = None

    def __post_init__(self) -> None:
        positive = {"--time": self.times, "--spacing": (self.spacing,)}
        positive["--sample-interval"] = (self.sample_interval,)
        for option, values in positive.items():
            for value in values:
                if value is not None and not 0 < value < np.inf:
                    raise InputError(f"{option}: expected a positive time; found {value:g}")
        if not self.times or len(set(self.times)) < len(self.times):
            found = ", ".join(f"{t:g}" for t in self.times) or "none"
            raise InputError(f"--time: expected one or more different times; found {found}")
        if self.samples is None and (self.windows != 1 or self.sample_interval is not None):
            raise InputError(
                "--windows, --sample-interval: expected the number of samples of a window "
                "(--average SAMPLES); found none"
            )
        if self.windows < 1 or (self.samples is not None and self.samples < 1):
            raise InputError(
                "--average, --windows: expected at least one sample and one window; found "
                f"{self.samples} and {self.windows}"
            )

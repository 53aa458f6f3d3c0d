"""How softness is learnt from a trajectory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from glassml.data import POSITIONS, THERMAL, Clock, SpeciesMap
from glassml.errors import InputError, not_one_of

__all__ = ["FEWEST", "SoftnessOptions"]

#: Soft particles of each part of the trajectory, at least.
FEWEST = 10

# Positions that a trajectory can hold; averages are made of many frames.
_HELD = tuple(name for name in POSITIONS if name != "average")


@dataclass(frozen=True, kw_only=True)
class SoftnessOptions:
    """How softness is learnt from a trajectory.

    Attributes:
        clock: times of the frames.
        tau: length of both windows of p_hop together [time]. Default: 10 in LJ units.
        threshold: p_hop of a rearrangement [length^2]. Default: 0.2 sigma^2.
        training_threshold: p_hop of the rearrangements that are learnt from [length^2]. Default:
            0.6 sigma^2.
        quiet: how long hard particles have not rearranged [time]. Default: tau_alpha of the
            trajectory.
        only: names of the species to learn from. Default: all.
        particles: how many soft particles of each species to learn from at most, and as many hard
            ones.
        parts: number of parts of the trajectory, each of which is left out in turn.
        seed: of the random choices.
        unwrap: how periodic wrapping is undone, see `glassml.data.labelling.following.WAYS`.
        positions: what the positions of the trajectory are, one of `glassml.data.POSITIONS`.
        species: the species of the file's types or symbols.
        length_unit: unit of the file's lengths. Default: that of the file, else "lj".
        pbc: periodic directions, if the files do not state them correctly.
        kind: ASE's name of the format, or "gsd". Default: determined from the files.
    """

    clock: Clock = field(default_factory=Clock)
    tau: float | None = None
    threshold: float | None = None
    training_threshold: float | None = None
    quiet: float | None = None
    only: tuple[str, ...] | None = None
    particles: int = 3000
    parts: int = 5
    seed: int = 0
    unwrap: str = "auto"
    positions: str = THERMAL
    species: SpeciesMap | None = None
    length_unit: str | None = None
    pbc: tuple[bool, bool, bool] | None = None
    kind: str | None = None

    def __post_init__(self) -> None:
        for name in ("tau", "threshold", "training_threshold", "quiet"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option}: expected a positive number; found {value:g}")
        for name, least in (("parts", 3), ("particles", FEWEST * self.parts)):
            if getattr(self, name) < least:
                what = f", {FEWEST} of each part" if name == "particles" else ""
                raise InputError(
                    f"--{name}: expected {least} or more{what}; found {getattr(self, name)}"
                )
        if self.positions not in _HELD:
            raise InputError(f"--positions: {not_one_of(self.positions, _HELD)}")

"""Which particles softness is learnt from, and on which it is tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glassml.studies.softness.rearranging import Rearranging

__all__ = ["Chosen", "choose", "part_of"]

# All particles of some looks in each part are tested: at least so many looks, or particles.
_LOOKS, _TESTED = 4, 2000


@dataclass(frozen=True)
class Chosen:
    """Particles of one species.

    Attributes:
        species: index of the species.
        look: int [P], number of the look at the trajectory.
        particle: int [P].
        soft: bool [P], whether the particle is about to rearrange.
        tested: numbers of the looks all of whose particles are tested.
    """

    species: int
    look: np.ndarray
    particle: np.ndarray
    soft: np.ndarray
    tested: np.ndarray


def part_of(look: np.ndarray, looks: int, parts: int) -> np.ndarray:
    """The part of the trajectory that each of some looks is in: parts are equally long."""
    return look * parts // looks


def choose(
    found: Rearranging, species: int, particles: int, parts: int, rng: np.random.Generator
) -> Chosen:
    """As many soft as hard particles of each part of the trajectory, and of each look.

    Looks are drawn at random until there are enough, so that few frames have to be read.

    Args:
        found: what happens in the trajectory.
        species: index of the species.
        particles: largest number of soft ones.
        parts: number of parts.
        rng: of the random choices.
    """
    own = found.first.species == species
    soft, hard = found.soft(found.training_threshold) & own, found.hard() & own
    part = part_of(np.arange(len(soft)), len(soft), parts)
    drawn: list[tuple[int, np.ndarray, np.ndarray]] = []
    tested: list[int] = []
    for number in range(parts):
        here = rng.permutation(np.flatnonzero(part == number))
        tested += sorted(here[: max(_LOOKS, _TESTED // len(own))])
        wanted = particles // parts + (number < particles % parts)
        for look in here:
            if wanted == 0:
                break
            of_both = [np.flatnonzero(of[look]) for of in (soft, hard)]
            count = min(wanted, *map(len, of_both))
            if count:
                drawn.append((look, *(rng.choice(some, count, replace=False) for some in of_both)))
            wanted -= count
    return _joined(species, drawn, np.array(tested))


def _joined(
    species: int, drawn: Sequence[tuple[int, np.ndarray, np.ndarray]], tested: np.ndarray
) -> Chosen:
    empty = np.zeros(0, np.int64)
    counts = [len(one) for _, one, _ in drawn]
    return Chosen(
        species,
        np.concatenate(
            [empty, *(np.full(2 * n, k) for (k, *_), n in zip(drawn, counts, strict=True))]
        ),
        np.concatenate([empty, *(np.concatenate([one, other]) for _, one, other in drawn)]),
        np.concatenate([empty, *(np.repeat([1, 0], n) for n in counts)]).astype(bool),
        tested,
    )

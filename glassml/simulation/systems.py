"""Glass-forming mixtures as LAMMPS knows them: the published ones, and a user's own.

Two-dimensional mixtures, such as the KA2D of GlassBench, are not built in: `glassml simulate` is
three-dimensional, from the lattice on which it begins and the 3 N - 3 degrees of freedom of its
velocities to the columns of its dumps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

from glassml.errors import InputError
from glassml.simulation.include import from_include
from glassml.simulation.system import System

__all__ = [
    "SYSTEMS",
    "TRUNCATIONS",
    "System",
    "from_include",
    "kob_andersen",
    "system_named",
    "wahnstrom",
]


@dataclass(frozen=True)
class _Truncation:
    """How a pair potential V(r) ends at its cutoff r_c."""

    pair_style: str
    modify: str
    meaning: str


TRUNCATIONS: Mapping[str, _Truncation] = {
    "shifted": _Truncation(
        "lj/cut", "shift yes", "V(r) - V(r_c): Kob and Andersen, Phys. Rev. E 51, 4626 (1995)"
    ),
    "force-shifted": _Truncation(
        "lj/smooth/linear",
        "shift no",
        "V(r) - V(r_c) - (r - r_c) V'(r_c): Toxvaerd and Dyre, J. Chem. Phys. 134, 081102 (2011)",
    ),
    "truncated": _Truncation("lj/cut", "shift no", "V(r) as it is: the energy jumps at r_c"),
}

_PairTable = Mapping[tuple[int, int], tuple[float, float]]  # epsilon and sigma of a pair of types


def kob_andersen(
    truncation: str = "shifted", cutoff: float = 2.5, cutoff_unit: str = "pair"
) -> System:
    """The Kob-Andersen mixture, 80:20, at number density 1.2.

    W. Kob and H. C. Andersen, Phys. Rev. E 51, 4626 (1995). Lengths in units of sigma_AA, energies
    of epsilon_AA, masses of m (A and B weigh the same), times of sqrt(m sigma_AA^2 / epsilon_AA):
    the paper's own unit of time, sqrt(m sigma_AA^2 / (48 epsilon_AA)), is 6.93 times shorter.

    The literature ends the potential in several ways (see `TRUNCATIONS`). They differ in forces and
    energies by a few per cent, so results are comparable only within one of them. The default is
    that of the original paper.

    Args:
        truncation: "shifted", "force-shifted" or "truncated".
        cutoff: r_c in units of ``cutoff_unit`` [-].
        cutoff_unit: "pair" for sigma_ab of each pair, as in the original paper, or "AA" for
            sigma_AA for all pairs.

    Raises:
        InputError: an argument has a value that is not named above.
    """
    pairs = {(1, 1): (1.0, 1.0), (1, 2): (1.5, 0.8), (2, 2): (0.5, 0.88)}
    return System(
        name="kob-andersen",
        species_names=("A", "B"),
        composition=(0.8, 0.2),
        number_density=1.2,
        timestep=0.005,
        commands=_lennard_jones(pairs, (1.0, 1.0), truncation, cutoff, cutoff_unit),
        masses=(1.0, 1.0),
        citation="W. Kob and H. C. Andersen, Phys. Rev. E 51, 4626 (1995)",
    )


def wahnstrom(
    truncation: str = "shifted", cutoff: float = 2.5, cutoff_unit: str = "pair"
) -> System:
    """The Wahnstrom mixture, 50:50, of large A and small B particles.

    G. Wahnstrom, Phys. Rev. A 44, 3752 (1991), with the Lorentz-Berthelot rule: sigma 1, 11/12 and
    5/6 for AA, AB and BB, epsilon 1 for all, masses 2 and 1. The unit of length is the diameter of
    the *large* particles, that of mass the mass of the *small* ones. Much of the literature (and
    the original paper) takes the small diameter for the unit of length instead: its number
    density of 0.75 is 0.75 * (6/5)^3 = 1.296 here, and its times are 1.2 times as long in numbers.

    Args:
        truncation: see `kob_andersen`.
        cutoff: see `kob_andersen`.
        cutoff_unit: see `kob_andersen`.

    Raises:
        InputError: see `kob_andersen`.
    """
    pairs = {(1, 1): (1.0, 1.0), (1, 2): (1.0, 11 / 12), (2, 2): (1.0, 5 / 6)}
    return System(
        name="wahnstrom",
        species_names=("A", "B"),
        composition=(0.5, 0.5),
        number_density=0.75 * 1.2**3,
        timestep=0.005,
        commands=_lennard_jones(pairs, (2.0, 1.0), truncation, cutoff, cutoff_unit),
        masses=(2.0, 1.0),
        citation="G. Wahnstrom, Phys. Rev. A 44, 3752 (1991)",
    )


SYSTEMS = {"kob-andersen": kob_andersen, "wahnstrom": wahnstrom}


def system_named(name: str, **options: Any) -> System:
    """A built-in system by its name.

    Args:
        name: one of `SYSTEMS`.
        **options: arguments of the function of that system.

    Raises:
        InputError: there is no such system, or an option is unknown or has a wrong value.
    """
    if name not in SYSTEMS:
        hint = "; two-dimensional systems are not built in" if "2d" in name.lower() else ""
        raise InputError(
            f"system: expected one of {sorted(SYSTEMS)}, or a LAMMPS include file for another "
            f"system; found {name!r}{hint}"
        )
    known = ("truncation", "cutoff", "cutoff_unit")
    for option in options:
        if option not in known:
            raise InputError(f"system: {name}: expected options {list(known)}; found {option!r}")
    return SYSTEMS[name](**options)


def _lennard_jones(
    pairs: _PairTable, masses: Sequence[float], truncation: str, cutoff: float, cutoff_unit: str
) -> str:
    """LAMMPS commands for a mixture of Lennard-Jones particles."""
    if truncation not in TRUNCATIONS:
        meanings = "; ".join(f"{name!r} ({kind.meaning})" for name, kind in TRUNCATIONS.items())
        raise InputError(f"truncation: expected one of {meanings}; found {truncation!r}")
    if cutoff_unit not in ("pair", "AA"):
        raise InputError(f"cutoff_unit: expected 'pair' or 'AA'; found {cutoff_unit!r}")
    if not cutoff > 0:
        raise InputError(f"cutoff: expected a positive multiple of sigma; found {cutoff}")
    chosen = TRUNCATIONS[truncation]
    lengths = {
        pair: cutoff * (sigma if cutoff_unit == "pair" else pairs[1, 1][1])
        for pair, (_, sigma) in pairs.items()
    }
    lines = [f"mass {i} {mass!r}" for i, mass in enumerate(masses, start=1)]
    lines += [f"pair_style {chosen.pair_style} {max(lengths.values())!r}"]
    for pair in combinations_with_replacement(range(1, len(masses) + 1), 2):
        epsilon, sigma = pairs[pair]
        lines += [f"pair_coeff {pair[0]} {pair[1]} {epsilon!r} {sigma!r} {lengths[pair]!r}"]
    lines += [f"pair_modify {chosen.modify}", "neighbor 0.3 bin", "neigh_modify delay 0 every 1"]
    return "\n".join(lines) + "\n"

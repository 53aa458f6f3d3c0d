"""Glass-forming mixtures as LAMMPS knows them: the published ones, and a user's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

from glassml.errors import InputError, did_you_mean
from glassml.simulation.include import from_include
from glassml.simulation.system import System

__all__ = [
    "SYSTEMS",
    "TRUNCATIONS",
    "System",
    "from_include",
    "kob_andersen",
    "kob_andersen_2d",
    "system_named",
    "wahnstrom",
]


@dataclass(frozen=True)
class _Truncation:
    """How a pair potential V(r) ends at its cutoff r_c."""

    pair_style: str
    modify: str
    meaning: str


#: How a pair potential ends at its cutoff, name -> its form in LAMMPS.
#:
#: :meta hide-value:
TRUNCATIONS: Mapping[str, _Truncation] = {
    "shifted": _Truncation(
        "lj/cut {cutoff}",
        "shift yes",
        "V(r) - V(r_c): Kob and Andersen, Phys. Rev. E 51, 4626 (1995)",
    ),
    "force-shifted": _Truncation(
        "lj/smooth/linear {cutoff}",
        "shift no",
        "V(r) - V(r_c) - (r - r_c) V'(r_c): Toxvaerd and Dyre, J. Chem. Phys. 134, 081102 (2011)",
    ),
    "truncated": _Truncation(
        "lj/cut {cutoff}", "shift no", "V(r) as it is: the energy jumps at r_c"
    ),
    "smooth": _Truncation(
        "hybrid/overlay lj/cut {cutoff} mie/cut {cutoff}",
        "shift yes",
        "V(r) + 4 epsilon (c_0 + c_2 (r / sigma)^2 + c_4 (r / sigma)^4), with which V, V' and V'' "
        "are 0 at r_c: Jung, Biroli and Berthier, Phys. Rev. Lett. 130, 238202 (2023)",
    ),
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
        truncation: "shifted", "force-shifted", "truncated" or "smooth".
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


def kob_andersen_2d(
    truncation: str = "smooth", cutoff: float = 2.5, cutoff_unit: str = "pair"
) -> System:
    """The ternary Kob-Andersen mixture in the plane, the KA2D of GlassBench, 20:11:12.

    G. Jung, G. Biroli and L. Berthier, Phys. Rev. Lett. 130, 238202 (2023). C, between A and B in
    size, keeps the mixture from crystallising. 600 A, 330 B and 360 C in a square of edge 32.8962
    give the density; all weigh the same.

    Args:
        truncation: see `kob_andersen`; "smooth" is that of the paper.
        cutoff: see `kob_andersen`.
        cutoff_unit: see `kob_andersen`.

    Raises:
        InputError: see `kob_andersen`.
    """
    pairs = {
        (1, 1): (1.0, 1.0),
        (1, 2): (1.5, 0.8),
        (1, 3): (0.75, 0.9),
        (2, 2): (0.5, 0.88),
        (2, 3): (1.5, 0.8),
        (3, 3): (0.75, 0.94),
    }
    masses = (1.0, 1.0, 1.0)
    return System(
        name="kob-andersen-2d",
        species_names=("A", "B", "C"),
        composition=(20 / 43, 11 / 43, 12 / 43),
        number_density=1290 / 32.8962**2,
        timestep=0.005,
        commands=_lennard_jones(pairs, masses, truncation, cutoff, cutoff_unit),
        masses=masses,
        citation="G. Jung, G. Biroli and L. Berthier, Phys. Rev. Lett. 130, 238202 (2023)",
        dimension=2,
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


#: The built-in mixtures, name -> the function that makes them.
#:
#: :meta hide-value:
SYSTEMS = {
    "kob-andersen": kob_andersen,
    "kob-andersen-2d": kob_andersen_2d,
    "wahnstrom": wahnstrom,
}


def system_named(name: str, **options: Any) -> System:
    """A built-in system by its name.

    Args:
        name: one of `SYSTEMS`.
        **options: arguments of the function of that system.

    Raises:
        InputError: there is no such system, or an option is unknown or has a wrong value.
    """
    if name not in SYSTEMS:
        raise InputError(
            f"system: expected one of {sorted(SYSTEMS)}, or a LAMMPS include file for another "
            f"system; found {name!r}{did_you_mean(name, SYSTEMS)}"
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
        raise InputError(
            f"truncation: expected one of {meanings}; found {truncation!r}"
            f"{did_you_mean(truncation, TRUNCATIONS)}"
        )
    if cutoff_unit not in ("pair", "AA"):
        raise InputError(f"cutoff_unit: expected 'pair' or 'AA'; found {cutoff_unit!r}")
    if not cutoff > 0:
        raise InputError(f"cutoff: expected a positive multiple of sigma; found {cutoff}")
    chosen = TRUNCATIONS[truncation]
    lengths = {
        pair: cutoff * (sigma if cutoff_unit == "pair" else pairs[1, 1][1])
        for pair, (_, sigma) in pairs.items()
    }
    smooth = truncation == "smooth"
    lines = [f"mass {i} {mass!r}" for i, mass in enumerate(masses, start=1)]
    style = chosen.pair_style.replace("{cutoff}", repr(max(lengths.values())))
    lines += [f"pair_style {style}"]
    for pair in combinations_with_replacement(range(1, len(masses) + 1), 2):
        epsilon, sigma = pairs[pair]
        types, end = f"{pair[0]} {pair[1]}", lengths[pair]
        kind = " lj/cut" if smooth else ""
        lines += [f"pair_coeff {types}{kind} {epsilon!r} {sigma!r} {end!r}"]
        if smooth:
            lines += [f"pair_coeff {types} mie/cut {_polynomial(epsilon, sigma, end)} {end!r}"]
    lines += [f"pair_modify {chosen.modify}", "neighbor 0.3 bin", "neigh_modify delay 0 every 1"]
    return "\n".join(lines) + "\n"


def _polynomial(epsilon: float, sigma: float, cutoff: float) -> str:
    """The smoothing terms of a Lennard-Jones potential, as coefficients of LAMMPS' Mie potential.

    With x = r / sigma, u(x) = x^-12 - x^-6 + c_0 + c_2 x^2 + c_4 x^4, and u = u' = u'' = 0 at the
    cutoff gives the constants. The Mie potential with exponents -2 and -4 is
    4 e (y^4 - y^2), y = r / s, which is 4 epsilon (c_4 x^4 + c_2 x^2) for the right e and s. c_0
    follows because LAMMPS shifts both potentials to 0 at the cutoff.
    """
    x = cutoff / sigma
    slope = -12 * x**-13 + 6 * x**-7
    curvature = 156 * x**-14 - 42 * x**-8
    c_4 = (slope / x - curvature) / (8 * x**2)
    c_2 = -curvature / 2 - 6 * c_4 * x**2
    return f"{epsilon * c_2**2 / c_4!r} {sigma * math.sqrt(-c_2 / c_4)!r} -2 -4"

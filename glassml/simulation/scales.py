"""Lengths and forces in proportion to the material, so that defaults fit any units.

The Kob-Andersen mixtures at their published densities are the reference: there the defaults are the
published values. Another material gets the same multiples of its mean spacing rho^(-1/d).
"""

from __future__ import annotations

from glassml.errors import InputError
from glassml.physics.units import METRES, UNIT_STYLES
from glassml.simulation.system import System

__all__ = [
    "CAGE_RADIUS",
    "FORCE_TOLERANCE",
    "REFERENCE_DENSITIES",
    "SAMPLE_STEPS",
    "WAVE_NUMBER",
    "cage_radius",
    "check_number_density",
    "force_tolerance",
    "wave_number",
]

# rho sigma_AA^d of kob-andersen and kob-andersen-2d (1290 particles in a square of edge 32.8962).
REFERENCE_DENSITIES = {3: 1.2, 2: 1290 / 32.8962**2}

# First peak of S(k) of the Kob-Andersen liquid, in units of 1 / sigma_AA (Kob and Andersen, Phys.
# Rev. E 52, 4134 (1995)). In dense liquids it is at nearly the same multiple of rho^(1/d).
WAVE_NUMBER = 7.25

# In units of sigma_AA: beyond what the Kob-Andersen liquid vibrates at T = 0.44 (particles are 0.15
# from their inherent positions, root mean square), and below half of the 1.07 to a neighbour.
CAGE_RADIUS = 0.4

FORCE_TOLERANCE = 1e-8  # epsilon_AA / sigma_AA

# Time steps between two samples of averaged positions: 0.1 for the time step 0.005 of the
# Kob-Andersen mixture. A time step is a fixed part of the period of vibrations in any material.
SAMPLE_STEPS = 20

# What stands for epsilon_AA in units of fixed size [J]: 0.1 eV, about k_B T of metals and oxides
# near their glass transitions, and a few k_B T at room temperature. A tolerance needs no more than
# the order of magnitude.
_ENERGY = 1.6e-20

# The mean spacing of particles in any liquid, in units of fixed size [m]. The densest known solids
# have 0.18 atoms per cubic angstrom (diamond), a spacing of 1.8 angstrom. At the lower limit here,
# 0.5 per cubic angstrom, lies the mass density of the lightest metal in g/cm^3 (lithium, 0.53), so
# the mass densities of metals, oxides and most other glass formers in g/cm^3 are beyond it. Those
# of a few liquids are not, such as methane (0.42) and hydrogen (0.07): no limit could tell these
# from number densities. Units of angstrom and bohr describe atoms and molecules, whose spacing
# stays below ten nanometres; the others also colloids.
_SMALLEST_SPACING = 1.26e-10
_LARGEST_SPACING = {"angstrom": 1e-8, "bohr": 1e-8}
_LARGEST_OF_COLLOIDS = 1e-3
# In reduced units, where lengths are diameters: particles that overlap by four fifths, and a gas.
_REDUCED_SPACING = (0.2, 20.0)

# Units in which people know the density of a liquid: the mass of one unit of mass [kg] per volume
# [m^3] (None: particles), and the numbers that liquids have.
_MASS_DENSITIES = {"g/cm^3": (1000.0, (0.1, 30.0)), "kg/m^3": (1.0, (100.0, 30_000.0))}
_PER_CUBIC_NANOMETRE = (30.0, 200.0)  # below, it is surely g/cm^3


def wave_number(number_density: float, dimension: int = 3) -> float:
    """About the first peak of S(k) of a dense liquid [1 / length].

    Args:
        number_density: [1 / length^d].
        dimension: d, 3 or 2.
    """
    return _rounded(WAVE_NUMBER / _spacing(number_density, dimension))


def cage_radius(number_density: float, dimension: int = 3) -> float:
    """Radius of the sphere in which a particle is free while its cage is measured [length].

    Args:
        number_density: [1 / length^d].
        dimension: d, 3 or 2.
    """
    return _rounded(CAGE_RADIUS * _spacing(number_density, dimension))


def force_tolerance(system: System, number_density: float) -> float:
    """The force at which a quench has converged [energy / length], to one digit.

    Args:
        system: its units and dimension matter.
        number_density: [1 / length^d].
    """
    unit = UNIT_STYLES[system.units].joules
    energy = 1.0 if unit is None else _ENERGY / unit
    force = FORCE_TOLERANCE * energy / _spacing(number_density, system.dimension)
    return float(f"{force:.0e}")


def check_number_density(value: float, system: System, field: str = "number_density") -> None:
    """Refuse a number density that no liquid has in these units.

    Args:
        value: [1 / length^d].
        system: its units, masses and composition matter.
        field: name for messages.

    Raises:
        InputError: it is out of all reason. If it is a mass density, or one per cubic nanometre,
            the message says what number density that is.
    """
    low, high = _limits(system)
    if low <= value <= high:
        return
    unit = "" if system.length_unit == "lj" else f" in 1/{system.length_unit}^{system.dimension}"
    hints = [
        f"{value:g} {name} would be number_density: {density:.3g}"
        for name, density in _conversions(value, system).items()
        if low <= density <= high
    ]
    hint = f"; {'; '.join(hints)}" if hints else ""
    if hints:
        hint += ". Mass densities within these limits are not recognised"
    raise InputError(
        f"{field}: expected a number density (particles per "
        f"{'volume' if system.dimension == 3 else 'area'}){unit}, from {low:.2g} to {high:.2g} "
        f"for units {system.units}; found {value:g}{hint}"
    )


def _limits(system: System) -> tuple[float, float]:
    metres = UNIT_STYLES[system.units].metres
    smallest, largest = _REDUCED_SPACING
    if metres is not None:
        smallest = _SMALLEST_SPACING / metres
        largest = _LARGEST_SPACING.get(system.length_unit, _LARGEST_OF_COLLOIDS) / metres
    return largest**-system.dimension, smallest**-system.dimension


def _conversions(value: float, system: System) -> dict[str, float]:
    """What the value would be as a number density if it were in another unit."""
    style = UNIT_STYLES[system.units]
    if style.metres is None or style.mass is None or system.dimension != 3:
        return {}
    pairs = zip(system.composition, system.masses, strict=True)
    mass = sum(fraction * each for fraction, each in pairs) * style.mass  # of a particle [kg]
    found = {
        name: value * per_cubic_metre / mass * style.metres**3
        for name, (per_cubic_metre, (low, high)) in _MASS_DENSITIES.items()
        if low <= value <= high
    }
    low, high = _PER_CUBIC_NANOMETRE
    if low <= value <= high:
        found["1/nm^3"] = value * (style.metres / METRES["nm"]) ** 3
    return found


def _spacing(number_density: float, dimension: int) -> float:
    """The mean spacing in units of that of the reference; 1 for the Kob-Andersen mixtures."""
    if not number_density > 0:
        raise InputError(f"number_density: expected a positive number; found {number_density}")
    return float((REFERENCE_DENSITIES[dimension] / number_density) ** (1 / dimension))


def _rounded(value: float) -> float:
    """Three digits: a default is no measurement, and box sizes round the density."""
    return float(f"{value:.3g}")

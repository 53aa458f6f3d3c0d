"""Units: those of LAMMPS' unit styles, and units of length in metres.

Numbers are those of `ase.units`. `fix glassml` has the units of length of the styles too; the tests
of the fix compare the two tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from ase import units

__all__ = ["LENGTH_UNITS", "METRES", "UNIT_STYLES", "UnitStyle"]

# Units of length with a fixed size [m].
METRES = {
    "angstrom": 1e-10,
    "nm": 1e-9,
    "bohr": units.Bohr * 1e-10,
    "m": 1.0,
    "cm": 1e-2,
    "um": 1e-6,
}

LENGTH_UNITS = ("lj", *METRES)


@dataclass(frozen=True)
class UnitStyle:
    """The units of one style of LAMMPS' command `units`.

    Attributes:
        length: unit of length, one of `LENGTH_UNITS`.
        kinetic: mass times velocity squared in units of energy [-]. It is 1 in consistent systems
            of units, where the unit of energy follows from those of mass, length and time.
        mass: unit of mass [kg]; None if it has no fixed size, as in "lj".
        energy: unit of energy [J]; None if it has no fixed size.
    """

    length: str
    kinetic: float = 1.0
    mass: float | None = None
    energy: float | None = None

    @property
    def metres(self) -> float | None:
        """The unit of length [m]; None if it has no fixed size."""
        return METRES.get(self.length)


UNIT_STYLES = {
    "lj": UnitStyle("lj"),
    # amu (angstrom / fs)^2 in kcal / mol
    "real": UnitStyle(
        "angstrom",
        kinetic=units._amu * 1e10 * units._Nav / 4184,
        mass=units._amu,
        energy=4184 / units._Nav,
    ),
    # amu (angstrom / ps)^2 in eV
    "metal": UnitStyle(
        "angstrom", kinetic=units._amu * 1e4 / units._e, mass=units._amu, energy=units._e
    ),
    "si": UnitStyle("m", mass=1.0, energy=1.0),
    "cgs": UnitStyle("cm", mass=1e-3, energy=1e-7),
    # amu (bohr / fs)^2 in hartree
    "electron": UnitStyle(
        "bohr",
        kinetic=units._amu * (units.Bohr * 1e5) ** 2 / (units.Hartree * units._e),
        mass=units._amu,
        energy=units.Hartree * units._e,
    ),
    # picograms and microseconds, attograms and nanoseconds
    "micro": UnitStyle("um", mass=1e-15, energy=1e-15),
    "nano": UnitStyle("nm", mass=1e-21, energy=1e-21),
}

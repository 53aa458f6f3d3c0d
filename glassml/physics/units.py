"""Units: those of LAMMPS' unit styles, and units of length in metres.

Numbers are those of `ase.units`. `fix glassml` has the units of length of the styles too; the tests
of the fix compare the two tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from ase import units

__all__ = [
    "LENGTH_UNITS",
    "METRES",
    "UNIT_STYLES",
    "UnitStyle",
    "Units",
    "after_density",
    "after_length",
    "length_name",
    "measured_in",
    "with_unit",
]

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
        joules: unit of energy [J]; None if it has no fixed size.
        time: unit of time; "" in reduced units.
        energy: unit of energy; "" in reduced units, and where the style has no name for it.
    """

    length: str
    kinetic: float = 1.0
    mass: float | None = None
    joules: float | None = None
    time: str = ""
    energy: str = ""

    @property
    def metres(self) -> float | None:
        """The unit of length [m]; None if it has no fixed size."""
        return METRES.get(self.length)


UNIT_STYLES = {
    "lj": UnitStyle("lj"),
    "real": UnitStyle(
        "angstrom",
        # amu (angstrom / fs)^2 in kcal / mol
        kinetic=units._amu * 1e10 * units._Nav / 4184,
        mass=units._amu,
        joules=4184 / units._Nav,
        time="fs",
        energy="kcal/mol",
    ),
    "metal": UnitStyle(
        "angstrom",
        # amu (angstrom / ps)^2 in eV
        kinetic=units._amu * 1e4 / units._e,
        mass=units._amu,
        joules=units._e,
        time="ps",
        energy="eV",
    ),
    "si": UnitStyle("m", mass=1.0, joules=1.0, time="s", energy="J"),
    "cgs": UnitStyle("cm", mass=1e-3, joules=1e-7, time="s", energy="erg"),
    "electron": UnitStyle(
        "bohr",
        # amu (bohr / fs)^2 in hartree
        kinetic=units._amu * (units.Bohr * 1e5) ** 2 / (units.Hartree * units._e),
        mass=units._amu,
        joules=units.Hartree * units._e,
        time="fs",
        energy="hartree",
    ),
    # picograms and microseconds, attograms and nanoseconds
    "micro": UnitStyle("um", mass=1e-15, joules=1e-15, time="us"),
    "nano": UnitStyle("nm", mass=1e-21, joules=1e-21, time="ns"),
}

# How units are written in figures and tables, where that is not their name.
_SYMBOLS = {"lj": "", "angstrom": "\u00c5", "um": "\u00b5m", "us": "\u00b5s"}


@dataclass(frozen=True)
class Units:
    """How the units of a system are written; "" for reduced units and for units that are unknown.

    Attributes:
        length: unit of lengths.
        time: unit of times.
        energy: unit of energies.
        temperature: unit of temperatures.
    """

    length: str = ""
    time: str = ""
    energy: str = ""
    temperature: str = ""

    @classmethod
    def of(cls, length_unit: str, style: str | None = None) -> Units:
        """The units of a system.

        Args:
            length_unit: one of `LENGTH_UNITS`.
            style: LAMMPS' name of the unit style, if it is known. It counts only if its unit of
                length is that of the system; otherwise lengths were converted, and maybe more.
        """
        length = _SYMBOLS.get(length_unit, length_unit)
        found = UNIT_STYLES.get(style or "")
        if found is None or found.length != length_unit:
            return cls(length)
        time, energy = (_SYMBOLS.get(unit, unit) for unit in (found.time, found.energy))
        return cls(length, time, energy, "" if length_unit == "lj" else "K")


def measured_in(what: str, unit: str) -> str:
    """A quantity with its unit, as axes and columns name it: "time (ps)"; without one, "time"."""
    return f"{what} ({unit})" if unit else what


def length_name(length_unit: str) -> str:
    """A unit of length, one of `LENGTH_UNITS`, as tables name it."""
    return "sigma (LJ units)" if length_unit == "lj" else length_unit


def after_length(length_unit: str) -> str:
    """What follows a length in messages, such as " angstrom"; nothing in LJ units."""
    return "" if length_unit == "lj" else f" {length_unit}"


def after_density(length_unit: str, dimension: int) -> str:
    """What follows a number density in messages, such as " / angstrom^3"; nothing in LJ units."""
    return "" if length_unit == "lj" else f" / {length_unit}^{dimension}"


def with_unit(value: float, unit: str) -> str:
    """A number with its unit, such as "1.5 ps"."""
    return f"{value:g} {unit}" if unit else f"{value:g}"

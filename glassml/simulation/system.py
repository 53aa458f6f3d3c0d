"""The definition of a simulated system of particles."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from glassml.errors import InputError
from glassml.physics.units import UNIT_STYLES

__all__ = ["DIAMETER", "DIAMETER_TOLERANCE", "System", "head_commands"]

# Scalar of configurations [length]: the diameters of particles of a polydisperse system.
DIAMETER = "diameter"

# Within this relative difference two diameters are the same: text files hold at least six digits,
# and 1.23456 differs by up to 4e-6 from what it stands for.
DIAMETER_TOLERANCE = 1e-5


def head_commands(units: str, dimension: int) -> str:
    """LAMMPS input lines that come before the box, for a unit system and 2 or 3 dimensions."""
    flat = "dimension 2\n" if dimension == 2 else ""
    return f"units {units}\n{flat}atom_style atomic\nboundary p p p\n"


@dataclass(frozen=True)
class System:
    """Species and interactions, as LAMMPS commands.

    Attributes:
        name: such as "kob-andersen".
        species_names: the names of the species.
        composition: fraction of the particles of each of LAMMPS' types [-]; the sum is 1.
        number_density: particles per volume [1 / length^3] at which it is usually studied, None if
            unknown.
        timestep: [time].
        commands: LAMMPS input lines that need a box with these types: masses, pair style and its
            coefficients, neighbour settings.
        masses: of each type [mass].
        citation: the paper that defines it.
        units: LAMMPS' unit system.
        dimension: 3, or 2 for particles in the plane z = 0.
        type_species: species of LAMMPS' types 1, 2, ..., as indices into ``species_names``, in
            increasing order. Empty: each species is one type. In polydisperse systems several types
            are one species.
        diameters: of each type [length], if the system is polydisperse; empty otherwise.

    Raises:
        InputError: the fields contradict each other; the message names the field.
    """

    name: str
    species_names: tuple[str, ...]
    composition: tuple[float, ...]
    number_density: float | None
    timestep: float
    commands: str
    masses: tuple[float, ...]
    citation: str = ""
    units: str = "lj"
    dimension: int = 3
    type_species: tuple[int, ...] = ()
    diameters: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        names = self.species_names
        if not names or not all(names) or len(set(names)) != len(names):
            raise self._error("species_names", "different, non-empty names", list(names))
        kinds = self.species_of_types
        if list(kinds) != sorted(kinds) or set(kinds) != set(range(len(names))):
            raise self._error("type_species", "types in the order of their species", list(kinds))
        for field in ("composition", "masses", *(["diameters"] if self.diameters else [])):
            values = getattr(self, field)
            if len(values) != len(kinds) or not all(value > 0 for value in values):
                whose = f"{list(names)}" if len(kinds) == len(names) else f"types of {list(names)}"
                raise self._error(
                    field, f"{len(kinds)} positive numbers, for {whose}", list(values)
                )
        if len(kinds) > len(names) and not self.diameters:
            raise self._error("diameters", "those of the types, as several are one species", "none")
        self._check_diameters()
        if abs(sum(self.composition) - 1) > 1e-6:
            raise self._error("composition", "fractions with the sum 1", list(self.composition))
        if self.number_density is not None and not self.number_density > 0:
            raise self._error("number_density", "a positive number", self.number_density)
        if not self.timestep > 0:
            raise self._error("timestep", "a positive time", self.timestep)
        if self.units not in UNIT_STYLES:
            raise self._error("units", f"one of {sorted(UNIT_STYLES)}", repr(self.units))
        if self.dimension not in (2, 3):
            raise self._error("dimension", "2 or 3", repr(self.dimension))

    @property
    def species_of_types(self) -> tuple[int, ...]:
        """The species of LAMMPS' types 1, 2, ..., as indices into ``species_names``."""
        return self.type_species or tuple(range(len(self.species_names)))

    @property
    def n_types(self) -> int:
        """Number of LAMMPS' types."""
        return len(self.species_of_types)

    @property
    def length_unit(self) -> str:
        """The unit of length, as `Configuration` names it."""
        return UNIT_STYLES[self.units].length

    @property
    def head_commands(self) -> str:
        """LAMMPS input lines that come before the box."""
        return head_commands(self.units, self.dimension)

    @property
    def plane_commands(self) -> str:
        """LAMMPS input lines that keep particles in the plane; they must follow all other fixes."""
        return "fix glassml_plane all enforce2d\n" if self.dimension == 2 else ""

    def _check_diameters(self) -> None:
        """Refuse types that the diameters of particles could not tell apart."""
        types = sorted(zip(self.species_of_types, self.diameters, strict=False))
        for (species, smaller), (other, larger) in pairwise(types):
            if species == other and larger - smaller <= DIAMETER_TOLERANCE * larger:
                raise self._error(
                    "diameters",
                    f"those of types of {self.species_names[species]} to differ by more than "
                    f"{DIAMETER_TOLERANCE:g} of their size",
                    f"{smaller!r} and {larger!r}",
                )

    def _error(self, field: str, expected: str, found: object) -> InputError:
        return InputError(f"system {self.name}: {field}: expected {expected}; found {found}")

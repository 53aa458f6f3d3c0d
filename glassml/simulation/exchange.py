"""Configurations into LAMMPS and back, in full double precision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassml.data import Configuration
from glassml.errors import InputError, SimulationError
from glassml.simulation.system import DIAMETER, DIAMETER_TOLERANCE, System

__all__ = [
    "LammpsFrame",
    "data_text",
    "dump_commands",
    "frame_of",
    "read_snapshot",
    "start_commands",
    "types_of",
    "write_data",
]


@dataclass(frozen=True)
class LammpsFrame:
    """LAMMPS' view of a cell: rotated so that its vectors are the rows of a lower triangle.

    A cell that has this form already, such as every orthogonal one, is not rotated, and no digit
    changes. A left-handed cell is also mirrored.

    Attributes:
        cell: float64 [3, 3] [length], the rotated lattice vectors in rows.
        rotation: float64 [3, 3] [-], orthogonal; a vector v is v @ rotation for LAMMPS.
    """

    cell: np.ndarray
    rotation: np.ndarray

    @classmethod
    def of_plane(cls, cell: np.ndarray, across: int) -> LammpsFrame:
        """The frame in which a two-dimensional system lies in the plane z = 0.

        Args:
            cell: [3, 3] [length], the lattice vectors in rows.
            across: the lattice direction out of the plane. It is replaced by the normal, which does
                not affect anything in the plane.
        """
        one, other = cell[(across + 1) % 3], cell[(across + 2) % 3]
        normal = np.cross(one, other)
        frame = cls.of(np.stack([one, other, normal / np.sqrt(np.linalg.norm(normal))]))
        flat = frame.cell.copy()
        flat[2, :2] = 0.0  # LAMMPS does not accept rounding errors here
        return cls(flat, frame.rotation)

    @classmethod
    def of(cls, cell: np.ndarray) -> LammpsFrame:
        """The frame of a cell [3, 3] [length] with the lattice vectors in rows."""
        if np.array_equal(cell, np.tril(cell)) and np.all(np.diag(cell) > 0):
            return cls(cell, np.eye(3))
        rotation, upper = np.linalg.qr(cell.T)
        signs = np.sign(np.diag(upper))  # LAMMPS' diagonal is positive
        return cls(np.tril((upper * signs[:, None]).T), rotation * signs)

    def to_lammps(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors [..., 3] of a configuration, transformed to LAMMPS' frame."""
        return vectors @ self.rotation

    def from_lammps(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors [..., 3] of LAMMPS, transformed to the configuration's frame."""
        return vectors @ self.rotation.T


def write_data(path: str | Path, configuration: Configuration, system: System) -> LammpsFrame:
    """Write a LAMMPS data file; see `data_text`.

    Args:
        path: file to write.
        configuration: N particles in a cell that is periodic in all directions of the system.
        system: its species names become the types 1, 2, ...

    Returns:
        The frame of LAMMPS' vectors.

    Raises:
        InputError: see `data_text`.
    """
    text, frame = data_text(configuration, system)
    Path(path).write_text(text, encoding="utf-8")
    return frame


def data_text(
    configuration: Configuration, system: System, title: str | None = None
) -> tuple[str, LammpsFrame]:
    """A LAMMPS data file: particle i gets the id i + 1, species the system's types.

    Args:
        configuration: N particles in a cell that is periodic in all directions of the system.
        system: its species names become the types 1, 2, ...
        title: begins the first line. Default: the name of the configuration, which may hold the
            path of its file.

    Returns:
        The text, and the frame of LAMMPS' vectors.

    Raises:
        InputError: the configuration has a species that the system lacks or another length unit,
            is not periodic, or has another number of dimensions; the message names it.
    """
    types = types_of(configuration, system)
    frame, bounds = _box(configuration, system)
    (_, _, _), (xy, _, _), (xz, yz, _) = frame.cell.tolist()
    lines = [
        f"{title or configuration.name}, written by glassml\n",
        f"{configuration.n_particles} atoms",
        f"{system.n_types} atom types\n",
        *(f"{low} {high!r} {x}lo {x}hi" for x, (low, high) in zip("xyz", bounds, strict=True)),
        *([f"{xy!r} {xz!r} {yz!r} xy xz yz"] if (xy, xz, yz) != (0, 0, 0) else []),
        "\nAtoms # atomic\n",
    ]
    positions = frame.to_lammps(configuration.positions)
    if system.dimension == 2:
        positions[:, 2] = 0.0
    lines += [
        f"{i} {kind} {x!r} {y!r} {z!r}"
        for i, (kind, (x, y, z)) in enumerate(
            zip(types.tolist(), positions.tolist(), strict=True), start=1
        )
    ]
    return "\n".join(lines) + "\n", frame


def frame_of(configuration: Configuration, system: System) -> LammpsFrame:
    """The frame of the vectors of LAMMPS when it has read `data_text`."""
    return _box(configuration, system)[0]


def start_commands(system: System, data_file: str) -> str:
    """LAMMPS commands that read a data file and set up a system's interactions."""
    return (
        f"{system.head_commands}read_data {data_file}\n"
        f"{system.commands}timestep {system.timestep!r}\n"
    )


def dump_commands(name: str, file: str, columns: str) -> str:
    """LAMMPS commands that write one snapshot of the current state, with all digits.

    Read it with `read_snapshot`. The forces and energies are computed anew for it.

    Args:
        name: name of the dump, not in use.
        file: file to write.
        columns: columns of ``dump custom``, without the id.
    """
    return (
        f"dump {name} all custom 1 {file} id {columns}\n"
        f"dump_modify {name} sort id format float %.17g\nrun 0\nundump {name}\n"
    )


def read_snapshot(path: str | Path) -> dict[str, np.ndarray]:
    """The columns of a dump file with one snapshot, as float64 [N] in the order of ids.

    Raises:
        SimulationError: the file is missing or is not a whole snapshot.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        header = next(i for i, line in enumerate(lines) if line.startswith("ITEM: ATOMS "))
        names = lines[header].split()[2:]
        table = np.array([line.split() for line in lines[header + 1 :]], dtype=np.float64)
        if table.shape != (int(lines[3]), len(names)):
            raise ValueError(f"{len(table)} rows for {lines[3]} particles")
    except (OSError, StopIteration, IndexError, ValueError) as error:
        found = str(error) or "no columns"
        raise SimulationError(
            f"{path}: expected a snapshot that LAMMPS wrote; found {found}"
        ) from None
    table = table[np.argsort(table[:, names.index("id")])]
    return {name: table[:, column].copy() for column, name in enumerate(names)}


def types_of(configuration: Configuration, system: System) -> np.ndarray:
    """LAMMPS' type of every particle, 1, 2, ..., int64 [N].

    Raises:
        InputError: see `data_text`; or a diameter is not that of a type.
    """
    for name in configuration.species_names:
        if name not in system.species_names:
            raise InputError(
                f"{configuration.name}: species: expected names of the system {system.name}, "
                f"{list(system.species_names)}; found {name!r}"
            )
    if configuration.length_unit != system.length_unit:
        raise InputError(
            f"{configuration.name}: length_unit: expected {system.length_unit!r}, as the system "
            f"{system.name} has units {system.units}; found {configuration.length_unit!r}"
        )
    _check_dimension(configuration, system)
    lookup = [system.species_names.index(name) for name in configuration.species_names]
    species = np.array(lookup)[configuration.species]
    return _types_by_diameter(configuration, species, system) if system.diameters else species + 1


def _types_by_diameter(
    configuration: Configuration, species: np.ndarray, system: System
) -> np.ndarray:
    """The type of each particle's species [N] whose diameter is that of the particle."""
    diameters = configuration.scalars.get(DIAMETER)
    if diameters is None:
        raise InputError(
            f"{configuration.name}: scalars: expected {DIAMETER!r}, as {system.name} is "
            f"polydisperse; found {sorted(configuration.scalars)}"
        )
    of_types = np.array(system.diameters)
    distance = np.abs(diameters[:, None] - of_types)
    distance[species[:, None] != np.array(system.species_of_types)] = np.inf
    nearest = distance.argmin(axis=1)
    off = np.flatnonzero(distance.min(axis=1) > DIAMETER_TOLERANCE * of_types[nearest])
    if off.size:
        particle, kind = off[0], nearest[off[0]]
        name = system.species_names[system.species_of_types[kind]]
        raise InputError(
            f"{configuration.name}: {DIAMETER}: expected those of the types of {system.name}, from "
            f"{of_types.min():g} to {of_types.max():g}; found {diameters[particle]:.9g} at "
            f"particle {particle}. The nearest of its species is type {kind + 1} ({name}) with "
            f"{of_types[kind]:.9g}"
        )
    return nearest + 1


def _check_dimension(configuration: Configuration, system: System) -> None:
    """Refuse a flat configuration for a three-dimensional system, and the other way round."""
    found = f"found {list(configuration.pbc)}"
    if system.dimension == 3 and not all(configuration.pbc):
        hint = "" if configuration.plane is None else ", which is two-dimensional"
        raise InputError(
            f"{configuration.name}: pbc: expected all three directions periodic, as {system.name} "
            f"is three-dimensional; {found}{hint}"
        )
    if system.dimension == 2 and (configuration.plane is None or sum(configuration.pbc) != 2):
        raise InputError(
            f"{configuration.name}: pbc: expected particles in one plane, which is periodic, and "
            f"no images across it, as {system.name} is two-dimensional; {found}"
        )


def _box(
    configuration: Configuration, system: System
) -> tuple[LammpsFrame, list[tuple[float, float]]]:
    """The frame, and where LAMMPS' box begins and ends in each direction [length]."""
    plane = configuration.plane
    if system.dimension == 3 or plane is None:
        frame = LammpsFrame.of(configuration.cell)
        return frame, [(0, length) for length in np.diag(frame.cell).tolist()]
    frame = LammpsFrame.of_plane(configuration.cell, plane)
    lx, ly, lz = np.diag(frame.cell).tolist()
    return frame, [(0, lx), (0, ly), (-lz / 2, lz / 2)]

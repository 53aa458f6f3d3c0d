"""GSD files of HOOMD-blue, read with the optional package gsd."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from glassml.data.readers.labels_of_types import atoms_of_species
from glassml.data.readers.stated import Pbc, check_types
from glassml.errors import InputError

if TYPE_CHECKING:
    import gsd.hoomd

__all__ = ["GSD", "gsd_frames", "gsd_length"]

GSD = "gsd"

_BOX, _NUMBER, _POSITION = "configuration/box", "particles/N", "particles/position"

# A two-dimensional system may leave its plane by this fraction of the mean spacing: rounding.
_LARGEST_NOISE = 0.01

# Largest coordinate in a box of 1 x 1 x 1 around the origin, rounded to single precision.
_UNIT_BOX = 0.5 + 1e-6


def gsd_length(path: Path) -> int:
    """The number of frames in a GSD file.

    Raises:
        InputError: the package gsd is missing, or the file is damaged.
    """
    with _opened(path) as trajectory:
        return len(trajectory)


def gsd_frames(
    path: Path, numbers: Iterable[int], *, pbc: Pbc | None = None, unwrapped: bool = False
) -> Iterator[Atoms]:
    """Frames of a GSD file by their numbers.

    Types count from 1; the names of the file's particle types are noted. Logged per-particle
    numbers [N] become arrays, named without ``particles/``. A two-dimensional frame lies in the
    plane z = 0, and its third direction is not periodic. ``info["timestep"]`` is the number of the
    time step. With ``unwrapped``, ``arrays["unwrapped"]`` holds the positions without periodic
    wrapping, if the file has images. ``pbc`` replaces the periodic directions.

    Raises:
        InputError: a frame has no box or positions, or types without a name.
    """
    with _opened(path) as trajectory:
        images = unwrapped and _has_images(trajectory)
        for number in numbers:
            where = f"{path}: frame {number}"
            try:
                _check_size(trajectory, number, path, where)
                frame = trajectory[number]
            except MemoryError:
                raise InputError(
                    f"{where}: expected arrays of its particles; found one that is larger than "
                    "the memory. Copy the damaged file again"
                ) from None
            _check_left_out(trajectory, number, frame, where)
            atoms = _atoms(frame, where)
            if pbc is not None:
                atoms.pbc = pbc
            if images:
                image = np.asarray(frame.particles.image, np.float64)
                atoms.set_array("unwrapped", atoms.positions + image @ atoms.cell.array)
            yield atoms


def _check_size(trajectory: gsd.hoomd.HOOMDTrajectory, number: int, path: Path, where: str) -> None:
    """Check the number of particles before memory is taken for them: not all is in the file."""
    frame = number if trajectory.file.chunk_exists(frame=number, name=_NUMBER) else 0
    if trajectory.file.chunk_exists(frame=frame, name=_NUMBER):
        stated = int(trajectory.file.read_chunk(frame=frame, name=_NUMBER)[0])
        if stated > path.stat().st_size:
            raise InputError(
                f"{where}: expected positions of the {stated} particles that it states; found a "
                f"file of {path.stat().st_size} bytes. Copy the damaged file again"
            )


def _check_left_out(
    trajectory: gsd.hoomd.HOOMDTrajectory, number: int, frame: gsd.hoomd.Frame, where: str
) -> None:
    """Check that a box of 1 x 1 x 1 and positions of zero can be true where they were left out.

    A frame holds only what differs from the first one, and that only what differs from these.
    """

    def stored(chunk: str) -> bool:
        return any(trajectory.file.chunk_exists(frame=k, name=chunk) for k in (number, 0))

    farthest = float(np.abs(frame.particles.position).max(initial=0.0))
    if not stored(_BOX) and farthest > _UNIT_BOX:
        raise InputError(
            f"{where}: {_BOX}: expected it in the file, as only a box of 1 x 1 x 1 is not stored; "
            f"found none, but a coordinate of {farthest:.3g}. Write the file again with its box"
        )
    if not stored(_POSITION) and frame.particles.N > 1:
        raise InputError(
            f"{where}: {_POSITION}: expected it in the file; found none, neither in this frame nor "
            "in the first. Write the file again with it"
        )


def _has_images(trajectory: gsd.hoomd.HOOMDTrajectory) -> bool:
    """Whether images were written: HOOMD leaves them out of frames where all are zero."""
    ends = {0, len(trajectory) - 1}
    return any(trajectory.file.chunk_exists(frame=k, name="particles/image") for k in ends)


def _opened(path: Path) -> gsd.hoomd.HOOMDTrajectory:
    try:
        import gsd.hoomd
    except ImportError:
        raise InputError(
            f"{path}: expected the package gsd, which reads GSD; found none. Install it with "
            '`pip install "glassml[gsd]"`'
        ) from None
    try:
        return gsd.hoomd.open(path, "r")
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: expected a GSD file; found another or a damaged one ({error})"
        ) from None


def _atoms(frame: gsd.hoomd.Frame, where: str) -> Atoms:
    particles = frame.particles
    flat = frame.configuration.dimensions == 2
    types = np.asarray(particles.typeid, np.int64) + 1
    check_types(where, types, len(particles.types))
    atoms = atoms_of_species(types, list(particles.types))
    atoms.set_cell(_cell(frame, flat, where))
    atoms.positions = np.asarray(particles.position, np.float64)
    atoms.pbc = (True, True, not flat)
    if flat:
        _flatten(atoms, where)
    atoms.info["timestep"] = int(frame.configuration.step)
    for name, values in frame.log.items():
        kind, _, array = name.partition("particles/")
        if not kind and np.shape(values) == (particles.N,):
            atoms.set_array(array, np.asarray(values))
    return atoms


def _cell(frame: gsd.hoomd.Frame, flat: bool, where: str) -> np.ndarray:
    """Lattice vectors [3, 3] [length]."""
    lx, ly, lz, xy, xz, yz = np.asarray(frame.configuration.box, np.float64)
    if not (lx > 0 and ly > 0 and (lz > 0 or flat)):
        raise InputError(
            f"{where}: {_BOX}: expected positive lengths; found {lx:g}, {ly:g} and {lz:g}"
        )
    if flat:
        return np.array([[lx, 0, 0], [xy * ly, ly, 0], [0, 0, max(lx, ly)]])
    return np.array([[lx, 0, 0], [xy * ly, ly, 0], [xz * lz, yz * lz, lz]])


def _flatten(atoms: Atoms, where: str) -> None:
    """Put a two-dimensional system into its plane; z may differ from 0 by rounding.

    Raises:
        InputError: it differs by more.
    """
    spacing = np.sqrt(atoms.cell[0, 0] * atoms.cell[1, 1] / max(len(atoms), 1))
    farthest = float(np.abs(atoms.positions[:, 2]).max(initial=0.0))
    if farthest > _LARGEST_NOISE * spacing:
        raise InputError(
            f"{where}: dimensions: expected particles in the plane z = 0, as the file states two "
            f"dimensions; found one {farthest:.3g} away from it"
        )
    atoms.positions[:, 2] = 0.0

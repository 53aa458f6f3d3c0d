"""GSD files of HOOMD-blue, read with the optional package gsd."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from glassml.errors import InputError

if TYPE_CHECKING:
    import gsd.hoomd

__all__ = ["GSD", "gsd_frames", "gsd_length"]

GSD = "gsd"


def gsd_length(path: Path) -> int:
    """The number of frames in a GSD file.

    Raises:
        InputError: the package gsd is missing, or the file is damaged.
    """
    with _opened(path) as trajectory:
        return len(trajectory)


def gsd_frames(path: Path, numbers: Iterable[int], *, unwrapped: bool = False) -> Iterator[Atoms]:
    """Frames of a GSD file by their numbers.

    Types count from 1; ``info["species_names"]`` holds the names of the file's particle types.
    Logged per-particle numbers [N] become arrays, named without ``particles/``. A two-dimensional
    frame lies in the plane z = 0, and its third direction is not periodic. ``info["timestep"]`` is
    the number of the time step. With ``unwrapped``, ``arrays["unwrapped"]`` holds the positions
    without periodic wrapping, if the file has images.
    """
    with _opened(path) as trajectory:
        images = unwrapped and _has_images(trajectory)
        for number in numbers:
            frame = trajectory[number]
            atoms = _atoms(frame)
            if images:
                image = np.asarray(frame.particles.image, np.float64)
                atoms.set_array("unwrapped", atoms.positions + image @ atoms.cell.array)
            yield atoms


def _has_images(trajectory: gsd.hoomd.HOOMDTrajectory) -> bool:
    """Whether images were written: HOOMD leaves them out of frames where all are zero."""
    ends = {0, len(trajectory) - 1}
    return any(trajectory.file.chunk_exists(frame=k, name="particles/image") for k in ends)


def _opened(path: Path) -> gsd.hoomd.HOOMDTrajectory:
    try:
        import gsd.hoomd
    except ImportError:
        raise InputError(
            f"{path}: reading GSD needs the package gsd; found none. Install it with: "
            'pip install "glassml[gsd]"'
        ) from None
    try:
        return gsd.hoomd.open(path, "r")
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: expected a GSD file; found another or a damaged one ({error})"
        ) from None


def _atoms(frame: gsd.hoomd.Frame) -> Atoms:
    particles, box = frame.particles, np.asarray(frame.configuration.box, np.float64)
    flat = frame.configuration.dimensions == 2
    lx, ly, lz, xy, xz, yz = box
    cell = np.array([[lx, 0, 0], [xy * ly, ly, 0], [xz * lz, yz * lz, lz]])
    if flat:
        cell[2] = [0.0, 0.0, max(lx, ly)]
    atoms = Atoms(
        numbers=np.asarray(particles.typeid, np.int64) + 1,
        positions=np.asarray(particles.position, np.float64),
        cell=cell,
        pbc=(True, True, not flat),
        info={
            "species_names": ",".join(particles.types),
            "timestep": int(frame.configuration.step),
        },
    )
    atoms.set_array("type", atoms.numbers.copy())
    for name, values in frame.log.items():
        kind, _, array = name.partition("particles/")
        if not kind and np.shape(values) == (particles.N,):
            atoms.set_array(array, np.asarray(values))
    return atoms

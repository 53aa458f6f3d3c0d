"""Where the particles of a trajectory are without periodic wrapping and without drift."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase import Atoms

from glassml.data.atoms import enclosing_cell
from glassml.errors import InputError

__all__ = ["WAYS", "Follower", "Path"]

# How periodic wrapping is undone: as the file says, else by continuity; by continuity; not at all.
WAYS = ("auto", "continuity", "none")

# Of a lattice vector. A particle that moves further between two frames may as well have come from
# the other side.
_LARGEST_STEP = 1 / 3
# Of a lattice vector. Labels need a constant volume; at constant pressure boxes fluctuate by less.
_LARGEST_STRAIN = 0.02
_REPEATED = 1e-3  # of a lattice vector: positions in text are rounded to about six digits


class Path(NamedTuple):
    """Fractional coordinates [N, 3] of a frame along the paths of the particles, minus their mean.

    Differences of two of them, times a cell, are displacements without the drift of the whole
    system.
    """

    fractional: np.ndarray
    cell: np.ndarray


class Follower:
    """Follows the particles from frame to frame.

    Args:
        way: one of `WAYS`.
    """

    def __init__(self, way: str = "auto") -> None:
        if way not in WAYS:
            raise InputError(f"--unwrap: expected one of {', '.join(WAYS)}; found {way!r}")
        self.way = way
        self._first: Atoms | None = None
        self._cell = np.eye(3)
        self._wrapped = self._last = np.zeros((0, 3))

    def by_continuity(self, atoms: Atoms) -> bool:
        """Whether this frame can only be followed from the frame right before it."""
        stated = self.way == "none" or (self.way == "auto" and "unwrapped" in atoms.arrays)
        return not stated and bool(atoms.pbc.any())

    def describe(self, atoms: Atoms) -> str:
        """How periodic wrapping of this frame is undone, for people."""
        if self.by_continuity(atoms):
            return "nearest images from frame to frame"
        if self.way == "auto" and "unwrapped" in atoms.arrays:
            return "images or unwrapped coordinates of the file"
        return "none, positions as they are"

    def follow(self, atoms: Atoms, name: str) -> Path:
        """The next frame.

        Args:
            atoms: N particles, those of the frames before in the same order.
            name: of the frame, for messages.

        Raises:
            InputError: other particles, another cell, the same positions again, or steps that are
                too long to be followed.
        """
        cell = self._checked_cell(atoms, name)
        wrapped = atoms.positions @ np.linalg.inv(cell)
        if self.by_continuity(atoms):
            path = self._continued(atoms, name, wrapped, cell)
        else:
            places = atoms.arrays.get("unwrapped") if self.way == "auto" else None
            path = (atoms.positions if places is None else places) @ np.linalg.inv(cell)
            self._check_images(atoms, name, path, wrapped)
        if len(self._last) and np.array_equal(path, self._last):
            raise InputError(
                f"{name}: positions: expected particles that moved; found those of the frame "
                "before. Remove frames that occur twice"
            )
        self._wrapped, self._last = wrapped, path
        return Path(path - path.mean(axis=0), cell)

    def check_repeated(self, atoms: Atoms, name: str) -> None:
        """Check that a frame is the frame before it again, as its time says.

        Raises:
            InputError: it is another one.
        """
        cell = self._checked_cell(atoms, name)
        step = atoms.positions @ np.linalg.inv(cell) - self._wrapped
        step -= np.where(atoms.pbc, np.rint(step), 0.0)
        if np.abs(step).max() > _REPEATED:
            raise InputError(
                f"{name}: time: expected the positions of the frame before, as it has the same "
                "time; found others. Remove one of the two"
            )

    def _checked_cell(self, atoms: Atoms, name: str) -> np.ndarray:
        """The cell after checking that it holds the same particles and is nearly the first one."""
        cell = enclosing_cell(atoms, name)
        if self._first is None:
            self._first, self._cell = atoms, cell
            return cell
        _check_same(self._first, atoms, name)
        # No distance depends on the length of a vector along which there are no images.
        cell[~atoms.pbc] = self._cell[~atoms.pbc]
        strain = cell @ np.linalg.inv(self._cell) - np.eye(3)
        if np.abs(strain).max() > _LARGEST_STRAIN:
            raise InputError(
                f"{name}: cell: expected that of the first frame within "
                f"{_LARGEST_STRAIN:.0%}, {self._cell.round(6).tolist()}; found "
                f"{cell.round(6).tolist()}. Labels need a trajectory at constant volume"
            )
        return cell

    def _continued(
        self, atoms: Atoms, name: str, wrapped: np.ndarray, cell: np.ndarray
    ) -> np.ndarray:
        """The images that are nearest to the path of each particle."""
        if not len(self._last):
            return wrapped
        step = wrapped - self._last
        images = np.where(atoms.pbc, np.rint(step), 0.0)
        step = np.where(atoms.pbc, np.abs(step - images), 0.0)
        if step.max() > _LARGEST_STEP:
            particle, axis = np.unravel_index(step.argmax(), step.shape)
            length = float(np.linalg.norm(cell[axis]))
            raise InputError(
                f"{name}: positions: expected steps of at most a third of the box "
                f"({_LARGEST_STEP * length:.3g}) from frame to frame, to undo the periodic "
                f"wrapping; found {step.max() * length:.3g} for particle {particle}. Use frames "
                "that are closer in time, or write images (ix iy iz) or unwrapped coordinates (xu "
                "yu zu), and atom ids; if the positions are not wrapped, give --unwrap none"
            )
        return wrapped - images

    def _check_images(self, atoms: Atoms, name: str, path: np.ndarray, wrapped: np.ndarray) -> None:
        """Check that images continue those of the frame before, where this can be seen."""
        if not len(self._last) or not atoms.pbc.any():
            return
        step = (path - self._last)[:, atoms.pbc]
        nearest = np.abs(step - np.rint(step)).max()
        jumped = (np.abs(step) > 0.5).any(axis=1)
        if nearest < _LARGEST_STEP and jumped.any():
            raise InputError(
                f"{name}: positions: expected images that continue those of the frame before; "
                f"found {jumped.sum()} particles displaced by whole boxes. If images were reset "
                "between two runs, or are wrong, give --unwrap continuity"
            )


def _check_same(first: Atoms, atoms: Atoms, name: str) -> None:
    """Check that the particles are those of the first frame."""
    if len(atoms) != len(first):
        raise InputError(
            f"{name}: particles: expected {len(first)} as in the first frame; found {len(atoms)}"
        )
    if not np.array_equal(atoms.pbc, first.pbc):
        raise InputError(
            f"{name}: pbc: expected {first.pbc.tolist()} as in the first frame; found "
            f"{atoms.pbc.tolist()}"
        )
    for what, array in (("ids", "id"), ("species", "type"), ("species", "numbers")):
        one, other = first.arrays.get(array), atoms.arrays.get(array)
        if (one is None) != (other is None) or (
            one is not None and other is not None and not np.array_equal(one, other)
        ):
            raise InputError(
                f"{name}: {what}: expected those of the first frame in the same order; found "
                "others. Write atom ids, or the atoms sorted by them"
            )

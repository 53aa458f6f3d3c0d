"""The one in-memory type for a particle configuration, labelled or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from glassml.errors import InputError

__all__ = ["LENGTH_UNITS", "Configuration"]

LENGTH_UNITS = ("lj", "angstrom", "nm", "bohr", "m", "cm", "um")

# Smallest |volume| / (product of the edge lengths) of a cell: below this its three vectors lie in
# one plane to within rounding, and fractional coordinates have lost all their digits.
_SMALLEST_RELATIVE_VOLUME = 1e-10

# Unit cells of crystals may be a single layer of a few atoms; a liquid whose particles all lie in
# one plane is a two-dimensional system. `fix glassml` has the same limits.
_LARGEST_PLANAR_CELL = 16
_FLAT = 1e-9  # of the lattice vector across the plane


@dataclass(frozen=True, eq=False, kw_only=True)
class Configuration:
    """Positions and species of N particles in a periodic cell, with labels at T times if known.

    Arrays are converted to the stated types and checked on construction.

    Attributes:
        positions: float64 [N, 3] [length]. Any periodic image, wrapped or not.
        cell: float64 [3, 3] [length]. Rows are the lattice vectors.
        species: int64 [N] [-]. Index into ``species_names``.
        species_names: names of the species, such as ``("A", "B")``.
        pbc: whether each lattice direction is periodic.
        scalars: name -> float64 [N], further inputs such as ``"potential_energy"``.
        times: float64 [T] [time], positive and increasing.
        propensity: float64 [N, T] [length], the labels: the mean over an isoconfigurational
            ensemble of each particle's displacement after each time.
        n_runs: number of isoconfigurational runs behind each label, if known.
        length_unit: one of `LENGTH_UNITS`.
        name: names the configuration in messages and in datasets.
        provenance: where the data come from, in plain strings and numbers.

    Raises:
        InputError: an array has a wrong shape, is not finite or contradicts another, or all of
            more than 16 particles lie in one plane; the message names the configuration and the
            field.
    """

    positions: np.ndarray
    cell: np.ndarray
    species: np.ndarray
    species_names: tuple[str, ...]
    pbc: tuple[bool, bool, bool] = (True, True, True)
    scalars: Mapping[str, np.ndarray] = field(default_factory=dict)
    times: np.ndarray | None = None
    propensity: np.ndarray | None = None
    n_runs: int | None = None
    length_unit: str = "lj"
    name: str = "configuration"
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_structure()
        self._check_species()
        self._check_scalars()
        self._check_labels()
        self._check_provenance()

    @property
    def n_particles(self) -> int:
        """The number of particles N."""
        return len(self.positions)

    @property
    def volume(self) -> float:
        """Volume of the cell [length^3]."""
        return float(abs(np.linalg.det(self.cell)))

    def _check_structure(self) -> None:
        positions = self._array("positions", self.positions, np.float64)
        if positions.ndim != 2 or positions.shape[1] != 3:
            hint = " (two-dimensional systems are not supported)"
            raise self._error(
                "positions",
                "shape [N, 3]",
                f"{_shape(positions)}{hint if positions.shape[-1:] == (2,) else ''}",
            )
        if len(positions) == 0:
            raise self._error("positions", "at least one particle", "none")
        cell = self._array("cell", self.cell, np.float64)
        if cell.shape != (3, 3):
            raise self._error("cell", "three lattice vectors, shape [3, 3]", _shape(cell))
        volume = abs(np.linalg.det(cell))
        if volume <= _SMALLEST_RELATIVE_VOLUME * np.prod(np.linalg.norm(cell, axis=1)):
            raise self._error(
                "cell", "three independent lattice vectors", f"volume {volume:g} of {cell.tolist()}"
            )
        pbc = np.asarray(self.pbc)
        if pbc.shape != (3,) or pbc.dtype.kind not in "bi":
            raise self._error("pbc", "three booleans", repr(self.pbc))
        if len(positions) > _LARGEST_PLANAR_CELL:
            self._check_three_dimensional(positions, cell)
        self._set(positions=positions, cell=cell, pbc=tuple(bool(periodic) for periodic in pbc))
        if self.length_unit not in LENGTH_UNITS:
            raise self._error("length_unit", f"one of {list(LENGTH_UNITS)}", repr(self.length_unit))

    def _check_three_dimensional(self, positions: np.ndarray, cell: np.ndarray) -> None:
        extent = np.ptp(positions @ np.linalg.inv(cell), axis=0)
        for axis in np.flatnonzero(extent < _FLAT):
            raise self._error(
                "positions",
                "a three-dimensional system",
                f"all {len(positions)} particles in one plane across lattice direction {axis + 1} "
                "(two-dimensional systems are not supported)",
            )

    def _check_species(self) -> None:
        names = self.species_names
        if (
            isinstance(names, str)
            or not names
            or not all(isinstance(name, str) and name for name in names)
            or len(set(names)) != len(names)
        ):
            raise self._error("species_names", "different, non-empty names", repr(names))
        species = np.asarray(self.species)
        if species.shape != (self.n_particles,) or species.dtype.kind not in "iu":
            raise self._error(
                "species",
                f"integers of shape [{self.n_particles}], one a particle",
                f"{species.dtype} {_shape(species)}",
            )
        if species.min() < 0 or species.max() >= len(names):
            raise self._error(
                "species",
                f"indices 0 to {len(names) - 1} (species_names = {list(names)})",
                f"values from {species.min()} to {species.max()}",
            )
        self._set(species=np.ascontiguousarray(species, np.int64), species_names=tuple(names))

    def _check_scalars(self) -> None:
        scalars = {}
        for name, values in self.scalars.items():
            if not isinstance(name, str) or not name or "/" in name:
                raise self._error("scalars", "names without '/'", repr(name))
            scalar = self._array(f"scalars[{name!r}]", values, np.float64)
            if scalar.shape != (self.n_particles,):
                raise self._error(
                    f"scalars[{name!r}]", f"shape [{self.n_particles}]", _shape(scalar)
                )
            scalars[name] = scalar
        self._set(scalars=scalars)

    def _check_labels(self) -> None:
        if (self.times is None) != (self.propensity is None):
            missing, given = (
                ("times", "propensity") if self.times is None else ("propensity", "times")
            )
            raise self._error(missing, f"a value, as {given} is given", "nothing")
        if self.n_runs is not None and self.n_runs < 1:
            raise self._error("n_runs", "a positive number of runs", str(self.n_runs))
        if self.times is None:
            return
        times = self._array("times", self.times, np.float64)
        if times.ndim != 1 or len(times) == 0 or times[0] <= 0 or np.any(np.diff(times) <= 0):
            raise self._error(
                "times", "positive, increasing times of shape [T], T > 0", str(times.tolist())
            )
        propensity = self._array("propensity", self.propensity, np.float64)
        expected = (self.n_particles, len(times))
        if propensity.shape != expected:
            raise self._error("propensity", f"shape {list(expected)}", _shape(propensity))
        if propensity.min() < 0:
            raise self._error("propensity", "mean distances >= 0", f"{propensity.min():g}")
        self._set(times=times, propensity=propensity)

    def _check_provenance(self) -> None:
        for key, value in self.provenance.items():
            if not isinstance(key, str) or not isinstance(value, str | int | float):
                raise self._error(
                    f"provenance[{key!r}]", "a string or a number", type(value).__name__
                )
        self._set(provenance=dict(self.provenance))

    def _array(self, what: str, values: Any, dtype: DTypeLike) -> np.ndarray:
        """``values`` as a contiguous, finite array."""
        try:
            array = np.ascontiguousarray(values, dtype)
        except (TypeError, ValueError) as error:
            raise self._error(what, f"numbers ({np.dtype(dtype)})", str(error)) from None
        finite = np.isfinite(array)
        if not finite.all():
            first = np.argwhere(~finite)[0].tolist()
            raise self._error(
                what,
                "finite numbers",
                f"{array[tuple(first)]} at index {first} ({(~finite).sum()} such values)",
            )
        return array

    def _error(self, what: str, expected: str, found: str) -> InputError:
        return InputError(f"{self.name}: {what}: expected {expected}; found {found}")

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen


def _shape(array: Sequence | np.ndarray) -> str:
    return f"shape {list(np.shape(array))}"

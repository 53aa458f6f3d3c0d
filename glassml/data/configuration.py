"""`Configuration`: one structure of particles in memory, with its labels if it has any."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from glassml.errors import InputError
from glassml.physics import cells
from glassml.physics.units import LENGTH_UNITS

__all__ = ["REVERSED_FROM", "Configuration", "sha256_of_positions"]

#: Entry of the provenance of a reversed run, the `Configuration.positions_sha256` of its start.
REVERSED_FROM = "reversed_from"

# Smallest |volume| / (product of the edge lengths) of a cell: below this its three vectors lie in
# one plane to within rounding, and fractional coordinates have lost all their digits.
_SMALLEST_RELATIVE_VOLUME = 1e-10

# The unit cell of a crystal may be a single layer of a few atoms. A liquid whose particles all lie
# in one plane is a two-dimensional system, which has no images across it. `fix glassml` has the
# same limit.
_LARGEST_PLANAR_CELL = 16

# The third length of these statistics [N, T, ...]; others may have any third length or none.
_COLUMNS_OF_STATISTICS = {
    "square_displacement": (),
    "mean_displacement": (3,),
    "propensity_halves": (2,),
}
_DISTANCES = ("square_displacement", "propensity_halves")  # never negative


@dataclass(frozen=True, eq=False, kw_only=True)
class Configuration:
    """Positions and species of N particles in a cell, with labels at T times if known.

    Arrays are converted to the stated types and checked on construction. The particles of a
    two-dimensional system lie in a plane spanned by two lattice vectors; the third direction is not
    periodic.

    Attributes:
        positions: float64 [N, 3] [length]. Any periodic images, wrapped or not.
        cell: float64 [3, 3] [length]. Rows are the lattice vectors.
        species: int64 [N] [-]. Index into ``species_names``.
        species_names: names of the species, such as ``("A", "B")``.
        pbc: whether each lattice direction is periodic.
        scalars: name -> float64 [N], further inputs of models, such as ``"potential_energy"``.
        times: float64 [T] [time], positive and increasing.
        propensity: float64 [N, T] [length], the labels: each particle's displacement after each
            time, averaged over an isoconfigurational ensemble.
        n_runs: number R of isoconfigurational runs behind each label, if known.
        structures: name -> float64 [N, 3] [length], other positions of the same particles, such as
            ``"inherent"`` or ``"cage"``: the images that are nearest to ``positions``.
        statistics: name -> float64 [N, T] or [N, T, k], further averages over the same runs at the
            same times: ``"square_displacement"`` [N, T] [length^2], ``"mean_displacement"``
            [N, T, 3] [length] and ``"propensity_halves"`` [N, T, 2] [length], the mean displacement
            over the first and over the second half of the runs.
        predictions: name -> float64 [N, T] [length], propensities predicted by other models; NaN
            for particles without a prediction.
        final_positions: float32 or float64 [R, T, N, 3] [length], the positions of each run at each
            time, not wrapped: their difference from ``positions`` is the displacement. Datasets
            read them on request only.
        length_unit: one of `LENGTH_UNITS`.
        name: the configuration's name in messages and in datasets.
        provenance: where the data come from, as texts and numbers.

    Raises:
        InputError: an array has a wrong shape, is not finite or contradicts another, or all of
            more than 16 particles lie in one plane with periodic images across it; the message
            names the configuration and the field.
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
    structures: Mapping[str, np.ndarray] = field(default_factory=dict)
    statistics: Mapping[str, np.ndarray] = field(default_factory=dict)
    predictions: Mapping[str, np.ndarray] = field(default_factory=dict)
    final_positions: np.ndarray | None = None
    length_unit: str = "lj"
    name: str = "configuration"
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_structure()
        self._check_species()
        self._set(
            scalars=self._arrays("scalars", self._check_scalar),
            structures=self._arrays("structures", self._check_other_positions),
        )
        self._check_labels()
        self._check_needs_times()
        self._set(
            statistics=self._arrays("statistics", self._check_statistic),
            predictions=self._arrays("predictions", self._check_prediction),
        )
        self._check_final_positions()
        self._check_provenance()

    @property
    def n_particles(self) -> int:
        """The number of particles N."""
        return len(self.positions)

    @property
    def volume(self) -> float:
        """Volume of the cell [length^3]."""
        return cells.extent(self.cell)

    @property
    def positions_sha256(self) -> str:
        """Checksum of the positions alone, which configurations with equal positions share."""
        return sha256_of_positions(self.positions)

    @property
    def plane(self) -> int | None:
        """The lattice direction out of the plane of a two-dimensional system, else None."""
        return cells.plane_of(self.positions, self.cell, self.pbc)

    @property
    def dimension(self) -> int:
        """3, or 2 if all particles lie in one plane."""
        return cells.dimension_of(self.plane)

    @property
    def number_density(self) -> float:
        """N / volume [length^-3]; N / area [length^-2] in two dimensions."""
        return self.n_particles / cells.extent(self.cell, self.plane)

    @property
    def spacing(self) -> float:
        """Mean distance of neighbouring particles, number_density^(-1/dimension) [length]."""
        return float(self.number_density ** (-1 / self.dimension))

    def of_species(self, name: str) -> np.ndarray:
        """Which particles are of a species, bool [N].

        Raises:
            InputError: no species has this name.
        """
        if name not in self.species_names:
            raise self._error("species", f"one of {list(self.species_names)}", repr(name))
        return np.asarray(self.species == self.species_names.index(name))

    def _check_structure(self) -> None:
        positions = self._array("positions", self.positions, np.float64)
        if positions.ndim != 2 or positions.shape[1] != 3:
            hint = " (put two-dimensional systems into the plane z = 0, with pbc False across it)"
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
        self._set(positions=positions, cell=cell, pbc=tuple(bool(periodic) for periodic in pbc))
        if len(positions) > _LARGEST_PLANAR_CELL:
            self._check_no_images_across_a_plane()
        if self.length_unit not in LENGTH_UNITS:
            raise self._error("length_unit", f"one of {list(LENGTH_UNITS)}", repr(self.length_unit))

    def _check_no_images_across_a_plane(self) -> None:
        flat = cells.flat_directions(self.positions, self.cell)
        for axis in np.flatnonzero(flat & np.array(self.pbc)):
            raise self._error(
                "positions",
                "a three-dimensional system",
                f"all {self.n_particles} particles in one plane across lattice direction "
                f"{axis + 1} (two-dimensional systems need pbc = False in that direction, which "
                "--pbc T,T,F states)",
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
                f"integers of shape [{self.n_particles}], one per particle",
                f"{species.dtype} {_shape(species)}",
            )
        if species.min() < 0 or species.max() >= len(names):
            raise self._error(
                "species",
                f"indices 0 to {len(names) - 1} (species_names = {list(names)})",
                f"values from {species.min()} to {species.max()}",
            )
        self._set(species=np.ascontiguousarray(species, np.int64), species_names=tuple(names))

    def _arrays(
        self, field_name: str, check: Callable[[str, str, Any], np.ndarray]
    ) -> dict[str, np.ndarray]:
        """The entries of a mapping field, each checked: by its name, its name for messages."""
        entries = getattr(self, field_name)
        for name in entries:
            if not isinstance(name, str) or not name or "/" in name:
                raise self._error(field_name, "names without '/'", repr(name))
        return {
            name: check(name, f"{field_name}[{name!r}]", values) for name, values in entries.items()
        }

    def _check_scalar(self, name: str, what: str, values: Any) -> np.ndarray:
        return self._shaped(what, self._array(what, values, np.float64), (self.n_particles,))

    def _check_other_positions(self, name: str, what: str, values: Any) -> np.ndarray:
        return self._shaped(what, self._array(what, values, np.float64), (self.n_particles, 3))

    def _check_statistic(self, name: str, what: str, values: Any) -> np.ndarray:
        array = self._array(what, values, np.float64)
        columns = _COLUMNS_OF_STATISTICS.get(name, array.shape[2:3])
        array = self._shaped(what, array, (*self._labels_shape, *columns))
        if name in _DISTANCES and array.min() < 0:
            raise self._error(what, "numbers >= 0", f"{array.min():g}")
        return array

    def _check_prediction(self, name: str, what: str, values: Any) -> np.ndarray:
        array = self._array(what, values, np.float64, nan_allowed=True)
        return self._shaped(what, array, self._labels_shape)

    @property
    def _labels_shape(self) -> tuple[int, ...]:
        return () if self.propensity is None else self.propensity.shape

    def _check_needs_times(self) -> None:
        """Check that there are labels if there is anything else at their times."""
        for name in ("statistics", "predictions", "final_positions"):
            value = getattr(self, name)
            if self.times is None and value is not None and len(value):
                raise self._error("times", f"times and labels, as {name} are given", "none")

    def _check_final_positions(self) -> None:
        if self.final_positions is None:
            return
        given = np.asarray(self.final_positions)
        dtype = np.float32 if given.dtype == np.float32 else np.float64
        array = self._array("final_positions", given, dtype)
        n_times = 0 if self.times is None else len(self.times)
        shape = (self.n_runs or max(len(array), 1), n_times, self.n_particles, 3)
        self._set(final_positions=self._shaped("final_positions", array, shape))

    def _shaped(self, what: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        if array.shape != shape:
            raise self._error(what, f"shape {list(shape)}", _shape(array))
        return array

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

    def _array(
        self, what: str, values: Any, dtype: DTypeLike, *, nan_allowed: bool = False
    ) -> np.ndarray:
        """``values`` as a contiguous array of finite numbers."""
        try:
            array = np.ascontiguousarray(values, dtype)
        except (TypeError, ValueError) as error:
            raise self._error(what, f"numbers ({np.dtype(dtype)})", str(error)) from None
        finite = np.isfinite(array) | (nan_allowed & np.isnan(array))
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


def sha256_of_positions(positions: np.ndarray) -> str:
    """Checksum of positions [N, 3] [length], in double precision."""
    return hashlib.sha256(np.ascontiguousarray(positions, np.float64).tobytes()).hexdigest()

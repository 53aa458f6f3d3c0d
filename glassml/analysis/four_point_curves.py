"""chi4 and G4 of labels and predictions, collected one configuration after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassml.analysis.metrics import resampled_counts
from glassml.data import Configuration, Dataset, units_of
from glassml.errors import InputError, not_one_of
from glassml.physics import PairSums, chi4, largest_distance, mobility
from glassml.physics.four_point import STEEPNESS, THRESHOLD
from glassml.physics.units import with_unit

__all__ = ["LABELS", "FourPointCollector", "FourPointCurves"]

LABELS = "labels"  # the name of the labels; predictions must have other names

# 0.44 sigma in mean distances between particles of the Kob-Andersen liquid, whose density is 1.2.
_THRESHOLD_IN_SPACINGS = THRESHOLD * 1.2 ** (1 / 3)

# G4 reaches this many mean distances between particles, if the box is large enough.
_REACH = 5.0
_BINS = 50


@dataclass(frozen=True)
class FourPointCurves:
    """Four-point functions of the particles of one species.

    Attributes:
        species: its name.
        threshold: propensity at which a particle counts as half mobile [length].
        times: [T] [time].
        chi4: "labels" and names of predictions -> chi4 [T] [-]; empty for one configuration.
        chi4_errors: the same names -> standard deviations over resamples [T] [-].
        r: distances [n_bins] [length], None if G4 was not computed.
        g4: names as in ``chi4`` -> G4 [n_bins, T] [-].
        g4_errors: the same names -> standard deviations over resamples [n_bins, T] [-].
        pair_distribution: g(r) [n_bins] [-].
    """

    species: str
    threshold: float
    times: tuple[float, ...]
    chi4: Mapping[str, np.ndarray]
    chi4_errors: Mapping[str, np.ndarray]
    r: np.ndarray | None
    g4: Mapping[str, np.ndarray]
    g4_errors: Mapping[str, np.ndarray]
    pair_distribution: np.ndarray | None

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Tables "chi4" and "g4", one row per value."""
        tables: dict[str, list[dict[str, Any]]] = {"chi4": [], "g4": []}
        for name in dict.fromkeys((*self.chi4, *self.g4)):
            for t, time in enumerate(self.times):
                row = {"source": name, "time": time}
                if name in self.chi4:
                    value, error = self.chi4[name][t], self.chi4_errors[name][t]
                    tables["chi4"].append(row | {"chi4": float(value), "chi4_error": float(error)})
                if self.r is None or name not in self.g4:
                    continue
                columns = (self.r, self.g4[name][:, t], self.g4_errors[name][:, t])
                tables["g4"] += [
                    row | {"r": float(r), "g4": float(g), "g4_error": float(e)}
                    for r, g, e in zip(*columns, strict=True)
                ]
        return tables

    def as_dict(self) -> dict[str, Any]:
        """The curves as plain dictionaries and lists."""
        facts = {"threshold": self.threshold, "steepness": STEEPNESS / self.threshold}
        return {"species": self.species, **facts, **self.rows()}


class FourPointCollector:
    """Collects the sums behind chi4 and G4, one configuration after the other.

    Args:
        species: index of the species whose particles count.
        threshold: propensity at which a particle counts as half mobile [length]; None: chi4 and G4
            are not computed.
        distances: whether to compute G4 too, which takes longer and needs periodic systems.

    Attributes:
        notes: what of chi4 and G4 is missing, and why, in sentences; complete after `result`.
    """

    def __init__(
        self,
        species: int = 0,
        threshold: float | None = THRESHOLD,
        distances: bool = True,
    ) -> None:
        self.species = species
        self.threshold = threshold
        self.notes: list[str] = []
        self._distances = distances
        self._single_runs = False
        self._name = ""
        self._times: tuple[float, ...] = ()
        self._means: list[np.ndarray] = []
        self._counts: list[int] = []
        self._sums: PairSums | None = None

    @classmethod
    def suited(
        cls, dataset: Dataset, species: str | None = None, threshold: float | None = None
    ) -> FourPointCollector:
        """A collector for a dataset. Without a threshold it collects nothing, and notes why.

        Args:
            dataset: labelled configurations.
            species: name of the species; None: the first.
            threshold: propensity at which a particle counts as half mobile [length]; None: 0.44 if
                lengths are in LJ units, otherwise there is no threshold.

        Raises:
            InputError: an unknown species, or a threshold that is not positive.
        """
        name = dataset.species_names[0] if species is None else species
        if name not in dataset.species_names:
            raise InputError(f"--species: {not_one_of(name, dataset.species_names)}")
        if threshold is not None and not threshold > 0:
            raise InputError(f"--threshold: expected a positive length; found {threshold:g}")
        index = dataset.species_names.index(name)
        if threshold is None and dataset.length_unit == "lj":
            threshold = THRESHOLD
        if threshold is not None:
            return cls(index, threshold)
        found = cls(index, None)
        unit = units_of(dataset).length
        similar = _THRESHOLD_IN_SPACINGS * dataset[0].spacing
        found.notes.append(
            "χ₄ and G₄ are missing: they need the propensity at which a particle counts as half "
            "mobile. Give it with --threshold. The same fraction of the mean distance between "
            "particles as in the Kob-Andersen liquid would be "
            f"{with_unit(float(f'{similar:.2g}'), unit)}"
        )
        return found

    def add(self, configuration: Configuration, predictions: Sequence[np.ndarray | None]) -> None:
        """Add a labelled configuration and each set of predictions for it, [N, T] or None."""
        labels = configuration.propensity
        if labels is None or configuration.times is None:
            raise InputError(f"{configuration.name}: expected labels; found none")
        if self.threshold is None:
            return
        chosen = configuration.species == self.species
        self._single_runs |= configuration.n_runs == 1
        self._name = configuration.species_names[self.species]
        self._times = tuple(configuration.times.tolist())
        if chosen.sum() < 2:
            return  # no pairs
        columns = [labels, *predictions]
        missing = np.full(labels.shape, np.nan)
        values = mobility(
            np.stack([missing if c is None else c for c in columns], axis=1)[chosen], self.threshold
        )
        self._means.append(values.mean(axis=0))
        self._counts.append(int(chosen.sum()))
        if self._distances:
            self._add_pairs(configuration, chosen, values.reshape(len(values), -1))

    def result(self, names: Sequence[str], resamples: int, seed: int) -> FourPointCurves | None:
        """The curves; None without a threshold, or without two particles of the species.

        Args:
            names: names of the sets of predictions.
            resamples: number of resamples of the configurations, for error bars; 0: none.
            seed: seed of the resamples.
        """
        if self.threshold is None:
            return None
        if not self._means:
            self.notes.append(
                f"χ₄ and G₄ are missing: no configuration has two particles of {self._name}"
            )
            return None
        n = len(self._means)
        means, counts = np.stack(self._means), np.array(self._counts)
        weights = resampled_counts(n, resamples, seed) if n > 1 and resamples else None
        values = chi4(means, counts)
        errors = np.full(values.shape, np.nan)
        if weights is not None:
            errors = chi4(means, counts, weights).std(axis=0)
        # Sets that lack predictions for some configurations have no value: their columns are NaN.
        complete = [k for k in range(len(names) + 1) if not np.isnan(values[k]).all()]
        named = [(k, (LABELS, *names)[k]) for k in complete]
        self._note(n, [name for k, name in enumerate(names, start=1) if k not in complete])
        pairs = self._sums.result(weights) if self._sums is not None else None
        shape = (-1, *values.shape)
        g4 = {} if pairs is None else {m: pairs.values.reshape(shape)[:, k] for k, m in named}
        g4_errors = (
            {} if pairs is None else {m: pairs.errors.reshape(shape)[:, k] for k, m in named}
        )
        return FourPointCurves(
            species=self._name,
            threshold=self.threshold,
            times=self._times,
            # The variance over one configuration would be zero.
            chi4={name: values[k] for k, name in named if n > 1},
            chi4_errors={name: errors[k] for k, name in named if n > 1},
            r=None if pairs is None else pairs.r,
            g4=g4,
            g4_errors=g4_errors,
            pair_distribution=None if pairs is None else pairs.pair_distribution,
        )

    def _note(self, configurations: int, incomplete: Sequence[str]) -> None:
        """Note what is missing although there is a threshold."""
        if configurations == 1:
            self.notes.append("χ₄ is missing: it is a variance over configurations; there is one")
        if self._single_runs:
            self.notes.append(
                "Some labels are displacements in single runs: χ₄ and G₄ of these labels are those "
                "of displacements, not of propensities, and predictions need not have the same"
            )
        if incomplete:
            self.notes.append(
                f"χ₄ and G₄ of {', '.join(incomplete)} are missing: they need predictions for all "
                "particles of the species in all configurations"
            )

    def _add_pairs(
        self, configuration: Configuration, chosen: np.ndarray, values: np.ndarray
    ) -> None:
        box = configuration.cell, configuration.pbc
        limit = largest_distance(*box, configuration.plane)
        if self._sums is None and limit is not None:
            # At constant pressure, cells may differ by a few per cent.
            self._sums = PairSums(min(_REACH * configuration.spacing, 0.9 * limit), _BINS)
        if self._sums is None or limit is None or limit < self._sums.r_max:
            self._distances, self._sums = False, None  # G4 of some configurations would mislead
            self.notes.append(
                f"G₄ is missing: it needs cells that are periodic and of about the same size; "
                f"{configuration.name} is "
                + ("not periodic" if limit is None else "smaller than the first")
            )
            return
        self._sums.add(configuration.positions, *box, chosen, values)

"""What a model's descriptors and the labels of a dataset have in common, kept as sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from glassml.data import REVERSED_FROM, Configuration, Dataset
from glassml.errors import InputError
from glassml.export import check_decoder
from glassml.inference import Predictor
from glassml.physics import column_of, label_trust
from glassml.studies.ridge import LinearFit, RidgeMoments, choose_penalty, fit, pearson

__all__ = ["Decoders", "DescriptorMoments", "Watch", "read_descriptor_moments"]

# Wraps an iterable and shows how far it has come.
Watch = Callable[[Iterable[Configuration]], Iterable[Configuration]]

SLABS = 5  # parts of a configuration, where there is no second one to check a fit on


@dataclass(frozen=True)
class Decoders:
    """One linear decoder a species.

    Attributes:
        fits: one a species, in the model's order.
        penalties: [species, T].
        held_out: [species], for each configuration the fit to the others (to the other slabs, if
            there is a single configuration).
    """

    fits: tuple[LinearFit, ...]
    penalties: np.ndarray
    held_out: tuple[tuple[LinearFit, ...], ...]


@dataclass(frozen=True)
class DescriptorMoments:
    """RidgeMoments of the particles of a dataset.

    Attributes:
        dataset: the labelled configurations.
        species: names, in the model's order.
        times: times [time] of the labels.
        slabs: [configuration][slab][species].
        trust: [configuration], how much its particles count in fits [-].
        reversed: [configuration][species], of its reversed runs, weighted; empty without.
        own: [configuration][species], of the model's own predictions as the only descriptors, at
            the labels' times that it predicts.
        own_times: for each of those the index among ``times``.
    """

    dataset: Dataset
    species: tuple[str, ...]
    times: tuple[float, ...]
    slabs: tuple[tuple[tuple[RidgeMoments, ...], ...], ...]
    trust: tuple[float, ...]
    reversed: tuple[tuple[RidgeMoments, ...], ...]
    own: tuple[tuple[RidgeMoments, ...], ...]
    own_times: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.slabs)

    def of(self, index: int, species: int) -> RidgeMoments:
        """RidgeMoments of one species in one configuration."""
        return RidgeMoments.total([slab[species] for slab in self.slabs[index]])

    def fitted(self, index: int, species: int) -> RidgeMoments:
        """What a configuration adds to a fit: its particles by their weight, its reversed runs."""
        own = self.of(index, species).weighted(self.trust[index])
        return own + self.reversed[index][species] if self.reversed else own

    def decoders(self, chosen: Sequence[int]) -> Decoders:
        """Fit each species and time on some configurations.

        The penalty is the one that predicts best, in squared error, what is left out: each
        configuration in turn, or slabs of a single one.
        """
        fits, penalties, held_out = [], [], []
        for s in range(len(self.species)):
            folds = [self.of(i, s) for i in chosen]
            fitted = [self.fitted(i, s) for i in chosen]
            everything = RidgeMoments.total(fitted)
            if len(folds) == 1:  # its reversed runs know all of its slabs: no part in the choice
                folds = fitted = [slab[s] for slab in self.slabs[chosen[0]]]
            penalty, others = choose_penalty(folds, fitted=fitted)
            fits.append(fit(everything, penalty[None, :])[0])
            penalties.append(penalty)
            held_out.append(tuple(others))
        return Decoders(tuple(fits), np.stack(penalties), tuple(held_out))

    def pearson(self, chosen: Sequence[int], fits: Sequence[LinearFit]) -> np.ndarray:
        """Coefficients ``all`` and ``mean`` of one decoder a species: [2, species, T]."""
        values = [
            pearson([self.of(i, s) for i in chosen], [fits[s]] * len(chosen))
            for s in range(len(self.species))
        ]
        return np.array(values).transpose(1, 0, 2)

    def own_pearson(self, chosen: Sequence[int]) -> np.ndarray:
        """The same of the model as it is, NaN at times that it does not predict."""
        result = np.full((2, len(self.species), len(self.times)), np.nan)
        if self.own_times:
            same = LinearFit(np.eye(len(self.own_times)), np.zeros(len(self.own_times)))
            for s in range(len(self.species)):
                values = pearson([self.own[i][s] for i in chosen], [same] * len(chosen))
                result[:, s, list(self.own_times)] = values
        return result


def read_descriptor_moments(
    predictor: Predictor,
    dataset: Dataset,
    watch: Watch = iter,
    *,
    reversed_runs: Dataset | None = None,
    label_noise: float = 0.0,
) -> DescriptorMoments:
    """Run a model on all configurations of a dataset and keep the moments.

    Args:
        predictor: the model.
        dataset: labelled configurations.
        watch: shows progress over the configurations.
        reversed_runs: of these configurations, for fits; runs that began elsewhere are passed over.
        label_noise: of the labels' weights in fits, see `glassml.physics.label_trust`.

    Raises:
        ModelFileError: the model has no linear decoder over its descriptors.
        InputError: no labels, no particle of one of the model's species, or a configuration that
            the model cannot be used on.
    """
    check_decoder(predictor.path)
    times = tuple(float(t) for t in dataset.common_times())
    found = [column_of(time, predictor.manifest.times) for time in times]
    known = [k for k, column in enumerate(found) if column is not None]
    columns = [column for column in found if column is not None]
    species = predictor.manifest.species
    slabs, own, trust, starts = [], [], [], []
    for configuration in watch(dataset):
        dataset.verify(configuration)
        predicted = predictor.predict([configuration], ("descriptors", "propensity"))[0]
        labels = np.asarray(configuration.propensity)
        names = np.array(configuration.species_names)[configuration.species]
        place = _slab_of(configuration)
        trust.append(label_trust(configuration.n_runs, label_noise))
        starts.append(configuration.positions_sha256)
        x, p = predicted["descriptors"], predicted["propensity"][:, columns]
        slabs.append(
            tuple(
                tuple(
                    RidgeMoments.of(x[chosen], labels[chosen])
                    for chosen in _each(names, species, at)
                )
                for at in (place == k for k in range(SLABS))
            )
        )
        everywhere = np.ones(len(names), dtype=bool)
        own.append(
            tuple(
                RidgeMoments.of(p[chosen], labels[chosen][:, known])
                for chosen in _each(names, species, everywhere)
            )
        )
    further: tuple[tuple[RidgeMoments, ...], ...] = ()
    if reversed_runs is not None:
        further = _reversed(predictor, reversed_runs, starts, label_noise, watch)
    moments = DescriptorMoments(
        dataset, species, times, tuple(slabs), tuple(trust), further, tuple(own), tuple(known)
    )
    _check_species(moments)
    return moments


def _reversed(
    predictor: Predictor, runs: Dataset, starts: Sequence[str], label_noise: float, watch: Watch
) -> tuple[tuple[RidgeMoments, ...], ...]:
    """Weighted moments [start][species] of the runs that began there."""
    species = predictor.manifest.species
    parts: list[list[list[RidgeMoments]]] = [[[] for _ in species] for _ in starts]
    for configuration in watch(runs):
        start = configuration.provenance.get(REVERSED_FROM)
        if start not in starts:
            continue
        x = predictor.predict([configuration], ("descriptors",))[0]["descriptors"]
        labels = np.asarray(configuration.propensity)
        names = np.array(configuration.species_names)[configuration.species]
        weight = label_trust(configuration.n_runs, label_noise)
        everywhere = np.ones(len(names), dtype=bool)
        for s, chosen in enumerate(_each(names, species, everywhere)):
            moments = RidgeMoments.of(x[chosen], labels[chosen]).weighted(weight)
            parts[starts.index(start)][s].append(moments)
    for i, of_start in enumerate(parts):
        if not of_start[0]:
            raise InputError(
                f"{runs.path}: expected reversed runs of every configuration; found none of "
                f"number {i + 1}; make them with `glassml data reverse` from the same dataset"
            )
    return tuple(tuple(RidgeMoments.total(part) for part in of_start) for of_start in parts)


def _check_species(moments: DescriptorMoments) -> None:
    for s, name in enumerate(moments.species):
        for i, configuration in enumerate(moments.dataset.names):
            if moments.of(i, s).n < SLABS:
                raise InputError(
                    f"{moments.dataset.path}: {configuration}: expected particles of every "
                    f"species of the model ({', '.join(moments.species)}); found "
                    f"{moments.of(i, s).n} of {name!r}, for which no decoder can be fitted"
                )


def _each(names: np.ndarray, species: Sequence[str], where: np.ndarray) -> list[np.ndarray]:
    return [(names == name) & where for name in species]


def _slab_of(configuration: Configuration) -> np.ndarray:
    """The slab [N] of each particle: equally many in each, along the first lattice vector."""
    along = (configuration.positions @ np.linalg.inv(configuration.cell))[:, 0]
    if configuration.pbc[0]:
        along = along % 1.0
    return np.argsort(np.argsort(along, kind="stable")) * SLABS // len(along)

"""Sums over a model's descriptors and a dataset's labels, from which decoders are fitted.

If the model reads averaged positions, all W windows of a configuration are in the sums, with the
same labels and the weight 1 / W each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from glassml.analysis.predictions import predict_each, predict_windows
from glassml.data import REVERSED_FROM, Configuration, Dataset
from glassml.domain import Domain, Measured, domain_of, label_range
from glassml.errors import InputError
from glassml.export import check_decoder
from glassml.inference import Predictor
from glassml.physics import column_of, label_trust
from glassml.progress import SILENT, Progress
from glassml.studies.ridge import LinearFit, RidgeMoments, choose_penalty, fit, pearson

__all__ = ["Decoders", "DescriptorMoments", "left_out_in_turn", "read_descriptor_moments"]

SLABS = 5  # parts of a single configuration, which replace folds over configurations
MOST_FOLDS = 20  # more configurations are left out in so many groups of successive ones


def left_out_in_turn(configurations: int) -> str:
    """What a fit to so many configurations leaves out in turn, in words."""
    if configurations == 1:
        return "slabs of the configuration"
    if configurations <= MOST_FOLDS:
        return "each configuration"
    return f"each of {MOST_FOLDS} groups of successive configurations"


@dataclass(frozen=True)
class Decoders:
    """One linear decoder per species.

    Attributes:
        fits: one per species, in the model's order.
        penalties: [species, T] [-].
        held_out: for each species and configuration the fit to the other configurations (to the
            other slabs, if there is a single configuration).
    """

    fits: tuple[LinearFit, ...]
    penalties: np.ndarray
    held_out: tuple[tuple[LinearFit, ...], ...]


@dataclass(frozen=True)
class DescriptorMoments:
    """The moments (`RidgeMoments`) of the particles of a dataset.

    Attributes:
        dataset: the labelled configurations.
        species: names, in the model's order.
        times: times [time] of the labels.
        slabs: [configuration][slab][species]. D descriptors take 8 D^2 bytes for each slab and
            species.
        weights: [configuration], weight of its particles in fits [-].
        reversed: [configuration][species], weighted moments of its reversed runs; empty if there
            are none.
        own: [configuration][species], with the model's own predictions in place of descriptors, at
            those times of the labels that it predicts.
        own_times: indices of these times in ``times``.
        domain: what the configurations are like, within the cutoff of the model.
    """

    dataset: Dataset
    species: tuple[str, ...]
    times: tuple[float, ...]
    slabs: tuple[tuple[tuple[RidgeMoments, ...], ...], ...]
    weights: tuple[float, ...]
    reversed: tuple[tuple[RidgeMoments, ...], ...]
    own: tuple[tuple[RidgeMoments, ...], ...]
    own_times: tuple[int, ...]
    domain: Domain | None = None

    def __len__(self) -> int:
        return len(self.slabs)

    def of(self, index: int, species: int) -> RidgeMoments:
        """The moments of one species in one configuration."""
        return RidgeMoments.total([slab[species] for slab in self.slabs[index]])

    def fitted(self, index: int, species: int) -> RidgeMoments:
        """What a configuration adds to a fit: its weighted particles and its reversed runs."""
        own = self.of(index, species).weighted(self.weights[index])
        return own + self.reversed[index][species] if self.reversed else own

    def decoders(self, chosen: Sequence[int]) -> Decoders:
        """Fit each species and time on some configurations.

        The penalty is the one with the smallest squared error on the data left out of the fit: each
        configuration in turn, each of ``MOST_FOLDS`` groups of successive ones if there are more,
        or each slab of a single configuration.
        """
        fits, penalties, held_out = [], [], []
        groups = np.array_split(np.asarray(chosen), min(len(chosen), MOST_FOLDS))
        for s in range(len(self.species)):
            folds = [RidgeMoments.total([self.of(i, s) for i in group]) for group in groups]
            fitted = [RidgeMoments.total([self.fitted(i, s) for i in group]) for group in groups]
            everything = RidgeMoments.total(fitted)
            if len(folds) == 1:  # reversed runs span all slabs, so the choice ignores them
                folds = fitted = [slab[s] for slab in self.slabs[chosen[0]]]
            penalty, others = choose_penalty(folds, fitted=fitted)
            fits.append(fit(everything, penalty[None, :])[0])
            penalties.append(penalty)
            if len(others) == len(groups):
                others = [one for one, group in zip(others, groups, strict=True) for _ in group]
            held_out.append(tuple(others))
        return Decoders(tuple(fits), np.stack(penalties), tuple(held_out))

    def pearson(self, chosen: Sequence[int], fits: Sequence[LinearFit]) -> np.ndarray:
        """Pearson coefficients ``all`` and ``mean`` of one decoder per species: [2, species, T]."""
        values = [
            pearson([self.of(i, s) for i in chosen], [fits[s]] * len(chosen))
            for s in range(len(self.species))
        ]
        return np.array(values).transpose(1, 0, 2)

    def own_pearson(self, chosen: Sequence[int]) -> np.ndarray:
        """The same coefficients of the original model, NaN at times that it does not predict."""
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
    *,
    times: Sequence[float] | None = None,
    reversed_runs: Dataset | None = None,
    label_noise: float = 0.0,
    single: bool = True,
    progress: Progress = SILENT,
) -> DescriptorMoments:
    """Run a model on all configurations of a dataset and keep the moments.

    Args:
        predictor: the model.
        dataset: labelled configurations.
        times: some of the dataset's times [time], whose labels to use. Default: all. Not with
            ``reversed_runs``.
        reversed_runs: reversed runs of these configurations, for fits; others are ignored.
        label_noise: parameter of the labels' weights in fits, see `glassml.physics.label_trust`.
        single: whether decoders may be fitted to a single one of the configurations; if not, they
            are not divided into slabs, which saves memory.
        progress: shows how many configurations have been read.

    Raises:
        ModelFileError: the model has no linear decoder over its descriptors.
        InputError: no labels, no particle of one of the model's species, or a configuration that
            is damaged or that the model cannot be used on.
    """
    if times is not None and reversed_runs is not None:
        raise ValueError("times: expected none together with reversed_runs")
    check_decoder(predictor.path)
    times, used = _used_times(dataset, times)
    known, columns = _own_columns(predictor, times)
    species = predictor.manifest.species
    slabs, own, weights, starts = [], [], [], []
    systems: list[Measured] = []
    ranges = []

    n_slabs = SLABS if single else 1
    read = ("descriptors", "propensity") if known else ("descriptors",)
    predict = partial(predict_windows, predictor, outputs=read)
    for configuration, (windows,) in predict_each(dataset, [predict], progress):
        systems += predictor.measured  # in the last of its windows, which are all alike
        labels = np.asarray(configuration.propensity)[:, used]
        ranges.append(label_range(labels))
        slab = _slab_of(configuration, n_slabs)
        masks = _masks(configuration, species)
        weights.append(label_trust(configuration.n_runs, label_noise))
        starts.append(configuration.positions_sha256)
        descriptors = [found["descriptors"] for found in windows]
        predicted = [found[read[-1]][:, columns] for found in windows]
        slabs.append(
            tuple(
                tuple(_over_windows(descriptors, labels, m & at) for m in masks)
                for at in (slab == k for k in range(n_slabs))
            )
        )
        own.append(tuple(_over_windows(predicted, labels[:, known], m) for m in masks))
    of_runs: tuple[tuple[RidgeMoments, ...], ...] = ()
    if reversed_runs is not None:
        of_runs = _reversed(predictor, reversed_runs, starts, label_noise, progress)
    parts = (tuple(slabs), tuple(weights), of_runs, tuple(own), tuple(known))
    moments = DescriptorMoments(dataset, species, times, *parts, domain_of(systems, ranges))
    _check_species(moments)
    return moments


def _own_columns(predictor: Predictor, times: Sequence[float]) -> tuple[list[int], list[int]]:
    """Which of the times the model itself predicts, and their columns there."""
    if "propensity" in predictor.manifest.training.untrained_outputs:
        return [], []  # its predictions mean nothing
    found = [column_of(time, predictor.manifest.times) for time in times]
    known = [k for k, column in enumerate(found) if column is not None]
    return known, [column for column in found if column is not None]


def _used_times(
    dataset: Dataset, times: Sequence[float] | None
) -> tuple[tuple[float, ...], list[int]]:
    """Some of the dataset's times, or all, and their columns."""
    all_times = dataset.common_times()
    times = tuple(float(t) for t in (all_times if times is None else times))
    used = [k for time in times if (k := column_of(time, all_times)) is not None]
    if len(used) < len(times):
        raise ValueError(f"times: expected some of {all_times}; found {times}")
    return times, used


def _reversed(
    predictor: Predictor,
    runs: Dataset,
    starts: Sequence[str],
    label_noise: float,
    progress: Progress,
) -> tuple[tuple[RidgeMoments, ...], ...]:
    """Weighted moments [start][species] of the runs that began at each start."""
    species = predictor.manifest.species
    parts: list[list[list[RidgeMoments]]] = [[[] for _ in species] for _ in starts]

    def predict(configuration: Configuration) -> list[np.ndarray]:
        if configuration.provenance.get(REVERSED_FROM) not in starts:
            return []
        windows = predict_windows(predictor, configuration, ("descriptors",))
        return [found["descriptors"] for found in windows]

    for configuration, (windows,) in predict_each(runs, [predict], progress):
        if not windows:
            continue
        start = starts.index(configuration.provenance[REVERSED_FROM])
        labels = np.asarray(configuration.propensity)
        weight = label_trust(configuration.n_runs, label_noise)
        for s, mask in enumerate(_masks(configuration, species)):
            parts[start][s].append(_over_windows(windows, labels, mask).weighted(weight))
    for i, of_start in enumerate(parts):
        if not of_start[0]:
            raise InputError(
                f"{runs.path}: expected reversed runs of every configuration; found none of "
                f"number {i + 1}. Make them with `glassml data reverse` from the same dataset"
            )
    return tuple(tuple(RidgeMoments.total(part) for part in of_start) for of_start in parts)


def _over_windows(x: Sequence[np.ndarray], labels: np.ndarray, mask: np.ndarray) -> RidgeMoments:
    """Moments of chosen particles with x [N, D] in each of several windows, of equal weight."""
    parts = [RidgeMoments.of(one[mask], labels[mask]) for one in x]
    return parts[0] if len(parts) == 1 else RidgeMoments.total(parts).weighted(1 / len(parts))


def _check_species(moments: DescriptorMoments) -> None:
    for s, name in enumerate(moments.species):
        for i, configuration in enumerate(moments.dataset.names):
            if round(moments.of(i, s).n) < SLABS:
                raise InputError(
                    f"{moments.dataset.path}: {configuration}: expected particles of every "
                    f"species of the model ({', '.join(moments.species)}); found "
                    f"{round(moments.of(i, s).n)} of {name!r}, for which no decoder can be fitted"
                )


def _masks(configuration: Configuration, species: Sequence[str]) -> list[np.ndarray]:
    """For each species, a mask [N] of its particles."""
    names = np.array(configuration.species_names)[configuration.species]
    return [names == name for name in species]


def _slab_of(configuration: Configuration, n_slabs: int = SLABS) -> np.ndarray:
    """The slab [N] of each particle: equally populated, along the first lattice vector."""
    along = (configuration.positions @ np.linalg.inv(configuration.cell))[:, 0]
    if configuration.pbc[0]:
        along = along % 1.0
    return np.argsort(np.argsort(along, kind="stable")) * n_slabs // len(along)

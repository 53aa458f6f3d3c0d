"""Transfer learning: new linear decoders for a trained model, by ridge regression.

The network stays as it is; only the map from its invariant descriptors to the propensity is fitted
to the new data. F. S. Pezzicoli, G. Charpiat, F. P. Landes, SciPost Phys. 16, 136 (2024).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from rich.table import Table

import glassml
from glassml.data import POSITIONS, REVERSED_FROM, Dataset
from glassml.errors import InputError
from glassml.export import replace_decoder, save_model
from glassml.inference import Predictor
from glassml.models import build
from glassml.provenance import (
    Accuracy,
    DataFile,
    KnownConfiguration,
    NetworkRecord,
    Origins,
    ReversedRuns,
    RidgeFit,
    Side,
    TrainingRecord,
)
from glassml.scores import Score
from glassml.studies.descriptor_moments import (
    Decoders,
    DescriptorMoments,
    Watch,
    read_descriptor_moments,
)
from glassml.studies.ridge import pearson
from glassml.tables import write_csv, write_json

__all__ = ["Refit", "RefitScore", "refit", "refit_table", "untrained"]


@dataclass(frozen=True)
class RefitScore:
    """One decoder.

    Attributes:
        species: name of the species.
        time: time of the labels [time].
        penalty: ridge penalty [-], in units of the variance of a descriptor.
        pearson_all: of all particles pooled, each predicted by the fit to the other configurations.
        pearson_mean: the same within each configuration, averaged.
        before_all: of the model as it was, NaN if it does not predict this time.
        before_mean: the same within each configuration, averaged.
    """

    species: str
    time: float
    penalty: float
    pearson_all: float
    pearson_mean: float
    before_all: float
    before_mean: float


@dataclass(frozen=True)
class Refit:
    """A model file with new decoders.

    Attributes:
        model: name of the file that the network comes from.
        dataset: name of the file that the decoders were fitted to.
        sha256: checksum of the dataset's contents.
        configurations: number of configurations.
        scores: one a species and time, cross-validated.
    """

    model: str
    dataset: str
    sha256: str
    configurations: int
    scores: tuple[RefitScore, ...]

    def write_json(self, path: str | Path) -> None:
        """Write everything as JSON; what is not defined becomes null."""
        write_json(asdict(self), path)

    def write_csv(self, path: str | Path) -> None:
        """Write one row a species and time; what is not defined becomes ``nan``."""
        write_csv([asdict(score) for score in self.scores], path)


def refit(
    predictor: Predictor,
    dataset: Dataset,
    output: str | Path,
    watch: Watch = iter,
    *,
    reversed_runs: Dataset | None = None,
    label_noise: float = 0.0,
) -> Refit:
    """Fit the linear decoders of a model to a dataset and write the model with them.

    Args:
        predictor: the model; it may have been trained elsewhere and for other times.
        dataset: labelled configurations, all of which the decoders are fitted to.
        output: the model file to write.
        watch: shows progress over the configurations.
        reversed_runs: of the same configurations (`glassml.data.reverse_dataset`), fitted to as
            well; what is left out to choose the penalty is left out with its runs.
        label_noise: labels of R runs count R / (R + label_noise).

    Raises:
        ModelFileError: the model has no linear decoder over its descriptors.
        InputError: no labels, or a configuration that the model cannot be used on.
    """
    moments = read_descriptor_moments(
        predictor, dataset, watch, reversed_runs=reversed_runs, label_noise=label_noise
    )
    everything = range(len(moments))
    decoders = moments.decoders(everything)
    scores = _scores(moments, decoders)
    fit = RidgeFit(
        decoders="ridge regression on the descriptors",
        penalties=decoders.penalties.tolist(),
        chosen_by="slabs of the configuration left out in turn"
        if len(moments) == 1
        else "each configuration left out in turn",
        label_noise=label_noise,
    )
    replace_decoder(
        predictor.path,
        output,
        times=moments.times,
        weight=np.stack([f.weight for f in decoders.fits]),
        bias=np.stack([f.bias for f in decoders.fits]),
        training=_record(predictor, dataset, fit, scores, reversed_runs),
    )
    return Refit(predictor.path.name, dataset.path.name, dataset.sha256, len(moments), scores)


def untrained(
    name: str, dataset: Dataset, path: str | Path, positions: str, scalars: Sequence[str]
) -> None:
    """Write the file of a model whose descriptors need no training, to be refitted.

    Until then it predicts 0.

    Args:
        name: of the registry, such as ``structural``.
        dataset: says species, times and unit of length.
        path: the file to write.
        positions: of `glassml.data.POSITIONS`.
        scalars: per-particle scalars that the model is given.

    Raises:
        InputError: unknown positions, or no labels.
    """
    if positions not in POSITIONS:
        raise InputError(f"positions: expected {', '.join(POSITIONS)}; found {positions!r}")
    model = build(
        name,
        species=dataset.species_names,
        times=tuple(float(t) for t in dataset.common_times()),
        scalar_inputs=tuple(scalars),
        length_unit=dataset[0].length_unit,
    )
    model.positions = positions
    with torch.no_grad():  # random weights would look like an accuracy before the refit
        for parameter in model.parameters():
            parameter.zero_()
    save_model(model, path)


def refit_table(result: Refit) -> Table:
    """The scores as a table for the terminal."""
    parts = "slabs of it" if result.configurations == 1 else "each configuration"
    number = f"{result.configurations} configuration" + "s" * (result.configurations != 1)
    table = Table(
        title=f"{result.model} refitted to {result.dataset} ({number})",
        caption=f"cross-validated: {parts} left out in turn; before: the model as it was",
    )
    for heading in ("species", "time", "penalty", "Pearson all", "Pearson mean"):
        table.add_column(heading, justify="right")
    for heading in ("before all", "before mean"):
        table.add_column(heading, justify="right")
    for score in result.scores:
        values = (score.pearson_all, score.pearson_mean, score.before_all, score.before_mean)
        table.add_row(
            score.species,
            f"{score.time:g}",
            f"{score.penalty:.1e}",
            *("-" if math.isnan(value) else f"{value:.3f}" for value in values),
            end_section=score.time == result.scores[-1].time,
        )
    return table


def _scores(moments: DescriptorMoments, decoders: Decoders) -> tuple[RefitScore, ...]:
    everything = range(len(moments))
    before = moments.own_pearson(everything)
    scores = []
    for s, species in enumerate(moments.species):
        if len(moments) == 1:  # pooled over its slabs, it is the coefficient of the configuration
            pooled, _ = pearson([slab[s] for slab in moments.slabs[0]], decoders.held_out[s])
            mean = pooled
        else:
            pooled, mean = pearson([moments.of(i, s) for i in everything], decoders.held_out[s])
        for t, time in enumerate(moments.times):
            numbers = (decoders.penalties[s, t], pooled[t], mean[t], *before[:, s, t])
            scores.append(RefitScore(species, time, *map(float, numbers)))
    return tuple(scores)


def _record(
    predictor: Predictor,
    dataset: Dataset,
    fit: RidgeFit,
    scores: tuple[RefitScore, ...],
    reversed_runs: Dataset | None,
) -> TrainingRecord:
    """What the new manifest says: the decoders' data first, below them those of the network."""
    origins, known = Origins(), []
    for configuration in dataset:
        origins.add(configuration)
        known.append(KnownConfiguration.of(configuration))
    data, runs = [DataFile.of(dataset, "configurations")], None
    if reversed_runs is not None:
        data.append(DataFile.of(reversed_runs, "reversed runs"))
        runs = _runs_of(known, reversed_runs)
    manifest = predictor.manifest
    return TrainingRecord(
        data=tuple(data),
        train=Side.of(known),
        reversed_runs=runs,
        origin=origins.summary(),
        ridge=fit,
        versions={"glassml": glassml.__version__},
        accuracy=Accuracy.cross_validated(fit.chosen_by, _coefficients(scores)),
        network=NetworkRecord(
            file=predictor.path.name,
            n_parameters=manifest.n_parameters,
            times=manifest.times,
            training=manifest.training,
        ),
    )


def _runs_of(known: Sequence[KnownConfiguration], runs: Dataset) -> ReversedRuns:
    """Those of a dataset that began from the configurations, which all have some."""
    starts = [configuration.positions_sha256 for configuration in known]
    began = [run.provenance.get(REVERSED_FROM) for run in runs]
    return ReversedRuns(
        number=sum(start in starts for start in began),
        starts=tuple(start for start in starts if start is not None),
    )


def _coefficients(scores: tuple[RefitScore, ...]) -> tuple[Score, ...]:
    found = []
    for score in scores:
        values: dict[Literal["all", "mean"], float] = {
            "all": score.pearson_all,
            "mean": score.pearson_mean,
        }
        for kind, value in values.items():
            if math.isfinite(value):
                rounded = min(value, 1.0)  # a perfect fit may come out a little above
                found.append(
                    Score(species=score.species, time=score.time, kind=kind, value=rounded)
                )
    return tuple(found)

"""Transfer learning: new linear decoders for a trained model, by ridge regression.

The network stays as it is; only the map from its invariant descriptors to the propensity is fitted
to the new data. F. S. Pezzicoli, G. Charpiat, F. P. Landes, SciPost Phys. 16, 136 (2024).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from scipy.stats import mstats

import glassml
from glassml.analysis.metrics import pearson_scores
from glassml.data import POSITIONS, Dataset, reads_window, window_needed
from glassml.domain import check_neighbours
from glassml.errors import InputError
from glassml.export import replace_decoder
from glassml.inference import Predictor, save_untrained, usual_spacing
from glassml.progress import SILENT, Progress
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
from glassml.scores import KINDS, Score
from glassml.studies.descriptor_moments import (
    Decoders,
    DescriptorMoments,
    left_out_in_turn,
    read_descriptor_moments,
)
from glassml.studies.ridge import LinearFit, RidgeMoments, pearson
from glassml.tables import ScoreTable

__all__ = ["Refit", "RefitDecoder", "refit", "refit_table", "untrained"]


@dataclass(frozen=True)
class RefitDecoder:
    """One decoder.

    Attributes:
        species: name of the species.
        time: time of the labels [time].
        penalty: ridge penalty [-], in units of the variance of a descriptor.
        before: Pearson coefficients of the model as it was, NaN if it does not predict this time:
            ``all`` and ``mean``.
        refitted: the same for configurations that are each predicted by the fit to the others;
            ``mean`` with its standard error over configurations.
    """

    species: str
    time: float
    penalty: float
    before: tuple[Score, ...]
    refitted: tuple[Score, ...]


@dataclass(frozen=True)
class Refit(ScoreTable):
    """The result of `refit`.

    Attributes:
        model: name of the file that the network comes from.
        dataset: name of the file that the decoders were fitted to.
        sha256: checksum of the dataset's contents.
        configurations: number of configurations.
        decoders: one per species and time.
    """

    model: str
    dataset: str
    sha256: str
    configurations: int
    decoders: tuple[RefitDecoder, ...]

    def facts(self) -> dict[str, Any]:
        """Files, checksum and number of configurations."""
        return {
            "model": self.model,
            "dataset": self.dataset,
            "sha256": self.sha256,
            "configurations": self.configurations,
        }

    def rows(self) -> list[dict[str, Any]]:
        """Two rows per species, time and kind: for the original and for the refitted model."""
        return [
            {"model": model, "penalty": penalty, **score.model_dump()}
            for decoder in self.decoders
            for model, penalty, scores in (
                ("before", None, decoder.before),
                ("refitted", decoder.penalty, decoder.refitted),
            )
            for score in scores
        ]


def refit(
    predictor: Predictor,
    dataset: Dataset,
    output: str | Path,
    *,
    reversed_runs: Dataset | None = None,
    label_noise: float = 0.0,
    progress: Progress = SILENT,
) -> Refit:
    """Fit the linear decoders of a model to a dataset and write the model with them.

    Args:
        predictor: the model; it may have been trained on other data and for other times.
        dataset: labelled configurations, all of which the decoders are fitted to.
        output: the model file to write.
        reversed_runs: reversed runs of the same configurations (`glassml.data.reverse_dataset`),
            to which the decoders are also fitted. A configuration that is left out to choose the
            penalty is left out together with its runs.
        label_noise: labels of R runs have the weight R / (R + label_noise).
        progress: shows how many configurations have been read.

    Raises:
        ModelFileError: the model has no linear decoder over its descriptors.
        InputError: no labels, or a configuration that the model cannot be used on.
    """
    moments = read_descriptor_moments(
        predictor,
        dataset,
        reversed_runs=reversed_runs,
        label_noise=label_noise,
        single=len(dataset) == 1,
        progress=progress,
    )
    manifest = predictor.manifest
    assert moments.domain is not None  # measured as they were read
    check_neighbours(
        moments.domain, manifest.cutoff, manifest.length_unit, f"{predictor.path.name}: cutoff"
    )
    decoders = moments.decoders(range(len(moments)))
    scores = _scored(moments, decoders)
    fit = RidgeFit(
        decoders="ridge regression on the descriptors",
        penalties=decoders.penalties.tolist(),
        chosen_by=f"{left_out_in_turn(len(moments))} left out in turn",
        label_noise=label_noise,
    )
    replace_decoder(
        predictor.path,
        output,
        times=moments.times,
        weight=np.stack([f.weight for f in decoders.fits]),
        bias=np.stack([f.bias for f in decoders.fits]),
        training=_record(predictor, dataset, fit, scores, reversed_runs),
        domain=moments.domain,
    )
    return Refit(predictor.path.name, dataset.path.name, dataset.sha256, len(moments), scores)


def untrained(
    name: str,
    dataset: Dataset,
    path: str | Path,
    positions: str,
    scalars: Sequence[str],
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write the file of a model whose descriptors need no training, for `refit`.

    Until it is refitted it predicts 0.

    Args:
        name: one of `glassml.models.untrained_models`, such as ``structural``.
        dataset: its species, times and unit of length become those of the model.
        path: the file to write.
        positions: one of `glassml.data.POSITIONS`.
        scalars: per-particle scalars that the model reads besides those that it always reads.
        settings: other hyperparameters of the model; lengths are in the unit of the dataset.

    Raises:
        ConfigError: a setting that the model lacks or a wrong value.
        InputError: unknown positions, no labels, or no averaged positions that the model reads.
    """
    if positions not in POSITIONS:
        raise InputError(f"positions: expected one of {', '.join(POSITIONS)}; found {positions!r}")
    window = None
    if reads_window(positions, scalars):
        window = window_needed(dataset[0], f"{dataset.path}: {dataset.names[0]}")
    save_untrained(
        path,
        name=name,
        species=dataset.species_names,
        length_unit=dataset[0].length_unit,
        spacing=usual_spacing(dataset, dataset[0].length_unit),
        times=tuple(float(t) for t in dataset.common_times()),
        scalars=scalars,
        positions=positions,
        window=window,
        settings=settings,
    )


def refit_table(result: Refit) -> Table:
    """The scores as a table for the terminal."""
    parts = left_out_in_turn(result.configurations)
    number = f"{result.configurations} configuration" + "s" * (result.configurations != 1)
    # A model that was never trained, such as `structural`, has predicted nothing before.
    compared = any(math.isfinite(score.value) for d in result.decoders for score in d.before)
    done = f"{result.model} refitted" if compared else f"{Path(result.model).stem} fitted"
    meanings = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
    caption = f"cross-validated: {parts} left out in turn; {meanings}"
    table = Table(
        title=f"{done} to {result.dataset} ({number})",
        caption=f"{caption}; before: the model as it was" if compared else caption,
    )
    headings = ("species", "time", "penalty", *(f"Pearson {kind}" for kind in KINDS))
    for heading in (*headings, *(f"before {kind}" for kind in KINDS if compared)):
        table.add_column(heading, justify="right")
    for decoder in result.decoders:
        table.add_row(
            decoder.species,
            f"{decoder.time:g}",
            f"{decoder.penalty:.1e}",
            *map(str, (*decoder.refitted, *(decoder.before if compared else ()))),
            end_section=decoder.time == result.decoders[-1].time,
        )
    return table


def _scored(moments: DescriptorMoments, decoders: Decoders) -> tuple[RefitDecoder, ...]:
    everything = range(len(moments))
    refitted, errors = [], []
    for s in range(len(moments.species)):
        if len(moments) == 1:  # pooled over its slabs, it is the coefficient of the configuration
            pooled, _ = pearson([slab[s] for slab in moments.slabs[0]], decoders.held_out[s])
            refitted.append((pooled, pooled))
            errors.append(np.full((2, len(pooled)), np.nan))
        else:
            parts = [moments.of(i, s) for i in everything]
            refitted.append(pearson(parts, decoders.held_out[s]))
            errors.append(_errors(parts, decoders.held_out[s]))
    counted = moments.species, moments.times, len(moments)
    before = pearson_scores(moments.own_pearson(everything), *counted)
    after = pearson_scores(
        np.array(refitted).transpose(1, 0, 2),
        *counted,
        np.array(errors).transpose(1, 0, 2),
        "standard error over configurations",
    )
    return tuple(
        RefitDecoder(
            species,
            time,
            float(decoders.penalties[s, t]),
            *(
                tuple(score for score in scores if (score.species, score.time) == (species, time))
                for scores in (before, after)
            ),
        )
        for s, species in enumerate(moments.species)
        for t, time in enumerate(moments.times)
    )


def _errors(parts: Sequence[RidgeMoments], fits: Sequence[LinearFit]) -> np.ndarray:
    """Error bars [2, T] of the kinds ``all``, which has none, and ``mean``."""
    each = np.array([pearson([m], [f])[1] for m, f in zip(parts, fits, strict=True)])
    error = mstats.sem(np.ma.masked_invalid(each), axis=0, ddof=1).filled(np.nan)
    return np.stack([np.full_like(error, np.nan), error])


def _record(
    predictor: Predictor,
    dataset: Dataset,
    fit: RidgeFit,
    scores: tuple[RefitDecoder, ...],
    reversed_runs: Dataset | None,
) -> TrainingRecord:
    """The record for the new manifest: that of the decoders, with that of the network inside."""
    origins, known = Origins(), []
    for configuration in dataset:
        origins.add(configuration)
        known.append(KnownConfiguration.of(configuration))
    data, runs = [DataFile.of(dataset, "configurations")], None
    if reversed_runs is not None:
        data.append(DataFile.of(reversed_runs, "reversed runs"))
        runs = _runs_of(known, reversed_runs)
    manifest = predictor.manifest
    measured = tuple(s for decoder in scores for s in decoder.refitted if math.isfinite(s.value))
    return TrainingRecord(
        data=tuple(data),
        train=Side.of(known),
        reversed_runs=runs,
        origin=origins.summary(),
        ridge=fit,
        untrained=tuple(
            name for name in manifest.training.untrained_outputs if name != "propensity"
        ),
        versions={"glassml": glassml.__version__},
        accuracy=Accuracy.cross_validated(fit.chosen_by, measured),
        network=NetworkRecord(
            file=predictor.path.name,
            n_parameters=manifest.n_parameters,
            times=manifest.times,
            training=manifest.training,
        ),
    )


def _runs_of(known: Sequence[KnownConfiguration], runs: Dataset) -> ReversedRuns:
    """The runs of a dataset that began from these configurations; each configuration has some."""
    starts = [configuration.positions_sha256 for configuration in known]
    began = [runs.reversed_from(name) for name in runs.names]
    return ReversedRuns(
        number=sum(start in starts for start in began),
        starts=tuple(start for start in starts if start is not None),
    )

"""How many configurations a model needs at a new state point: refits on one, two, five, ..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from glassml.analysis.metrics import pearson_scores
from glassml.data import Dataset, units_of
from glassml.errors import InputError
from glassml.inference import Predictor
from glassml.physics import column_of
from glassml.physics.units import measured_in
from glassml.progress import SILENT, Progress
from glassml.scores import KINDS, Score, error_kinds, find_score
from glassml.studies.descriptor_moments import DescriptorMoments, read_descriptor_moments
from glassml.tables import ScoreTable

__all__ = ["FewShot", "FewShotPoint", "few_shot", "few_shot_table"]


@dataclass(frozen=True)
class FewShotPoint:
    """Refits to random choices of one number of configurations.

    Attributes:
        size: number of configurations that the decoders were fitted to; 0: the original model.
        draws: number of random choices.
        scores: scores on the configurations that the decoders were not fitted to, averaged over
            draws; the error bars are standard deviations over draws. For each species and time
            there are the kinds ``all`` and ``mean``.
    """

    size: int
    draws: int
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class FewShot(ScoreTable):
    """A few-shot curve.

    Attributes:
        model: name of the model's file.
        dataset: name of the file that configurations were drawn from.
        sha256: checksum of its contents.
        test: name of the file that was predicted; None: the configurations that were not drawn.
        test_sha256: checksum of its contents, None if there is none.
        seed: seed of the draws.
        seen_in_training: number of the predicted configurations that the model was trained or
            validated on.
        points: in ascending order of their size.
        time_unit: how the unit of times is written; "" if it has none, or it is unknown.
    """

    model: str
    dataset: str
    sha256: str
    test: str | None
    test_sha256: str | None
    seed: int
    seen_in_training: int
    points: tuple[FewShotPoint, ...]
    time_unit: str = ""

    def facts(self) -> dict[str, Any]:
        """Files, checksums and the seed."""
        return {
            "model": self.model,
            "dataset": self.dataset,
            "sha256": self.sha256,
            "test": self.test,
            "test_sha256": self.test_sha256,
            "seed": self.seed,
            "seen_in_training": self.seen_in_training,
            "time_unit": self.time_unit or None,
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row per number of configurations, species, time and kind."""
        return [
            {"size": point.size, "draws": point.draws, **score.model_dump()}
            for point in self.points
            for score in point.scores
        ]


def few_shot(
    predictor: Predictor,
    dataset: Dataset,
    sizes: Sequence[int] = (1, 2, 5, 10),
    *,
    test: Dataset | None = None,
    draws: int = 20,
    seed: int = 0,
    progress: Progress = SILENT,
) -> FewShot:
    """Refit the decoders to random choices of configurations and test them on others.

    Args:
        predictor: the model.
        dataset: labelled configurations to draw from.
        sizes: numbers of configurations to draw. Without ``test`` at least one configuration must
            be left to predict.
        test: labelled configurations to predict, at the times that are in both datasets; None:
            those of ``dataset`` that are not drawn.
        draws: number of choices for each size. They are the same for all models.
        seed: seed of the choices.
        progress: shows how many configurations have been read.

    Raises:
        ModelFileError: the model has no linear decoder over its descriptors.
        InputError: the dataset has too few configurations for a size, ``test`` holds a
            configuration of ``dataset``, or the two have no time in common.
    """
    _check_numbers(dataset, test, sizes, draws, seed)
    if test is not None:
        _check_apart(dataset, test)
    times = None if test is None else _shared_times(dataset, test)
    moments = read_descriptor_moments(predictor, dataset, times=times, progress=progress)
    unseen = (
        None
        if test is None
        else read_descriptor_moments(predictor, test, times=times, progress=progress)
    )
    points = _without_refit(unseen or moments)
    for size in sorted(set(sizes)):
        values = [
            _pearson(moments, unseen, chosen)
            for chosen in _choices(len(dataset), size, draws, seed)
        ]
        predicted = len(dataset) - size if unseen is None else len(unseen)
        points.append(_point(moments, size, np.stack(values), predicted))
    return FewShot(
        predictor.path.name,
        dataset.path.name,
        dataset.sha256,
        None if test is None else test.path.name,
        None if test is None else test.sha256,
        seed,
        len(predictor.manifest.training.seen(test or dataset)),
        tuple(points),
        units_of(dataset).time,
    )


def few_shot_table(result: FewShot) -> Table:
    """The scores as a table for the terminal."""
    on = result.test or f"the other configurations of {result.dataset}"
    caption = "0 configurations: the model as it is"
    if result.seen_in_training:
        caption += (
            f", trained or validated on {result.seen_in_training} of the configurations that it "
            "predicts"
        )
    kinds = error_kinds(score for point in result.points for score in point.scores)
    table = Table(
        title=f"{result.model} refitted to configurations of {result.dataset}, tested on {on}",
        caption=f"±: {kinds}. {caption}" if kinds else caption,
    )
    headings = (
        "configurations",
        "draws",
        "species",
        measured_in("time", result.time_unit),
        *(f"Pearson {kind}" for kind in KINDS),
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for point in result.points:
        for species, time in dict.fromkeys((s.species, s.time) for s in point.scores):
            found = [find_score(point.scores, species, time, "pearson", kind) for kind in KINDS]
            table.add_row(str(point.size), str(point.draws), species, f"{time:g}", *map(str, found))
        table.add_section()
    return table


def _check_numbers(
    dataset: Dataset, test: Dataset | None, sizes: Sequence[int], draws: int, seed: int
) -> None:
    most = len(dataset) - (test is None)
    if draws < 1:
        raise InputError(f"draws: expected a positive number; found {draws}")
    if seed < 0:
        raise InputError(f"seed: expected a number of at least 0; found {seed}")
    if most < 1:
        raise InputError(
            f"{dataset.path}: expected two or more configurations, as one must be left to predict; "
            "found one. Give a test dataset (--test)"
        )
    for size in sizes:
        if not 1 <= size <= most:
            why = ", of which one must be left to predict" if test is None else ""
            raise InputError(
                f"sizes: expected numbers from 1 to {most} ({dataset.path.name} holds "
                f"{len(dataset)} configurations{why}); found {size}"
            )


def _shared_times(dataset: Dataset, test: Dataset) -> list[float]:
    """The times [time] of the dataset that the test set has too."""
    times, others = dataset.common_times(), test.common_times()
    shared = [float(t) for t in times if column_of(t, others) is not None]
    if not shared:
        raise InputError(
            f"{test.path}: times: expected one or more of those of {dataset.path} "
            f"({', '.join(f'{t:g}' for t in times)}); found {', '.join(f'{t:g}' for t in others)}"
        )
    return shared


def _check_apart(dataset: Dataset, test: Dataset) -> None:
    known = {dataset.checksum(name): name for name in dataset.names}
    for name in test.names:
        if test.checksum(name) in known:
            raise InputError(
                f"{test.path}: expected configurations that {dataset.path} does not hold; found "
                f"{name} with the data of {known[test.checksum(name)]}. Give others, or no test "
                "dataset"
            )


def _choices(total: int, size: int, draws: int, seed: int) -> list[list[int]]:
    """Different choices: ``draws`` of them, or all that exist if they are fewer."""
    rng = np.random.default_rng([seed, size])
    found: dict[tuple[int, ...], None] = {}
    # There may be fewer choices than draws; random draws would take long to find the last ones.
    for _ in range(50 * draws):
        found[tuple(sorted(rng.permutation(total)[:size].tolist()))] = None
        if len(found) == draws:
            break
    return [list(choice) for choice in found]


def _pearson(
    moments: DescriptorMoments, unseen: DescriptorMoments | None, chosen: Sequence[int]
) -> np.ndarray:
    """Coefficients [2, species, T] of a refit to the chosen configurations."""
    fits = moments.decoders(chosen).fits
    if unseen is not None:
        return unseen.pearson(range(len(unseen)), fits)
    rest = [i for i in range(len(moments)) if i not in chosen]
    return moments.pearson(rest, fits)


def _without_refit(moments: DescriptorMoments) -> list[FewShotPoint]:
    """The model as it is, where it predicts the times of the labels."""
    if not moments.own_times:
        return []
    values = moments.own_pearson(range(len(moments)))[None]
    return [_point(moments, 0, values, len(moments))]


def _point(
    moments: DescriptorMoments, size: int, values: np.ndarray, configurations: int
) -> FewShotPoint:
    """Scores of coefficients [draws, 2, species, T]."""
    draws = len(values)
    errors = values.std(axis=0, ddof=1) if draws > 1 else None
    scores = pearson_scores(
        values.mean(axis=0), moments.species, moments.times, configurations,
        errors, "standard deviation over draws",
    )  # fmt: skip
    return FewShotPoint(size, draws, scores)

"""How many configurations a model needs at a new state point: refits on one, two, five, ..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from rich.table import Table

from glassml.data import Dataset
from glassml.errors import InputError
from glassml.inference import Predictor
from glassml.studies.descriptor_moments import DescriptorMoments, Watch, read_descriptor_moments
from glassml.tables import write_csv, write_json

__all__ = ["FewShot", "FewShotScore", "few_shot", "few_shot_table"]


@dataclass(frozen=True)
class FewShotScore:
    """Refits to some configurations, on those that they have not seen.

    Attributes:
        configurations: how many the decoders were fitted to; 0: the model as it is.
        species: name of the species.
        time: time of the labels [time].
        draws: number of random choices of configurations.
        pearson_all: of all particles pooled, averaged over draws.
        pearson_all_std: its standard deviation over draws, NaN for a single one.
        pearson_mean: within each configuration, averaged over them and over draws.
        pearson_mean_std: its standard deviation over draws, NaN for a single one.
    """

    configurations: int
    species: str
    time: float
    draws: int
    pearson_all: float
    pearson_all_std: float
    pearson_mean: float
    pearson_mean_std: float


@dataclass(frozen=True)
class FewShot:
    """A few-shot curve.

    Attributes:
        model: name of the model's file.
        dataset: name of the file that configurations were drawn from.
        sha256: checksum of its contents.
        test: name of the file that was predicted; None: the configurations that were not drawn.
        test_sha256: checksum of its contents, None if there is none.
        seed: of the draws.
        seen: how many of the configurations that are predicted the model knows from its training.
        scores: one a number of configurations, species and time.
    """

    model: str
    dataset: str
    sha256: str
    test: str | None
    test_sha256: str | None
    seed: int
    seen: int
    scores: tuple[FewShotScore, ...]

    def write_json(self, path: str | Path) -> None:
        """Write everything as JSON; what is not defined becomes null."""
        write_json(asdict(self), path)

    def write_csv(self, path: str | Path) -> None:
        """Write one row a number of configurations, species and time."""
        names = [field.name for field in fields(FewShotScore)]
        write_csv([asdict(score) for score in self.scores], path, names)


def few_shot(
    predictor: Predictor,
    dataset: Dataset,
    sizes: Sequence[int] = (1, 2, 5, 10),
    *,
    test: Dataset | None = None,
    draws: int = 20,
    seed: int = 0,
    watch: Watch = iter,
) -> FewShot:
    """Refit the decoders to random choices of configurations and test them on others.

    Args:
        predictor: the model.
        dataset: labelled configurations to draw from.
        sizes: how many are drawn. Without ``test`` at least one must be left to predict.
        test: labelled configurations to predict; None: those of ``dataset`` that are not drawn.
        draws: how many choices are tried for each size. They are the same for all models.
        seed: of the choices.
        watch: shows progress over the configurations.

    Raises:
        ModelFileError: the model has no linear decoder over its descriptors.
        InputError: sizes that the dataset does not have, the same configuration on either side, or
            labels at different times.
    """
    _check_numbers(dataset, test, sizes, draws, seed)
    if test is not None:
        _check_apart(dataset, test)
    moments = read_descriptor_moments(predictor, dataset, watch)
    unseen = None if test is None else read_descriptor_moments(predictor, test, watch)
    if unseen is not None and unseen.times != moments.times:
        raise InputError(
            f"{unseen.dataset.path}: times: expected those of {dataset.path} "
            f"({', '.join(f'{t:g}' for t in moments.times)}); found "
            f"{', '.join(f'{t:g}' for t in unseen.times)}"
        )
    scores = _without_refit(unseen or moments)
    for size in sorted(set(sizes)):
        values = [
            _pearson(moments, unseen, chosen)
            for chosen in _choices(len(dataset), size, draws, seed)
        ]
        scores += _scores(moments, size, np.stack(values))
    return FewShot(
        predictor.path.name,
        dataset.path.name,
        dataset.sha256,
        None if test is None else test.path.name,
        None if test is None else test.sha256,
        seed,
        len(predictor.manifest.training.seen(test or dataset)),
        tuple(scores),
    )


def few_shot_table(result: FewShot) -> Table:
    """The scores as a table for the terminal."""
    on = result.test or f"the other configurations of {result.dataset}"
    table = Table(
        title=f"{result.model} refitted to configurations of {result.dataset}, tested on {on}",
        caption="mean and standard deviation over random choices; 0: the model as it is"
        + (f", trained or validated on {result.seen} of what it predicts" if result.seen else ""),
    )
    for heading in ("configurations", "choices", "species", "time", "Pearson all", "Pearson mean"):
        table.add_column(heading, justify="right")
    for k, score in enumerate(result.scores):
        following = result.scores[k + 1 : k + 2]
        table.add_row(
            str(score.configurations),
            str(score.draws),
            score.species,
            f"{score.time:g}",
            _with_spread(score.pearson_all, score.pearson_all_std),
            _with_spread(score.pearson_mean, score.pearson_mean_std),
            end_section=any(f.configurations != score.configurations for f in following),
        )
    return table


def _with_spread(value: float, spread: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.3f}" if np.isnan(spread) else f"{value:.3f} ± {spread:.3f}"


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
            "found one; give a test dataset (--test)"
        )
    for size in sizes:
        if not 1 <= size <= most:
            why = ", of which one must be left to predict" if test is None else ""
            raise InputError(
                f"sizes: expected numbers from 1 to {most} ({dataset.path.name} holds "
                f"{len(dataset)} configurations{why}); found {size}"
            )


def _check_apart(dataset: Dataset, test: Dataset) -> None:
    known = {dataset.checksum(name): name for name in dataset.names}
    for name in test.names:
        if test.checksum(name) in known:
            raise InputError(
                f"{test.path}: {name} holds the same data as {known[test.checksum(name)]} of "
                f"{dataset.path}; give other configurations, or leave the test dataset out"
            )


def _choices(total: int, size: int, draws: int, seed: int) -> list[list[int]]:
    """Different choices, or all that there are if they are no more than asked for."""
    rng = np.random.default_rng([seed, size])
    found: dict[tuple[int, ...], None] = {}
    # There may be fewer choices than draws, and the last ones are drawn rarely: this is enough.
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


def _without_refit(moments: DescriptorMoments) -> list[FewShotScore]:
    """The model as it is, where it predicts the times of the labels."""
    if not moments.own_times:
        return []
    return _scores(moments, 0, moments.own_pearson(range(len(moments)))[None])


def _scores(moments: DescriptorMoments, size: int, values: np.ndarray) -> list[FewShotScore]:
    """Scores of coefficients [draws, 2, species, T]."""
    draws = len(values)
    mean = values.mean(axis=0)
    spread = values.std(axis=0, ddof=1) if draws > 1 else np.full(mean.shape, np.nan)
    return [
        FewShotScore(
            size,
            species,
            time,
            draws,
            *(float(v[kind, s, t]) for kind in (0, 1) for v in (mean, spread)),
        )
        for s, species in enumerate(moments.species)
        for t, time in enumerate(moments.times)
    ]

"""What the runs of a sweep come to: coefficients of held-out configurations, and their spread."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from glassml.analysis.correlation import pearson_all, pearson_mean
from glassml.errors import InputError
from glassml.studies.sweep.sweep_plan import Plan, Point
from glassml.studies.sweep.sweep_runs import EPOCHS, PREDICTIONS, failure, is_done
from glassml.tables import write_csv, write_json

__all__ = ["RunScore", "SweepResults", "SweepScore", "sweep_results"]

_STATISTICS = {"all": pearson_all, "mean": pearson_mean}


@dataclass(frozen=True)
class RunScore:
    """One run, epoch, species and time, on the configurations that the run held out.

    Attributes:
        run: folder of the run.
        setting: name of the settings.
        size: number of training configurations.
        seed: of the training.
        fold: which part was held out, from 1.
        epoch: ``last``, or ``best`` (chosen on the held-out configurations themselves).
        species: name of the species.
        time: time of the labels [time].
        pearson_all: of the particles of all held-out configurations pooled [-].
        pearson_mean: within each held-out configuration, averaged [-].
        seconds: that the training took, of all its starts.
    """

    run: str
    setting: str
    size: int
    seed: int
    fold: int
    epoch: str
    species: str
    time: float
    pearson_all: float
    pearson_mean: float
    seconds: float


@dataclass(frozen=True)
class SweepScore:
    """One setting over its seeds and folds; NaN where there is nothing to tell.

    Attributes:
        setting: name of the settings.
        size: number of training configurations, averaged over folds.
        epoch: ``last`` or ``best``.
        species: name of the species.
        time: time of the labels [time].
        seeds: number of seeds all of whose folds are done; only these count.
        folds: number of folds.
        pearson_all: of all held-out particles of all folds pooled, averaged over seeds.
        pearson_all_seeds: its standard deviation over seeds.
        pearson_all_folds: standard deviation over folds, averaged over seeds.
        pearson_mean: within each held-out configuration, averaged over all of them and over seeds.
        pearson_mean_seeds: its standard deviation over seeds.
        pearson_mean_folds: standard deviation over folds, averaged over seeds.
    """

    setting: str
    size: float
    epoch: str
    species: str
    time: float
    seeds: int
    folds: int
    pearson_all: float
    pearson_all_seeds: float
    pearson_all_folds: float
    pearson_mean: float
    pearson_mean_seeds: float
    pearson_mean_folds: float


@dataclass(frozen=True)
class SweepResults:
    """All that is known so far.

    Attributes:
        runs: one entry a run, epoch, species and time.
        scores: one entry a setting, size, epoch, species and time.
        failed: run -> why it failed.
        missing: number of runs that are not done.
    """

    runs: tuple[RunScore, ...]
    scores: tuple[SweepScore, ...]
    failed: dict[str, str]
    missing: int

    def write(self, folder: Path) -> None:
        """Write ``runs.csv``, ``results.csv`` and ``results.json``."""
        names = [field.name for field in fields(RunScore)]
        write_csv([asdict(run) for run in self.runs], folder / "runs.csv", names)
        names = [field.name for field in fields(SweepScore)]
        rows = [asdict(score) for score in self.scores]
        write_csv(rows, folder / "results.csv", names)
        write_json(
            {"scores": rows, "failed": self.failed, "missing": self.missing},
            folder / "results.json",
        )


@dataclass(frozen=True)
class _Held:
    """What one run predicted: a list over its held-out configurations."""

    predictions: dict[str, list[np.ndarray]]
    labels: list[np.ndarray]
    species: list[np.ndarray]


def sweep_results(plan: Plan, folder: Path) -> SweepResults:
    """Read the runs that are done.

    Args:
        plan: of the sweep.
        folder: holds one folder a run.

    Raises:
        InputError: the results of a run are damaged.
    """
    done = {p.key: _read(folder / p.key) for p in plan.points if is_done(folder / p.key)}
    runs = [
        score
        for point in plan.points
        if point.key in done
        for score in _run_scores(plan, point, done[point.key], _seconds(folder / point.key))
    ]
    groups: dict[tuple[str, int | None], list[Point]] = {}
    for point in plan.points:
        groups.setdefault((point.variant, point.asked), []).append(point)
    order = {variant.name: k for k, variant in enumerate(plan.variants)}
    chosen = sorted(groups, key=lambda key: (order[key[0]], key[1] or 0))
    scores = [s for key in chosen for s in _group_scores(plan, groups[key], done)]
    keys = {point.key for point in plan.points}
    failed = {key: why for key in sorted(keys) if (why := failure(folder / key)) is not None}
    return SweepResults(tuple(runs), tuple(scores), failed, len(keys - set(done)))


def _read(folder: Path) -> _Held:
    path = folder / PREDICTIONS
    try:
        with np.load(path, allow_pickle=False) as arrays:
            ends = np.cumsum(arrays["particles"])[:-1]
            parts = {name: np.split(arrays[name], ends) for name in (*EPOCHS, "labels", "species")}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path}: expected the predictions of a run; found a damaged file ({error}); delete it "
            "and give the same command again"
        ) from None
    return _Held({kind: parts[kind] for kind in EPOCHS}, parts["labels"], parts["species"])


def _coefficients(held: Sequence[_Held], kind: str, n_species: int) -> np.ndarray:
    """Coefficients ``all`` and ``mean`` [2, species, T] of the particles of several runs."""
    predictions, labels, species = (
        [array for h in held for array in arrays(h)]
        for arrays in (lambda h: h.predictions[kind], lambda h: h.labels, lambda h: h.species)
    )
    return np.stack([f(predictions, labels, species, n_species) for f in _STATISTICS.values()])


def _run_scores(plan: Plan, point: Point, held: _Held, seconds: float) -> Iterator[RunScore]:
    for kind in EPOCHS:
        values = _coefficients([held], kind, len(plan.species))
        for s, species in enumerate(plan.species):
            for t, time in enumerate(plan.times):
                yield RunScore(
                    point.key, point.variant, point.size, point.seed, point.fold + 1, kind,
                    species, time, float(values[0, s, t]), float(values[1, s, t]), seconds,
                )  # fmt: skip


def _group_scores(
    plan: Plan, points: Sequence[Point], done: dict[str, _Held]
) -> Iterator[SweepScore]:
    by_seed: dict[int, list[Point]] = {}
    for point in points:
        by_seed.setdefault(point.seed, []).append(point)
    complete = [ps for ps in by_seed.values() if all(p.key in done for p in ps)]
    size = float(np.mean([p.size for p in points]))
    for kind in EPOCHS:
        pooled = np.full((1, 2, len(plan.species), len(plan.times)), np.nan)
        folds = pooled[None]
        if complete:
            n = len(plan.species)
            each = [[done[p.key] for p in ps] for ps in complete]
            pooled = np.stack([_coefficients(held, kind, n) for held in each])
            folds = np.stack([[_coefficients([h], kind, n) for h in held] for held in each])
        mean = pooled.mean(axis=0)
        over_seeds = _spread(pooled, 0)
        over_folds = _spread(folds, 1).mean(axis=0)
        for s, species in enumerate(plan.species):
            for t, time in enumerate(plan.times):
                numbers = [v[k, s, t] for k in (0, 1) for v in (mean, over_seeds, over_folds)]
                yield SweepScore(
                    points[0].variant, size, kind, species, time, len(complete), plan.folds,
                    *map(float, numbers),
                )  # fmt: skip


def _spread(values: np.ndarray, axis: int) -> np.ndarray:
    """Standard deviation along an axis, NaN for a single value."""
    if values.shape[axis] < 2:
        return np.full(values.mean(axis=axis).shape, np.nan)
    return values.std(axis=axis, ddof=1)


def _seconds(folder: Path) -> float:
    """The time that the epochs of a run took."""
    try:
        with (folder / "metrics.csv").open(newline="", encoding="utf-8") as stream:
            return sum(float(row["seconds"]) for row in csv.DictReader(stream))
    except (OSError, KeyError, ValueError):
        return math.nan

"""The results of a sweep: coefficients of held-out configurations, and their spread."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassml.analysis.correlation import pearson_all, pearson_mean
from glassml.analysis.metrics import pearson_scores
from glassml.errors import InputError
from glassml.scores import SCORE_COLUMNS, ErrorKind, Score
from glassml.studies.sweep.sweep_plan import Plan, Point
from glassml.studies.sweep.sweep_runs import EPOCHS, PREDICTIONS
from glassml.tables import write_csv, write_json
from glassml.work import Store

__all__ = ["RunScores", "SettingScores", "SweepResults", "sweep_results"]

_RUN_COLUMNS = ("run", "setting", "size", "seed", "fold", "epoch", *SCORE_COLUMNS, "seconds")
_SETTING_COLUMNS = ("setting", "size", "epoch", "seeds", "folds", *SCORE_COLUMNS)


@dataclass(frozen=True)
class RunScores:
    """One epoch of one run.

    Attributes:
        run: folder of the run.
        setting: name of the settings.
        size: number of training configurations.
        seed: seed of the training.
        fold: number of the part that was held out, from 1.
        epoch: ``last``, or ``best`` (chosen on the held-out configurations themselves).
        seconds: time that the training took, over all its starts.
        scores: scores on the configurations that the run held out; for each species and time the
            kinds ``all`` and ``mean``.
    """

    run: str
    setting: str
    size: int
    seed: int
    fold: int
    epoch: str
    seconds: float
    scores: tuple[Score, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row per score."""
        return [
            {
                "run": self.run,
                "setting": self.setting,
                "size": self.size,
                "seed": self.seed,
                "fold": self.fold,
                "epoch": self.epoch,
                **score.model_dump(),
                "seconds": self.seconds,
            }
            for score in self.scores
        ]


@dataclass(frozen=True)
class SettingScores:
    """One epoch of one setting, over its seeds and folds.

    Attributes:
        setting: name of the settings.
        size: number of training configurations, averaged over folds.
        epoch: ``last`` or ``best``.
        seeds: number of seeds all of whose folds are done; only these count.
        folds: number of folds.
        scores: scores on the held-out configurations of all folds together, averaged over seeds;
            NaN if no seed counts. Each species and time has the kinds ``all`` and ``mean``, and
            each kind once per error bar: the standard deviation over seeds if there are several,
            and that over folds (averaged over seeds) if there are several.
    """

    setting: str
    size: float
    epoch: str
    seeds: int
    folds: int
    scores: tuple[Score, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row per score."""
        return [
            {
                "setting": self.setting,
                "size": self.size,
                "epoch": self.epoch,
                "seeds": self.seeds,
                "folds": self.folds,
                **score.model_dump(),
            }
            for score in self.scores
        ]


@dataclass(frozen=True)
class SweepResults:
    """The results of a sweep so far.

    Attributes:
        runs: one entry per run and epoch.
        settings: one entry per setting, size and epoch.
        failed: run -> why it failed.
        missing: number of runs that are not done.
    """

    runs: tuple[RunScores, ...]
    settings: tuple[SettingScores, ...]
    failed: dict[str, str]
    missing: int

    def write(self, folder: Path) -> None:
        """Write ``runs.csv``, ``results.csv`` and ``results.json``."""
        runs = [row for run in self.runs for row in run.rows()]
        write_csv(runs, folder / "runs.csv", _RUN_COLUMNS)
        rows = [row for setting in self.settings for row in setting.rows()]
        write_csv(rows, folder / "results.csv", _SETTING_COLUMNS)
        write_json(
            {"scores": rows, "failed": self.failed, "missing": self.missing},
            folder / "results.json",
        )


@dataclass(frozen=True)
class _Held:
    """The predictions of one run: lists over its held-out configurations."""

    predictions: dict[str, list[np.ndarray]]
    labels: list[np.ndarray]
    species: list[np.ndarray]


def sweep_results(plan: Plan, store: Store) -> SweepResults:
    """Read the runs that are done.

    Args:
        plan: plan of the sweep.
        store: holds the runs.

    Raises:
        InputError: the results of a run are damaged.
    """
    tasks = {point.key: point.task for point in plan.points}
    done = {
        key: _read(store.path(task, PREDICTIONS))
        for key, task in tasks.items()
        if store.is_done(task)
    }
    runs = [
        scores
        for point in plan.points
        if point.key in done
        for scores in _run_scores(
            plan, point, done[point.key], _seconds(store.folder_of(point.task))
        )
    ]
    groups: dict[tuple[str, int | None], list[Point]] = {}
    for point in plan.points:
        groups.setdefault((point.variant, point.asked), []).append(point)
    order = {variant.name: k for k, variant in enumerate(plan.variants)}
    chosen = sorted(groups, key=lambda key: (order[key[0]], key[1] or 0))
    settings = [s for key in chosen for s in _setting_scores(plan, groups[key], done)]
    failed = {key: why for key in sorted(tasks) if (why := store.failure(key)) is not None}
    return SweepResults(tuple(runs), tuple(settings), failed, len(tasks.keys() - done.keys()))


def _read(path: Path) -> _Held:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            ends = np.cumsum(arrays["particles"])[:-1]
            parts = {name: np.split(arrays[name], ends) for name in (*EPOCHS, "labels", "species")}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path}: expected the predictions of a run; found a damaged file ({error}). Delete it "
            "and run the same command again"
        ) from None
    return _Held({kind: parts[kind] for kind in EPOCHS}, parts["labels"], parts["species"])


def _coefficients(held: Sequence[_Held], epoch: str, n_species: int) -> np.ndarray:
    """Coefficients ``all`` and ``mean`` [2, species, T] of the particles of several runs."""
    predictions, labels, species = (
        [array for h in held for array in arrays(h)]
        for arrays in (lambda h: h.predictions[epoch], lambda h: h.labels, lambda h: h.species)
    )
    arguments = (predictions, labels, species, n_species)
    return np.stack([pearson_all(*arguments), pearson_mean(*arguments)])


def _run_scores(plan: Plan, point: Point, held: _Held, seconds: float) -> Iterator[RunScores]:
    for epoch in EPOCHS:
        values = _coefficients([held], epoch, len(plan.species))
        scores = pearson_scores(values, plan.species, plan.times, len(held.labels))
        yield RunScores(
            point.key, point.variant, point.size, point.seed, point.fold + 1, epoch, seconds, scores
        )


def _setting_scores(
    plan: Plan, points: Sequence[Point], done: dict[str, _Held]
) -> Iterator[SettingScores]:
    by_seed: dict[int, list[Point]] = {}
    for point in points:
        by_seed.setdefault(point.seed, []).append(point)
    complete = [ps for ps in by_seed.values() if all(p.key in done for p in ps)]
    of_seed = [[done[p.key] for p in ps] for ps in complete]
    size = float(np.mean([p.size for p in points]))
    for epoch in EPOCHS:
        scores = _averaged(plan, of_seed, epoch)
        yield SettingScores(points[0].variant, size, epoch, len(complete), plan.folds, scores)


def _averaged(plan: Plan, of_seed: Sequence[Sequence[_Held]], epoch: str) -> tuple[Score, ...]:
    """Scores of runs [seed][fold], averaged over seeds, once per kind of error bar."""
    n = len(plan.species)
    if not of_seed:
        nothing = np.full((2, n, len(plan.times)), np.nan)
        return pearson_scores(nothing, plan.species, plan.times, 0)
    pooled = np.stack([_coefficients(held, epoch, n) for held in of_seed])
    folds = np.stack([[_coefficients([h], epoch, n) for h in held] for held in of_seed])
    errors: dict[ErrorKind, np.ndarray] = {}
    if len(of_seed) > 1:
        errors["standard deviation over seeds"] = pooled.std(axis=0, ddof=1)
    if plan.folds > 1:
        errors["standard deviation over folds"] = folds.std(axis=1, ddof=1).mean(axis=0)
    configurations = sum(len(held.labels) for held in of_seed[0])
    about = (pooled.mean(axis=0), plan.species, plan.times, configurations)
    tables = [pearson_scores(*about, error, kind) for kind, error in errors.items()]
    if not tables:
        return pearson_scores(*about)
    return tuple(score for same in zip(*tables, strict=True) for score in same)


def _seconds(folder: Path) -> float:
    """The time that all epochs of a run took."""
    try:
        with (folder / "metrics.csv").open(newline="", encoding="utf-8") as stream:
            return sum(float(row["seconds"]) for row in csv.DictReader(stream))
    except (OSError, KeyError, ValueError):
        return math.nan

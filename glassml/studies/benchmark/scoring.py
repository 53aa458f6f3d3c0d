"""Scoring an entry on the test configurations of a fold."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch

import glassml
from glassml.analysis.metrics import scores
from glassml.analysis.predictions import FilePredictions, ModelPredictions, PredictionSource
from glassml.data import Configuration, Dataset
from glassml.errors import InputError
from glassml.export import Manifest, read_manifest
from glassml.files import sha256_of
from glassml.inference import Predictor
from glassml.physics import column_of
from glassml.scores import Score
from glassml.studies.benchmark.entry_file import Entry, Reads
from glassml.studies.benchmark.fitting import FIT, MODEL
from glassml.studies.benchmark.prediction_cost import prediction_cost
from glassml.studies.benchmark.results import (
    Cost,
    Fit,
    FoldResult,
    Machine,
    TransferScores,
    save_result,
)
from glassml.studies.benchmark.task_data import Split
from glassml.studies.benchmark.task_file import BenchmarkTask
from glassml.studies.threads import cpu_threads
from glassml.work import Task, evaluator

__all__ = ["RESULT", "ScoreJob", "score_task"]

RESULT = "result.json"

_RESAMPLES = 200  # for the error bars of tasks with one fold


@dataclass(frozen=True)
class ScoreJob:
    """What is scored on what.

    Attributes:
        task: the task.
        entry: the entry.
        split: the fold.
        datasets: files of the datasets that are there, by name.
        threads: CPU threads.
    """

    task: BenchmarkTask
    entry: Entry
    split: Split
    datasets: dict[str, Path]
    threads: int


def score_task(job: ScoreJob, fitted: Task | None) -> Task:
    """The task of scoring an entry on a fold.

    Args:
        job: what is scored on what.
        fitted: the task that fits a recipe; None for model files and predictions.

    Raises:
        InputError: the entry has no file for this fold.
    """
    task, data = job.task, Dataset(job.datasets[job.task.data])
    tests = [test for test in task.transfer if test.dataset in job.datasets]
    facts: dict[str, Any] = {
        "task": task.name,
        "entry": job.entry.name,
        "fold": job.split.number,
        "test": {name: data.checksum(name) for name in job.split.test},
        "species": list(task.species),
        "times": list(task.times),
        "transfer": [
            {**test.model_dump(mode="json"), "data": Dataset(job.datasets[test.dataset]).sha256}
            for test in tests
        ],
        "about": job.entry.model_dump(
            mode="json", exclude={"train", "refit", "model", "predictions"}
        ),
        "threads": job.threads,
    }
    if fitted is None:
        facts["file"] = sha256_of(job.entry.file(job.split.number))
    return Task(
        evaluators=(score,),
        outputs=(RESULT,),
        facts=facts,
        inputs={} if fitted is None else {MODEL: fitted.key, FIT: fitted.key},
        payload=job,
        label=f"{job.entry.name}, fold {job.split.number}",
    )


@evaluator(version=1)
def score(task: Task, folder: Path) -> None:
    """Predict the test configurations of a fold, and write the scores and what they cost."""
    job: ScoreJob = task.payload
    with cpu_threads(job.threads):
        result = _result(job, folder, task.key)
    save_result(result, folder / RESULT)


def _result(job: ScoreJob, folder: Path, key: str) -> FoldResult:
    fit, manifest, cost = None, None, None
    model = folder / MODEL
    if job.entry.train or job.entry.refit:
        fit = Fit.model_validate_json((folder / FIT).read_bytes())
    elif job.entry.model:
        model = job.entry.file(job.split.number)
    if job.entry.predictions is None:
        manifest = read_manifest(model)
        _check_unseen(job, manifest, model.name)
    entry_scores = _scores(job, model)
    transfer = _transfer(job, model, manifest)
    if manifest is not None:
        cost = _cost(job, model)
    return FoldResult(
        task=job.task.name,
        entry=job.entry.name,
        way=job.entry.way,  # type: ignore[arg-type]
        fold=job.split.number,
        folds=len(job.task.folds),
        key=key,
        test=job.split.test,
        scores=entry_scores,
        transfer=transfer,
        fit=fit,
        cost=cost,
        machine=_machine(job.threads),
        published_as=job.entry.published_as,
        note=job.entry.note,
        **_about(job.entry, manifest),
    )


def _about(entry: Entry, manifest: Manifest | None) -> dict[str, Any]:
    """What is known of the model, from its file or from the entry."""
    stated = (entry.citation,) if entry.citation else ()
    if manifest is None:
        return {"reads": entry.reads, "parameters": entry.parameters, "citations": stated}
    scalars = tuple(scalar.name for scalar in manifest.scalar_inputs)
    return {
        "reads": Reads(positions=manifest.positions, scalars=scalars),
        "model": manifest.model,
        "parameters": manifest.n_parameters,
        "citations": tuple(dict.fromkeys((*stated, *manifest.citations))),
    }


def _check_unseen(job: ScoreJob, manifest: Manifest, model: str) -> None:
    """Refuse a model that has seen a test configuration of the fold.

    Raises:
        InputError: it was trained or validated on one, or on runs that began there.
    """
    data = Dataset(job.datasets[job.task.data])
    seen = [name for name in manifest.training.seen(data) if name in job.split.test]
    if seen:
        raise InputError(
            f"{model}: expected a model that has not seen the test configurations of fold "
            f"{job.split.number}; found that it was trained or validated on {', '.join(seen)}. "
            "Give a model for each fold ({fold} in the name), or a recipe"
        )


def _scores(job: ScoreJob, model: Path) -> tuple[Score, ...]:
    """Pearson coefficients on the test configurations.

    Raises:
        InputError: predictions of a configuration, or those at the time of the table, are missing.
    """
    dataset = Dataset(job.datasets[job.task.data])
    source = _source(job, model, dataset)
    configurations = [dataset[name] for name in job.split.test]
    predicted = []
    for configuration in configurations:
        dataset.verify(configuration)
        found = source.predict(configuration)
        predicted.append(None if found is None else found.propensity)
        _check_predicted(job, configuration, predicted[-1], source.name)
    return _coefficients(job, configurations, predicted, job.task.times)


def _source(job: ScoreJob, model: Path, dataset: Dataset) -> PredictionSource:
    if job.entry.predictions is not None:
        return FilePredictions(job.entry.name, job.entry.file(job.split.number), dataset)
    return ModelPredictions(Predictor(model, "cpu", check_domain=False), dataset, job.entry.name)


def _check_predicted(
    job: ScoreJob, configuration: Configuration, predicted: np.ndarray | None, source: str
) -> None:
    if predicted is None:
        raise InputError(
            f"{source}: expected predictions for the test configuration {configuration.name} of "
            f"fold {job.split.number}; found none"
        )
    assert configuration.times is not None, "checked when the task was opened"
    column = column_of(job.task.time, configuration.times)
    for name in job.task.species:
        mine = configuration.species == configuration.species_names.index(name)
        if np.isnan(predicted[mine][:, column]).any():
            raise InputError(
                f"{source}: {configuration.name}: expected predictions for the particles of "
                f"species {name} at t = {job.task.time:g}; found none"
            )


def _coefficients(
    job: ScoreJob,
    configurations: Sequence[Configuration],
    predicted: Sequence[np.ndarray | None],
    times: Sequence[float],
) -> tuple[Score, ...]:
    found = scores(
        predicted,
        [np.asarray(c.propensity) for c in configurations],
        [c.species for c in configurations],
        configurations[0].species_names,
        times,
        resamples=_RESAMPLES if len(job.task.folds) == 1 else 0,
    )
    wanted = [s for s in found if s.statistic == "pearson" and s.species in job.task.species]
    return tuple(s for s in wanted if np.isfinite(s.value))


def _transfer(job: ScoreJob, model: Path, manifest: Manifest | None) -> tuple[TransferScores, ...]:
    """Scores on the other datasets of the task; predictions alone have none."""
    if manifest is None:
        return ()
    result = []
    for test in job.task.transfer:
        times = [pair for pair in test.times if column_of(pair[0], manifest.times) is not None]
        if test.dataset not in job.datasets or not times:
            continue
        dataset = Dataset(job.datasets[test.dataset])
        try:
            result += _transferred(job, model, test.dataset, dataset, times)
        except InputError as error:
            problem = str(error).replace(str(dataset.path), test.dataset)
            result.append(TransferScores(dataset=test.dataset, time=times[0][0], problem=problem))
    return tuple(result)


def _transferred(
    job: ScoreJob,
    model: Path,
    name: str,
    dataset: Dataset,
    times: Sequence[tuple[float, float]],
) -> list[TransferScores]:
    """Scores on one other dataset.

    Raises:
        InputError: the model has seen it, or it lacks what the model reads.
    """
    predictor = Predictor(model, "cpu", check_domain=False)
    seen = predictor.manifest.training.seen(dataset)
    if seen:
        raise InputError(
            f"{name}: expected data that the model has not seen; found that it was trained or "
            f"validated on {len(seen)} of {len(dataset)} configurations"
        )
    configurations = list(dataset)
    values = [predictor.predict([c])[0]["propensity"] for c in configurations]
    result = []
    for time, other in times:
        column = column_of(time, predictor.manifest.times)
        found = _at_one_time(job, configurations, [v[:, column] for v in values], other)
        result.append(TransferScores(dataset=name, time=time, scores=found))
    return result


def _at_one_time(
    job: ScoreJob, configurations: Sequence[Configuration], values: list[np.ndarray], time: float
) -> tuple[Score, ...]:
    """Scores of predictions [N] of each configuration, against the labels at a time."""
    predicted = []
    for configuration, value in zip(configurations, values, strict=True):
        assert configuration.times is not None, "a dataset for transfer has labels"
        predicted.append(np.full((len(value), len(configuration.times)), np.nan))
        predicted[-1][:, column_of(time, configuration.times)] = value
    times = np.asarray(configurations[0].times).tolist()
    return _coefficients(job, configurations, predicted, times)


def _cost(job: ScoreJob, model: Path) -> Cost:
    data = job.datasets[job.task.data]
    return prediction_cost(model.absolute(), data.absolute(), job.split.test[0], job.threads)


def _machine(threads: int) -> Machine:
    return Machine(
        processor=_processor(),
        threads=threads,
        glassml=glassml.__version__,
        torch=torch.__version__,
        date=datetime.now(timezone.utc).date().isoformat(),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not on Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine() or "unknown"

"""Fitting an entry to the training data of a fold, within the budget."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassml.data import Dataset, DatasetWriter
from glassml.errors import ConfigError
from glassml.export import check_decoder, model_path, save_model
from glassml.files import atomic_write, sha256_of
from glassml.inference import Predictor
from glassml.models import available, own_file
from glassml.studies.benchmark.entry_file import Entry
from glassml.studies.benchmark.results import Fit
from glassml.studies.benchmark.task_data import Split
from glassml.studies.refit import refit, untrained
from glassml.studies.threads import cpu_threads
from glassml.training import (
    RunResult,
    TrainConfig,
    load_trained_model,
    parse_config,
    resume,
    train,
)
from glassml.work import Task, evaluator

__all__ = ["FIT", "MODEL", "Job", "fit_task"]

MODEL = "model.pt"
FIT = "fit.json"

# Settings that change where a run takes place, but not its outcome.
_NO_DIFFERENCE = {
    "data": ("train", "reversed", "cache", "graph_cache", "graph_cache_gb"),
    "training": ("accelerator", "devices", "start_from"),
}


@dataclass(frozen=True)
class Job:
    """What an entry is fitted to.

    Attributes:
        entry: a recipe.
        split: the fold.
        data: the dataset of the task.
        budget: largest processor time of the fit, per thread [s].
        threads: CPU threads.
    """

    entry: Entry
    split: Split
    data: Path
    budget: float
    threads: int


def fit_task(job: Job) -> Task:
    """The task of fitting a recipe to a fold.

    Its folder holds the runs of its stages, in which an interrupted training continues.

    Raises:
        ConfigError: a setting of the recipe is wrong.
    """
    dataset = Dataset(job.data)
    used = (*job.split.train, *job.split.validation)
    facts: dict[str, Any] = {
        "data": {name: dataset.checksum(name) for name in used},
        "validation": list(job.split.validation),
        "budget": job.budget,
        "threads": job.threads,
    }
    if job.entry.refit is None:
        configs = [_stage_config(job, k) for k in range(len(job.entry.train or ()))]
        facts["stages"] = [_settings(config) for config in configs]
        facts["reversed"] = [Dataset(p).sha256 for c in configs for p in c.data.reversed]
        facts["own code"] = _own_code(configs)
    else:
        recipe = job.entry.refit.of_fold(job.split.number)
        facts["refit"] = recipe.model_dump(mode="json")
        if not recipe.settings:  # as in results of versions that had none
            del facts["refit"]["settings"]
        if recipe.model not in available():
            check_decoder(recipe.model)
            facts["network"] = sha256_of(model_path(recipe.model))
            del facts["refit"]["model"]
    return Task(
        evaluators=(fit,),
        outputs=(MODEL, FIT),
        facts=facts,
        payload=job,
        label=f"{job.entry.name}, fold {job.split.number}",
        resumable=True,
    )


@evaluator(version=1)
def fit(task: Task, folder: Path) -> None:
    """Fit the recipe, or continue, and write the model file and how it was fitted."""
    job: Job = task.payload
    with cpu_threads(job.threads):
        done = _trained(job, folder) if job.entry.refit is None else _refitted(job, folder)
    with atomic_write(folder / FIT) as partial:
        partial.write_text(done.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _trained(job: Job, folder: Path) -> Fit:
    """Train all stages; the budget is that of all of them together."""
    stages = len(job.entry.train or ())
    seconds = processor_seconds = 0.0
    budget = job.budget * job.threads
    for stage in range(stages):
        config = _stage_config(job, stage)
        own = config.training.processor_limit
        limit = max(min(budget - processor_seconds, own or budget), 1e-3)
        result = _run(folder / f"stage-{stage + 1}", config, limit, stage)
        seconds += result.seconds
        processor_seconds += result.processor_seconds
        limited = result.ended_by == "the time limit" and own is None
        if limited and stage + 1 < stages:
            raise ConfigError(
                f"train: expected stage {stage + 1} of {stages} to end before the budget of "
                f"{job.budget:g} s; found that it takes longer. Give it fewer epochs or a "
                "training.processor_limit"
            )
    trained = load_trained_model(result.folder)
    save_model(trained.model, folder / MODEL, training=trained.record)
    return Fit(
        ended_by=result.ended_by,
        seconds=seconds,
        processor_seconds=processor_seconds,
        budget=job.budget,
        epochs=result.epochs,
        best_epoch=result.best_epoch,
        configurations=len(job.split.train),
    )


def _run(folder: Path, config: TrainConfig, limit: float, stage: int) -> RunResult:
    """One stage, or what is left of it."""
    if (folder / "config.yaml").is_file():
        return resume(folder)
    shutil.rmtree(folder, ignore_errors=True)  # without config.yaml there is nothing to resume
    changes: dict[str, Any] = {"processor_limit": limit}
    if stage > 0:
        changes["start_from"] = folder.with_name(f"stage-{stage}")
    training = config.training.model_copy(update=changes)
    return train(config.model_copy(update={"training": training, "output": folder}))


def _refitted(job: Job, folder: Path) -> Fit:
    """Fit decoders to the training and validation configurations; no epoch needs choosing."""
    assert job.entry.refit is not None, "checked by the caller"
    recipe = job.entry.refit.of_fold(job.split.number)
    names = (*job.split.train, *job.split.validation)
    subset = folder / "fold.h5"
    source = Dataset(job.data)
    with DatasetWriter(subset, source.description) as writer:
        for name in names:
            writer.copy(source, name)
    began, computed = time.monotonic(), time.process_time()
    with Dataset(subset) as dataset:
        network = Path(recipe.model)
        if recipe.model in available():
            network = folder / f"{recipe.model}.pt"
            untrained(
                recipe.model, dataset, network, recipe.positions, recipe.scalars, recipe.settings
            )
        predictor = Predictor(network, "cpu", check_domain=False)
        refit(predictor, dataset, folder / MODEL, label_noise=recipe.label_noise)
    subset.unlink()
    return Fit(
        ended_by="closed form",
        seconds=time.monotonic() - began,
        processor_seconds=time.process_time() - computed,
        budget=job.budget,
        configurations=len(names),
    )


def _stage_config(job: Job, stage: int) -> TrainConfig:
    """The configuration of a stage of a recipe for the fold, without its folder."""
    assert job.entry.train is not None, "checked by the caller"
    values = job.entry.train[stage]
    split = job.split
    data = {
        **(values.get("data") or {}),
        "train": str(job.data),
        "validation": list(split.validation),
        "exclude": [
            n for n in Dataset(job.data).names if n not in {*split.train, *split.validation}
        ],
    }
    config = parse_config({**values, "data": data}, f"{job.entry.name}: train")
    if config.training.devices != 1:
        raise ConfigError(
            f"{job.entry.name}: training.devices: expected 1 in a benchmark; found "
            f"{config.training.devices}"
        )
    return config


def _settings(config: TrainConfig) -> dict[str, Any]:
    settings = config.model_dump(mode="json", exclude={"output"})
    for section, names in _NO_DIFFERENCE.items():
        for name in names:
            del settings[section][name]
    start = config.training.start_from
    if start is not None:
        if not start.is_file():
            raise ConfigError(
                f"training.start_from: expected the file of a checkpoint in a benchmark; found "
                f"{start}"
            )
        settings["start_from"] = sha256_of(start)
    return settings


def _own_code(configs: list[TrainConfig]) -> list[str]:
    """Checksums of the user's own Python files that models of a recipe are from."""
    files = [own_file(config.model.name) for config in configs]
    return [sha256_of(file) for file in files if file is not None]

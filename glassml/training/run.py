"""A training run from its configuration to its folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from glassml.data import dataset_path
from glassml.domain import check_neighbours, mean_spacing, shown_range
from glassml.errors import ConfigError, InputError
from glassml.models import (
    REFERENCE_SPACING,
    GlassModel,
    build,
    lengths_of,
    material_lengths,
    parameters_of,
)
from glassml.physics.units import after_length
from glassml.progress import SILENT, Progress
from glassml.provenance import NetworkRecord, TrainingRecord
from glassml.training.checkpoint import LAST, described, read_checkpoint
from glassml.training.data_module import DataModule
from glassml.training.devices import check_batch_size, choose_devices
from glassml.training.folder import (
    check_new,
    opened,
    resumed_config,
    versions,
    write_folder,
)
from glassml.training.history import History, overfitting_note
from glassml.training.module import PropensityModule
from glassml.training.run_end import RunResult, ending_of, is_over, run_result
from glassml.training.run_record import RunData, run_record
from glassml.training.scaling import set_scales
from glassml.training.split import Split, open_split
from glassml.training.stage_loop import Resumed, load_parameters, train_stages
from glassml.training.stages import epochs_before, stage_of, stages_of, with_loss_lengths
from glassml.training.starting import start_from
from glassml.training.train_config import ModelConfig, TrainConfig, TrainingConfig

__all__ = ["resume", "train"]

_FOR_SPACING = 32  # configurations that the mean spacing is taken from; lengths have three digits


def train(config: TrainConfig, progress: Progress = SILENT) -> RunResult:
    """Train a model from the beginning.

    With several devices this is called in every process; only the first writes the folder.

    Args:
        config: the run; its ``output`` is the folder, which must be new.
        progress: shows how far the run has come.

    Raises:
        ConfigError: a setting does not fit the data, the model or this machine.
        InputError: the data cannot be used, or the folder cannot be written.
    """
    if config.output is None:
        raise ConfigError("output: expected a folder for the run")
    if _is_first_process():
        check_new(config.output)  # before the data are read; once more when the folder is made
        return _run(config, config.output, None, progress, opened(config.output, new=True))
    return _run(config, config.output, None, SILENT)


def resume(
    folder: str | Path, overrides: Sequence[str] = (), progress: Progress = SILENT
) -> RunResult:
    """Continue an interrupted run, or a finished one with more epochs.

    Args:
        folder: run folder.
        overrides: such as ``training.epochs=200``; only settings that keep the run the same.
        progress: shows how far the run has come.

    Raises:
        ConfigError: this is no run folder, or an override changes what was trained.
        InputError: the data have changed, or another process works on the run.
        ModelFileError: the last checkpoint is damaged.
    """
    config = resumed_config(folder, list(overrides))
    last = Path(folder) / LAST
    first_process = _is_first_process()
    with opened(Path(folder), new=False) if first_process else nullcontext():
        # Without a checkpoint the run was stopped in its first epoch, so it starts again.
        found = last if last.is_file() else None
        return _run(config, Path(folder), found, progress if first_process else SILENT)


def _run(
    config: TrainConfig,
    folder: Path,
    last: Path | None,
    progress: Progress,
    writing: AbstractContextManager[None] | None = None,
) -> RunResult:
    """Train in this folder; ``writing`` is entered before anything is written."""
    first_process = _is_first_process()
    checkpoint = read_checkpoint(last) if last else None
    done = checkpoint["glassml"]["epoch"] if checkpoint else 0
    stages, at = stages_of(config.training), stage_of(checkpoint)
    if checkpoint and is_over(config.training, checkpoint):
        if ending_of(config.training, checkpoint) == "the last epoch":
            progress.say(f"{folder}: all {done} epochs are done")
        return run_result(folder, done, config.training, progress)
    config = _with_absolute_paths(config)
    split = open_split(config.data)
    config = _with_lengths(config, split, checkpoint)
    devices = choose_devices(config.training)
    check_batch_size(config.training, split, devices)
    # A resumed run also builds the model here, and loads its parameters later.
    pl.seed_everything(config.training.seed, verbose=False)
    model = _model(config, split)
    # With random axes, nothing about edges is fixed.
    turned = config.training.augmentation == "axes" or not model.rotation_invariant
    fixed_steps = 0 if turned else model.fixed_steps
    data = DataModule(split, config.data, config.training, model.cutoff, fixed_steps)
    if checkpoint:
        _check_steps(stages[at], data.steps_per_epoch(devices.total), checkpoint)
    module = _module(config, model, data, progress, checkpoint)
    with writing or nullcontext():
        if first_process:
            write_folder(folder, config, RunData.of(split), done)
        history = History(
            folder if first_process else None,
            split.species,
            split.times,
            split.time_unit,
            len(stages) > 1,
        )
        _introduce(progress, config, folder, model, split, done)
        resumed = Resumed(last, checkpoint) if last and checkpoint else None
        train_stages(
            config.training, module, data, split, folder, devices, history, progress, resumed
        )
    latest = [row for row in history.rows if row.get("stage", len(stages)) == len(stages)]
    if (note := overfitting_note(latest)) is not None:
        progress.say(note)
    return run_result(folder, len(history.rows), config.training, progress)


def _is_first_process() -> bool:
    return getattr(rank_zero_only, "rank", 0) == 0


def _with_lengths(
    config: TrainConfig, split: Split, checkpoint: dict[str, Any] | None
) -> TrainConfig:
    """The configuration with the lengths of model and loss that it leaves open, for this material.

    Those of a loss are the same when the run is resumed, as they are written into the folder.
    """
    name, given = config.model.name, config.model.hyperparameters
    if any(stage.loss.spatial is not None for stage in stages_of(config.training)):
        spacing = _spacing(split, name, given.get("cutoff"))
        training = with_loss_lengths(config.training, spacing)
        config = config.model_copy(update={"training": training})
    lengths = [length for length in lengths_of(name) if length not in given]
    if not lengths:
        return config
    if checkpoint:  # of a version that did not write them into the folder
        known = {**parameters_of(name), **checkpoint["glassml"]["model"]["hyperparameters"]}
    else:
        known = material_lengths(name, _spacing(split, name, given.get("cutoff")))
    model = {**given, **{length: known[length] for length in lengths}}
    return config.model_copy(update={"model": ModelConfig(name=name, **model)})


def _spacing(split: Split, name: str, cutoff: Any) -> float:
    """Mean spacing of the training data [length]; for droplets, that for which a cutoff is usual.

    Raises:
        InputError: the configurations are no bulk liquid, and no cutoff is given.
    """
    every = max(1, len(split.train) // _FOR_SPACING)
    try:
        return mean_spacing(source.read() for source in split.train[::every])
    except InputError as error:
        if cutoff is None:
            raise InputError(f"{error}. Set model.cutoff") from None
    try:
        return REFERENCE_SPACING * float(cutoff) / parameters_of(name)["cutoff"]
    except (TypeError, ValueError):
        return REFERENCE_SPACING  # `build` says what is wrong with it


def _model(config: TrainConfig, split: Split) -> GlassModel:
    given = config.model.hyperparameters
    try:
        model = build(
            config.model.name,
            species=split.species,
            times=split.times,
            scalar_inputs=config.data.scalars,
            length_unit=split.length_unit,
            **given,
        )
    except ConfigError as error:
        # The model names its argument; the user knows it as a field of the configuration.
        if str(error).partition(":")[0] in given:
            raise ConfigError(f"model.{error}") from None
        raise
    model.positions = config.data.positions
    if not any(p.requires_grad for p in model.parameters()):
        raise ConfigError(
            f"model.name: expected a model with parameters to train; found {model.name}"
        )
    return model


def _module(
    config: TrainConfig,
    model: GlassModel,
    data: DataModule,
    progress: Progress,
    checkpoint: dict[str, Any] | None,
) -> PropensityModule:
    """Measure the data, set the scales of the model, and collect the record for checkpoints."""
    statistics = data.prepare(progress)
    model.window = data.window
    model.domain = data.domain
    assert data.domain is not None  # measured by `prepare`
    check_neighbours(data.domain, model.cutoff, model.length_unit, "model.cutoff")
    scales = set_scales(config, model, statistics)
    dtype = getattr(torch, config.training.dtype)
    network = _network_before(config.training, model, checkpoint)
    if checkpoint:  # its scales, which may be those of another training
        load_parameters(model, checkpoint)
    if data.has_fixed_steps:
        new = checkpoint is None and config.training.start_from is None
        data.fix_steps(model, measure=new, progress=progress)
    record = run_record(config, data, versions()).model_copy(
        update={"network": network, "untrained": _untrained(config.training, model)}
    )
    scale, bond_scale = (values.to(dtype) for values in scales)
    return PropensityModule(
        model, config.training, scale, bond_scale, described(model), record, statistics
    )


def _untrained(training: TrainingConfig, model: GlassModel) -> tuple[str, ...]:
    """Outputs that the loss does not know."""
    if training.bond_weight == 1:
        return ("propensity",)
    return () if training.bond_weight else tuple(output.name for output in model.edge_outputs)


def _network_before(
    training: TrainingConfig, model: GlassModel, checkpoint: dict[str, Any] | None
) -> NetworkRecord | None:
    """The model whose parameters the training begins with; they are copied into the new one.

    A run that is resumed needs its file no more.
    """
    if training.start_from is None:
        return None
    if checkpoint is None:
        return start_from(training.start_from, model)
    return TrainingRecord.model_validate(checkpoint["glassml"]["training"]).network


def _check_steps(training: TrainingConfig, steps: int, checkpoint: dict[str, Any]) -> None:
    """Check the number of steps per epoch: a cosine ends at 0 only with the original one.

    Raises:
        ConfigError: the run was started with another number of steps per epoch.
    """
    done = checkpoint["glassml"]["epoch"] - epochs_before(checkpoint)
    before = checkpoint["global_step"]
    if training.schedule.name == "cosine" and before != done * steps:
        raise ConfigError(
            f"training.devices: expected {before // done} steps per epoch, with which the cosine "
            f"of training.schedule started; found {steps} on this number of devices. Resume with "
            "as many devices as before"
        )


def _introduce(
    progress: Progress,
    config: TrainConfig,
    folder: Path,
    model: GlassModel,
    split: Split,
    done: int,
) -> None:
    parameters = sum(p.numel() for p in model.parameters())
    runs = f", {len(split.reversed)} reversed runs" if split.reversed else ""
    lines = (
        f"run folder     {folder}",
        f"data           {len(split.train)} configurations for training, "
        f"{len(split.validation)} for validation{runs}; species {', '.join(split.species)}; "
        f"{len(split.times)} time(s)",
        f"model          {model.name}, {parameters} parameters, {_cutoff(model)}",
        f"training       {config.training.epochs} epochs"
        + (f" in {len(config.training.stages)} stages" if config.training.stages else "")
        + (f", resumed after epoch {done}" if done else ""),
    )
    for line in lines:
        progress.say(line)


def _cutoff(model: GlassModel) -> str:
    """The cutoff and how many neighbours are within it."""
    assert model.domain is not None  # measured before the first epoch
    neighbours = shown_range(model.domain.neighbours)
    cutoff = f"{model.cutoff:g}{after_length(model.length_unit)}"
    return f"cutoff {cutoff} ({neighbours} neighbours per particle)"


def _with_absolute_paths(config: TrainConfig) -> TrainConfig:
    """The same settings with absolute paths, for resuming from another folder."""
    validation: Any = config.data.validation
    if isinstance(validation, str):
        validation = str(dataset_path(validation).absolute())
    train = tuple(dataset_path(path).absolute() for path in config.data.train)
    runs = tuple(path.absolute() for path in config.data.reversed)
    cache = config.data.graph_cache
    if cache not in (None, "auto"):
        cache = str(Path(cache).absolute())
    data = config.data.model_copy(
        update={
            "train": train,
            "validation": validation,
            "reversed": runs,
            "graph_cache": cache,
        }
    )
    start = config.training.start_from
    training = config.training.model_copy(update={"start_from": start and start.absolute()})
    return config.model_copy(update={"data": data, "training": training})

"""Checkpoints of a run: finding them, and turning them into models."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint
from pydantic import ValidationError

from glassml.data import THERMAL, Window
from glassml.domain import Domain
from glassml.errors import ModelFileError
from glassml.files import atomic_write
from glassml.models import GlassModel, rebuild
from glassml.provenance import TrainingRecord, first_problem, migrated_training

__all__ = [
    "BEST",
    "LAST",
    "OF_STAGE",
    "AtomicCheckpointIO",
    "TrainedModel",
    "described",
    "load_trained_model",
    "read_checkpoint",
    "save_trained_model",
    "saver",
]

FORMAT = "glassml-checkpoint"
FORMAT_VERSION = 2
FORMAT_VERSIONS_READ = (1, 2)
BEST = "checkpoints/best.ckpt"
LAST = "checkpoints/last.ckpt"
OF_STAGE = "checkpoints/stage_{}.ckpt"  # the best epoch of an earlier stage, counted from 1


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes each checkpoint in its own folder under a temporary name, then renames it.

    Lightning writes it in the folder for temporary files. If that is on another file system, the
    file is copied to its final place, and the copy can be interrupted.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; the file is either whole or what it was before."""
        buffer = io.BytesIO()  # torch's own writer does not say why a file cannot be written
        torch.save(checkpoint, buffer)
        with atomic_write(path) as partial:
            partial.write_bytes(buffer.getbuffer())


class _Saver(ModelCheckpoint):
    """Saves at the end of every epoch that is the best (or every one), under a fixed name."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue in the present folder; Lightning forgets the best epoch if a run has moved."""
        old, new = str(state_dict["dirpath"]), str(self.dirpath)
        moved = {
            key: value.replace(old, new, 1) if isinstance(value, str) else value
            for key, value in state_dict.items()
        }
        best = state_dict.get("best_k_models", {})
        moved["best_k_models"] = {path.replace(old, new, 1): v for path, v in best.items()}
        super().load_state_dict(moved)


def saver(folder: Path, name: str, monitor: str | None = None, mode: str = "max") -> _Saver:
    """A callback that keeps one checkpoint.

    Args:
        folder: run folder.
        name: `BEST` or `LAST`.
        monitor: metric whose best epoch is kept; None keeps the latest epoch.
        mode: whether the best value is the largest ("max") or the smallest ("min").
    """
    path = folder.absolute() / name
    return _Saver(
        dirpath=path.parent,
        filename=path.stem,
        monitor=monitor,
        mode=mode,
        save_top_k=1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )


@dataclass(frozen=True)
class TrainedModel:
    """A model with the parameters of a checkpoint.

    Attributes:
        model: in evaluation mode, on the CPU; it predicts physical units.
        record: how it was trained.
        path: the checkpoint.
    """

    model: GlassModel
    record: TrainingRecord
    path: Path


def described(model: GlassModel) -> dict[str, Any]:
    """What a checkpoint holds about its model under ``glassml``, in the types of JSON."""
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": {
            "name": model.name,
            "hyperparameters": model.hyperparameters,
            "positions": model.positions,
            "window": None if model.window is None else asdict(model.window),
            "domain": None if model.domain is None else model.domain.model_dump(mode="json"),
        },
    }
    return json.loads(json.dumps(record, default=_listed))


def _listed(value: Any) -> list:
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"cannot keep {type(value).__name__} in a checkpoint")


def save_trained_model(model: GlassModel, record: TrainingRecord, path: str | Path) -> None:
    """Write a checkpoint of parameters alone, which is the start of a training.

    `load_trained_model` reads it. There is no run that it could continue.

    Args:
        model: with its parameters.
        record: how they were trained.
        path: the file to write (complete, or not at all).
    """
    about = {**described(model), "training": record.model_dump(mode="json"), "epoch": 0}
    parameters = {f"model.{name}": value for name, value in model.state_dict().items()}
    AtomicCheckpointIO().save_checkpoint({"glassml": about, "state_dict": parameters}, path)


def load_trained_model(path: str | Path) -> TrainedModel:
    """The model of a run folder (its best epoch) or of one checkpoint.

    Args:
        path: run folder, or a checkpoint file in it.

    Raises:
        ModelFileError: there is no checkpoint, or it is damaged or not one of `glassml train`.
    """
    file = Path(path)
    if file.is_dir():
        file = file / BEST
        if not file.is_file():
            raise ModelFileError(
                f"{path}: expected a run folder with {BEST}; found none. It is written after "
                "the first epoch of `glassml train`"
            )
    checkpoint = read_checkpoint(file)
    about = checkpoint["glassml"]
    record = _training_record(file, about)
    model = rebuild(about["model"]["name"], about["model"]["hyperparameters"])
    model.positions = about["model"].get("positions", THERMAL)  # absent in old ones
    window = about["model"].get("window")
    model.window = None if window is None else Window(**window)
    model.domain = _domain(file, about)
    parameters = {
        name.removeprefix("model."): value
        for name, value in checkpoint["state_dict"].items()
        if name.startswith("model.")
    }
    floats = [p.dtype for p in parameters.values() if p.is_floating_point()]
    try:
        model.to(dtype=floats[0]).load_state_dict(parameters)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(
            f"{file}: expected parameters of {model.name} of this glassml; found those of glassml "
            f"{record.versions.get('glassml', 'unknown')} ({reason})"
        ) from None
    return TrainedModel(model.eval(), record, file)


def _domain(file: Path, about: dict[str, Any]) -> Domain | None:
    """What the training data were like; None in checkpoints of older versions."""
    domain = about["model"].get("domain")
    try:
        return None if domain is None else Domain.model_validate(domain)
    except ValidationError as error:
        field, text = first_problem(error, "model.domain")
        raise ModelFileError(f"{file}: {field}: {text}. Train the model again") from None


def _training_record(file: Path, about: dict[str, Any]) -> TrainingRecord:
    """The training record in the metadata of a checkpoint."""
    try:
        if about["format_version"] == 1:
            results = {"epoch": about["epoch"], "metrics": about["metrics"]}
            return migrated_training({**about["provenance"], **results})
        return TrainingRecord.model_validate(about["training"])
    except ValidationError as error:
        field, text = first_problem(error, "training")
        raise ModelFileError(f"{file}: {field}: {text}. Train the model again") from None


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The contents of a checkpoint: tensors and plain values; no code is run.

    Raises:
        ModelFileError: the file is missing, damaged, or not a checkpoint of `glassml train`.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelFileError(
            f"{path}: expected a run folder or a checkpoint of `glassml train`; found no such file"
        ) from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        # Not torch's text: it advises to load the file with all code that is in it.
        raise ModelFileError(
            f"{path}: expected a checkpoint of `glassml train`; found a file that is damaged or "
            f"of another kind ({type(error).__name__})"
        ) from None
    record = checkpoint.get("glassml") if isinstance(checkpoint, dict) else None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ModelFileError(
            f"{path}: expected a checkpoint of `glassml train`; found one of another program"
        )
    if record.get("format_version") not in FORMAT_VERSIONS_READ:
        raise ModelFileError(
            f"{path}: format version: expected {' or '.join(map(str, FORMAT_VERSIONS_READ))}, "
            f"which this glassml knows; found {record.get('format_version')}. Install the glassml "
            "that wrote the checkpoint"
        )
    return checkpoint

"""The run folder: the inputs and the results of a run.

``config.yaml`` (every default filled in), ``data.json`` (files, checksums, names of the
configurations on either side), ``versions.json`` (one entry for each start), ``metrics.csv``,
``curves.png``, ``tensorboard/``, ``checkpoints/best.ckpt`` and ``checkpoints/last.ckpt``.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

import glassml
from glassml.errors import ConfigError, FullDiskError, InputError
from glassml.files import atomic_write, first_sentence, is_disk_full, locked_folder
from glassml.nn import ops
from glassml.provenance import first_problem
from glassml.settings import apply_overrides, read_yaml, write_yaml
from glassml.training.checkpoint import LAST
from glassml.training.run_record import RunData
from glassml.training.train_config import TrainConfig, parse_config

__all__ = [
    "check_new",
    "kept",
    "opened",
    "resumed_config",
    "versions",
    "write_folder",
]

# What may change when a run is resumed. Anything else would make it a different run.
_CHANGEABLE = (
    "training.epochs",
    "training.early_stopping",
    "training.time_limit",
    "training.processor_limit",
    "training.accelerator",
    "training.devices",
    "data.cache",
    "data.graph_cache",
    "data.graph_cache_gb",
)
_LOCK = ".lock"  # of `locked_folder`
_PACKAGES = ("lightning", "e3nn", "torch_geometric", "matscipy", "numpy", "h5py")


def check_new(folder: Path) -> None:
    """Check that a run folder can be made.

    Raises:
        ConfigError: it exists and is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(p.name != _LOCK for p in folder.iterdir())):
        raise ConfigError(
            f"output: expected a new folder; found {folder}, which exists. Continue that run with "
            f"`glassml train --resume {folder}`, or choose another folder with output=..."
        )


def kept(folder: Path) -> str:
    """What an interrupted run has left, for people; empty if it had not begun."""
    if not (folder / "config.yaml").is_file():
        return ""
    if not (folder / LAST).is_file():
        return f"no epoch of {folder} is finished"
    return f"finished epochs are kept in {folder}"


@contextmanager
def opened(folder: Path, new: bool) -> Iterator[None]:
    """Keep other processes out of a run folder, and explain a disk that gets full.

    Args:
        folder: made if it does not exist.
        new: whether the run begins here.

    Raises:
        ConfigError: the run is new, and another one has begun in the folder.
        InputError: another process writes the folder, or it cannot be written.
        FullDiskError: the disk got full; the message says how to continue.
    """
    with locked_folder(folder, folder, "glassml train"):
        if new:
            check_new(folder)
        try:
            yield
        except OSError as error:
            if not is_disk_full(error):
                raise
            what = f"{error.filename or folder}: cannot write here ({error.strerror})"
            raise _full_disk(folder, what) from error
        except FullDiskError as error:
            raise _full_disk(folder, first_sentence(error)) from error


def _full_disk(folder: Path, what: str) -> FullDiskError:
    left = kept(folder)
    if not left:
        return FullDiskError(f"{what}. Make room, then start again")
    resume_with = shlex.join(["glassml", "train", "--resume", str(folder)])
    return FullDiskError(
        f"{what}. {left[0].upper()}{left[1:]}. Make room, then continue with: {resume_with}"
    )


def resumed_config(folder: str | Path, overrides: list[str]) -> TrainConfig:
    """The configuration of an earlier run, with overrides that do not make it another run.

    Raises:
        ConfigError: this is no run folder, or an override changes what was trained.
    """
    path = Path(folder) / "config.yaml"
    if not path.is_file():
        found = "none in it" if path.parent.is_dir() else "no such folder"
        raise ConfigError(
            f"--resume: {folder}: expected a run folder, which holds config.yaml; found {found}"
        )
    for override in overrides:
        name = override.partition("=")[0].strip()
        if "=" in override and not any(
            name == field or name.startswith(f"{field}.") for field in _CHANGEABLE
        ):
            raise ConfigError(
                f"--resume: expected settings that a run can change ({', '.join(_CHANGEABLE)}); "
                f"found {name}. Start a new run instead"
            )
    values = apply_overrides(read_yaml(path, TrainConfig), overrides)
    config = parse_config(values, source=str(path))
    if config.training.schedule.name == "cosine" and any(
        override.startswith("training.epochs") for override in overrides
    ):
        raise ConfigError(
            "training.epochs: expected the number of the run, as the learning rate of "
            "training.schedule.name: cosine ends at 0 in the last epoch; found another. Start a "
            "new run instead"
        )
    # The folder may have been moved since.
    return config.model_copy(update={"output": Path(folder)})


def versions() -> dict[str, str]:
    """Versions of what a run depends on."""
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "glassml": glassml.__version__,
        "torch": torch.__version__,
        **found,
        "python": platform.python_version(),
        "convolution": ops.backend(),
    }


def write_folder(folder: Path, config: TrainConfig, data: RunData, epoch: int) -> None:
    """Write the inputs of a run, or note that it is resumed.

    Args:
        folder: run folder.
        config: its configuration.
        data: what it trains and validates on.
        epoch: number of epochs that are done already.

    Raises:
        InputError: the run is resumed, but its data have changed.
    """
    record = folder / "data.json"
    if epoch and record.is_file() and not data.same_as(_earlier_data(record)):
        raise InputError(
            f"{record}: expected the datasets that this run started with; found others. Restore "
            "them, or start a new run"
        )
    write_yaml(config, folder / "config.yaml")  # first, as a folder with it can be resumed
    _write_json(record, data.model_dump(mode="json"))
    start = {"epoch": epoch, "started": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    starts = folder / "versions.json"
    earlier = json.loads(starts.read_text(encoding="utf-8")) if epoch and starts.is_file() else []
    _write_json(starts, [*earlier, start | versions()])


def _earlier_data(path: Path) -> RunData:
    try:
        return RunData.model_validate_json(path.read_bytes())
    except ValidationError as error:
        field, text = first_problem(error)
        raise InputError(
            f"{path}: {field or 'the file'}: {text}. Restore it, or start a new run"
        ) from None


def _write_json(path: Path, values: Any) -> None:
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

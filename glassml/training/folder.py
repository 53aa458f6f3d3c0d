"""The run folder: the inputs and the results of a run.

``config.yaml`` (every default filled in), ``data.json`` (files, checksums, names of the
configurations on either side), ``versions.json`` (one entry for each start), ``metrics.csv``,
``curves.png``, ``tensorboard/``, ``checkpoints/best.ckpt`` and ``checkpoints/last.ckpt``.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

import glassml
from glassml.errors import ConfigError, InputError
from glassml.files import atomic_write
from glassml.nn import ops
from glassml.provenance import first_problem
from glassml.settings import apply_overrides, read_yaml, write_yaml
from glassml.training.run_record import RunData
from glassml.training.train_config import TrainConfig, parse_config

__all__ = [
    "check_new",
    "resumed_config",
    "versions",
    "write_folder",
]

# What may change when a run is resumed. Anything else would make it a different run.
_CHANGEABLE = (
    "training.epochs",
    "training.early_stopping",
    "training.accelerator",
    "training.devices",
    "data.cache",
    "data.graph_cache",
    "data.graph_cache_gb",
)
_PACKAGES = ("lightning", "e3nn", "torch_geometric", "matscipy", "numpy", "h5py")


def check_new(folder: Path) -> None:
    """Check that a run folder can be made.

    Raises:
        ConfigError: it exists and is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f"output: {folder} exists already; continue that run with `glassml train --resume "
            f"{folder}`, or choose another folder with output=..."
        )


def resumed_config(folder: str | Path, overrides: list[str]) -> TrainConfig:
    """The configuration of an earlier run, with overrides that do not make it another run.

    Raises:
        ConfigError: this is no run folder, or an override changes what was trained.
    """
    path = Path(folder) / "config.yaml"
    if not path.is_file():
        raise ConfigError(f"--resume: expected a run folder with config.yaml; found {folder}")
    for override in overrides:
        name = override.partition("=")[0].strip()
        if "=" in override and not any(
            name == field or name.startswith(f"{field}.") for field in _CHANGEABLE
        ):
            raise ConfigError(
                f"{name}: cannot change when a run is resumed (only {', '.join(_CHANGEABLE)} "
                "can); start a new run instead"
            )
    values = apply_overrides(read_yaml(path, TrainConfig), overrides)
    config = parse_config(values, source=str(path))
    if config.training.schedule.name == "cosine" and any(
        override.startswith("training.epochs") for override in overrides
    ):
        raise ConfigError(
            "training.epochs: cannot change with training.schedule.name: cosine, whose learning "
            "rate ends at 0 in the last epoch; start a new run instead"
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
            f"{record}: the datasets are not those that this run started with; "
            "restore them, or start a new run"
        )
    _write_json(record, data.model_dump(mode="json"))
    start = {"epoch": epoch, "started": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    starts = folder / "versions.json"
    earlier = json.loads(starts.read_text(encoding="utf-8")) if epoch and starts.is_file() else []
    _write_json(starts, [*earlier, start | versions()])
    write_yaml(config, folder / "config.yaml")


def _earlier_data(path: Path) -> RunData:
    try:
        return RunData.model_validate_json(path.read_bytes())
    except ValidationError as error:
        field, text = first_problem(error)
        raise InputError(
            f"{path}: {field or 'the file'}: {text}; restore it, or start a new run"
        ) from None


def _write_json(path: Path, values: Any) -> None:
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

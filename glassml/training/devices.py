"""The devices that a run uses."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from glassml.errors import ConfigError
from glassml.training.split import Split
from glassml.training.train_config import TrainingConfig

__all__ = ["Devices", "check_batch_size", "choose_devices"]


@dataclass(frozen=True)
class Devices:
    """Kind and number of devices, each with its own process."""

    accelerator: str
    per_node: int
    nodes: int

    @property
    def total(self) -> int:
        """Number of processes."""
        return self.per_node * self.nodes


def choose_devices(training: TrainingConfig) -> Devices:
    """The devices to train on: under torchrun, as many as it has started processes.

    Raises:
        ConfigError: the machine does not have these devices.
    """
    cuda = torch.cuda.is_available()
    if training.accelerator == "gpu" and not cuda:
        raise ConfigError(
            "training.accelerator: expected cpu or auto, as torch finds no GPU here; found 'gpu'"
        )
    # Not Lightning's own "auto": metrics need float64, which Apple's GPUs lack.
    accelerator = "cuda" if cuda and training.accelerator != "cpu" else "cpu"
    if "TORCHELASTIC_RUN_ID" in os.environ:
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return Devices(accelerator, local, int(os.environ["WORLD_SIZE"]) // local)
    available = torch.cuda.device_count() if accelerator == "cuda" else None
    if training.devices == "auto":
        return Devices(accelerator, available or 1, 1)
    if available is not None and training.devices > available:
        raise ConfigError(
            f"training.devices: expected at most {available}, the number of GPUs; found "
            f"{training.devices}"
        )
    return Devices(accelerator, training.devices, 1)


def check_batch_size(training: TrainingConfig, split: Split, devices: Devices) -> None:
    """Check that every process has configurations to train and to validate on.

    Raises:
        ConfigError: there are too few configurations.
    """
    wanted = training.batch_size * devices.total
    if wanted > len(split.train):
        raise ConfigError(
            f"training.batch_size: expected at most {len(split.train) // devices.total}, as there "
            f"are {len(split.train)} training configurations for {devices.total} device(s); found "
            f"{training.batch_size}"
        )
    if devices.total > len(split.validation):
        raise ConfigError(
            f"training.devices: expected at most {len(split.validation)}, the number of validation "
            f"configurations; found {devices.total}"
        )

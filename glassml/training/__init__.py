"""Training a model on labelled configurations: configuration, data, loop and run folder."""

from __future__ import annotations

from glassml.training.checkpoint import TrainedModel, load_trained_model, save_trained_model
from glassml.training.folder import kept
from glassml.training.run import resume, train
from glassml.training.run_end import Ending, RunResult
from glassml.training.train_config import TrainConfig, load_config, parse_config

__all__ = [
    "Ending",
    "RunResult",
    "TrainConfig",
    "TrainedModel",
    "kept",
    "load_config",
    "load_trained_model",
    "parse_config",
    "resume",
    "save_trained_model",
    "train",
]

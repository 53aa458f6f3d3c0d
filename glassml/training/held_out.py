"""The predictions of a run's model for the configurations that it was validated on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from glassml.graph import first_edge
from glassml.training.checkpoint import load_trained_model
from glassml.training.data_module import DataModule
from glassml.training.split import open_split
from glassml.training.train_config import TrainConfig

__all__ = ["HeldOut", "predict_held_out"]


@dataclass(frozen=True)
class HeldOut:
    """One validation configuration.

    Attributes:
        name: of the configuration.
        species: int64 [N], in the order of the dataset's species.
        labels: [N, T] [length].
        prediction: [N, T] [length].
    """

    name: str
    species: np.ndarray
    labels: np.ndarray
    prediction: np.ndarray


def predict_held_out(config: TrainConfig, checkpoint: str | Path) -> Iterator[HeldOut]:
    """Predict the validation configurations with the model of a checkpoint, one after the other.

    Args:
        config: of the run.
        checkpoint: one of its checkpoints.

    Raises:
        ModelFileError: the checkpoint cannot be read.
    """
    model = load_trained_model(checkpoint).model
    split = open_split(config.data)
    graphs = DataModule(split, config.data, config.training, model.cutoff).validation_set
    for index, source in enumerate(split.validation):
        graph = graphs[index]
        sender, receiver = graph.edge_index
        rows = first_edge(receiver, graph.num_nodes)
        with torch.inference_mode():
            predicted = model(graph.species, graph.scalars, graph.edge_vector, sender, rows)
        yield HeldOut(source.name, *(v.numpy() for v in (graph.species, graph.y, predicted)))

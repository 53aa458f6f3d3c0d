"""Structure functions of some particles in some frames of a trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from glassml.domain import Measured, measured
from glassml.graph import build_graph
from glassml.models import Softness
from glassml.progress import Progress
from glassml.provenance import KnownConfiguration
from glassml.studies.softness.options import SoftnessOptions
from glassml.studies.softness.rearranging import configuration_of, open_schedule

__all__ = ["Structures", "read_structures"]


class Structures:
    """Structure functions by frame.

    Attributes:
        columns: frame -> float32 [P, D], rows as asked for.
        systems: the frames, for the domain of the model.
        known: the frames, for the record of the training.
    """

    def __init__(self) -> None:
        self.columns: dict[int, np.ndarray] = {}
        self.systems: list[Measured] = []
        self.known: list[KnownConfiguration] = []


def read_structures(
    files: Sequence[Path],
    options: SoftnessOptions,
    model: Softness,
    wanted: Mapping[int, np.ndarray],
    progress: Progress,
) -> Structures:
    """Read frames again for the structure of some of their particles.

    Args:
        files: of the trajectory.
        options: how they are read.
        model: its structure functions are computed.
        wanted: frame -> particles int [P].
        progress: of the frames.
    """
    _, reader = open_schedule(files, options, progress)
    found = Structures()
    for frame in reader.read(wanted.keys(), progress, "structure functions"):
        if frame.number not in wanted:
            continue
        configuration = configuration_of(frame, options)
        graph = build_graph(configuration, model.cutoff)
        found.columns[frame.number] = _functions(model, graph, wanted[frame.number])
        found.systems.append(measured(configuration, graph, model.n_species, model.cutoff))
        found.known.append(KnownConfiguration.of(configuration))
    return found


def _functions(model: Softness, graph: Data, particles: np.ndarray) -> np.ndarray:
    """Structure functions [P, D] of some particles of a graph."""
    sender, receiver = graph.edge_index
    nodes = torch.arange(graph.num_nodes + 1)
    first = torch.searchsorted(receiver.contiguous(), nodes)
    rows = torch.from_numpy(particles.astype(np.int64))
    counts = first[rows + 1] - first[rows]
    pointer = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    edges = torch.repeat_interleave(first[rows] - pointer[:-1], counts)
    edges = edges + torch.arange(len(edges))
    with torch.inference_mode():
        kinds = model.embed(graph.species, graph.scalars)
        return model.functions(kinds, graph.edge_vector[edges], sender[edges], pointer).numpy()

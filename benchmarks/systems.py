"""The systems and networks that are measured."""

from __future__ import annotations

import dataclasses
from typing import cast

import numpy as np
import torch
from e3nn.nn import BatchNorm
from torch import nn

from benchmarks.outcome import Size
from glassml.data import Configuration
from glassml.graph import build_graph, first_edge
from glassml.models import SE3GNN, build

__all__ = ["DENSITY", "SCALAR", "Inputs", "graph_inputs", "liquid", "network", "tiled"]

DENSITY = 1.2  # [1 / sigma^3], Kob and Andersen's
SCALAR = "potential_energy"
TINY = {"n_layers": 3, "l_max": 2, "channels": 4}

# Arguments of a model:
# species, scalars, edge_vector, sender, first_edge
Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def liquid(cells: int, seed: int = 0) -> Configuration:
    """A disordered mixture, 80:20, of cells^3 particles on a jittered lattice.

    It has the density and about the number of neighbours of the Kob-Andersen liquid (37.6 and 40
    within the cutoff 2.0); cost does not depend on more than that. Stands in for a simulation where
    LAMMPS is not what is measured.
    """
    rng = np.random.default_rng(seed)
    n = cells**3
    length = (n / DENSITY) ** (1 / 3)
    sites = np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return Configuration(
        positions=(sites + rng.uniform(-0.25, 0.25, (n, 3))) * length / cells,
        cell=np.diag([length] * 3),
        species=(rng.random(n) < 0.2).astype(int),
        species_names=("A", "B"),
        scalars={SCALAR: rng.normal(size=n)},
        propensity=rng.random((n, 10)),
        times=np.geomspace(0.1, 1000, 10),
    )


def tiled(configuration: Configuration, times: int) -> Configuration:
    """The periodic configuration repeated ``times`` times along x: the same environments again."""
    n, length = configuration.n_particles, configuration.cell[0, 0]
    shift = np.repeat(np.arange(times), n)[:, None] * np.array([length, 0, 0])
    assert configuration.propensity is not None  # `liquid` has labels
    return dataclasses.replace(
        configuration,
        positions=np.tile(configuration.positions, (times, 1)) + shift,
        cell=configuration.cell * np.array([[times], [1], [1]]),
        species=np.tile(configuration.species, times),
        scalars={key: np.tile(value, times) for key, value in configuration.scalars.items()},
        propensity=np.tile(configuration.propensity, (times, 1)),
    )


def network(size: Size, seed: int = 0, radial_table: int | None = None) -> SE3GNN:
    """The published network: 8 layers, l_max 3, 8 channels, 3 inputs, 10 times, 52 644 parameters.

    A smaller one in size "tiny". Random weights with the batch statistics of a liquid, so that
    values stay of order one through all layers. Without dropout, so that two implementations can
    be compared. With ``radial_table``, the same weights on that many knots.
    """
    torch.manual_seed(seed)
    model = cast(
        SE3GNN,
        build(
            "se3gnn-v2",
            times=tuple(np.geomspace(0.1, 1000, 10).tolist()),
            scalar_inputs=(SCALAR,),
            dropout=0.0,
            radial_table=radial_table,
            **(TINY if size == "tiny" else {}),
        ),
    )
    _take_batch_statistics(model, graph_inputs(liquid(6, seed=seed + 1), model.cutoff))
    return model.eval()


def _take_batch_statistics(model: SE3GNN, inputs: Inputs) -> None:
    """Make the running statistics of all batch norms those of one batch."""
    norms = [m for m in model.modules() if isinstance(m, (BatchNorm, nn.BatchNorm1d))]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(*inputs)
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum


def graph_inputs(
    configuration: Configuration, cutoff: float, dtype: torch.dtype = torch.float32
) -> Inputs:
    """The arguments of a model for one configuration."""
    graph = build_graph(configuration, cutoff, (SCALAR,), dtype)
    sender, receiver = graph.edge_index
    rows = first_edge(receiver, configuration.n_particles)
    return graph.species, graph.scalars, graph.edge_vector, sender, rows

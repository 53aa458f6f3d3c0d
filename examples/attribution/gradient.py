"""Which particles make a particle mobile: the gradient of its predicted propensity.

    python gradient.py kob_andersen_T0.64_multitime kob_andersen_T0.64 --time 1.65

The derivative with respect to the position of every particle is written as the column `gradient`,
its length as `influence`: by how much the prediction changes if that particle is displaced, per
unit of length. By default the particle is the one with the highest prediction.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch

from glassml.data import Configuration, Dataset, atoms_from_configuration, view_of
from glassml.errors import GlassMLError, InputError
from glassml.export import load_module, read_manifest
from glassml.files import atomic_write
from glassml.graph import build_graph, first_edge
from glassml.inference import write_frame
from glassml.physics import column_of


def propensity_gradient(
    model: str, configuration: Configuration, time: float, particle: int | None = None
) -> tuple[int, np.ndarray]:
    """The derivative of one predicted propensity with respect to all positions.

    Scalars that the model reads, such as energies, are held fixed.

    Args:
        model: model file or name of a shipped model.
        configuration: N particles.
        time: of the prediction [time].
        particle: index of the particle; None: the one with the highest prediction.

    Returns:
        The particle, and the gradient [N, 3] [-].

    Raises:
        InputError: the model does not predict this time, or knows other species.
    """
    manifest, module = read_manifest(model), load_module(model, torch.device("cpu"))
    column = column_of(time, manifest.times)
    if column is None:
        raise InputError(f"--time: expected one of {manifest.times}; found {time:g}")
    if configuration.species_names != manifest.species:
        raise InputError(
            f"{configuration.name}: species: expected {manifest.species}; found "
            f"{configuration.species_names}"
        )
    scalars = [entry.name for entry in manifest.scalar_inputs]
    dtype = getattr(torch, manifest.dtype)
    graph = build_graph(view_of(configuration, manifest.positions), manifest.cutoff, scalars, dtype)
    sender, receiver = graph.edge_index
    edge_vector = graph.edge_vector.requires_grad_()
    rows = first_edge(receiver, configuration.n_particles)
    predicted = module(graph.species, graph.scalars, edge_vector, sender, rows)[:, column]
    chosen = int(predicted.argmax()) if particle is None else particle
    (by_edge,) = torch.autograd.grad(predicted[chosen], edge_vector)
    # The vector of an edge is the position of the sender minus that of the receiver.
    gradient = torch.zeros(configuration.n_particles, 3, dtype=dtype)
    gradient.index_add_(0, sender, by_edge).index_add_(0, receiver, by_edge, alpha=-1)
    return chosen, gradient.double().numpy()


def main() -> None:
    """Write the gradient for the model and the dataset on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="model file, or name of a shipped model")
    parser.add_argument("dataset", help="dataset, or name of a shipped one")
    parser.add_argument("--index", type=int, default=0, help="number of the configuration")
    parser.add_argument("--time", type=float, required=True, help="time of the prediction")
    parser.add_argument("--particle", type=int, help="index of the particle, from 0")
    parser.add_argument("-o", "--output", type=Path, default=Path("gradient.extxyz"))
    options = parser.parse_args()
    # The compiled kernels have no gradient with respect to positions, those in plain PyTorch have.
    # A process chooses once, before it loads the first model.
    os.environ["GLASSML_BACKEND"] = "reference"
    try:
        configuration = Dataset(options.dataset)[options.index]
        particle, gradient = propensity_gradient(
            options.model, configuration, options.time, options.particle
        )
        atoms = atoms_from_configuration(configuration)
        atoms.info["particle"] = particle
        atoms.arrays |= {"gradient": gradient, "influence": np.linalg.norm(gradient, axis=1)}
        with atomic_write(options.output) as partial, partial.open("w", encoding="utf-8") as file:
            write_frame(file, atoms)
    except GlassMLError as error:
        sys.exit(f"error: {error}")
    print(f"{options.output}: influence of all particles on number {particle}")


if __name__ == "__main__":
    main()

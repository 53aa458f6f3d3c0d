"""The analytic model against its closed form; engines are later checked against this model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from systems import liquid

from glassml.data import Configuration
from glassml.graph import build_graph, first_edge
from glassml.models import build


def _outputs(configuration: Configuration, **settings: object) -> dict[str, np.ndarray]:
    model = build("analytic", **settings).double()
    names = [s.name for s in model.scalar_inputs]
    graph = build_graph(configuration, model.cutoff, names, torch.float64)
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    state = model.encode(graph.species, graph.scalars, graph.edge_vector, sender, pointer)
    return {o.name: getattr(model, o.name)(state).numpy() for o in model.outputs}


@pytest.mark.parametrize("r", [0.3, 1.1, 1.9])
def test_two_particles(r: float) -> None:
    pair = Configuration(
        positions=np.array([[0.2, 0.0, 0.0], [0.2, 0.0, r]]),
        cell=np.eye(3) * 20,
        species=[0, 1],
        species_names=("A", "B"),
    )
    g = (1 - (r / 2) ** 2) ** 2
    values = _outputs(pair, times=(1.0, 10.0))
    density, second = np.array([2 * g, g]), np.array([g**2, 2 * g**2])
    expected = np.stack([density + second, density + 10 * second], axis=1)
    np.testing.assert_allclose(values["propensity"], expected, rtol=1e-13)
    np.testing.assert_allclose(values["equivariant"][:, 3], [2 * g * r, -g * r], rtol=1e-13)
    np.testing.assert_allclose(values["descriptors"][:, 2], [2 * g * r, g * r], rtol=1e-13)


def test_liquid_equals_a_direct_double_sum() -> None:
    energies = np.random.default_rng(0).normal(size=40)
    system = liquid(40, scalars={"potential_energy": energies})
    length = system.cell[0, 0]
    weights = 1 + system.species + energies
    images = np.array([(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)])
    difference = system.positions[None] - system.positions[:, None]
    r = np.linalg.norm(difference[:, :, None] + images * length, axis=3)
    g = np.where((r > 0) & (r < 1.5), (1 - (r / 1.5) ** 2) ** 2, 0).sum(axis=2)
    density = g @ weights
    expected = density + 2 * (g @ density)
    values = _outputs(system, cutoff=1.5, times=(2.0,), scalar_inputs=("potential_energy",))
    np.testing.assert_allclose(values["propensity"][:, 0], expected, rtol=1e-12)

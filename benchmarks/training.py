"""One training step: glassml against the same weights in plain e3nn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.outcome import Comparison, Figure, Outcome, Series, Size, ratios
from benchmarks.plain_e3nn import PlainE3NN
from benchmarks.reference import gradient_of, loss_of, reference_gradient
from benchmarks.systems import Inputs, graph_inputs, liquid, network
from benchmarks.timing import in_turn
from benchmarks.tolerances import (
    E3NN_FLOAT64,
    FLOAT32,
    TABLE_GRADIENT,
    TABLE_OUTPUT,
    TABLE_TRAINED,
)
from glassml.data import Configuration
from glassml.models import SE3GNN
from glassml.training.allocator import keep_freed_memory

__all__ = ["flat", "labelled", "measure", "step_of", "training_step"]

THREADS = {"tiny": 1, "full": 2}
CELLS = {"tiny": 5, "full": 16}
CELLS_E3NN = {"tiny": 4, "full": 8}  # plain e3nn holds 4 GB for every 1000 particles
ROUNDS = {"tiny": 2, "full": 4}
CALLS = {"tiny": 2, "full": 3}


def measure(size: Size, folder: Path) -> Outcome:
    """Forward, backward and optimiser step, in training mode; compared a particle."""
    torch.set_num_threads(THREADS[size])
    keep_freed_memory()  # as in `glassml train`; both networks benefit
    large, small = liquid(CELLS[size]), liquid(CELLS_E3NN[size], seed=1)
    n, n_small = large.n_particles, small.n_particles
    times = in_turn(
        ROUNDS[size],
        large=(
            f"glassml, training step N = {n}",
            CALLS[size],
            training_step(network(size, radial_table=TABLE_TRAINED), large),
        ),
        edges=(
            f"glassml, training step N = {n}, radial networks on every edge",
            1,
            training_step(network(size), large),
        ),
        small=(
            f"glassml, training step N = {n_small}",
            CALLS[size],
            training_step(network(size, radial_table=TABLE_TRAINED), small),
        ),
        e3nn=(
            f"plain e3nn, training step N = {n_small}",
            1,
            training_step(PlainE3NN(network(size)), small),
        ),
    )
    particles = "training step a particle, plain e3nn / glassml"
    return Outcome(
        title=f"training step, {THREADS[size]} thread(s), against plain e3nn",
        series=(
            *times.values(),
            ratios(f"training step, both at N = {n_small}", times["e3nn"], times["small"]),
            ratios(
                "radial networks on every edge, a particle, plain e3nn / glassml",
                times["e3nn"],
                times["edges"],
                scale=n / n_small,
            ),
        ),
        comparisons=_comparisons(size, small, folder),
        figures=(
            Figure(
                _scaled(particles, times, n / n_small),
                reach=60,
                go_for=100,
                better="higher",
            ),
        ),
        notes=(
            f"plain e3nn at N = {n_small}, where it holds {0.004 * n_small:.1f} GB or so, and "
            f"scaled to N = {n} by the number of particles",
            f"glassml runs its radial networks on {TABLE_TRAINED} knots (radial_table), plain e3nn "
            "on every edge",
            "without dropout, so that gradients can be compared; Adam; graphs are built beforehand",
        ),
    )


def _scaled(name: str, times: Mapping[str, Series], particles: float) -> Series:
    return ratios(name, times["e3nn"], times["large"], scale=particles)


def labelled(
    configuration: Configuration,
    cutoff: float,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> tuple[Inputs, Tensor]:
    """The arguments of a model for one configuration, and its labels [n, T]."""
    species, scalars, edge_vector, sender, rows = (
        tensor.to(device) for tensor in graph_inputs(configuration, cutoff, dtype)
    )
    labels = torch.tensor(configuration.propensity, dtype=dtype, device=device)
    return (species, scalars, edge_vector, sender, rows), labels


def training_step(model: SE3GNN | PlainE3NN, configuration: Configuration) -> Callable[[], float]:
    """A function that makes one training step, where the model is, and waits for its end."""
    device = next(model.parameters()).device
    return step_of(model, *labelled(configuration, model.cutoff, device=device))


def step_of(model: torch.nn.Module, inputs: Inputs, labels: Tensor) -> Callable[[], float]:
    """A function that makes one training step and waits for its end."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.99, 0.999), fused=True)
    model.train()

    def step() -> float:
        optimiser.zero_grad()
        loss = loss_of(model, inputs, labels)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def _comparisons(size: Size, small: Configuration, folder: Path) -> tuple[Comparison, ...]:
    """Gradients of every parameter: the e3nn network's, and those of the fast path."""
    model = network(size, seed=7).double()
    exact = labelled(liquid(4, seed=7), model.cutoff, torch.float64)
    fast, table = network(size), network(size, radial_table=TABLE_TRAINED)
    single = labelled(small, fast.cutoff)
    of_edges, of_table = (flat(gradient_of(net, *single)) for net in (fast, table))
    with torch.no_grad():
        outputs = [net.train()(*single[0]).numpy() for net in (fast, table)]
    return (
        Comparison(
            "gradient of plain e3nn against the float64 reference, N = 64",
            flat(_renamed(gradient_of(PlainE3NN(model), *exact))),
            reference_gradient(model, *exact, folder),
            E3NN_FLOAT64,
        ),
        Comparison(
            f"gradient of glassml against the float32 reference, N = {small.n_particles}",
            of_edges,
            reference_gradient(fast, *single, folder),
            FLOAT32,
        ),
        Comparison(
            f"gradient of glassml on knots against the float32 reference, N = {small.n_particles}",
            of_table,
            reference_gradient(table, *single, folder),
            FLOAT32,
        ),
        Comparison("outputs on knots and on every edge", outputs[1], outputs[0], TABLE_OUTPUT),
        Comparison("gradient on knots and on every edge", of_table, of_edges, TABLE_GRADIENT),
    )


def _renamed(gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gradients of a `PlainE3NN` in the order of a `SE3GNN`'s parameters."""
    n_layers = sum(name.endswith("linear.weight") for name in gradients)
    prefixes = [f"layers.{k}.{part}" for k in range(n_layers) for part in ("radial.", "linear.")]
    prefixes += [f"layers.{k}.norm." for k in range(n_layers)] + ["decoder."]
    return {
        name: value for p in prefixes for name, value in gradients.items() if name.startswith(p)
    }


def flat(gradients: Mapping[str, Tensor]) -> np.ndarray:
    """All gradients as one row."""
    return torch.cat([value.reshape(-1) for value in gradients.values()]).cpu().numpy()

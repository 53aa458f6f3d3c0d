"""Training with radial networks on the knots of a table, against networks on every edge."""

from __future__ import annotations

import copy

import pytest
import torch
from systems import liquid

from glassml.errors import ConfigError
from glassml.graph import build_graph, first_edge
from glassml.models import SE3GNN, build

SETTINGS = {"n_layers": 2, "channels": 4, "l_max": 2, "dropout": 0.0}


def _pair(n_knots: int, smooth: bool = False) -> tuple[SE3GNN, SE3GNN]:
    """The same parameters with the network on every edge, and on a table."""
    torch.manual_seed(0)
    exact = build("se3gnn-v2", **SETTINGS, smooth_cutoff=smooth).double()
    table = build("se3gnn-v2", **SETTINGS, smooth_cutoff=smooth, radial_table=n_knots).double()
    table.load_state_dict(exact.state_dict())
    return exact, table


def _inputs() -> tuple[torch.Tensor, ...]:
    graph = build_graph(liquid(100), 2.0, (), torch.float64)
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    return graph.species, graph.scalars, graph.edge_vector, sender, pointer


def _relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).detach().norm() / expected.detach().norm())


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(("n_knots", "bound"), [(513, 1e-2), (4097, 1e-3)])
def test_training_step_is_that_of_the_network_within_a_bound(
    n_knots: int, bound: float, smooth: bool
) -> None:
    """Outputs, gradients and running statistics; kinks make the error fall like 1 / knots."""
    exact, table = _pair(n_knots, smooth)
    results = []
    for model in (exact, table):
        output = model.train()(*_inputs())
        output.square().sum().backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
        results.append((output.detach(), gradient))
    assert _relative(results[1][0], results[0][0]) < bound
    assert _relative(results[1][1], results[0][1]) < 10 * bound  # derivatives jump at kinks
    statistics = {k: v for k, v in exact.state_dict().items() if "running" in k}
    assert len(statistics) == 8
    for name, expected in statistics.items():
        assert _relative(table.state_dict()[name], expected) < bound, name


@pytest.mark.parametrize("smooth", [False, True])
def test_evaluation_is_that_of_the_network_within_a_bound(smooth: bool) -> None:
    exact, table = _pair(513, smooth)
    for _ in range(5):
        exact.train()(*_inputs())
    table.load_state_dict(exact.state_dict())
    assert _relative(table.eval()(*_inputs()), exact.eval()(*_inputs())) < 1e-2


def test_gradient_through_the_table_is_that_of_finite_differences() -> None:
    _, table = _pair(9)
    inputs, layer = _inputs(), table.train().convolutions[1].radial.layers[0]
    # Near enough that no kink is crossed, far enough that rounding stays below 1e-5.
    step, direction = 1e-6, torch.ones_like(layer.weight)
    (gradient,) = torch.autograd.grad(table(*inputs).square().sum(), layer.weight)
    values = []
    with torch.no_grad():
        for sign in (1, -1, 0):
            layer.weight += sign * step * direction
            values.append(table(*inputs).square().sum())
            layer.weight -= sign * step * direction
    numeric = (values[0] - values[1]) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), numeric, rtol=1e-4, atol=1e-6)


def test_parameters_are_those_of_the_published_network() -> None:
    exact, table = _pair(17)
    assert list(table.state_dict()) == list(exact.state_dict())


def test_graph_without_edges_leaves_the_statistics_alone() -> None:
    _, table = _pair(17)
    species, scalars, vector, sender, pointer = _inputs()
    before = table.convolutions[0].radial.layers[2].running_var.clone()
    table.train()(species, scalars, vector[:0], sender[:0], torch.zeros_like(pointer))
    assert torch.equal(table.convolutions[0].radial.layers[2].running_var, before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"radial_table": 513, "dropout": 0.3},
            "dropout: expected 0 with .*; found 0.3",
        ),
        ({"radial_table": 1, "dropout": 0.0}, "radial_table: expected a whole number"),
        ({"radial_table": 2.5, "dropout": 0.0}, "radial_table: expected a whole number"),
    ],
)
def test_settings_that_do_not_go_together_are_named(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("se3gnn-v2", **settings)


def test_counts_are_of_the_present_edges_and_stay_out_of_copies() -> None:
    """They are kept for the layers of one step only: changed edges have counts of their own."""
    _, table = _pair(33)
    _, fresh = _pair(33)
    inputs = list(_inputs())
    inputs[2] = inputs[2].clone()
    table.train()(*inputs)
    with torch.no_grad():
        inputs[2] *= 0.9
    found = copy.deepcopy(table)(*inputs), table(*inputs)
    expected = fresh.train()(*inputs)
    assert torch.equal(found[0], expected)
    assert torch.equal(found[1], expected)
    with torch.inference_mode():
        assert torch.equal(table(*[tensor.clone() for tensor in inputs]), expected)

"""The networks of Bapst et al. and BOTAN: edges with a memory, and no rotational symmetry.

Float64 results are compared at 1e-12 of values of order one: the same sums in another order.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from domains import by_domains
from systems import liquid, moved, rotation
from torch import Tensor

from glassml.data import Configuration
from glassml.errors import ConfigError
from glassml.export import script_model
from glassml.graph import build_graph, collate, first_edge
from glassml.models import Committee, GlassModel, build
from glassml.nn import Perceptron

EXACT = {"rtol": 1e-12, "atol": 1e-12}
NAMES = ("bapst", "botan")


def trained(name: str, **settings: object) -> GlassModel:
    """A network with weights and scales of order one, so that every part of it counts."""
    torch.manual_seed(5)
    model = build(name, times=(0.5, 3.0), **settings).double()
    with torch.no_grad():
        for value in (*model.parameters(), model.label_mean):
            value.add_(0.1 * torch.randn_like(value))
        model.label_scale.add_(torch.rand_like(model.label_scale))
    return model.eval()


@pytest.fixture(scope="module", params=NAMES)
def model(request: pytest.FixtureRequest) -> GlassModel:
    network = trained(request.param, width=8, n_layers=3)
    network.edges_at_once = 7  # so that first codes are made in many blocks
    return network


def inputs(*configurations: Configuration) -> tuple[Tensor, ...]:
    graph = collate([build_graph(c, 2.0, (), torch.float64) for c in configurations])
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    return graph.species, graph.scalars, graph.edge_vector, sender, pointer


def outputs(model: GlassModel, *system: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        state, edges = model.encode_all(*system)
        values = {o.name: getattr(model, o.name)(state) for o in model.outputs}
        return values | {o.name: getattr(model, o.name)(edges) for o in model.edge_outputs}


@pytest.mark.parametrize(("name", "parameters"), [("bapst", 62_401), ("botan", 54_209)])
def test_published_number_of_parameters(name: str, parameters: int) -> None:
    """Bapst's checkpoint has 8320 more, of a decoder for edges that its graph never uses."""
    assert sum(p.numel() for p in build(name).parameters()) == parameters


def plain(model: GlassModel, *system: Tensor) -> tuple[Tensor, Tensor]:
    """As published: every edge gets one row of everything that its perceptron reads.

    Returns:
        The last codes of particles, and those of edges; edges to oneself come last.
    """
    species, _, vector, sender, first = system
    n = len(species)
    receiver = torch.repeat_interleave(torch.arange(n), first.diff())
    published = -vector
    if model.self_edges:
        own = torch.arange(n)
        sender, receiver = torch.cat([sender, own]), torch.cat([receiver, own])
        published = torch.cat([published, torch.zeros(n, 3, dtype=vector.dtype)])
    x = x0 = model.node_encoder(species.to(vector.dtype).unsqueeze(1))
    e = e0 = model.edge_encoder(published)
    for _ in range(model.n_steps):
        read = torch.cat([x, x0], 1) if model.name == "bapst" else x
        e = model.edge_network(torch.cat([e, e0, read[receiver], read[sender]], 1))
        total = torch.zeros_like(x).index_add(0, receiver, e)
        x = model.node_network(torch.cat([total, x, x0], 1))
    return x, e


def test_equals_the_published_form(model: GlassModel) -> None:
    system = inputs(liquid())
    with torch.no_grad():
        codes, edges = plain(model, *system)
        found, memory = model.encode_all(*system)
        torch.testing.assert_close(found[:, : model.width], codes, **EXACT)
        torch.testing.assert_close(memory[:, : model.width], edges[: len(system[3])], **EXACT)
        expected = model.decoder(codes) * model.label_scale[system[0]] + model.label_mean[system[0]]
        torch.testing.assert_close(model.propensity(found), expected, **EXACT)


def test_with_gradients_as_without(model: GlassModel) -> None:
    """Without gradients the edges are renewed in place."""
    system = inputs(liquid())
    torch.testing.assert_close(model(*system).detach(), outputs(model, *system)["propensity"])
    gradients = torch.autograd.grad(model(*system).square().sum(), list(model.parameters()))
    assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_both_ways_through_the_steps_have_the_same_gradients(model: GlassModel) -> None:
    """The engines of LAMMPS call `advance`; training calls `encode_all`."""
    system, gradients = inputs(liquid(40, seed=3)), []
    for encode_all in (model.encode_all, partial(GlassModel.encode_all, model)):
        state, edges = encode_all(*system)
        total = model.propensity(state).square().sum() + edges.square().sum()
        gradients.append(torch.autograd.grad(total, list(model.edge_network.parameters())))
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, **EXACT)


def test_without_any_edge(model: GlassModel) -> None:
    alone = Configuration(
        positions=np.zeros((1, 3)), cell=np.eye(3) * 9, species=[0], species_names=("A", "B")
    )
    system = inputs(alone)
    assert len(system[3]) == 0
    for name, values in outputs(model, *system).items():
        assert torch.isfinite(values).all(), name
        assert len(values) == (name not in [o.name for o in model.edge_outputs])


def test_scripted(model: GlassModel) -> None:
    system = inputs(liquid())
    scripted = script_model(model, torch.float64)
    with torch.no_grad():
        state, edges = scripted.encode_all(*system)
        found = {o.name: getattr(scripted, o.name)(state) for o in model.outputs}
        found |= {o.name: getattr(scripted, o.name)(edges) for o in model.edge_outputs}
    for name, value in outputs(model, *system).items():
        torch.testing.assert_close(found[name], value, **EXACT)


def test_batches(model: GlassModel) -> None:
    one, other = liquid(40, seed=1), liquid(50, seed=2)
    both = outputs(model, *inputs(one, other))["propensity"]
    alone = [outputs(model, *inputs(c))["propensity"] for c in (one, other)]
    torch.testing.assert_close(both, torch.cat(alone), **EXACT)


def test_symmetries_that_hold_and_one_that_does_not(model: GlassModel) -> None:
    here = outputs(model, *inputs(liquid()))["propensity"]
    shifted = moved(liquid(), positions=liquid().positions + np.array([0.3, -0.2, 5.0]))
    torch.testing.assert_close(outputs(model, *inputs(shifted))["propensity"], here, **EXACT)
    q = rotation(3)
    turned = moved(liquid(), positions=liquid().positions @ q.T, cell=liquid().cell @ q.T)
    turned = outputs(model, *inputs(turned))["propensity"]
    assert (turned - here).abs().max() > 1e-3
    assert not model.rotation_invariant


def test_domains_need_only_what_is_sent(model: GlassModel) -> None:
    system = inputs(liquid())
    with torch.no_grad():
        found = model.propensity(by_domains(model, *system))
    torch.testing.assert_close(found, outputs(model, *system)["propensity"], **EXACT)


def test_in_a_committee() -> None:
    """Members with and without a memory, of other cutoffs and numbers of steps."""
    members = [
        trained("botan", width=4, n_layers=2, cutoff=1.6),
        trained("se3gnn-v2", n_layers=3, channels=2, l_max=1),
        trained("bapst", width=4, n_layers=3),
    ]
    assert not Committee(members).rotation_invariant
    assert Committee(members[1:2]).rotation_invariant
    committee = script_model(Committee(members), torch.float64)
    with torch.no_grad():
        state = committee.encode(*inputs(liquid()))
        found = committee.propensity_members(state)
        expected = []
        for member in members:
            graph = build_graph(liquid(), member.cutoff, (), torch.float64)
            pointer = first_edge(graph.edge_index[1], graph.num_nodes)
            system = graph.species, graph.scalars, graph.edge_vector, graph.edge_index[0], pointer
            expected.append(member(*system))
    torch.testing.assert_close(found, torch.cat(expected, dim=1), **EXACT)


def test_three_species_have_a_column_each() -> None:
    model = build("botan", species=("A", "B", "C"))
    assert isinstance(model.node_encoder, Perceptron)
    assert model.node_encoder.linears[0].in_features == 3


def test_vectors_are_measured_in_the_cutoff() -> None:
    """With all lengths three times as long, predictions in units of the scale are the same."""
    one, three = trained("bapst", width=8, n_layers=2), trained("bapst", width=8, n_layers=2)
    big = build("bapst", times=(0.5, 3.0), width=8, n_layers=2, cutoff=6.0).double().eval()
    big.load_state_dict(three.state_dict())
    species, scalars, vector, sender, first = inputs(liquid())
    with torch.no_grad():
        torch.testing.assert_close(
            big(species, scalars, 3 * vector, sender, first),
            one(species, scalars, vector, sender, first),
            **EXACT,
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, r"width: expected a whole number from 1"),
        ({"n_layers": 1001}, r"n_layers: expected a whole number from 1 to 1000; found 1001"),
        ({"width": 16000}, r"width: expected a model of at most .* parameters; found"),
    ],
)
def test_sizes_out_of_range(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("bapst", **settings)

"""Geo-GNN against its published form, with loops over triplets; symmetries and domains.

Float64 results are compared at 1e-11 of values of order one: the published form adds each triplet,
ours adds harmonics of up to l = 15.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from domains import by_domains
from scipy.special import eval_legendre
from systems import liquid, moved, rotation
from torch import Tensor, nn

from glassml.data import Configuration
from glassml.errors import ConfigError
from glassml.export import script_model
from glassml.graph import build_graph, collate, first_edge
from glassml.models import Committee, GlassModel, build

EXACT = {"rtol": 0, "atol": 1e-11}


def trained(**settings: object) -> GlassModel:
    """A network with weights, statistics and scales of order one, so that every part counts."""
    torch.manual_seed(5)
    model = build("geo-gnn", times=(0.5, 3.0), **settings).double()
    with torch.no_grad():
        for value in (*model.parameters(), model.label_mean):
            value.add_(0.1 * torch.randn_like(value))
        for norm in (model.difference_norm, model.hidden_norm):
            norm.running_mean.add_(0.1 * torch.randn_like(norm.running_mean))
            norm.running_var.mul_(0.01 + torch.rand_like(norm.running_var))
        model.label_scale.add_(torch.rand_like(model.label_scale))
    return model.eval()


@pytest.fixture(scope="module")
def model() -> GlassModel:
    return trained()


@pytest.fixture(scope="module")
def small() -> GlassModel:
    return trained(width=6, n_layers=2, n_degrees=5, n_gaussians=8)


def cluster(n: int = 40) -> Configuration:
    """Particles without periodic images in reach, as the publication distinguishes them."""
    return moved(liquid(n), cell=20 * np.eye(3))


def inputs(*configurations: Configuration, scalars: tuple[str, ...] = ()) -> tuple[Tensor, ...]:
    graph = collate([build_graph(c, 2.0, scalars, torch.float64) for c in configurations])
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    return graph.species, graph.scalars, graph.edge_vector, sender, pointer


def outputs(model: GlassModel, *system: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        state = model.encode(*system)
        return {o.name: getattr(model, o.name)(state) for o in model.outputs}


def test_published_number_of_parameters() -> None:
    """Of species A and B, one time and no scalars; the exponent of the Gaussians is one of them."""
    assert sum(p.numel() for p in build("geo-gnn").parameters()) == 29_314


def published(model: GlassModel, *system: Tensor) -> Tensor:
    """The descriptors as in the publication: triplets one by one, concatenated inputs."""
    species, _, vector, sender, first = system
    n, n_degrees = len(species), model.angular.n_degrees
    receiver = torch.repeat_interleave(torch.arange(n), first.diff())
    silu, r = nn.functional.silu, vector.norm(dim=1)
    centres = torch.linspace(0, 5.0, model.distance.in_features, dtype=r.dtype)
    gaussians = torch.exp(model.exponent * (r.unsqueeze(1) - centres) ** 2)
    pairs = model.pairs[2 * species[sender] + species[receiver]]
    e = silu(model.first_edges(torch.cat([pairs, silu(model.distance(gaussians))], 1)))
    read = silu(model.first_nodes(e)) * torch.tanh(model.distance_gate(gaussians))
    x = silu(torch.zeros(n, model.width, dtype=r.dtype).index_add(0, receiver, read))
    for layer in model.triplets:
        t, total = silu(layer.down(e)), torch.zeros_like(layer.down(e))
        for ji in range(len(vector)):
            for kj in torch.nonzero(receiver == sender[ji]).flatten().tolist():
                if sender[kj] == receiver[ji]:
                    continue
                cross = torch.linalg.cross(vector[ji], vector[kj]).norm()
                cosine = torch.cos(torch.atan2(cross, vector[ji] @ vector[kj])).item()
                degrees = np.arange(n_degrees)
                y = np.sqrt((2 * degrees + 1) / (4 * math.pi)) * eval_legendre(degrees, cosine)
                total[ji] += t[kj] * layer.angle_last(layer.angle_first(torch.from_numpy(y)))
        e = e + silu(layer.joined(torch.cat([e, silu(layer.up(total))], 1)))
    both = model.node_edges(torch.cat([x[receiver], x[sender], e], 1))
    message = torch.tanh(both[:, : model.width]) * silu(both[:, model.width :])
    x = silu(torch.zeros_like(x).index_add(0, receiver, message) + model.node_self(x))
    z = torch.cat([x[receiver], x[sender] - x[receiver]], 1)
    z = model.difference_last(torch.relu(model.difference_norm(model.difference(z))))
    x = torch.stack([z[receiver == i].sum(0) / max(1, int(first.diff()[i])) for i in range(n)])
    return torch.relu(model.hidden_norm(model.hidden(silu(x))))


@pytest.mark.parametrize("training", [False, True])
def test_equals_the_published_form(training: bool) -> None:
    """In training the statistics are those of the batch."""
    model = trained().train(training)
    system = inputs(cluster(24))
    with torch.no_grad():
        expected = published(model, *system)
        state = model.encode(*system)
    torch.testing.assert_close(model.descriptors(state), expected, **EXACT)
    assert expected.std(dim=0).median() > 0.01
    species = system[0]
    propensity = model.decoder(expected) * model.label_scale[species] + model.label_mean[species]
    torch.testing.assert_close(model.propensity(state), propensity, **EXACT)


def test_gradients(small: GlassModel) -> None:
    """In training mode harmonics are computed again; in evaluation mode autograd does it all."""
    system = inputs(liquid())
    result = small(*system)
    torch.testing.assert_close(result.detach(), outputs(small, *system)["propensity"], **EXACT)
    expected = torch.autograd.grad(result.square().sum(), list(small.parameters()))
    assert all(gradient.abs().max() > 0 for gradient in expected)
    small.angular.train()  # and the norms remain as they are
    found = torch.autograd.grad(small(*system).square().sum(), list(small.parameters()))
    small.eval()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_the_gradient_of_positions(small: GlassModel) -> None:
    species, scalars, vector, sender, first = inputs(liquid())
    step = 1e-6 * torch.randn(vector.shape, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        ends = [small(species, scalars, vector + s * step, sender, first).sum() for s in (1, -1)]
    vector.requires_grad_()
    (gradient,) = torch.autograd.grad(small(species, scalars, vector, sender, first).sum(), vector)
    expected = ((ends[0] - ends[1]) / 2).item()
    # Central differences of steps of 1e-6: rounding of 1e-14 of results of some hundred.
    assert (gradient * step).sum().item() == pytest.approx(expected, rel=1e-4)


def test_scripted(model: GlassModel) -> None:
    """Batch norms are merged into the layers before them."""
    system = inputs(liquid())
    scripted = script_model(model, torch.float64)
    with torch.no_grad():
        state = scripted.encode(*system)
        found = {o.name: getattr(scripted, o.name)(state) for o in model.outputs}
    for name, value in outputs(model, *system).items():
        torch.testing.assert_close(found[name], value, **EXACT)


def test_batches(model: GlassModel) -> None:
    one, other = liquid(40, seed=1), liquid(50, seed=2)
    both = outputs(model, *inputs(one, other))["propensity"]
    alone = [outputs(model, *inputs(c))["propensity"] for c in (one, other)]
    torch.testing.assert_close(both, torch.cat(alone), **EXACT)


@pytest.mark.parametrize("reflected", [False, True])
def test_rotations_reflections_and_permutations(model: GlassModel, reflected: bool) -> None:
    system = liquid(80)
    here = outputs(model, *inputs(system))
    turn = rotation(3) @ np.diag([1, 1, -1 if reflected else 1])
    order = np.random.default_rng(3).permutation(80)
    turned = moved(
        system,
        positions=(system.positions @ turn.T + [0.3, -0.2, 5.0])[order],
        cell=system.cell @ turn.T,
        species=system.species[order],
    )
    for name, values in outputs(model, *inputs(turned)).items():
        torch.testing.assert_close(values, here[name][torch.from_numpy(order)], **EXACT)
        assert here[name].std() > 0.01
    assert model.rotation_invariant


def test_domains_need_only_what_is_sent(model: GlassModel) -> None:
    system = inputs(liquid())
    with torch.no_grad():
        found = model.propensity(by_domains(model, *system))
    torch.testing.assert_close(found, outputs(model, *system)["propensity"], **EXACT)


def test_images_are_particles_of_their_own(small: GlassModel) -> None:
    """In a box smaller than two cutoffs; the published code takes out all images of i."""
    one = liquid(12)
    eight = [one.positions + np.array(shift) @ one.cell for shift in np.ndindex(2, 2, 2)]
    large = moved(
        one, positions=np.concatenate(eight), cell=2 * one.cell, species=np.tile(one.species, 8)
    )
    assert one.cell[0, 0] < 4.0 < large.cell[0, 0]
    expected = outputs(small, *inputs(one))["propensity"]
    found = outputs(small, *inputs(large))["propensity"]
    torch.testing.assert_close(found, expected.repeat(8, 1), **EXACT)


def test_without_particles_and_without_neighbours(model: GlassModel) -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    vectors = torch.zeros(0, 3, dtype=torch.float64)
    for n in (0, 2):
        system = (
            torch.arange(n), torch.zeros(n, 0).double(), vectors, nothing, torch.zeros(n + 1).long()
        )  # fmt: skip
        found = outputs(model, *system)
        assert found["propensity"].shape == (n, 2)
        torch.testing.assert_close(found["descriptors"], published_alone(model, n), **EXACT)
    pair = Configuration(
        positions=np.array([[0.0, 0, 0], [1, 1, 0], [9, 9, 9]]),
        cell=20 * np.eye(3),
        species=[0, 1, 0],
        species_names=("A", "B"),
    )
    system = inputs(pair)
    expected = published(model, *system)
    torch.testing.assert_close(outputs(model, *system)["descriptors"], expected, **EXACT)


def published_alone(model: GlassModel, n: int) -> Tensor:
    """A mean over no neighbours is 0, whatever the particle."""
    zero = torch.zeros(n, model.width, dtype=torch.float64)
    with torch.no_grad():
        return torch.relu(model.hidden_norm(model.hidden(zero)))


def test_particles_at_one_place_have_predictions(model: GlassModel) -> None:
    system = list(inputs(liquid()))
    system[2] = system[2].clone()
    system[2][5] = 0
    assert outputs(model, *system)["propensity"].isfinite().all()


def test_scalars_reach_particles_and_their_neighbours() -> None:
    """In the layer that reads edges, and once more in that of differences."""
    model = trained(width=6, n_degrees=3, scalar_inputs=("energy",))
    energy = np.random.default_rng(1).normal(size=60)
    results = []
    for change in (0.0, 1.0):
        energy[7] += change
        system = inputs(moved(cluster(60), scalars={"energy": energy}), scalars=("energy",))
        results.append(outputs(model, *system)["propensity"])
    differs = (results[1] - results[0]).abs().max(dim=1).values > 1e-9
    sender, first = system[3], system[4]

    def with_neighbours(some: set[int]) -> set[int]:
        return some.union(*(sender[first[i] : first[i + 1]].tolist() for i in some))

    near = with_neighbours({7})
    changed = set(torch.nonzero(differs).flatten().tolist())
    assert near <= changed <= with_neighbours(near)
    assert len(with_neighbours(near)) < 60


def test_three_species_and_one() -> None:
    for species, pairs in ((("A", "B", "C"), 9), (("A",), 1)):
        model = build("geo-gnn", species=species)
        assert model.pairs.shape == (pairs, 32)
    model = trained(species=("A", "B", "C"), width=4, n_degrees=3)
    system = inputs(liquid(seed=2))
    kinds = system[0].clone()
    kinds[::3] = 2
    here = outputs(model, kinds, *system[1:])["propensity"]
    assert (here - outputs(model, *system)["propensity"]).abs().max() > 1e-3


def test_lengths_are_measured_in_those_of_the_material() -> None:
    """With all lengths three times as long, predictions in units of the scale are the same."""
    one = trained(width=6, n_degrees=4)
    big = trained(width=6, n_degrees=4, cutoff=6.0, gaussian_range=15.0)
    species, scalars, vector, sender, first = inputs(liquid())
    found = outputs(big, species, scalars, 3 * vector, sender, first)["propensity"]
    expected = outputs(one, species, scalars, vector, sender, first)["propensity"]
    torch.testing.assert_close(found, expected, **EXACT)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 1}, r"width: expected a whole number from 2 to 4096; found 1"),
        ({"n_layers": 0}, r"n_layers: expected a whole number from 1 to 998; found 0"),
        ({"n_degrees": 1}, r"n_degrees: expected a whole number from 2 to 64; found 1"),
        ({"n_degrees": 65}, r"n_degrees: expected a whole number from 2 to 64; found 65"),
        ({"n_gaussians": 1}, r"n_gaussians: expected a whole number from 2 to 4096; found 1"),
        ({"gaussian_range": 0.0}, r"gaussian_range: expected a positive length of at most"),
        ({"width": 512}, r"width: expected a model of at most 65536 columns .* Choose smaller"),
        ({"width": 4096, "n_degrees": 2, "n_layers": 900}, r"at most 134217728 parameters; found"),
    ],
)
def test_sizes_out_of_range(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("geo-gnn", **settings)


def test_in_a_committee() -> None:
    """Beside a network of another cutoff and number of steps."""
    members = [
        trained(width=4, n_degrees=3, n_layers=2),
        build("botan", times=(0.5, 3.0), width=4, n_layers=2, cutoff=1.6).double().eval(),
    ]
    committee = script_model(Committee(members), torch.float64)
    with torch.no_grad():
        found = committee.propensity_members(committee.encode(*inputs(liquid())))
        expected = []
        for member in members:
            graph = build_graph(liquid(), member.cutoff, (), torch.float64)
            pointer = first_edge(graph.edge_index[1], graph.num_nodes)
            system = graph.species, graph.scalars, graph.edge_vector, graph.edge_index[0], pointer
            expected.append(member(*system))
    torch.testing.assert_close(found, torch.cat(expected, dim=1), **EXACT)

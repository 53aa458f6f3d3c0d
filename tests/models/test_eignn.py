"""EIGNN against its published form, and sums over the whole system.

Float64 results are compared at 1e-11 of values of order one: the same sums in another order, and
sines of multiples by recursion, through seven layers.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from domains import by_domains
from e3nn import o3
from systems import liquid, moved, rotation
from torch import Tensor, nn

from glassml.data import Configuration, view_of
from glassml.errors import ConfigError, InputError
from glassml.export import script_model
from glassml.graph import build_graph, collate, first_edge
from glassml.models import Committee, Eignn, GlassModel, build, shift_inputs
from glassml.physics.neighbours import find_neighbours

EXACT = {"rtol": 1e-11, "atol": 1e-11}
SHIFTS = ("inherent_shift_x", "inherent_shift_y", "inherent_shift_z")
SCALARS = (*SHIFTS, "inherent_energy")


def two_structures(n: int = 60, seed: int = 0) -> Configuration:
    """A liquid and an "inherent structure": its particles moved by about a tenth."""
    rng = np.random.default_rng(seed)
    start = liquid(n, seed=seed)
    inherent = start.positions + 0.1 * rng.normal(size=(n, 3))
    energy = rng.normal(-7.0, 1.0, n)
    return moved(start, structures={"inherent": inherent}, scalars={"inherent_energy": energy})


def trained(**settings: object) -> Eignn:
    """A network with weights, statistics and scales of order one, so that every part counts."""
    torch.manual_seed(5)
    model = build("eignn", times=(0.5, 3.0), **{"width": 8, "n_layers": 3} | settings).double()
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):
            if value.is_floating_point() and value.requires_grad:
                value.add_(0.1 * torch.randn_like(value))
        model.label_mean.normal_()
        for name, value in model.named_buffers():
            if name.endswith(("label_scale", "running_var", "norm_square", "scalar_scale")):
                value[-1 if name == "scalar_scale" else ...].add_(torch.rand(()).double())
        model.norm_mean.normal_(std=0.1)
    assert isinstance(model, Eignn)
    return model.eval()


@pytest.fixture(scope="module", params=["system", "training"])
def model(request: pytest.FixtureRequest) -> Eignn:
    return trained(statistics=request.param)


def inputs(*configurations: Configuration) -> tuple[Tensor, ...]:
    views = [view_of(c) for c in configurations]
    graph = collate([build_graph(v, 3.1, SCALARS, torch.float64) for v in views])
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    return graph.species, graph.scalars, graph.edge_vector, sender, pointer


def propensity(model: GlassModel, *configurations: Configuration) -> Tensor:
    with torch.no_grad():
        return model(*inputs(*configurations))


def test_published_number_of_parameters() -> None:
    model = build("eignn", times=tuple(float(t) for t in range(1, 11)))
    assert sum(p.numel() for p in model.parameters()) == 46_746


class Published:
    """The published form, written plainly: union graph, e3nn's products and norms."""

    def __init__(self, model: Eignn, configuration: Configuration) -> None:
        self.model = model
        x = configuration.positions
        q = configuration.structures["inherent"]
        pairs: dict[tuple[int, int], np.ndarray] = {}
        for positions in (x, q):
            j, i, vector = find_neighbours(positions, configuration.cell, (True,) * 3, 2.0)
            # The box is larger than twice the distances, so a pair has one vector in each.
            for a, b, v in zip(i, j, vector, strict=True):
                shift = (q - x)[b] - (q - x)[a]
                pairs[int(a), int(b)] = v if positions is x else v - shift
        self.receiver = torch.tensor([i for i, _ in pairs])
        self.sender = torch.tensor([j for _, j in pairs])
        self.d = torch.from_numpy(q - x)
        # Theirs are x_i - x_j.
        self.v = -torch.from_numpy(np.array(list(pairs.values())))
        self.w = self.v + self.d[self.receiver] - self.d[self.sender]
        self.species = torch.from_numpy(configuration.species)
        self.energy = torch.from_numpy(configuration.scalars["inherent_energy"])
        torch.set_default_dtype(torch.float64)  # in which e3nn makes its constants
        self.product = o3.FullTensorProduct("0e+1e+2e", "0e+1e+2e")
        torch.set_default_dtype(torch.float32)

    def mean(self, values: Tensor) -> Tensor:
        total = torch.zeros(len(self.d), values.shape[1], dtype=values.dtype)
        number = torch.bincount(self.receiver, minlength=len(self.d)).clamp(min=1)
        return total.index_add(0, self.receiver, values) / number.unsqueeze(1)

    def bessel(self, r: Tensor) -> Tensor:
        n, c = torch.arange(1.0, 9.0, dtype=r.dtype), 2.5
        values = math.sqrt(2 / c) * torch.sin(n * math.pi * r.unsqueeze(1) / c) / r.unsqueeze(1)
        return torch.where((r < c).unsqueeze(1), values, 0.0)

    def harmonics(self, vectors: Tensor) -> Tensor:
        return o3.spherical_harmonics([0, 1, 2], vectors, normalize=True, normalization="component")

    def propensity(self) -> Tensor:
        m = self.model
        i, j = self.receiver, self.sender
        r, s = self.v.norm(dim=1), self.w.norm(dim=1)
        radial = torch.cat([(s - r).unsqueeze(1), self.bessel(s), self.bessel(r)], dim=1)
        s_ij = self.harmonics(self.v)
        kind = torch.eye(2, dtype=torch.float64)[self.species]
        energy = (self.energy - m.scalar_mean[3]) / m.scalar_scale[3]
        known = [kind, energy.unsqueeze(1), self.d.norm(dim=1, keepdim=True)]
        h = h0 = m.encoder(torch.cat(known, dim=1))
        u = self.harmonics(self.d)
        for number, layer in enumerate(m.layers):
            h, u = self.layer(number, layer, h, u, radial, s_ij)
        y = nn.functional.silu(m.merge(torch.cat([h0, h], dim=1)))
        y = self.mean(m.last_message(torch.cat([y[i], y[j] - y[i]], dim=1)))
        answer = m.decoder(torch.relu(m.mix_norm(m.mix(y)))).reshape(len(y), 2, -1)
        own = answer[torch.arange(len(y)), self.species]
        return own * m.label_scale[self.species] + m.label_mean[self.species]

    def layer(
        self, number: int, layer: nn.Module, h: Tensor, u: Tensor, radial: Tensor, s_ij: Tensor
    ) -> tuple[Tensor, Tensor]:
        i, j, silu = self.receiver, self.sender, nn.functional.silu
        gates = silu(layer.gate_of_order(silu(layer.gate(torch.cat([h[i], h[j], radial], dim=1)))))
        a = gates[:, [0, 1, 1, 1, 2, 2, 2, 2, 2]] * s_ij
        t = self.product(u, self.mean(a))
        mix = o3.Linear(self.product.irreps_out, "0e+1e+2e").double()
        mix.weight.data.copy_(layer.path_weight)
        h, u = layer.renewal(torch.cat([h, t[:, :3]], dim=1)), mix(t)
        blocks = [slice(0, 1), slice(1, 4), slice(4, 9)]
        b = [(a[:, k] * u[j][:, k]).sum(1) / math.sqrt(k.stop - k.start) for k in blocks]
        c = [(u[i] - u[j])[:, k].square().sum(1) for k in blocks]
        filtered = torch.sigmoid(
            layer.filter(torch.cat([radial, torch.stack([*b, *c], dim=1)], dim=1))
        )
        h = h + self.mean(filtered * silu(layer.message(h[j])))
        mean, square = h.mean(dim=0), h.square().mean(dim=0)
        if not self.model.of_system:
            mean, square = self.model.norm_mean[number], self.model.norm_square[number]
        out = h - layer.mean_scale * mean
        variance = square - 2 * layer.mean_scale * mean**2 + (layer.mean_scale * mean) ** 2
        h = layer.norm_weight * out / torch.sqrt(variance + 1e-5) + layer.norm_bias
        return h, layer.vector_norm(u)


def test_equals_the_published_form(model: Eignn) -> None:
    configuration = two_structures(150)
    with torch.no_grad():
        expected = Published(model, configuration).propensity()
    torch.testing.assert_close(propensity(model, configuration), expected, **EXACT)


def test_a_pair_that_is_near_in_the_other_structure_alone_counts(model: Eignn) -> None:
    """Two particles at a thermal distance of 2.6 are joined if they are 1.2 apart in the other."""
    near = Configuration(
        positions=[[1.0, 1.0, 1.0], [3.6, 1.0, 1.0]],
        cell=np.eye(3) * 12,
        species=[0, 1],
        species_names=("A", "B"),
        structures={"inherent": [[1.7, 1.0, 1.0], [2.9, 1.0, 1.0]]},
        scalars={"inherent_energy": [-7.0, -6.0]},
    )
    far = moved(near, structures={"inherent": [[1.2, 1.0, 1.0], [3.4, 1.0, 1.0]]})
    with torch.no_grad():
        for configuration, n_edges in ((near, 2), (far, 0)):
            edges = model.encode_all(*inputs(configuration))[1]
            assert int((edges[:, 3] >= 0).sum()) == n_edges
            assert propensity(model, configuration).isfinite().all()
        expected = Published(model, near).propensity()
    torch.testing.assert_close(propensity(model, near), expected, **EXACT)


def test_rotation_and_mirror(model: Eignn) -> None:
    here = two_structures()

    def turned(q: np.ndarray) -> Configuration:
        structures = {"inherent": here.structures["inherent"] @ q.T}
        return moved(
            here, positions=here.positions @ q.T, cell=here.cell @ q.T, structures=structures
        )

    expected = propensity(model, here)
    torch.testing.assert_close(propensity(model, turned(rotation(3))), expected, **EXACT)
    assert model.rotation_invariant
    mirrored = propensity(model, turned(-rotation(3)))
    assert (mirrored - expected).abs().max() > 1e-6


def test_systems_in_a_batch(model: Eignn) -> None:
    """With statistics of the system each has its own, so engines evaluate them one by one."""
    one, other = two_structures(40, seed=1), two_structures(50, seed=2)
    both = propensity(model, one, other)
    alone = torch.cat([propensity(model, one), propensity(model, other)])
    assert model.sums_over_system == model.of_system
    assert torch.allclose(both, alone, **EXACT) != model.of_system


def test_scripted(model: Eignn) -> None:
    scripted = script_model(model, torch.float64)
    with torch.no_grad():
        found = scripted(*inputs(two_structures()))
    torch.testing.assert_close(found, propensity(model, two_structures()), **EXACT)


def test_domains_need_only_what_is_sent_and_the_sums(model: Eignn) -> None:
    here = two_structures()
    with torch.no_grad():
        found = model.propensity(by_domains(model, *inputs(here)))
    torch.testing.assert_close(found, propensity(model, here), **EXACT)


def test_in_a_committee() -> None:
    """Members with and without sums, that begin at other steps."""
    members = [
        trained(n_layers=1),
        trained(n_layers=2),
        build("botan", times=(0.5, 3.0), width=4, n_layers=4).double().eval(),
    ]
    committee = Committee(members)
    assert sum(width > 0 for width in committee.summed_widths) == 2
    assert max(committee.summed_widths) == 2 * 17
    scripted = script_model(committee, torch.float64)
    here = two_structures()
    with torch.no_grad():
        found = scripted.propensity_members(scripted.encode(*inputs(here)))
    botan = view_of(here)
    graph = build_graph(botan, 2.0, (), torch.float64)
    pointer = first_edge(graph.edge_index[1], graph.num_nodes)
    with torch.no_grad():
        last = members[2](
            graph.species, graph.scalars, graph.edge_vector, graph.edge_index[0], pointer
        )
    expected = torch.cat([*(propensity(m, here) for m in members[:2]), last], dim=1)
    torch.testing.assert_close(found, expected, **EXACT)
    with torch.no_grad():
        divided = committee.propensity_members(by_domains(committee, *inputs(here)))
    torch.testing.assert_close(divided, expected, **EXACT)


def test_statistics_of_a_training() -> None:
    """With one configuration that is seen often, those of the training become its own."""
    here = two_structures(150)
    gathering = trained(statistics="training")
    own = trained(statistics="system")
    gathering.train()
    with torch.no_grad():
        for _ in range(400):
            gathering(*inputs(here))
    gathering.eval()
    own.load_state_dict(gathering.state_dict())
    found, expected = propensity(gathering, here), propensity(own, here)
    # The running means have converged to 0.9^400 = 5e-19.
    torch.testing.assert_close(found, expected, **EXACT)


def test_lengths_in_another_unit() -> None:
    """With all lengths three times as long, predictions in units of the scale are the same."""
    small = trained()
    big = build(
        "eignn", times=(0.5, 3.0), width=8, n_layers=3, cutoff=9.3, graph_cutoff=6.0,
        bessel_cutoff=7.5,
    ).double().eval()  # fmt: skip
    big.load_state_dict(small.state_dict())
    species, scalars, vector, sender, first = inputs(two_structures())
    larger = torch.cat([3 * scalars[:, :3], scalars[:, 3:]], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(
            big(species, larger, 3 * vector, sender, first),
            small(species, scalars, vector, sender, first),
            **EXACT,
        )


def test_a_particle_alone(model: Eignn) -> None:
    alone = Configuration(
        positions=[[1.0, 1.0, 1.0]],
        cell=np.eye(3) * 10,
        species=[0],
        species_names=("A", "B"),
        structures={"inherent": [[1.0, 1.0, 1.0]]},
        scalars={"inherent_energy": [0.0]},
    )
    assert propensity(model, alone).isfinite().all()


def test_gradients_reach_every_parameter_that_counts() -> None:
    """The vectors of the last layer are used no more, as published, so neither is their norm."""
    model = trained().train()
    loss = model(*inputs(two_structures())).square().sum()
    names = [name for name, _ in model.named_parameters()]
    gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    unused = {n for n, g in zip(names, gradients, strict=True) if g is None or not g.any()}
    assert unused == {"layers.2.vector_norm.weight", "layers.2.vector_norm.bias"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scalar_inputs": ()}, r"scalar_inputs: expected inherent_shift_x, .* found none"),
        ({"scalar_inputs": SHIFTS}, r"or the same with cage_shift \(data.scalars in a"),
        ({"statistics": "batch"}, r"statistics: .*system.*found 'batch'"),
        ({"graph_cutoff": 3.5}, r"graph_cutoff: expected a positive length of at most the cutoff"),
        ({"bessel_cutoff": -1.0}, r"bessel_cutoff: expected a positive length"),
        ({"width": 0}, r"width: expected a whole number from 1"),
        ({"n_layers": 500}, r"n_layers: expected a whole number from 1 to 499; found 500"),
    ],
)
def test_settings_out_of_range(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("eignn", **settings)


def test_a_structure_that_is_missing_is_named() -> None:
    with pytest.raises(
        InputError, match="It comes with the structure 'inherent': `glassml quench`"
    ):
        build_graph(view_of(liquid()), 3.1, SCALARS)


def test_shifts_come_from_the_structures() -> None:
    here = two_structures()
    seen = view_of(here)
    shift = np.stack([seen.scalars[name] for name in SHIFTS], axis=1)
    np.testing.assert_array_equal(shift, here.structures["inherent"] - here.positions)
    np.testing.assert_allclose(
        seen.scalars["inherent_displacement"], np.linalg.norm(shift, axis=1), rtol=1e-15
    )
    cage = replace(here, structures={"cage": here.positions + 0.05})
    names = shift_inputs("cage")[:3]
    np.testing.assert_allclose([view_of(cage).scalars[name] for name in names], 0.05, rtol=1e-12)
    assert build("eignn", scalar_inputs=shift_inputs("cage")).scalar_inputs[0].name == names[0]
    given = replace(here, scalars={**here.scalars, SHIFTS[0]: np.zeros(60)})
    np.testing.assert_array_equal(view_of(given).scalars[SHIFTS[0]], 0.0)

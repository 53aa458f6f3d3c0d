"""GlassMLP: its columns against a plain loop and closed forms, its networks, its contract.

The weights exp(-r / L) are interpolated, 2e-6 of their value too large at most: the tolerance of
comparisons with exponentials. Comparisons of the model with itself are at 1e-12 of values of order
one: the same sums in another order.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from systems import liquid, moved, rotation
from torch import Tensor

from glassml.data import Configuration
from glassml.errors import ConfigError
from glassml.export import script_model
from glassml.graph import build_graph, collate, first_edge
from glassml.models import Committee, GlassModel, build, material_lengths
from glassml.physics import find_neighbours

EXACT = {"rtol": 1e-12, "atol": 1e-12}
WEIGHTS = {"rtol": 1e-5, "atol": 1e-5}
SCALARS = ("inherent_energy", "inherent_voronoi_surface")


def with_scalars(configuration: Configuration, seed: int = 3) -> Configuration:
    draw = np.random.default_rng(seed)
    n = configuration.n_particles
    energy, surface = -8 + draw.normal(size=n) + configuration.species, 5 + draw.normal(size=n) / 4
    return moved(configuration, scalars=dict(zip(SCALARS, (energy, surface), strict=True)))


def plane(n: int = 40) -> Configuration:
    """Particles in a plane, which is not periodic across it."""
    draw = np.random.default_rng(8)
    positions = np.c_[draw.uniform(0, 6, (n, 2)), np.zeros(n)]
    return with_scalars(
        Configuration(
            positions=positions, cell=np.diag([6.0, 6.0, 1.0]), species=np.arange(n) % 2,
            species_names=("A", "B"), pbc=(True, True, False),
        )
    )  # fmt: skip


LIQUID = with_scalars(liquid(60, seed=2))


def trained(**settings: object) -> GlassModel:
    """A model whose scales are those of some training; every column and network counts."""
    torch.manual_seed(5)
    given = {"times": (0.5, 3.0), "cutoff": 2.3, "averaging_lengths": (0.0, 0.5, 2.0), **settings}
    model = build("glassmlp", **given).double()
    with torch.no_grad():
        for value in (*model.parameters(), model.label_mean, model.column_mean):
            value.add_(0.1 * torch.randn_like(value))
        model.label_scale.add_(torch.rand_like(model.label_scale))
        model.column_factor.add_(torch.rand_like(model.column_factor))
    model.set_scalar_scale(torch.tensor([-7.5, 5.0])[: model.n_scalars], torch.tensor([1.2, 0.3]))
    return model.eval()


@pytest.fixture(scope="module")
def model() -> GlassModel:
    return trained()


def inputs(model: GlassModel, *configurations: Configuration) -> tuple[Tensor, ...]:
    names = [scalar.name for scalar in model.scalar_inputs]
    graph = collate([build_graph(c, model.cutoff, names, torch.float64) for c in configurations])
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    return graph.species, graph.scalars, graph.edge_vector, sender, pointer


def outputs(model: GlassModel, *configurations: Configuration) -> dict[str, np.ndarray]:
    with torch.no_grad():
        state = model.encode(*inputs(model, *configurations))
        found = {o.name: getattr(model, o.name)(state).numpy() for o in model.outputs}
        return found | {"columns": model.columns(state).numpy()}


def plain(model: GlassModel, system: Configuration, lengths: tuple[float, ...]) -> dict:
    """The published columns, particle by particle: name -> [n]."""
    pairs = find_neighbours(system.positions, system.cell, system.pbc, model.cutoff)
    values = [system.scalars[name] for name in SCALARS]
    values = [
        (v - float(mean)) / float(scale)
        for v, mean, scale in zip(values, model.scalar_mean, model.scalar_scale, strict=True)
    ]
    found: dict[str, list[float]] = {}
    for i in range(system.n_particles):
        mine = pairs.receiver == i
        others = np.append(pairs.sender[mine], i)
        distances = np.append(np.linalg.norm(pairs.vector[mine], axis=1), 0.0)
        for length in lengths:
            for kind in ("A", "B", "all"):
                total, sums, square = 0.0, [0.0, 0.0], 0.0
                of_class = [
                    (j, r)
                    for j, r in zip(others, distances, strict=True)
                    if kind in ("all", system.species_names[system.species[j]])
                ]
                for j, r in of_class:
                    weight = math.exp(-r / length)
                    total += weight
                    sums = [s + weight * v[j] for s, v in zip(sums, values, strict=True)]
                means = [s / total if of_class else 0.0 for s in sums]
                for j, r in of_class:
                    square += math.exp(-r / length) * (values[0][j] - means[0]) ** 2
                row = [total, *means, square / total if of_class else 0.0]
                names = ("density", *SCALARS, "inherent_energy_variance")
                for name, value in zip(names, row, strict=True):
                    found.setdefault(f"{name}_{kind}_L={length:g}", []).append(value)
    own = {f"{name}_L=0": v for name, v in zip(SCALARS, values, strict=True)}
    return own | {name: np.array(column) for name, column in found.items()}


def named(model: GlassModel, values: np.ndarray) -> dict[str, np.ndarray]:
    columns = next(o.columns for o in model.outputs if o.name == "descriptors")
    return dict(zip(columns, values.T, strict=True))


@pytest.mark.parametrize(
    "system", [LIQUID, with_scalars(liquid(50, seed=4, triclinic=True)), plane()],
    ids=["liquid", "triclinic", "plane"],
)  # fmt: skip
def test_columns_as_published(model: GlassModel, system: Configuration) -> None:
    found = named(model, outputs(model, system)["columns"])
    expected = plain(model, system, (0.5, 2.0))
    assert list(found) == list(expected)
    for name, column in expected.items():
        np.testing.assert_allclose(found[name], column, **WEIGHTS, err_msg=name)
        assert np.std(column) > 1e-3


def test_networks_as_published(model: GlassModel) -> None:
    """One network after the other, with torch's own layers."""
    found = outputs(model, LIQUID)
    kinds = LIQUID.species
    x = (found["columns"] - model.column_mean.numpy()[kinds]) * model.column_factor.numpy()[kinds]
    np.testing.assert_allclose(found["descriptors"], x, **EXACT)
    for i, s in enumerate(kinds):
        for t in range(2):
            value = torch.from_numpy(x[i])
            for k in range(4):
                weight, bias = (
                    getattr(model, f"{what}_{k}")[2 * s + t] for what in ("weight", "bias")
                )
                value = torch.nn.functional.linear(value, weight.T, bias)
                value = torch.nn.functional.elu(value) if k < 3 else value
                if k == 0:
                    passed = found["bottleneck"][i, 2 * t : 2 * t + 2]
                    np.testing.assert_allclose(passed, value.detach().numpy(), **EXACT)
            value = value * model.label_scale[s, t] + model.label_mean[s, t]
            np.testing.assert_allclose(found["propensity"][i, t], value.item(), **EXACT)


def test_number_of_parameters() -> None:
    """2 M + 153 for each network: M = 15 lengths x 12, and two columns at L = 0."""
    one = build("glassmlp")
    assert one.n_columns == 15 * 4 * 3 + 2
    assert sum(p.numel() for p in one.parameters()) == 2 * (2 * one.n_columns + 153)
    several = build("glassmlp", times=(1.0, 2.0, 3.0), species=("A", "B", "C"))
    assert several.n_columns == 15 * 4 * 4 + 2
    assert sum(p.numel() for p in several.parameters()) == 9 * (2 * several.n_columns + 153)


def test_a_short_length_leaves_the_particle_alone() -> None:
    """exp(-0.7 / 0.02) is 1e-15: what remains is the particle, as at L = 0."""
    model = trained(averaging_lengths=(0.0, 0.02))
    found = named(model, outputs(model, LIQUID)["columns"])
    for name in SCALARS:
        np.testing.assert_allclose(found[f"{name}_all_L=0.02"], found[f"{name}_L=0"], atol=1e-9)
    np.testing.assert_allclose(found["density_all_L=0.02"], 1.0, atol=1e-9)
    np.testing.assert_allclose(found["inherent_energy_variance_all_L=0.02"], 0.0, atol=1e-9)
    np.testing.assert_allclose(found["density_A_L=0.02"], LIQUID.species == 0, atol=1e-9)


def test_rock_salt() -> None:
    """Each particle has 6 of the other species at 1 and 12 of its own at sqrt(2)."""
    sites = np.stack(np.meshgrid(*[np.arange(4.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    species = sites.sum(axis=1).astype(int) % 2
    energy = np.where(species == 0, -8.0, -6.0)
    crystal = Configuration(
        positions=sites, cell=4 * np.eye(3), species=species, species_names=("A", "B"),
        scalars=dict(zip(SCALARS, (energy, np.full(64, 6.0)), strict=True)),
    )  # fmt: skip
    model = build("glassmlp", cutoff=1.5, averaging_lengths=(0.5,)).double()
    found = named(model, outputs(model, crystal)["columns"])
    near, far = math.exp(-2), math.exp(-2 * math.sqrt(2))
    own, other = 1 + 12 * far, 6 * near
    of_a = {
        "density_A_L=0.5": own,
        "density_B_L=0.5": other,
        "density_all_L=0.5": own + other,
        "inherent_energy_A_L=0.5": -8.0,
        "inherent_energy_B_L=0.5": -6.0,
        "inherent_energy_all_L=0.5": (-8 * own - 6 * other) / (own + other),
        "inherent_energy_variance_A_L=0.5": 0.0,
        # Two values that differ by 2, with the shares p and 1 - p: 4 p (1 - p).
        "inherent_energy_variance_all_L=0.5": 4 * own * other / (own + other) ** 2,
        "inherent_voronoi_surface_all_L=0.5": 6.0,
    }
    for name, expected in of_a.items():
        # Energies are not standardised here: of squares near 60 rounding leaves 1e-14.
        np.testing.assert_allclose(found[name][species == 0], expected, **WEIGHTS, err_msg=name)


def test_a_particle_without_neighbours_and_an_empty_system(model: GlassModel) -> None:
    alone = Configuration(
        positions=np.zeros((1, 3)), cell=20 * np.eye(3), species=[1], species_names=("A", "B"),
        scalars={SCALARS[0]: np.array([-6.3]), SCALARS[1]: np.array([5.6])},
    )  # fmt: skip
    found = named(model, outputs(model, alone)["columns"])
    for length in ("0.5", "2"):
        for kind, counted in (("A", False), ("B", True), ("all", True)):
            rows = [found[f"{name}_{kind}_L={length}"] for name in ("density", *SCALARS)]
            expected = [counted, counted * 1.0, counted * 2.0]  # standardised by -7.5, 1.2, 5, 0.3
            np.testing.assert_allclose(np.concatenate(rows), expected, atol=1e-6)
    nothing = [torch.zeros(0, 2), torch.zeros(0, 3), torch.zeros(0), torch.zeros(1)]
    scalars, vectors, sender, pointer = (t.double() for t in nothing)
    none = sender.long()
    assert model(none, scalars, vectors, none, pointer.long()).shape == (0, 2)


def test_columns_without_spread_are_zero() -> None:
    model = trained()
    scale = torch.full((2, model.n_columns), 2.0)
    scale[1, 4] = 9e-6
    mean = torch.arange(2.0 * model.n_columns).reshape(2, -1)
    model.set_column_scale(mean, scale)
    found = outputs(model, LIQUID)
    small = LIQUID.species == 1
    assert not found["descriptors"][small, 4].any()
    rest = np.delete(np.arange(model.n_columns), 4)
    expected = (found["columns"][small][:, rest] - mean[1, rest].numpy()) / 2
    np.testing.assert_allclose(found["descriptors"][small][:, rest], expected, **EXACT)
    assert found["descriptors"][~small, 4].any()


def test_rotation_translation_and_permutation(model: GlassModel) -> None:
    turn, order = rotation(4), np.random.default_rng(3).permutation(60)
    turned = moved(
        LIQUID,
        positions=(LIQUID.positions @ turn.T + [0.3, -2.0, 9.0])[order],
        cell=LIQUID.cell @ turn.T,
        species=LIQUID.species[order],
        scalars={name: LIQUID.scalars[name][order] for name in SCALARS},
    )
    expected = outputs(model, LIQUID)
    # Distances of turned positions differ by rounding, 1e-15 of some 10; columns are sums of 60.
    for name, values in outputs(model, turned).items():
        np.testing.assert_allclose(values, expected[name][order], rtol=1e-10, atol=1e-10)
    assert model.rotation_invariant


def test_batches(model: GlassModel) -> None:
    other = with_scalars(liquid(50, seed=9))
    both = outputs(model, LIQUID, other)["propensity"]
    alone = [outputs(model, one)["propensity"] for one in (LIQUID, other)]
    np.testing.assert_allclose(both, np.concatenate(alone), **EXACT)


def test_domains_need_one_state_of_others(model: GlassModel) -> None:
    """A domain of half of the particles, of which the others are ghosts in another order."""
    species, scalars, vector, sender, first = inputs(model, LIQUID)
    half, order = 30, torch.cat([torch.arange(30), torch.arange(30, 60).flip(0)])
    edges = first[half]
    with torch.no_grad():
        state = model.embed(species, scalars)
        assert model.sent_widths == (state.shape[1],)
        found = model.step(
            0, state[order], model.embed_edges(vector[:edges]),
            torch.argsort(order)[sender[:edges]], first[: half + 1],
        )  # fmt: skip
        expected = model.encode(species, scalars, vector, sender, first)[:half]
    torch.testing.assert_close(found, expected, **EXACT)


def test_scripted_and_in_a_committee(model: GlassModel) -> None:
    other = trained(cutoff=1.6, variance_of=(), times=(0.5, 3.0))
    scripted = script_model(model, torch.float64)
    with torch.no_grad():
        state = scripted.encode(*inputs(model, LIQUID))
        for output in model.outputs:
            found = getattr(scripted, output.name)(state).numpy()
            np.testing.assert_allclose(found, outputs(model, LIQUID)[output.name], **EXACT)
        committee = script_model(Committee([model, other]), torch.float64)
        members = committee.propensity_members(committee.encode(*inputs(model, LIQUID)))
    expected = [outputs(one, LIQUID)["propensity"] for one in (model, other)]
    np.testing.assert_allclose(members, np.concatenate(expected, axis=1), **EXACT)


def test_single_precision(model: GlassModel) -> None:
    """1e-4: columns are sums of some 60 terms, whose weights are good to 1e-7."""
    single = script_model(model, torch.float32)
    system = [x.float() if x.is_floating_point() else x for x in inputs(model, LIQUID)]
    with torch.no_grad():
        found = single.descriptors(single.encode(*system)).numpy()
    np.testing.assert_allclose(found, outputs(model, LIQUID)["descriptors"], rtol=1e-4, atol=1e-4)


def test_networks_share_nothing(model: GlassModel) -> None:
    """The gradient of one time and species reaches one of the four networks."""
    model = trained()
    chosen = torch.from_numpy(LIQUID.species) == 1
    model(*inputs(model, LIQUID))[chosen, 0].sum().backward()
    for k in range(4):
        reached = getattr(model, f"weight_{k}").grad.abs().amax(dim=(1, 2)) > 0
        assert reached.tolist() == [False, False, True, False]


def test_lengths_scale_with_the_material() -> None:
    """Twice the spacing of the Kob-Andersen liquid."""
    lengths = material_lengths("glassmlp", 2 * 1.2 ** (-1 / 3))
    assert lengths["averaging_lengths"] == tuple(range(16))
    assert lengths["cutoff"] == 10.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"averaging_lengths": ()}, "averaging_lengths: expected one or more lengths from 0"),
        ({"averaging_lengths": (-1.0,)}, r"lengths from 0 to 1e\+06; found \(-1\.0,\)"),
        ({"averaging_lengths": (2.0, 1.0)}, r"increasing lengths; found \(2\.0, 1\.0\)"),
        ({"averaging_lengths": (1e-4,)}, r"at least 0\.02 with the cutoff 5; found 0\.0001"),
        ({"scalar_inputs": ()}, r"variance_of: expected scalars .* \(none\); .* Set data\.scalars"),
        ({"variance_of": ("energy",)}, "inherent_voronoi_surface.; found 'energy'"),
        ({"variance_of": ("inherent_energy",) * 2}, "variance_of: expected different names"),
        ({"bottleneck": 0}, "bottleneck: expected a whole number from 1"),
        ({"width": 5000}, "width: expected a whole number from 1 to 4096; found 5000"),
        (
            {"averaging_lengths": tuple(range(1, 9000))},
            "averaging_lengths: expected a model of at most 65536 descriptors of a particle",
        ),
    ],
)  # fmt: skip
def test_bad_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("glassmlp", **settings)


def test_densities_alone() -> None:
    """Without scalars, columns are densities."""
    model = build("glassmlp", scalar_inputs=(), variance_of=(), averaging_lengths=(0.0, 1.0))
    assert model.n_columns == 3
    bare = moved(LIQUID, scalars={})
    found = outputs(model.double(), bare)["columns"]
    np.testing.assert_allclose(found[:, :2].sum(axis=1), found[:, 2], rtol=1e-12)

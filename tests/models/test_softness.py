"""Structure functions and softness: against plain loops, and what every model keeps.

Float64 results are compared at 1e-10 of the largest value: sums of some 10^3 terms in another
order, r_jk from squares and a scalar product, and exponentials of numbers of up to 80.
"""

from __future__ import annotations

import math
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pytest
import torch
from systems import liquid, moved, rotation
from torch import Tensor

from glassml.data import Configuration
from glassml.errors import ConfigError, ModelFileWarning
from glassml.export import read_manifest, replace_decoder, save_model, script_model
from glassml.graph import build_graph, collate, first_edge
from glassml.inference import Predictor
from glassml.models import Committee, Softness, build
from glassml.nn.structure_functions import ANGULAR
from glassml.provenance import TrainingRecord
from glassml.training.train_config import parse_config

SMALL = {"cutoff": 2.4, "angular_cutoff": 1.9}


def trained(**settings: object) -> Softness:
    """A model with numbers of order one, so that every part of it counts."""
    torch.manual_seed(7)
    model = build("softness", times=(0.5, 3.0), **SMALL, **settings).double()
    assert isinstance(model, Softness)
    n = model.hyperplane.in_features
    for index in range(model.n_species):
        scale = 0.5 + torch.rand(n)
        model.set_hyperplane(index, torch.randn(n), 0.3, 5 * torch.rand(n), scale)
    return model.eval()


@pytest.fixture(scope="module")
def model() -> Softness:
    return trained()


def inputs(*configurations: Configuration, cutoff: float = 2.4) -> tuple[Tensor, ...]:
    graph = collate([build_graph(c, cutoff, (), torch.float64) for c in configurations])
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    return graph.species, graph.scalars, graph.edge_vector, sender, pointer


def outputs(model: Softness, *configurations: Configuration) -> dict[str, Tensor]:
    with torch.no_grad():
        state = model.encode(*inputs(*configurations, cutoff=model.cutoff))
        return {o.name: getattr(model, o.name)(state) for o in model.outputs}


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * float(expected.abs().max()))


def images(configuration: Configuration, i: int, cutoff: float) -> list[tuple[np.ndarray, int]]:
    """Vectors to all particles within the cutoff, with their species, image by image."""
    found = []
    across = [(-2, -1, 0, 1, 2) if periodic else (0,) for periodic in configuration.pbc]
    for shift in np.stack(np.meshgrid(*across, indexing="ij"), -1).reshape(-1, 3):
        for j, x in enumerate(configuration.positions):
            vector = x + shift @ configuration.cell - configuration.positions[i]
            if 0 < np.linalg.norm(vector) < cutoff:
                found.append((vector, int(configuration.species[j])))
    return found


def plain(configuration: Configuration, i: int, cutoff: float, angular_cutoff: float) -> list:
    """The structure functions of particle i, with sigma = 1, as they are written in a paper."""
    neighbours = images(configuration, i, cutoff)
    n_species = len(configuration.species_names)
    columns = []
    for s in range(n_species):
        for step in range(1, round(cutoff / 0.1) + 1):
            off = [np.linalg.norm(v) - 0.1 * step for v, kind in neighbours if kind == s]
            columns.append(sum(math.exp(-(x**2) / (2 * 0.1**2)) for x in off))

    def cut(r: float) -> float:
        return (1 + math.cos(math.pi * r / angular_cutoff)) / 2 if r < angular_cutoff else 0.0

    for s, t in combinations_with_replacement(range(n_species), 2):
        for xi, sign, zeta in ANGULAR:
            total = 0.0
            for a, (one, kind) in enumerate(neighbours):
                for b, (other, other_kind) in enumerate(neighbours):
                    if a == b or (kind, other_kind) != (s, t):
                        continue
                    r, q, p = (np.linalg.norm(v) for v in (one, other, one - other))
                    cosine = one @ other / (r * q)
                    decay = math.exp(-(r**2 + q**2 + p**2) / xi**2)
                    angle = 2 ** (1 - zeta) * (1 + sign * cosine) ** zeta
                    total += angle * decay * cut(r) * cut(q) * cut(p)
            columns.append(total)
    return columns


@pytest.mark.parametrize("triclinic", [False, True])
def test_structure_functions_against_plain_loops(model: Softness, triclinic: bool) -> None:
    system = liquid(40, seed=2, triclinic=triclinic)
    chosen = [0, 7, int(np.flatnonzero(system.species == 1)[0])]
    expected = torch.tensor([plain(system, i, 2.4, 1.9) for i in chosen], dtype=torch.float64)
    found = outputs(model, system)["structure_functions"][chosen]
    assert (expected.abs() > 1e-6).sum() > 200
    for column in range(found.shape[1]):
        near(found[:, column], expected[:, column])


def test_structure_functions_in_two_dimensions_of_three_species() -> None:
    rng = np.random.default_rng(4)
    flat = Configuration(
        positions=np.column_stack([rng.uniform(0, 5, (30, 2)), np.zeros(30)]),
        cell=5 * np.eye(3),
        pbc=(True, True, False),
        species=rng.integers(0, 3, 30),
        species_names=("A", "B", "C"),
    )
    model = trained(species=("A", "B", "C"))
    expected = torch.tensor([plain(flat, i, 2.4, 1.9) for i in (0, 1)], dtype=torch.float64)
    near(outputs(model, flat)["structure_functions"][:2], expected)


def test_published_number_of_functions() -> None:
    model = build("softness")
    names = next(o.columns for o in model.outputs if o.name == "structure_functions")
    assert len(names) == len(set(names)) == 166
    assert sum(name.startswith("radial_A") for name in names) == 50
    assert sum(name.startswith("angular_A_B") for name in names) == 22
    alone = build("softness", species=("A",))
    assert [len(o.columns) for o in alone.outputs][2] == 50 + 22
    # A hyperplane of 166 weights and an offset, and two numbers of the propensity, per species.
    assert sum(p.numel() for p in model.parameters()) == 2 * (166 + 1) + 2 * 2


def test_softness_is_the_distance_to_the_hyperplane_of_the_own_species(model: Softness) -> None:
    system = liquid(50, seed=3)
    found = outputs(model, system)
    for i in (0, *np.flatnonzero(system.species == 1)[:2]):
        s = int(system.species[i])
        x = (found["structure_functions"][i] - model.column_mean[s]) / model.column_scale[s]
        weight = model.hyperplane.weight[s].detach()
        assert float(weight.norm()) == pytest.approx(1.0, abs=1e-6)  # of float32
        expected = x @ weight + model.hyperplane.bias[s].detach()
        assert float(found["softness"][i, 0]) == pytest.approx(float(expected), abs=1e-9)
    torch.testing.assert_close(found["descriptors"], found["softness"], rtol=0, atol=0)


def test_rotation_permutation_and_reflection(model: Softness) -> None:
    system = liquid(80, seed=5)
    expected = outputs(model, system)
    turn = rotation(4) @ np.diag([1.0, 1.0, -1.0])
    order = np.random.default_rng(3).permutation(system.n_particles)
    turned = moved(
        system,
        positions=(system.positions @ turn.T + [0.3, -2.0, 9.0])[order],
        cell=system.cell @ turn.T,
        species=system.species[order],
    )
    for name, values in outputs(model, turned).items():
        near(values, expected[name][order])


def test_batches_scripted_and_in_parts(model: Softness) -> None:
    one, other = liquid(40, seed=1), liquid(50, seed=2)
    both = outputs(model, one, other)
    alone = [outputs(model, c) for c in (one, other)]
    scripted = script_model(model, torch.float64)
    with torch.no_grad():
        state = scripted.encode(*inputs(one, other))
    few = trained()
    few.functions.at_once = 1  # one particle at a time
    parts = outputs(few, one, other)
    for name, values in both.items():
        near(values, torch.cat([a[name] for a in alone]))
        near(getattr(scripted, name)(state), values)
        near(parts[name], values)


def test_empty_systems_and_particles_without_neighbours(model: Softness) -> None:
    nobody = torch.zeros(0, dtype=torch.int64)
    empty = (nobody, torch.zeros(0, 0), torch.zeros(0, 3).double(), nobody, torch.zeros(1).long())
    with torch.no_grad():
        assert model(*empty).shape == (0, 2)
    pair = [[0.0, 0.0, 0.0], [1.1, 0.0, 0.0], [9.0, 9.0, 9.0]]
    few = Configuration(
        positions=pair, cell=np.eye(3) * 20, species=[0, 1, 0], species_names=("A", "B")
    )
    found = outputs(model, few)["structure_functions"]
    assert found[2].abs().max() == 0
    # One neighbour is no pair, and at 1.1 the Gaussian of its radius is 1.
    names = model.functions.names
    assert float(found[0, names.index("radial_B_1.1")]) == pytest.approx(1.0, abs=1e-6)
    assert found[:, [k for k, name in enumerate(names) if name.startswith("angular")]].max() == 0


def test_angular_functions_do_not_jump_at_their_cutoff(model: Softness) -> None:
    """A third particle crosses the angular cutoff; its slope is 0 there."""

    def at(r: float) -> Tensor:
        corner = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, r, 0.0]]
        few = Configuration(
            positions=corner, cell=np.eye(3) * 20, species=[0, 0, 1], species_names=("A", "B")
        )
        found = outputs(model, few)["structure_functions"][0]
        return found[[n.startswith("angular") for n in model.functions.names]]

    # f is (pi / 2R)^2 times the square of the distance from R: 7e-9.
    assert (at(1.9 - 1e-4) - at(1.9 + 1e-4)).abs().max() < 1e-8
    assert (at(1.5) - at(1.9)).abs().max() > 1e-4


def test_gradients_are_finite(model: Softness) -> None:
    species, scalars, vector, sender, first = inputs(liquid(40, seed=6))
    vector.requires_grad_()
    state = model.encode(species, scalars, vector, sender, first)
    (gradient,) = torch.autograd.grad(model.softness(state).sum(), vector)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().max() > 0


def test_domains_need_the_species_alone(model: Softness) -> None:
    """What is not sent of particles of other domains is NaN."""
    species, scalars, vector, sender, first = inputs(liquid(50, seed=7))
    half = len(species) // 2
    with torch.no_grad():
        edges = model.embed_edges(vector)
        state = model.embed(species, scalars)
        assert model.sent_widths == (2,) == (state.shape[1],)
        last = int(first[half])
        own = model.step(0, state, edges[:last], sender[:last], first[: half + 1])
        expected = model(species, scalars, vector, sender, first)[:half]
        near(model.propensity(own), expected)


def test_in_a_committee(model: Softness) -> None:
    other = build("structural", times=(0.5, 3.0), averages=1).double().eval()
    committee = script_model(Committee([model, other]), torch.float64)
    system = liquid(60, seed=9)
    with torch.no_grad():
        state = committee.encode(*inputs(system, cutoff=other.cutoff))
        found = committee.propensity_members(state)
        expected = [m(*inputs(system, cutoff=m.cutoff)) for m in (model, other)]
    near(found, torch.cat(expected, dim=1))


def test_lengths_scale(model: Softness) -> None:
    """With all lengths three times as long, the same structure functions."""
    big = build(
        "softness", times=(1.0,), cutoff=7.2, angular_cutoff=5.7, sigma=3.0, length_unit="angstrom"
    ).double()
    assert isinstance(big, Softness)
    system = liquid(40, seed=8)
    large = moved(system, positions=3 * system.positions, cell=3 * system.cell)
    one, other = outputs(model, system), outputs(big, large)
    near(other["structure_functions"], one["structure_functions"])


def test_float32_file_agrees(model: Softness, tmp_path: Path) -> None:
    system = liquid(60, seed=9)
    save_model(model, tmp_path / "m.pt")
    predicted = Predictor(tmp_path / "m.pt", device="cpu").predict(
        [system], ["softness", "structure_functions"]
    )[0]
    expected = outputs(model, system)
    for name, values in predicted.items():
        scale = float(expected[name].abs().max())
        # Squares of distances cancel in r_jk^2: 1e-6 of them, in every term.
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-5 * scale)


def test_a_species_without_hyperplane(tmp_path: Path) -> None:
    model = trained()
    model.set_no_hyperplane(1)
    system = liquid(60, seed=9)
    found = outputs(model, system)["softness"].numpy()[:, 0]
    assert (found[system.species == 1] == 0).all()
    assert (found[system.species == 0] != 0).all()
    record = TrainingRecord(untrained=("propensity", "softness of B"))
    save_model(model, tmp_path / "m.pt", training=record)
    predictor = Predictor(tmp_path / "m.pt", device="cpu")
    with pytest.warns(ModelFileWarning, match=r"softness of B: not trained, so its values mean"):
        predictor.predict([system], ["softness"])


def test_propensity_is_a_linear_function_of_softness(model: Softness, tmp_path: Path) -> None:
    save_model(model, tmp_path / "m.pt", dtype="float64")
    slope, offset = np.array([[[0.3]], [[-0.2]]]), np.array([[1.0], [2.0]])
    replace_decoder(
        tmp_path / "m.pt",
        tmp_path / "new.pt",
        times=(7.0,),
        weight=slope,
        bias=offset,
        training=TrainingRecord(),
    )
    assert read_manifest(tmp_path / "new.pt").times == (7.0,)
    system = liquid(60, seed=9)
    found = Predictor(tmp_path / "new.pt", "cpu").predict([system], ["propensity", "softness"])[0]
    s = system.species
    expected = slope[s, :, 0] * found["softness"] + offset[s]
    np.testing.assert_allclose(found["propensity"], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scalar_inputs": ("energy",)}, "scalar_inputs: expected none, as softness is a function"),
        ({"angular_cutoff": 6.0}, "angular_cutoff: expected a positive length up to the cutoff 5"),
        ({"angular_cutoff": 0.0}, "angular_cutoff"),
        ({"sigma": 0.0}, "sigma: expected a positive length"),
        ({"sigma": 1e-9}, "cutoff: expected a model of at most 1000 radii; found"),
        ({"species": tuple("abcdefghijklmnopqrstuvwxyz")}, "at most 20 species; found 26"),
    ],
)
def test_bad_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("softness", **settings)


def test_glassml_train_names_the_command_that_trains_it() -> None:
    message = r"model\.name: expected a model that `glassml train` trains; found 'softness', which"
    with pytest.raises(ConfigError, match=message):
        parse_config({"data": {"train": "a.h5"}, "model": {"name": "softness"}})

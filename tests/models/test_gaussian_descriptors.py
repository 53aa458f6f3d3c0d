"""`boattini` and `cage`: the published equations, written a second time, and symmetries.

Both sides compute in float64, the same sums in another order, so they agree to 1e-10. Gaussians
that are below 2e-22 are left out, which changes an order parameter by at most 1e-13: it is divided
by 1e-6 or more, and there are some hundred neighbours.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from domains import by_domains
from scipy.special import sph_harm_y
from systems import liquid, moved, rotation
from torch import Tensor

from glassml.data import Configuration, shift_names, view_of
from glassml.errors import ConfigError
from glassml.export import restored_model, save_model, script_model
from glassml.graph import build_graph, collate, first_edge
from glassml.inference import Predictor
from glassml.models import Committee, GlassModel, build, material_lengths, untrained_models
from glassml.nn import averages_over_neighbours
from glassml.nn.gaussian_shells import SMALLEST_WEIGHT
from glassml.nn.harmonics import racah_harmonics

EXACT = {"rtol": 1e-10, "atol": 1e-10}
NAMES = ("boattini", "cage")


def caged(system: Configuration, seed: int = 7, size: float = 0.12) -> Configuration:
    """With cage centres, and another scalar."""
    rng = np.random.default_rng(seed)
    cage = system.positions + size * rng.normal(size=system.positions.shape)
    energy = rng.normal(size=system.n_particles)
    return moved(system, structures={"cage": cage}, scalars={"energy": energy})


def inputs(model: GlassModel, *configurations: Configuration) -> tuple[Tensor, ...]:
    names = [scalar.name for scalar in model.scalar_inputs]
    views = [view_of(configuration) for configuration in configurations]
    graph = collate([build_graph(view, model.cutoff, names, torch.float64) for view in views])
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    return graph.species, graph.scalars, graph.edge_vector, sender, pointer


def outputs(model: GlassModel, *configurations: Configuration) -> dict[str, np.ndarray]:
    with torch.no_grad():
        state = model.encode(*inputs(model, *configurations))
        return {o.name: getattr(model, o.name)(state).numpy() for o in model.outputs}


def small(name: str, **settings: object) -> GlassModel:
    """The published shells within a shorter cutoff, so that small systems are enough."""
    torch.manual_seed(3)
    lengths = {"cutoff": 2.6} | ({"reach": 2.4} if name == "cage" else {})
    model = build(name, times=(0.5, 3.0), **{**lengths, "l_max": 4, **settings})
    return model.double().eval()


@pytest.fixture(scope="module", params=NAMES)
def model(request: pytest.FixtureRequest) -> GlassModel:
    return small(request.param)


@pytest.fixture(scope="module")
def system() -> Configuration:
    return caged(liquid(60, seed=5))


@pytest.mark.parametrize(
    ("name", "species", "columns"),
    [
        ("boattini", ("A", "B"), 3 * (2 * 77 + 12 * 16)),  # 1038
        ("boattini", ("A",), 3 * (77 + 12 * 16)),
        ("cage", ("A", "B"), 3 * (2 * (2 * 77 + 12 * 16) + 1)),  # 2079
    ],
)
def test_number_of_columns(name: str, species: tuple[str, ...], columns: int) -> None:
    """About a thousand for two species, as published."""
    model = build(name, species=species)
    (found,) = (len(o.columns) for o in model.outputs if o.name == "descriptors")
    assert found == columns
    # Weights and bias per species.
    assert sum(p.numel() for p in model.parameters()) == len(species) * (columns + 1)
    assert name in untrained_models()


@pytest.mark.parametrize("factor", np.linspace(0.8, 3.0, 23).tolist())
def test_as_many_columns_for_every_material(factor: float) -> None:
    """Lengths that are scaled to a material have three digits, and need not fit together."""
    for name, columns in (("boattini", 346), ("cage", 693)):
        assert build(name, **material_lengths(name, factor)).n_descriptors == columns


def test_only_what_is_averaged_travels() -> None:
    assert build("boattini").sent_widths == (2, 346, 346)
    assert build("cage").sent_widths == (5, 696, 696)  # the shift travels too
    assert build("boattini", scalar_inputs=("energy",)).sent_widths == (2, 347, 347)


def test_harmonics() -> None:
    """Real and imaginary parts of scipy's, for each l with squares that sum to 1."""
    rng = np.random.default_rng(1)
    points = rng.normal(size=(30, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    points[0] = [0.0, 0.0, 1.0]
    found = racah_harmonics(torch.from_numpy(points), 12).numpy()
    theta, phi = np.arccos(points[:, 2]), np.arctan2(points[:, 1], points[:, 0])
    expected = []
    for l in range(13):
        values = [
            (-1) ** m * math.sqrt(4 * math.pi / (2 * l + 1)) * sph_harm_y(l, m, theta, phi)
            for m in range(l + 1)
        ]
        expected += [values[0].real, *(math.sqrt(2) * v.real for v in values[1:])]
        expected += [math.sqrt(2) * v.imag for v in values[1:]]
    # arccos loses half of the digits near the poles, where no point but the first is.
    np.testing.assert_allclose(found, np.array(expected), rtol=0, atol=1e-12)


def neighbours(
    system: Configuration, positions: np.ndarray, reach: float
) -> list[list[tuple[int, float, np.ndarray]]]:
    """For each particle those nearer than ``reach``, all images: index, distance, vector."""
    shifts = np.array(list(itertools.product(range(-2, 3), repeat=3))) @ system.cell
    found = []
    for x in positions:
        vectors = positions[:, None] + shifts - x  # [particle, image, 3]
        r = np.linalg.norm(vectors, axis=2)
        near = np.argwhere((r < reach) & (r > 0))
        found.append([(int(j), float(r[j, k]), vectors[j, k]) for j, k in near])
    return found


def gaussian(r: float, centre: float, width: float) -> float:
    return math.exp(-((r - centre) ** 2) / (2 * width**2))


def plain_columns(
    system: Configuration,
    around: list[list[tuple[int, float, np.ndarray]]],
    reach: float,
    l_max: int,
) -> dict[str, np.ndarray]:
    """Densities and order of every particle as published, by loops; grids in diameters of 1."""
    shells = [(0.85 + 0.025 * k, 0.025) for k in range(47)]
    shells += [(2.1 + 0.1 * k, 0.1) for k in range(30)]
    columns: dict[str, np.ndarray] = {}
    for s, name in enumerate(system.species_names):
        for centre, width in shells:
            if centre <= reach + 1e-9:
                columns[f"density_{name}_r={centre:g}"] = np.array(
                    [
                        sum(gaussian(r, centre, width) for j, r, _ in of if system.species[j] == s)
                        for of in around
                    ],
                    dtype=float,
                )
    for l in range(1, l_max + 1):
        m = np.arange(-l, l + 1)
        harmonics = [
            [sph_harm_y(l, m, math.acos(v[2] / r), math.atan2(v[1], v[0])) for _, r, v in of]
            for of in around
        ]
        for centre in [1.0 + 0.1 * k for k in range(16)]:
            if centre > reach + 1e-9:
                continue
            values = []
            for of, on in zip(around, harmonics, strict=True):
                weights = [gaussian(r, centre, 0.1) for _, r, _ in of]
                q = sum(w * y for w, y in zip(weights, on, strict=True))
                q = q / max(sum(weights), SMALLEST_WEIGHT)
                values.append(math.sqrt(4 * math.pi / (2 * l + 1) * np.sum(np.abs(q) ** 2)))
            columns[f"order_l={l}_r={centre:g}"] = np.array(values)
    return columns


def plain_average(
    values: np.ndarray, around: list[list[tuple[int, float, np.ndarray]]]
) -> np.ndarray:
    result = []
    for i, of in enumerate(around):
        weights = {(k, j): math.exp(-r / 2.0) for k, (j, r, _) in enumerate(of) if r < 2.0}
        total = values[i] + sum(weight * values[j] for (_, j), weight in weights.items())
        result.append(total / (1 + sum(weights.values())))
    return np.array(result)


def named(model: GlassModel, values: np.ndarray) -> dict[str, np.ndarray]:
    (columns,) = (o.columns for o in model.outputs if o.name == "descriptors")
    return dict(zip(columns, values.T, strict=True))


def test_boattini_as_published() -> None:
    model = small("boattini", scalar_inputs=("energy",), l_max=3)
    system = caged(liquid(24, seed=3))
    found = named(model, outputs(model, system)["descriptors"])
    around = neighbours(system, system.positions, 2.6)
    expected = {"energy": system.scalars["energy"]}
    expected |= plain_columns(system, around, 2.6, 3)
    assert len(found) == 3 * len(expected)
    for k in range(3):
        for name, values in expected.items():
            np.testing.assert_allclose(found[f"{name}_average={k}"], values, **EXACT)
            expected[name] = plain_average(values, around)
    # Not a comparison of zeros: every shell has neighbours, and order is between 0 and 1.
    assert min(np.std(found[f"density_A_r={r}_average=0"]) for r in ("1", "1.5", "2.6")) > 1e-3
    assert 0.1 < found["order_l=3_r=1.2_average=0"].mean() < 1.0


def test_cage_reads_two_structures() -> None:
    names = (*shift_names("cage"), "energy")
    model = small("cage", scalar_inputs=names, l_max=2)
    system = caged(liquid(24, seed=3), size=0.03)  # so that no pair crosses from the cutoff
    found = named(model, outputs(model, system)["descriptors"])
    cage = system.structures["cage"]
    here, there = (neighbours(system, x, 2.4) for x in (system.positions, cage))
    distance = np.linalg.norm(cage - system.positions, axis=1)
    initial = {f"initial_{k}": v for k, v in plain_columns(system, here, 2.4, 2).items()}
    other = {f"cage_{k}": v for k, v in plain_columns(system, there, 2.4, 2).items()}
    other |= {"cage_displacement": distance, "energy": system.scalars["energy"]}
    assert len(found) == 3 * (len(initial) + len(other))
    for k in range(3):
        for columns, around in ((initial, here), (other, there)):
            for name, values in columns.items():
                np.testing.assert_allclose(found[f"{name}_average={k}"], values, **EXACT)
                columns[name] = plain_average(values, around)


def test_a_cage_at_the_initial_positions_is_boattini_twice() -> None:
    cage, boattini = small("cage", cutoff=2.4), small("boattini", cutoff=2.4)
    system = caged(liquid(40, seed=2), size=0.0)
    found = named(cage, outputs(cage, system)["descriptors"])
    for name, values in named(boattini, outputs(boattini, system)["descriptors"]).items():
        np.testing.assert_allclose(found[f"cage_{name}"], values, **EXACT)
        np.testing.assert_allclose(found[f"initial_{name}"], values, **EXACT)
    assert np.all(found["cage_displacement_average=2"] == 0)


def test_rotation_translation_and_permutation(model: GlassModel, system: Configuration) -> None:
    expected = outputs(model, system)
    turn, order = rotation(4), np.random.default_rng(3).permutation(system.n_particles)

    def elsewhere(positions: np.ndarray) -> np.ndarray:
        return (positions @ turn.T + [0.3, -2.0, 9.0])[order]

    turned = moved(
        system,
        positions=elsewhere(system.positions),
        cell=system.cell @ turn.T,
        species=system.species[order],
        structures={"cage": elsewhere(system.structures["cage"])},
        scalars={},
    )
    for name, values in outputs(model, turned).items():
        np.testing.assert_allclose(values, expected[name][order], **EXACT)
    assert model.rotation_invariant


def test_batches_and_scripts(model: GlassModel, system: Configuration) -> None:
    other = caged(liquid(50, seed=2))
    alone = [outputs(model, c)["descriptors"] for c in (system, other)]
    both = outputs(model, system, other)["descriptors"]
    np.testing.assert_allclose(both, np.concatenate(alone), **EXACT)
    scripted = script_model(model, torch.float64)
    with torch.no_grad():
        state = scripted.encode(*inputs(model, system, other))
        np.testing.assert_allclose(scripted.descriptors(state), both, **EXACT)


def test_domains_need_only_what_is_sent(model: GlassModel, system: Configuration) -> None:
    with torch.no_grad():
        state = by_domains(model, *inputs(model, system))
        found = {o.name: getattr(model, o.name)(state).numpy() for o in model.outputs}
    for name, values in outputs(model, system).items():
        np.testing.assert_allclose(found[name], values, **EXACT)


def test_blocks_of_receivers_are_only_for_memory(
    monkeypatch: pytest.MonkeyPatch, model: GlassModel, system: Configuration
) -> None:
    from glassml.nn import gaussian_shells

    expected = outputs(model, system)["descriptors"]
    monkeypatch.setattr(gaussian_shells, "block_size", lambda first_edge, columns: 7)
    np.testing.assert_allclose(outputs(model, system)["descriptors"], expected, **EXACT)


def test_particles_without_neighbours(model: GlassModel) -> None:
    """Densities and order are 0, and an average is the value itself."""
    alone = Configuration(
        positions=np.array([[1.0, 1.0, 1.0], [9.0, 9.0, 9.0]]),
        cell=20 * np.eye(3),
        species=[0, 1],
        species_names=("A", "B"),
        structures={"cage": np.array([[1.3, 1.4, 1.0], [9.0, 9.0, 9.0]])},
    )
    found = named(model, outputs(model, alone)["descriptors"])
    own = {k: v for k, v in found.items() if k.startswith("cage_displacement")}
    assert all(np.all(values == 0) for name, values in found.items() if name not in own)
    np.testing.assert_allclose(list(own.values()), [[0.5, 0.0]] * len(own), atol=1e-15)
    assert len(own) == (3 if model.name == "cage" else 0)
    empty = [x[:0] for x in inputs(model, alone)[:4]]
    with torch.no_grad():
        assert model(*empty, torch.zeros(1, dtype=torch.int64)).shape == (0, 2)


def test_particles_at_one_place_are_no_neighbours_in_a_shell(model: GlassModel) -> None:
    together = Configuration(
        positions=np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [2.0, 1.0, 1.0]]),
        cell=20 * np.eye(3),
        species=[0, 1, 0],
        species_names=("A", "B"),
        structures={"cage": np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [2.0, 1.0, 1.0]])},
    )
    found = named(model, outputs(model, together)["descriptors"])
    assert all(np.all(np.isfinite(values)) for values in found.values())
    (order,) = (
        v for k, v in found.items() if k.endswith("order_l=4_r=1_average=0") and k[0] != "i"
    )
    np.testing.assert_allclose(order, 1.0, **EXACT)


def test_order_of_an_empty_shell_is_zero_and_nothing_jumps() -> None:
    """With one neighbour the order is 1 near its shell, and falls to 0 far from it."""
    model = small("boattini", averages=0)

    def at(r: float) -> dict[str, np.ndarray]:
        pair = Configuration(
            positions=np.array([[0.0, 0.0, 0.0], [0.6 * r, 0.0, 0.8 * r]]),
            cell=20 * np.eye(3),
            species=[0, 1],
            species_names=("A", "B"),
        )
        return named(model, outputs(model, pair)["descriptors"])

    near = math.sqrt(-2 * math.log(SMALLEST_WEIGHT)) * 0.1  # from the centre, where it is 1e-6
    for l in range(1, 5):
        column = f"order_l={l}_r=1.2_average=0"
        np.testing.assert_allclose(at(1.2 + 0.99 * near)[column], 1.0, **EXACT)
        x = (1.1 * near / 0.1) ** 2 / 2
        weight = math.exp(-x) / SMALLEST_WEIGHT
        np.testing.assert_allclose(at(1.2 + 1.1 * near)[column], weight, rtol=1e-9)
        assert np.all(at(2.5)[column] == 0)


def test_neighbours_end_abruptly_as_published() -> None:
    """At the cutoff a density jumps by up to 1, and at r_c an average by exp(-1)."""
    model = small("boattini")

    def at(r: float) -> dict[str, np.ndarray]:
        pair = Configuration(
            positions=np.array([[0.0, 0.0, 0.0], [0.0, r, 0.0]]),
            cell=20 * np.eye(3),
            species=[0, 1],
            species_names=("A", "B"),
        )
        return named(model, outputs(model, pair)["descriptors"])

    inside, outside = at(2.6 - 1e-9), at(2.6 + 1e-9)
    column = "density_B_r=2.6_average=0"
    np.testing.assert_allclose(inside[column] - outside[column], [1.0, 0.0], atol=1e-6)
    inside, outside = at(2.0 - 1e-9), at(2.0 + 1e-9)
    own = outside["density_B_r=2_average=0"]
    np.testing.assert_allclose(own, [1.0, 0.0], atol=1e-6)
    weight = math.exp(-1)
    mean = np.array([1.0, weight]) / (1 + weight)
    np.testing.assert_allclose(inside["density_B_r=2_average=1"], mean, atol=1e-6)
    np.testing.assert_allclose(outside["density_B_r=2_average=1"], own, atol=1e-6)


def test_lengths_are_in_diameters() -> None:
    one, three = small("boattini"), small("boattini", cutoff=7.8, diameter=3.0)
    system = caged(liquid(40, seed=4))
    large = moved(system, positions=3 * system.positions, cell=3 * system.cell, structures={})
    found = named(three, outputs(three, large)["descriptors"])
    for name, values in named(one, outputs(one, system)["descriptors"]).items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, atol=1e-9)


def test_two_dimensions(model: GlassModel) -> None:
    """In a plane: one layer of particles, and no neighbours above and below."""
    rng = np.random.default_rng(2)
    sites = np.stack(np.meshgrid(range(5), range(5), [0.0], indexing="ij"), -1).reshape(-1, 3)
    positions = sites + rng.uniform(-0.1, 0.1, sites.shape) * [1, 1, 0]
    flat = Configuration(
        positions=positions,
        cell=np.diag([5.0, 5.0, 1.0]),
        pbc=(True, True, False),
        species=rng.integers(0, 2, 25),
        species_names=("A", "B"),
        structures={"cage": positions + 0.05 * rng.normal(size=(25, 3)) * [1, 1, 0]},
    )
    found = outputs(model, flat)["descriptors"]
    assert np.all(np.isfinite(found))
    assert np.std(found, axis=0).max() > 0.1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_file_and_back(model: GlassModel, system: Configuration, tmp_path, dtype: str) -> None:
    save_model(model, tmp_path / "m.pt", dtype=dtype)
    predictor = Predictor(tmp_path / "m.pt", device="cpu", check_domain=False)
    found = predictor.predict([view_of(system)], ["descriptors", "propensity"])[0]
    expected = outputs(model, system)
    # In float32 distances are rounded to 1e-7, and slopes of densities are up to 24 per neighbour.
    tolerance = {"float64": 1e-10, "float32": 3e-5}[dtype]
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=tolerance, atol=tolerance)
    again = restored_model(tmp_path / "m.pt").double()
    np.testing.assert_allclose(
        outputs(again, system)["descriptors"], expected["descriptors"], **EXACT
    )


def test_in_a_committee(system: Configuration) -> None:
    """Members of other cutoffs and other numbers of steps, one of which sends a vector."""
    members = [small("cage"), small("boattini", averages=1), small("cage", averages=0)]
    committee = Committee(members)
    found = outputs(committee, system)["propensity_members"]
    expected = np.concatenate([outputs(m, system)["propensity"] for m in members], axis=1)
    np.testing.assert_allclose(found, expected, **EXACT)


def test_averages_without_edges() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    values = torch.rand(3, 2)
    first = torch.zeros(4, dtype=torch.int64)
    found = averages_over_neighbours(values, torch.zeros(0, 3), none, first, 2.0)
    torch.testing.assert_close(found, values)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("boattini", {"l_max": 25}, "l_max: expected a whole number from 1 to 24; found 25"),
        ("boattini", {"averages": -1}, "averages: expected a whole number from 0 to 999; found -1"),
        ("boattini", {"averages": 999}, "l_max: .* at most 65536 descriptors of a particle; found"),
        ("boattini", {"diameter": 0.0}, "diameter: expected a positive length"),
        ("boattini", {"diameter": 5.0}, "cutoff: expected more than the diameter, 5, and at most"),
        ("cage", {"reach": 6.0}, "reach: expected at most the cutoff, 5.5; found 6"),
        ("cage", {"reach": 0.5}, "reach: expected more than the diameter, 1, and at most"),
        (
            "cage",
            {"scalar_inputs": ("energy",)},
            "scalar_inputs: expected cage_shift_x, cage_shift_y, cage_shift_z and then any "
            "others; found energy",
        ),
    ],
)
def test_bad_settings_are_named(name: str, settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(name, **settings)

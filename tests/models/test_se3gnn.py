"""The SE(3)-GNN: published parameter counts, symmetries, and the scripted form.

Symmetries are asked for at 1e-10 in float64: some thousand operations on numbers of order one
accumulate rounding of about 1e-13, and a broken symmetry shows at 1e-3 and above.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from systems import liquid, moved, rotation, wigner_d

from glassml.data import Configuration
from glassml.errors import ConfigError
from glassml.export import script_model
from glassml.graph import build_graph, collate, first_edge
from glassml.models import SE3GNN, build
from glassml.nn import Gate

EXACT = 1e-10


def _count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _trained(model: SE3GNN, seed: int = 0) -> SE3GNN:
    """Give every buffer and parameter a generic value, as training would, and stop training."""
    generator = torch.Generator().manual_seed(seed)
    model = model.double()
    for name, tensor in [*model.named_buffers(), *model.named_parameters()]:
        if name.endswith(("running_var", "label_scale", "weight")) and tensor.dim() == 1:
            tensor.data = 0.5 + torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
        elif name.endswith(("running_mean", "bias", "label_mean")):
            tensor.data = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
    return model.eval()


@pytest.fixture(scope="module", params=[0, 8], ids=["published", "gated"])
def model(request: pytest.FixtureRequest) -> SE3GNN:
    torch.manual_seed(1)
    settings = {"n_layers": 3, "channels": 4, "times": (0.5, 3.0)}
    return _trained(_open_gates(build("se3gnn-v2", **settings, gate_hidden=request.param)))


def _open_gates(model: SE3GNN) -> SE3GNN:
    """Gates that depend on the particle; at first every factor is 1."""
    for module in model.gates.modules():
        if isinstance(module, Gate):
            torch.nn.init.normal_(module.second.weight)
    return model


def _run(model: SE3GNN, *configurations: Configuration) -> dict[str, torch.Tensor]:
    scalars = [s.name for s in model.scalar_inputs]
    graph = collate([build_graph(c, model.cutoff, scalars, torch.float64) for c in configurations])
    sender, receiver = graph.edge_index
    with torch.no_grad():
        state = model.encode(
            graph.species,
            graph.scalars,
            graph.edge_vector,
            sender,
            first_edge(receiver, graph.num_nodes),
        )
        return {o.name: getattr(model, o.name)(state) for o in model.outputs}


def _assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("se3gnn-v1", {}, (18936, 4064, 160, 17, 23177)),
        ("se3gnn-v1", {"l_max": 1}, (4588, 688, 96, 9, 5381)),
        (
            "se3gnn-v2",
            {"scalar_inputs": ("potential_energy",), "times": tuple(range(1, 11))},
            (35664, 16000, 320, 660, 52644),
        ),
    ],
)
def test_parameter_counts_are_the_published_ones(
    name: str, settings: dict, expected: tuple[int, ...]
) -> None:
    model = build(name, **settings)
    radial = sum(_count(c.radial) for c in model.convolutions)
    mixing = sum(_count(c.mixing) for c in model.convolutions)
    found = (radial, mixing, _count(model.norms), _count(model.decoder), _count(model))
    assert found == expected


@pytest.mark.parametrize(
    ("settings", "first", "later"),
    [(("se3gnn-v1", {}), (344, 32), (2656, 576)),
     (("se3gnn-v2", {"scalar_inputs": ("potential_energy",)}), (412, 96), (5036, 2272))],
)  # fmt: skip
def test_parameter_counts_per_layer_are_the_published_ones(
    settings: tuple[str, dict], first: tuple[int, int], later: tuple[int, int]
) -> None:
    model = build(settings[0], **settings[1])
    counts = [(_count(c.radial), _count(c.mixing)) for c in model.convolutions]
    assert counts == [first] + [later] * 7


@pytest.mark.parametrize("seed", range(3))
def test_rotation_turns_features_and_leaves_invariants(model: SE3GNN, seed: int) -> None:
    system, turn = liquid(seed=seed), rotation(seed)
    turned = moved(system, positions=system.positions @ turn.T, cell=system.cell @ turn.T)
    before, after = _run(model, system), _run(model, turned)
    wigner = torch.from_numpy(wigner_d(model.outputs[2].irreps, turn))
    before["equivariant"] = before["equivariant"] @ wigner.T
    _assert_same(before, after)


def test_features_are_not_trivially_invariant(model: SE3GNN) -> None:
    """The rotation test would pass on features that are all zero; these are not."""
    values = _run(model, liquid())["equivariant"]
    for l in range(model.l_max + 1):
        block = values[:, l**2 * model.channels : (l + 1) ** 2 * model.channels]
        assert block.abs().mean() > 1e-3


def test_reflection_is_not_a_symmetry(model: SE3GNN) -> None:
    """SO(3), not O(3): paths of odd parity count, so a mirror image may differ."""
    system = liquid()
    mirrored = moved(system, positions=-system.positions)
    difference = _run(model, system)["descriptors"] - _run(model, mirrored)["descriptors"]
    assert difference.abs().max() > 1e-4


def test_translation_changes_nothing(model: SE3GNN) -> None:
    system = liquid()
    shifted = moved(system, positions=system.positions + np.array([0.3, -1.7, 11.0]))
    _assert_same(_run(model, system), _run(model, shifted))


def test_periodic_rewrapping_changes_nothing(model: SE3GNN) -> None:
    system = liquid(triclinic=True)
    images = np.random.default_rng(3).integers(-2, 3, (system.n_particles, 3))
    unwrapped = moved(system, positions=system.positions + images @ system.cell)
    _assert_same(_run(model, system), _run(model, unwrapped))


def test_permutation_permutes(model: SE3GNN) -> None:
    system = liquid()
    order = np.random.default_rng(4).permutation(system.n_particles)
    shuffled = moved(system, positions=system.positions[order], species=system.species[order])
    expected = {name: value[order] for name, value in _run(model, system).items()}
    _assert_same(expected, _run(model, shuffled))


def test_batch_of_two_equals_each_alone(model: SE3GNN) -> None:
    one, two = liquid(40, seed=1), liquid(55, seed=2)
    together = _run(model, one, two)
    alone = [_run(model, one), _run(model, two)]
    _assert_same(together, {k: torch.cat([a[k] for a in alone]) for k in together})


def test_small_box_equals_its_replica(model: SE3GNN) -> None:
    """A box narrower than the cutoff sees several images of a neighbour, and itself."""
    small = liquid(5, seed=5)
    assert small.cell[0, 0] < model.cutoff
    copies = [np.array(c) @ small.cell for c in np.ndindex(2, 2, 2)]
    large = moved(
        small,
        positions=np.concatenate([small.positions + c for c in copies]),
        cell=2 * small.cell,
        species=np.tile(small.species, 8),
    )
    expected = {k: v.repeat(8, 1) for k, v in _run(model, small).items()}
    _assert_same(expected, _run(model, large))


def test_isolated_particle_has_a_finite_prediction(model: SE3GNN) -> None:
    lonely = Configuration(
        positions=np.zeros((1, 3)), cell=np.eye(3) * 9, species=[0], species_names=("A", "B")
    )
    system = liquid(30)
    joined = moved(
        system,
        positions=np.concatenate([system.positions, [[20.0, 20.0, 20.0]]]),
        cell=np.eye(3) * 40,
        species=np.append(system.species, 0),
    )
    alone = _run(model, lonely)
    assert all(torch.isfinite(value).all() for value in alone.values())
    # Without neighbours l >= 1 vanishes: nothing distinguishes a direction.
    torch.testing.assert_close(
        alone["equivariant"][:, model.channels :], torch.zeros(1, 15 * model.channels).double()
    )
    _assert_same(alone, {k: v[-1:] for k, v in _run(model, joined).items()})


def test_isolated_particle_has_a_finite_gradient() -> None:
    """The norm of l >= 1 features has no derivative at zero; training must survive it."""
    torch.manual_seed(0)
    model = build("se3gnn-v2", n_layers=2, channels=2, l_max=2, gate_hidden=4).double().train()
    _open_gates(model)
    system = liquid(30)
    with_lonely = moved(
        system,
        positions=np.concatenate([system.positions, [[20.0, 20.0, 20.0]]]),
        cell=np.eye(3) * 40,
        species=np.append(system.species, 0),
    )
    graph = build_graph(with_lonely, 2.0, (), torch.float64)
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    model(graph.species, graph.scalars, graph.edge_vector, sender, pointer).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize("gate_hidden", [0, 8])
def test_training_mode_equals_scripted_evaluation_mode_on_the_same_statistics(
    gate_hidden: int,
) -> None:
    torch.manual_seed(2)
    settings = {"n_layers": 3, "channels": 4, "dropout": 0.0, "gate_hidden": gate_hidden}
    model = _open_gates(build("se3gnn-v2", **settings)).double()
    graph = build_graph(liquid(), 2.0, (), torch.float64)
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    inputs = (graph.species, graph.scalars, graph.edge_vector, sender, pointer)
    radial = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    for module in [*radial, *model.norms]:
        module.momentum = 1.0  # running statistics are then those of this one batch
    training = model.train()(*inputs)
    for module in radial:  # torch keeps the unbiased variance but normalises by the biased one
        module.running_var *= (len(receiver) - 1) / len(receiver)
    scripted = script_model(model, torch.float64)(*inputs)
    torch.testing.assert_close(training, scripted, rtol=EXACT, atol=EXACT)
    assert training.std() > 0.01


def test_steps_one_by_one_with_forwarded_ghosts_equal_one_domain(model: SE3GNN) -> None:
    """What an engine with domains does: half of the particles, then ghosts by communication."""
    graph = build_graph(liquid(), 2.0, (), torch.float64)
    sender, receiver = graph.edge_index
    n, half = graph.num_nodes, graph.num_nodes // 2
    parts = []
    for low, high in ((0, half), (half, n)):
        order = torch.cat([torch.arange(low, high), torch.arange(low), torch.arange(high, n)])
        mine = (receiver >= low) & (receiver < high)
        local_sender = torch.argsort(order)[sender[mine]]
        pointer = first_edge(receiver[mine] - low, high - low)
        parts.append((order, graph.edge_vector[mine], local_sender, pointer, slice(low, high)))
    with torch.no_grad():
        state = model.embed(graph.species, graph.scalars)
        for k in range(model.n_steps):
            new = torch.empty(n, model.state_widths[k + 1], dtype=torch.float64)
            for order, vector, local_sender, pointer, rows in parts:
                edges = model.embed_edges(vector)
                new[rows] = model.step(k, state[order], edges, local_sender, pointer)
            state = new
        result = {o.name: getattr(model, o.name)(state) for o in model.outputs}
    _assert_same(_run(model, liquid()), result)


def test_smooth_cutoff_makes_the_prediction_continuous() -> None:
    """A neighbour that crosses r_c jumps in the published form, and fades in the smooth one."""

    def jump(smooth: bool) -> float:
        torch.manual_seed(3)
        model = _trained(build("se3gnn-v2", n_layers=2, channels=4, smooth_cutoff=smooth))

        def prediction(r: float) -> torch.Tensor:
            pair = Configuration(
                positions=np.array([[0.0, 0, 0], [r, 0, 0]]),
                cell=np.eye(3) * 20,
                species=[0, 1],
                species_names=("A", "B"),
            )
            return _run(model, pair)["propensity"]

        return float((prediction(2 - 1e-6) - prediction(2 + 1e-6)).abs().max())

    assert jump(smooth=True) < 1e-8
    assert jump(smooth=False) > 1e-3


def test_gates_change_nothing_before_training() -> None:
    settings = {"n_layers": 3, "channels": 4, "times": (0.5, 3.0)}
    model = _trained(build("se3gnn-v2", **settings))
    gated = build("se3gnn-v2", **settings, gate_hidden=8).double().eval()
    found = gated.load_state_dict(model.state_dict(), strict=False)
    assert not found.unexpected_keys
    assert all(name.startswith("gates.") for name in found.missing_keys)
    _assert_same(_run(model, liquid()), _run(gated, liquid()))


def test_gates_multiply_properties_of_the_same_particle(model: SE3GNN) -> None:
    """Layers add what neighbours bring: without gates a particle's own state enters as a sum.

    So the second difference of a layer in the own scalar features vanishes; with gates it does not.
    """
    generator = torch.Generator().manual_seed(5)
    own, change = torch.randn(2, 1, model.state_widths[1], dtype=torch.float64, generator=generator)
    change[:, model.channels :] = 0.0
    nothing = torch.zeros(0, 3, dtype=torch.float64)
    edges, sender = model.embed_edges(nothing), torch.zeros(0, dtype=torch.int64)
    pointer = torch.zeros(2, dtype=torch.int64)

    def layer(x: float) -> torch.Tensor:
        with torch.no_grad():
            return model.step(1, own + x * change, edges, sender, pointer)

    bend = (layer(1.0) - 2 * layer(0.0) + layer(-1.0))[:, : model.n_features]
    gated = bool(list(model.gates.parameters()))
    assert (bend.abs().max() > 1e-3) == gated
    assert (bend.abs().max() < EXACT) != gated


def test_three_species_scalars_and_gaussian_basis_work_together() -> None:
    torch.manual_seed(0)
    model = build(
        "se3gnn-v2",
        species=("Cu", "Zr", "Al"),
        scalar_inputs=("potential_energy", "charge"),
        times=(1.0, 10.0, 100.0),
        radial_basis="gaussian",
        n_layers=2,
        channels=3,
        l_max=2,
    )
    model = _trained(model)
    rng = np.random.default_rng(0)
    system = liquid(30, scalars={"potential_energy": rng.normal(size=30), "charge": np.ones(30)})
    system = moved(system, species=rng.integers(0, 3, 30), species_names=("Cu", "Zr", "Al"))
    assert _run(model, system)["propensity"].shape == (30, 3)


@pytest.mark.parametrize("decoded", [False, True])
def test_decoded_scalars_act_on_their_own_particle(decoded: bool) -> None:
    """A particle without neighbours: nothing else brings its scalars to the decoder."""
    torch.manual_seed(4)
    scalars = ("vibration", "charge")
    settings = {"n_layers": 2, "channels": 4, "times": (1.0, 2.0)}
    model = build("se3gnn-v2", scalar_inputs=scalars, decode_scalars=decoded, **settings)
    model = _trained(model)
    mean, scale = torch.tensor([[0.1, 0.0], [0.5, 2.0]], dtype=torch.float64)
    model.set_scalar_scale(mean, scale)

    def propensity(vibration: float, charge: float) -> torch.Tensor:
        alone = Configuration(
            positions=np.zeros((1, 3)),
            cell=np.eye(3) * 20,
            species=[1],
            species_names=("A", "B"),
            scalars={"vibration": np.array([vibration]), "charge": np.array([charge])},
        )
        found = _run(model, alone)
        assert found["descriptors"].shape == (1, len(model.outputs[1].columns))
        return found["propensity"][0]

    with torch.no_grad():
        of_b = model.decoder.weight[2:, (model.l_max + 1) * 4 :] * model.label_scale[1:].T
    standardised = torch.tensor([0.3, -1.0], dtype=torch.float64) / scale
    expected = of_b @ standardised[: of_b.shape[1]]  # no columns where they are not decoded
    change = propensity(0.5, 0.0) - propensity(0.2, 1.0)
    torch.testing.assert_close(change, expected, rtol=EXACT, atol=EXACT)


def test_decoded_scalars_are_descriptors_by_their_names() -> None:
    model = build("se3gnn-v2", scalar_inputs=("charge",), l_max=1, channels=2, decode_scalars=True)
    assert model.outputs[1].columns[-2:] == ("descriptor_l=1_c=1", "charge")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"l_max": -1}, "l_max: expected a whole number from 0 to 11; found -1"),
        ({"l_max": 20}, "l_max: expected a whole number from 0 to 11; found 20"),
        ({"channels": 0}, "channels: expected"),
        ({"gate_hidden": -1}, "gate_hidden: expected a whole number from 0 to 4096; found -1"),
        ({"l_max": 1000}, "l_max: expected a whole number from 0 to 11; found 1000"),
        ({"channels": 10**8}, "channels: expected a whole number from 1 to 65536; found 1000"),
        ({"channels": 20_000}, r"at most 65536 columns .*; found \d+ with channels 20000, l_max 3"),
        ({"n_layers": 10**9}, "n_layers: expected a whole number from 1 to 1000; found"),
        ({"radial_basis_size": 10**9}, "radial_basis_size: expected .* from 1 to 4096; found"),
        ({"radial_hidden": 10**9}, "radial_hidden: expected .* from 1 to 4096; found"),
        ({"gate_hidden": 10**9}, "gate_hidden: expected .* from 0 to 4096; found"),
        (
            {"radial_table": 10**9, "dropout": 0.0},
            "radial_table: expected a whole number from 2 to 65536; found 1000000000",
        ),
        # Each in range, but together 60 GB.
        ({"l_max": 11, "channels": 400, "n_layers": 1000}, "at most 134217728 parameters; found"),
        ({"cutoff": 1e300}, r"cutoff: expected a positive length of at most 1e\+06; found 1e\+300"),
        ({"dropout": 1.0}, "dropout: expected a probability"),
        ({"cutoff": 0}, "cutoff: expected a positive length"),
        ({"times": ()}, "times: expected one or more positive"),
        ({"species": ("A", "A")}, "species: expected one or more different"),
        ({"radial_basis": "fourier"}, "radial_basis: expected one of bessel, gaussian"),
        ({"length_unit": "furlong"}, "length_unit: expected one of lj"),
        ({"cutoff": "two"}, "cutoff: expected a finite number; found 'two'"),
        ({"cutoff": None}, "cutoff: expected a finite number; found None"),
        ({"cutoff": float("inf")}, "cutoff: expected a finite number; found inf"),
        ({"dropout": "x"}, "dropout: expected a finite number; found 'x'"),
        ({"dropout": False}, "dropout: expected a finite number; found False"),
        ({"radial_basis_size": 10.5}, "radial_basis_size: expected a whole number; found 10.5"),
        ({"radial_basis_size": "ten"}, "radial_basis_size: expected a whole number; found 'ten'"),
        ({"radial_basis_size": 0}, "radial_basis_size: expected .* from 1 to 4096; found 0"),
        ({"channels": True}, "channels: expected a whole number; found True"),
        ({"batchnorm_momentum": 5}, r"batchnorm_momentum: expected a weight in \(0, 1\]; found 5"),
        ({"batchnorm_momentum": 0}, "batchnorm_momentum: expected a weight"),
        ({"smooth_cutoff": "maybe"}, "smooth_cutoff: expected true or false; found 'maybe'"),
        ({"smooth_cutoff": 1}, "smooth_cutoff: expected true or false; found 1"),
        ({"radial_basis": 3}, "radial_basis: expected a name; found 3"),
        ({"species": "AB"}, "species: expected a list of names; found 'AB'"),
        ({"species": ("A", "B C")}, "species: expected names without commas and white space"),
        ({"species": ("A,B",)}, "species: expected names without commas .* found 'A,B'"),
        ({"species": ("",)}, "species: expected names"),
        ({"times": (1.0, float("inf"))}, "times: expected a list of finite numbers"),
        ({"times": 1.0}, "times: expected a list of finite numbers; found 1.0"),
        ({"times": (1.0, 1)}, "times: expected different times"),
        ({"scalar_inputs": ("q", "q")}, "scalar_inputs: expected different names"),
        ({"chanels": 4}, "found 'chanels' \\(did you mean 'channels'"),
    ],
)
def test_impossible_settings_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("se3gnn-v2", **arguments)


def test_hyperparameters_are_kept_as_plain_values() -> None:
    model = build("se3gnn-v2", n_layers=1, times=np.array([1.0, 3.0]), cutoff=2, dropout="1e-1")
    assert model.hyperparameters["times"] == (1.0, 3.0)
    assert [type(t) for t in model.hyperparameters["times"]] == [float, float]
    assert model.hyperparameters["cutoff"] == 2.0
    assert model.hyperparameters["dropout"] == 0.1  # YAML takes 1e-1 for a string


def test_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="expected one of analytic, bapst, botan, eignn"):
        build("se3gnn-v3")

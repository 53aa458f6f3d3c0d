"""Committees of models of different kinds, depths, cutoffs and inputs.

Float64 results are compared at 1e-12 of values of order one to a hundred: the same operations in
another order of summation.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from systems import liquid, moved, rotation, wigner_d
from torch import Tensor

from glassml.data import Configuration
from glassml.errors import ConfigError
from glassml.export import script_model
from glassml.graph import build_graph, first_edge
from glassml.models import Committee, GlassModel, build

TIMES = (0.5, 3.0)
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def members() -> list[GlassModel]:
    """Two networks and the analytic model: 3, 1 and 2 steps, three cutoffs, 0, 1 and 2 scalars."""
    torch.manual_seed(7)
    both = ("charge", "potential_energy")
    models = [
        build("se3gnn-v2", n_layers=3, channels=3, l_max=2, times=TIMES),
        build(
            "se3gnn-v1",
            n_layers=1,
            l_max=1,
            times=TIMES,
            cutoff=1.4,
            scalar_inputs=both[1:],
            decode_scalars=True,
            gate_hidden=4,
        ),
        build("analytic", times=TIMES, cutoff=1.7, scalar_inputs=both),
    ]
    for gate in models[1].gates:  # before training they multiply by 1
        torch.nn.init.normal_(gate.second.weight)
    return [model.double().eval() for model in models]


def system(n: int = 50, seed: int = 0) -> Configuration:
    rng = np.random.default_rng(100 + seed)
    scalars = {"potential_energy": rng.normal(size=n), "charge": rng.normal(size=n)}
    return liquid(n, seed=seed, scalars=scalars)


def outputs(model: GlassModel, configuration: Configuration, script: bool = False) -> dict:
    """All outputs of a model, as tensors, on the graph of its own cutoff and scalars."""
    names = [s.name for s in model.scalar_inputs]
    graph = build_graph(configuration, model.cutoff, names, torch.float64)
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    run = script_model(model, torch.float64) if script else model
    with torch.no_grad():
        state = run.encode(graph.species, graph.scalars, graph.edge_vector, sender, pointer)
        return {o.name: getattr(run, o.name)(state) for o in model.outputs}


@pytest.mark.parametrize("script", [False, True], ids=["python", "script"])
def test_equals_what_numpy_makes_of_the_members(script: bool) -> None:
    models, here = members(), system()
    found = outputs(Committee(models), here, script)
    alone = [outputs(model, here) for model in models]
    values = np.stack([each["propensity"] for each in alone])
    assert values.std(axis=0).min() > 1e-3
    np.testing.assert_allclose(found["propensity"], values.mean(axis=0), **EXACT)
    np.testing.assert_allclose(found["propensity_std"], values.std(axis=0, ddof=1), **EXACT)
    np.testing.assert_allclose(found["propensity_members"], np.concatenate(values, 1), **EXACT)
    for name in ("descriptors", "equivariant"):
        joined = np.concatenate([each[name] for each in alone], axis=1)
        np.testing.assert_allclose(found[name], joined, **EXACT)


def test_weights_are_relative_and_enter_mean_and_spread() -> None:
    models, here = members(), system()
    found = outputs(Committee(models, weights=[2, 6, 4]), here)
    values = np.stack([outputs(model, here)["propensity"] for model in models])
    w = np.array([1, 3, 2]).reshape(3, 1, 1) / 6
    mean = (w * values).sum(axis=0)
    variance = (w * (values - mean) ** 2).sum(axis=0) / (1 - (w**2).sum())
    np.testing.assert_allclose(found["propensity"], mean, **EXACT)
    np.testing.assert_allclose(found["propensity_std"], np.sqrt(variance), **EXACT)


def test_spread_of_random_members_is_right_on_average() -> None:
    """The variance of any weights is unbiased: members that differ by noise of variance 1."""
    rng = np.random.default_rng(3)
    w = np.array([0.5, 0.3, 0.2])
    noise = rng.normal(size=(3, 200_000))
    spread = (w @ (noise - w @ noise) ** 2) * Committee(members(), w.tolist()).unbiasing
    assert spread.mean() == pytest.approx(1.0, abs=0.01)  # 4 standard errors of this average


def test_a_single_member_is_itself_without_spread() -> None:
    model, here = members()[0], system()
    found, alone = outputs(Committee([model]), here), outputs(model, here)
    assert torch.equal(found["propensity"], alone["propensity"])
    assert torch.equal(found["propensity_std"], torch.zeros_like(alone["propensity"]))
    assert torch.equal(found["equivariant"], alone["equivariant"])


def test_a_member_sees_nothing_beyond_its_own_cutoff() -> None:
    """A third particle in reach of the committee alone must not change the member at all."""
    near, far = members()[1], members()[0]
    committee = Committee([near, far])
    pair = Configuration(
        positions=np.array([[0.0, 0, 0], [1.0, 0, 0], [-1.5, 0, 0]]),
        cell=np.eye(3) * 20,
        species=[0, 1, 0],
        species_names=("A", "B"),
        scalars={"potential_energy": np.array([0.1, -0.4, 0.9])},
    )
    away = moved(pair, positions=pair.positions - np.array([[0, 0, 0], [0, 0, 0], [0.1, 0, 0]]))
    before, after = outputs(committee, pair), outputs(committee, away)
    first = slice(0, len(TIMES))
    assert torch.equal(
        before["propensity_members"][:2, first], after["propensity_members"][:2, first]
    )
    rest = slice(len(TIMES), None)
    assert not torch.equal(
        before["propensity_members"][:1, rest], after["propensity_members"][:1, rest]
    )


@pytest.mark.parametrize("seed", range(2))
def test_rotation_turns_features_and_leaves_invariants(seed: int) -> None:
    committee, here, turn = Committee(members()), system(seed=seed), rotation(seed)
    turned = moved(here, positions=here.positions @ turn.T, cell=here.cell @ turn.T)
    before, after = outputs(committee, here), outputs(committee, turned)
    (irreps,) = [o.irreps for o in committee.outputs if o.name == "equivariant"]
    before["equivariant"] = before["equivariant"] @ torch.from_numpy(wigner_d(irreps, turn)).T
    for name, values in before.items():
        # 1e-10 of the largest: rounding of the rotated coordinates goes through three layers.
        largest = float(values.abs().max())
        torch.testing.assert_close(after[name], values, rtol=0, atol=1e-10 * largest)


def test_what_it_says_of_itself() -> None:
    models = members()
    committee = Committee(models, weights=[1, 1, 2])
    assert committee.cutoff == 2.0
    assert [s.name for s in committee.scalar_inputs] == ["potential_energy", "charge"]
    # Shorter members begin later, with states of 3 and 1 columns until then.
    assert committee.state_widths == (2 + 3 + 1, 29 + 3 + 1, 29 + 3 + 5, 29 + 19 + 6)
    assert [len(o.columns) for o in committee.outputs[:3]] == [2, 2, 6]
    assert committee.outputs[1].columns == ("propensity_std_t=0.5", "propensity_std_t=3")
    described = committee.hyperparameters["members"]
    assert [d["weight"] for d in described] == [0.25, 0.25, 0.5]
    assert [d["model"] for d in described] == ["se3gnn-v2", "se3gnn-v1", "analytic"]
    assert described[1]["hyperparameters"]["cutoff"] == 1.4
    assert sum(d["parameters"] for d in described) == sum(p.numel() for p in committee.parameters())


class Plain(GlassModel):
    """The number of neighbours times t: one step, no descriptors, no equivariant features."""

    def __init__(self) -> None:
        super().__init__(("A", "B"), TIMES, 1.5)
        self.name = "plain"
        self._declare((1, 1), (self.propensity_output(),))

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        return torch.zeros_like(species, dtype=scalars.dtype).unsqueeze(1)

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        return edge_vector[:, :0]

    @torch.jit.export
    def step(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        return (first_edge[1:] - first_edge[:-1]).to(state.dtype).unsqueeze(1)

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        return torch.cat([0.5 * state, 3.0 * state], dim=1)


@pytest.mark.parametrize("script", [False, True], ids=["python", "script"])
def test_outputs_that_not_all_members_have_are_left_out(script: bool) -> None:
    here, other = system(), members()[0]
    committee = Committee([other, Plain()])
    assert [o.name for o in committee.outputs][3:] == []
    found = outputs(committee, here, script)["propensity"]
    expected = (
        outputs(other, here)["propensity"] + outputs(Plain(), here)["propensity"]
    ) / 2  # which sees the neighbours within 1.5 alone
    torch.testing.assert_close(found, expected, **EXACT)


def _analytic(**settings: object) -> GlassModel:
    return build("analytic", **settings)


@pytest.mark.parametrize(
    ("others", "weights", "message"),
    [
        (
            [_analytic(species=("B", "A"))],
            None,
            "species: expected A, B in all, .*number 1; found B, A in number 2$",
        ),
        (
            [_analytic(), _analytic(times=(1.0,))],
            None,
            "times: expected 1, 2 in all, .*; found 1 in number 3$",
        ),
        (
            [_analytic(length_unit="nm", cutoff=2.0)],
            None,
            "length_unit: expected lj .*; found nm in number 2",
        ),
        ([_analytic()], [1.0], "weights: expected one for each of the 2 members; found 1"),
        ([_analytic()], [1.0, 0.0], "weights: expected positive numbers; found 1, 0"),
        ([_analytic()], [1.0, float("nan")], "weights: expected positive numbers; found 1, nan"),
        ([Committee([_analytic()])], None, "found a committee as number 2. Give its members"),
    ],
)
def test_members_that_do_not_fit_are_refused(
    others: list[GlassModel], weights: list[float] | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Committee([_analytic(), *others], weights)


def test_no_member_and_a_member_twice_are_refused() -> None:
    with pytest.raises(ConfigError, match="members: expected one trained model or more"):
        Committee([])
    model = _analytic()
    with pytest.raises(ConfigError, match="expected each model once; found number 3 twice"):
        Committee([model, _analytic(), model])

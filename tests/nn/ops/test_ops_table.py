"""The convolution with tabulated radial weights, in all its implementations.

It must be the plain convolution with interpolated weights: that one is tested elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ops_problems import (
    CLOSE,
    GRAPHS,
    Operator,
    gradients,
    make_problem,
    run_python,
    with_gradients,
)

from glassml.errors import InputError
from glassml.nn.ops import reference

IMPLEMENTATIONS = ["native", "aten", "reference"]
DEGREES = [(-1, 3), (0, 2), (1, 1), (2, 3), (3, 3), (4, 4)]
WIDTHS = [(1, 0), (3, 2), (4, 1), (8, 3), (29, 5)]  # 29 channels = 16 + 8 + 5 of 8 lanes

MIXED = pytest.mark.parametrize("mixed_to", [None, 8], ids=["unmixed", "mixed"])


@dataclass(frozen=True)
class Tabulated:
    """Arguments of one call."""

    state: torch.Tensor
    edge_vector: torch.Tensor
    knots: torch.Tensor
    table: torch.Tensor
    sender: torch.Tensor
    first_edge: torch.Tensor
    l_in: int
    l_max: int
    channels: int
    rectify: bool = True
    mixing: torch.Tensor | None = None

    def arguments(self) -> tuple[object, ...]:
        return tuple(vars(self).values())


def tabulated(
    l_in: int,
    l_max: int,
    channels: int,
    n_in: int,
    graph: str = "ordinary",
    dtype: torch.dtype = torch.float64,
    n_knots: int = 12,
    mixed_to: int | None = None,
) -> Tabulated:
    """Uneven knots on [0.1, 2], and distances that lie beyond both ends too.

    The knots are not much nearer to each other than even ones: on a steep piece the last digit of
    a distance in float32 would matter.
    """
    p = make_problem(l_in, l_max, channels, n_in, graph, dtype, mixed_to)
    generator = torch.Generator().manual_seed(3)
    steps = 0.5 + torch.rand(n_knots - 1, generator=generator, dtype=torch.float64)
    inner = (steps.cumsum(0) / steps.sum())[:-1] * 1.9 + 0.1
    knots = torch.cat([torch.tensor([0.1, 2.0], dtype=torch.float64), inner]).sort().values
    r = torch.rand(len(p.sender), generator=generator, dtype=torch.float64) * 2.4
    table = torch.randn(n_knots, p.radial.shape[1], generator=generator, dtype=torch.float64)
    vector = torch.nn.functional.normalize(p.edge_vector.double(), dim=1) * r.unsqueeze(1)
    return Tabulated(
        p.state, vector.to(dtype), knots.to(dtype), table.to(dtype), p.sender, p.first_edge,
        l_in, l_max, channels, mixing=p.mixing,
    )  # fmt: skip


def expected(*arguments: Any) -> torch.Tensor:
    p = Tabulated(*arguments)
    weights = reference.interpolate(p.edge_vector.norm(dim=1), p.knots, p.table)
    radial = weights.relu() if p.rectify else weights
    return reference.equivariant_convolution(
        p.state, p.edge_vector, radial, p.sender, p.first_edge, p.l_in, p.l_max, p.channels,
        p.mixing,
    )  # fmt: skip


@pytest.fixture(params=IMPLEMENTATIONS)
def operator(request: pytest.FixtureRequest, native: Operator) -> Operator:
    return {
        "native": torch.ops.glassml.tabulated_convolution,
        "aten": torch.ops.glassml.tabulated_convolution_aten,
        "reference": reference.tabulated_convolution,
    }[request.param]


def check(operator: Operator, problem: Tabulated, close: dict[str, float]) -> None:
    arguments = problem.arguments()
    torch.testing.assert_close(operator(*arguments), expected(*arguments), **close)
    torch.testing.assert_close(
        gradients(operator, problem, weights="table"),
        gradients(expected, problem, weights="table"),
        **close,
    )


@MIXED
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("channels", "n_in"), WIDTHS)
@pytest.mark.parametrize(("l_in", "l_max"), DEGREES)
def test_it_is_the_convolution_with_interpolated_weights(
    operator: Operator,
    l_in: int,
    l_max: int,
    channels: int,
    n_in: int,
    dtype: torch.dtype,
    mixed_to: int | None,
) -> None:
    problem = tabulated(l_in, l_max, channels, n_in, dtype=dtype, mixed_to=mixed_to)
    check(operator, problem, CLOSE[dtype])


@pytest.mark.parametrize("mixed_to", [1, 3, 16, 29])
def test_it_mixes_to_any_number_of_columns(operator: Operator, mixed_to: int) -> None:
    check(operator, tabulated(2, 3, 8, 2, mixed_to=mixed_to), CLOSE[torch.float64])


@MIXED
@pytest.mark.parametrize("rectify", [True, False])
@pytest.mark.parametrize("graph", GRAPHS)
def test_any_graph_and_number_of_threads(
    operator: Operator, graph: str, rectify: bool, threads: int, mixed_to: int | None
) -> None:
    problem = replace(tabulated(3, 3, 8, 2, graph=graph, mixed_to=mixed_to), rectify=rectify)
    check(operator, problem, CLOSE[torch.float64])
    once, again = (gradients(operator, problem, weights="table") for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


def test_weights_of_wide_knots_are_those_at_the_knots(operator: Operator) -> None:
    """Exactly at a knot, beyond both ends, and in a step."""
    problem = tabulated(1, 1, 2, 0)
    knots = torch.tensor([0.5, 1.0, 1.0, 1.5], dtype=torch.float64)
    r = torch.tensor([0.5, 1.0, 1.5, 0.1, 9.0, 0.75, 1.25] + [1.0] * 6, dtype=torch.float64)
    table = problem.table[:4]
    middle = (table[0] + table[1]) / 2, (table[2] + table[3]) / 2
    weights = torch.stack([table[k] for k in (0, 2, 3, 0, 3)] + [*middle] + [table[2]] * 6)
    # Along an axis, so that lengths are exact.
    axis = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64)
    p = replace(problem, edge_vector=r[:, None] * axis, knots=knots, table=table, rectify=False)
    plain = reference.equivariant_convolution(
        p.state, p.edge_vector, weights, p.sender, p.first_edge, p.l_in, p.l_max, p.channels
    )
    torch.testing.assert_close(operator(*p.arguments()), plain, **CLOSE[torch.float64])


@pytest.mark.parametrize("n_knots", [2, 700])
def test_any_number_of_knots(operator: Operator, n_knots: int) -> None:
    check(operator, tabulated(2, 2, 8, 1, "hub", n_knots=n_knots), CLOSE[torch.float64])


def test_vectors_that_are_no_numbers_stay_with_their_receiver(native: Operator) -> None:
    problem = tabulated(1, 1, 8, 1, mixed_to=8)
    vector = problem.edge_vector.clone()
    vector[1] = torch.nan  # an edge of the first receiver
    wrong = replace(problem, edge_vector=vector)
    result = torch.ops.glassml.tabulated_convolution(*wrong.arguments())
    torch.testing.assert_close(
        result[1:], expected(*problem.arguments())[1:], **CLOSE[torch.float64]
    )
    assert result[0].isnan().any()


@MIXED
def test_edges_of_length_zero_have_the_first_weights(
    operator: Operator, mixed_to: int | None
) -> None:
    problem = tabulated(2, 2, 4, 1, mixed_to=mixed_to)
    still = replace(problem, edge_vector=torch.zeros_like(problem.edge_vector))
    check(operator, still, CLOSE[torch.float64])


@pytest.mark.parametrize("mixed_to", [None, 3], ids=["unmixed", "mixed"])
@pytest.mark.parametrize(("l_in", "l_max", "n_in"), [(-1, 2, 2), (1, 2, 1), (2, 1, 0)])
def test_gradients_are_those_of_finite_differences(
    operator: Operator, l_in: int, l_max: int, n_in: int, mixed_to: int | None
) -> None:
    problem = tabulated(l_in, l_max, 2, n_in, n_knots=5, mixed_to=mixed_to)
    p, leaves = with_gradients(problem, "state", "table", "mixing")
    names = ("state", "table", "mixing")[: len(leaves)]

    def function(*tensors: torch.Tensor) -> torch.Tensor:
        return operator(*replace(p, **dict(zip(names, tensors, strict=True))).arguments())

    assert torch.autograd.gradcheck(function, leaves)


@pytest.mark.parametrize("wanted", ["state", "table", "mixing"])
def test_one_gradient_alone_is_the_same(operator: Operator, wanted: str) -> None:
    problem = tabulated(2, 2, 4, 2, mixed_to=4)
    names = ("state", "table", "mixing")
    together = dict(zip(names, gradients(operator, problem, *names), strict=True))
    (alone,) = gradients(operator, problem, wanted)
    torch.testing.assert_close(alone, together[wanted], **CLOSE[torch.float64])


def test_table_and_state_may_be_columns_of_wider_matrices(operator: Operator) -> None:
    problem = tabulated(2, 2, 4, 1, mixed_to=4)
    wide = {
        name: torch.nn.functional.pad(getattr(problem, name), (3, 2))[:, 3:-2]
        for name in ("state", "edge_vector", "table", "mixing")
    }
    result = operator(*replace(problem, **wide).arguments())
    torch.testing.assert_close(result, expected(*problem.arguments()), **CLOSE[torch.float64])


def test_every_vector_extension_gives_the_same_numbers(
    native: Operator, library: Path, tmp_path: Path
) -> None:
    """With and without mixing; a process chooses its extension once."""
    file, cases = tmp_path / "problems.pt", []
    operator = torch.ops.glassml.tabulated_convolution
    for mixed_to in (None, 29):
        problem = tabulated(3, 3, 29, 1, "hub", dtype=torch.float32, mixed_to=mixed_to)
        result = operator(*problem.arguments())
        of_all = gradients(operator, problem, weights="table")
        cases.append([problem.arguments(), (result, *of_all)])
    torch.save(cases, file)
    script = """
        import sys, torch
        torch.ops.load_library(sys.argv[1])
        for arguments, (result, *gradients) in torch.load(sys.argv[2], weights_only=True):
            leaves = [arguments[k].requires_grad_() for k in (0, 3, 10) if arguments[k] is not None]
            found = torch.ops.glassml.tabulated_convolution(*arguments)
            direction = torch.linspace(-1, 1, found.numel()).view(found.shape)
            found_gradients = torch.autograd.grad(found, leaves, direction)
            for a, b in ((found, result), *zip(found_gradients, gradients, strict=True)):
                # float32 sums over 700 edges, relative to the largest of them
                assert (a - b).abs().max() <= 1e-5 * b.abs().max()
        print(torch.ops.glassml.simd_level())
    """
    for level in torch.ops.glassml.simd_levels():
        assert run_python(script, library, file, GLASSML_SIMD=level).strip() == level


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"edge_vector": torch.zeros(4, 3, dtype=torch.float64)},
            "edge_vector: expected shape .13, 3. = .*; found .4, 3.",
        ),
        (
            {"edge_vector": torch.zeros(13, 3)},
            "edge_vector: expected the dtype of state, .*; found ",
        ),
        (
            {"mixing": torch.zeros(40, 4, dtype=torch.float64)},
            "mixing: expected shape .39, .*; found .40, 4.",
        ),
        (
            {
                "knots": torch.zeros(1, dtype=torch.float64),
                "table": torch.zeros(1, 39, dtype=torch.float64),
            },
            "knots: expected 2 entries or more; found 1",
        ),
        (
            {"knots": torch.zeros(12, 1, dtype=torch.float64)},
            "knots: expected one dimension; found shape .12, 1.",
        ),
        (
            {"table": torch.zeros(12, 5, dtype=torch.float64)},
            "table: expected shape .* = .*; found .12, 5.",
        ),
        (
            {"table": torch.zeros(3, 39, dtype=torch.float64)},
            "table: expected shape .12, .* = .*; found .3, 39.",
        ),
        ({"sender": torch.zeros(13)}, "tabulated_convolution: sender: expected int64; found "),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    operator: Operator, change: dict[str, object], message: str
) -> None:
    problem = replace(tabulated(1, 2, 4, 1), **change)
    with pytest.raises((RuntimeError, InputError), match=message):
        operator(*problem.arguments())


def test_native_refuses_knots_that_decrease_and_gradients_that_it_lacks(native: Operator) -> None:
    problem, native_form = tabulated(1, 2, 4, 1), torch.ops.glassml.tabulated_convolution
    with pytest.raises(RuntimeError, match="knots: expected sorted distances; found a decrease"):
        native_form(*replace(problem, knots=problem.knots.flip(0)).arguments())
    for name in ("edge_vector", "knots"):
        with pytest.raises(NotImplementedError, match=f"no gradient with respect to {name}"):
            native_form(*with_gradients(problem, name)[0].arguments())

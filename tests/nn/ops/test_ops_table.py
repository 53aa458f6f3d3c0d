"""The convolution with tabulated radial weights, in all its implementations.

It must be the plain convolution with interpolated weights: that one is tested elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from ops_problems import CLOSE, GRAPHS, Operator, make_problem, run_python

from glassml.errors import InputError
from glassml.nn.ops import reference

IMPLEMENTATIONS = ["native", "aten", "reference"]
DEGREES = [(-1, 3), (0, 2), (1, 1), (2, 3), (3, 3), (4, 4)]
WIDTHS = [(1, 0), (3, 2), (4, 1), (8, 3), (29, 5)]  # 29 channels = 16 + 8 + 5 of 8 lanes


@dataclass(frozen=True)
class Tabulated:
    """Arguments of one call."""

    state: torch.Tensor
    sh: torch.Tensor
    r: torch.Tensor
    knots: torch.Tensor
    table: torch.Tensor
    sender: torch.Tensor
    first_edge: torch.Tensor
    l_in: int
    l_max: int
    channels: int
    rectify: bool = True

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
) -> Tabulated:
    """Uneven knots on [0.1, 2], and distances that lie beyond both ends too."""
    p = make_problem(l_in, l_max, channels, n_in, graph, dtype)
    generator = torch.Generator().manual_seed(3)
    inner = torch.rand(n_knots - 2, generator=generator, dtype=torch.float64) * 1.9 + 0.1
    knots = torch.cat([torch.tensor([0.1, 2.0], dtype=torch.float64), inner]).sort().values
    r = torch.rand(len(p.sender), generator=generator, dtype=torch.float64) * 2.4
    table = torch.randn(n_knots, p.radial.shape[1], generator=generator, dtype=torch.float64)
    return Tabulated(
        p.state, p.sh, r.to(dtype), knots.to(dtype), table.to(dtype), p.sender, p.first_edge,
        l_in, l_max, channels,
    )  # fmt: skip


def expected(p: Tabulated) -> torch.Tensor:
    weights = reference.interpolate(p.r, p.knots, p.table)
    radial = weights.relu() if p.rectify else weights
    return reference.equivariant_convolution(
        p.state, p.sh, radial, p.sender, p.first_edge, p.l_in, p.l_max, p.channels
    )


def gradients(operator: Operator, problem: Tabulated) -> tuple[torch.Tensor, ...]:
    leaves = [t.detach().clone().requires_grad_() for t in (problem.state, problem.table)]
    p = replace(problem, state=leaves[0], table=leaves[1])
    result = operator(p) if operator is expected else operator(*p.arguments())
    direction = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).view(result.shape)
    return torch.autograd.grad(result, leaves, direction)


@pytest.fixture(params=IMPLEMENTATIONS)
def operator(request: pytest.FixtureRequest, native: Operator) -> Operator:
    return {
        "native": torch.ops.glassml.tabulated_convolution,
        "aten": torch.ops.glassml.tabulated_convolution_aten,
        "reference": reference.tabulated_convolution,
    }[request.param]


def check(operator: Operator, problem: Tabulated, close: dict[str, float]) -> None:
    torch.testing.assert_close(operator(*problem.arguments()), expected(problem), **close)
    torch.testing.assert_close(gradients(operator, problem), gradients(expected, problem), **close)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("channels", "n_in"), WIDTHS)
@pytest.mark.parametrize(("l_in", "l_max"), DEGREES)
def test_it_is_the_convolution_with_interpolated_weights(
    operator: Operator, l_in: int, l_max: int, channels: int, n_in: int, dtype: torch.dtype
) -> None:
    check(operator, tabulated(l_in, l_max, channels, n_in, dtype=dtype), CLOSE[dtype])


@pytest.mark.parametrize("rectify", [True, False])
@pytest.mark.parametrize("graph", GRAPHS)
def test_any_graph_and_number_of_threads(
    operator: Operator, graph: str, rectify: bool, threads: int
) -> None:
    problem = replace(tabulated(3, 3, 8, 2, graph=graph), rectify=rectify)
    check(operator, problem, CLOSE[torch.float64])
    once, again = gradients(operator, problem), gradients(operator, problem)
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


def test_weights_of_wide_knots_are_those_at_the_knots(operator: Operator) -> None:
    """Exactly at a knot, beyond both ends, in a step, and where the distance is no number."""
    problem = tabulated(1, 1, 2, 0)
    knots = torch.tensor([0.5, 1.0, 1.0, 1.5], dtype=torch.float64)
    r = torch.tensor([0.5, 1.0, 1.5, 0.1, 9.0, 0.75, 1.25] + [1.0] * 6, dtype=torch.float64)
    table = problem.table[:4]
    middle = (table[0] + table[1]) / 2, (table[2] + table[3]) / 2
    weights = torch.stack([table[k] for k in (0, 2, 3, 0, 3)] + [*middle] + [table[2]] * 6)
    p = replace(problem, r=r, knots=knots, table=table, rectify=False)
    plain = reference.equivariant_convolution(
        p.state, p.sh, weights, p.sender, p.first_edge, p.l_in, p.l_max, p.channels
    )
    torch.testing.assert_close(operator(*p.arguments()), plain, **CLOSE[torch.float64])


@pytest.mark.parametrize("n_knots", [2, 700])
def test_any_number_of_knots(operator: Operator, n_knots: int) -> None:
    check(operator, tabulated(2, 2, 8, 1, "hub", n_knots=n_knots), CLOSE[torch.float64])


def test_distances_that_are_no_numbers_stay_inside_the_table(native: Operator) -> None:
    problem = tabulated(1, 1, 8, 1)
    wrong = replace(problem, r=torch.full_like(problem.r, torch.nan))
    at_the_start = replace(problem, r=torch.zeros_like(problem.r))
    result = torch.ops.glassml.tabulated_convolution(*wrong.arguments())
    torch.testing.assert_close(result, expected(at_the_start), **CLOSE[torch.float64])


@pytest.mark.parametrize(("l_in", "l_max", "n_in"), [(-1, 2, 2), (1, 2, 1), (2, 1, 0)])
def test_gradients_are_those_of_finite_differences(
    operator: Operator, l_in: int, l_max: int, n_in: int
) -> None:
    p = tabulated(l_in, l_max, 2, n_in, n_knots=5)

    def function(state: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        return operator(*replace(p, state=state, table=table).arguments())

    leaves = [t.clone().requires_grad_() for t in (p.state, p.table)]
    assert torch.autograd.gradcheck(function, leaves)


def test_table_and_state_may_be_columns_of_wider_matrices(operator: Operator) -> None:
    problem = tabulated(2, 2, 4, 1)
    wide = {
        name: torch.nn.functional.pad(getattr(problem, name), (3, 2))[:, 3:-2]
        for name in ("state", "sh", "table")
    }
    result = operator(*replace(problem, **wide).arguments())
    torch.testing.assert_close(result, expected(problem), **CLOSE[torch.float64])


def test_every_vector_extension_gives_the_same_numbers(
    native: Operator, library: Path, tmp_path: Path
) -> None:
    problem = tabulated(3, 3, 29, 1, "hub", dtype=torch.float32)
    file = tmp_path / "problem.pt"
    operator = torch.ops.glassml.tabulated_convolution
    result = operator(*problem.arguments())
    torch.save([*problem.arguments(), result, *gradients(operator, problem)], file)
    script = """
        import sys, torch
        torch.ops.load_library(sys.argv[1])
        *arguments, result, of_state, of_table = torch.load(sys.argv[2], weights_only=True)
        leaves = arguments[0].requires_grad_(), arguments[4].requires_grad_()
        found = torch.ops.glassml.tabulated_convolution(*arguments)
        direction = torch.linspace(-1, 1, found.numel()).view(found.shape)
        found_gradients = torch.autograd.grad(found, leaves, direction)
        for a, b in ((found, result), *zip(found_gradients, (of_state, of_table))):
            # float32 sums over 700 edges, relative to the largest of them
            assert (a - b).abs().max() <= 1e-5 * b.abs().max()
        print(torch.ops.glassml.simd_level())
    """
    for level in torch.ops.glassml.simd_levels():
        assert run_python(script, library, file, GLASSML_SIMD=level).strip() == level


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r": torch.zeros(4, dtype=torch.float64)}, "r has shape .4., expected .13."),
        ({"r": torch.zeros(13)}, "r is .* but state is"),
        ({"knots": torch.zeros(1, dtype=torch.float64)}, "expected|knots has 1 entries"),
        ({"knots": torch.zeros(12, 1, dtype=torch.float64)}, "knots has .* expected one dimension"),
        ({"table": torch.zeros(12, 5, dtype=torch.float64)}, "table has shape .* expected"),
        ({"table": torch.zeros(3, 39, dtype=torch.float64)}, "table has shape .* expected .12, "),
        ({"sender": torch.zeros(13)}, "tabulated_convolution: sender is .*, expected int64"),
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
    with pytest.raises(RuntimeError, match="knots decreases"):
        native_form(*replace(problem, knots=problem.knots.flip(0)).arguments())
    for name in ("sh", "r", "knots"):
        leaf = getattr(problem, name).clone().requires_grad_()
        with pytest.raises(NotImplementedError, match=f"no gradient with respect to {name}"):
            native_form(*replace(problem, **{name: leaf}).arguments())

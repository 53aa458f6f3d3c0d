"""The renewal of edges: the native operator and its fallback against the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ops_problems import CLOSE, GRAPHS, Operator, run_python

from glassml.errors import InputError
from glassml.models import build
from glassml.nn.ops import edge_update as reference

# H and K: the published 64; panels of 8, 16, 32 and 64 columns and what they leave; one and
# several tiles of rows in the gradients of weights.
WIDTHS = [(64, 64), (8, 8), (40, 24), (16, 88)]
WITHOUT_KERNEL = [(64, 60), (5, 64), (3, 7)]
FLOATS = ("edges", "fixed", "of_receiver", "of_sender", "inner", "outer", "bias")


@dataclass(frozen=True)
class Renewal:
    """Arguments of one call; ``of_sender`` has more rows than there are receivers."""

    edges: torch.Tensor
    fixed: torch.Tensor
    of_receiver: torch.Tensor
    of_sender: torch.Tensor
    sender: torch.Tensor
    first_edge: torch.Tensor
    inner: torch.Tensor
    outer: torch.Tensor
    bias: torch.Tensor

    def arguments(self) -> tuple[torch.Tensor, ...]:
        return tuple(vars(self).values())


def renewal(
    width: int = 64,
    hidden: int = 64,
    graph: str = "ordinary",
    dtype: torch.dtype = torch.float64,
) -> Renewal:
    generator = torch.Generator().manual_seed(11)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    counts = torch.tensor(GRAPHS[graph], dtype=torch.int64)
    n_edges, n_all = int(counts.sum()), len(counts) + 3
    return Renewal(
        edges=random(n_edges, width),
        fixed=random(n_edges, hidden),
        of_receiver=random(len(counts), hidden),
        of_sender=random(n_all, hidden),
        sender=torch.randint(0, n_all, (n_edges,), generator=generator),
        first_edge=torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]),
        inner=random(hidden, width) / width**0.5,
        outer=random(width, hidden) / hidden**0.5,
        bias=random(width),
    )


def results(operator: Callable[..., Any], problem: Renewal) -> tuple[torch.Tensor, ...]:
    """The two results and the gradients of a function of both."""
    leaves = {name: getattr(problem, name).detach().clone().requires_grad_() for name in FLOATS}
    renewed, sums = operator(*replace(problem, **leaves).arguments())
    value = sum(
        (r * torch.linspace(-1, 1, r.numel(), dtype=r.dtype).view(r.shape)).sum()
        for r in (renewed, sums)
    )
    return renewed.detach(), sums.detach(), *torch.autograd.grad(value, list(leaves.values()))


@pytest.fixture(params=["native", "aten", "reference"])
def operators(request: pytest.FixtureRequest, native: Operator) -> tuple[Operator, Operator]:
    """`edge_update` and `edge_update_` in each implementation."""
    library = torch.ops.glassml
    return {
        "native": (library.edge_update, library.edge_update_),
        "aten": (library.edge_update_aten, library.edge_update__aten),
        "reference": (reference.edge_update, reference.edge_update_),
    }[request.param]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("width", "hidden"), WIDTHS + WITHOUT_KERNEL)
def test_native_agrees_with_reference(
    native: Operator, width: int, hidden: int, dtype: torch.dtype
) -> None:
    problem = renewal(width, hidden, dtype=dtype)
    found = results(torch.ops.glassml.edge_update, problem)
    expected = results(reference.edge_update, problem)
    torch.testing.assert_close(found, expected, **CLOSE[dtype])


@pytest.mark.parametrize("graph", GRAPHS)
def test_native_and_fallback_agree_on_any_graph_and_number_of_threads(
    native: Operator, graph: str, threads: int
) -> None:
    problem = renewal(40, 24, graph=graph)
    expected = results(reference.edge_update, problem)
    for operator in (torch.ops.glassml.edge_update, torch.ops.glassml.edge_update_aten):
        torch.testing.assert_close(results(operator, problem), expected, **CLOSE[torch.float64])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_results_do_not_depend_on_threads_to_the_last_bit(
    native: Operator, dtype: torch.dtype
) -> None:
    problem, before = renewal(graph="hub", dtype=dtype), torch.get_num_threads()
    bits = []
    for threads in (1, 2, 1, 2):
        torch.set_num_threads(threads)
        bits.append(results(torch.ops.glassml.edge_update, problem))
    torch.set_num_threads(before)
    n_the_same = 5  # all but sums over receivers of different threads: of_sender, weights, bias
    for k in range(n_the_same):
        assert all(torch.equal(bits[0][k], other[k]) for other in bits[1:])
    for one, again in ((bits[0], bits[2]), (bits[1], bits[3])):
        assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))


@pytest.mark.parametrize(("width", "hidden"), [(64, 64), (16, 88), (5, 7)])
@pytest.mark.parametrize("graph", GRAPHS)
def test_in_place_renews_columns_of_a_wider_tensor(
    operators: tuple[Operator, Operator], graph: str, width: int, hidden: int
) -> None:
    """As the networks call it: e and f are halves of one tensor, A columns of a wide matrix."""
    problem = renewal(width, hidden, graph=graph)
    both = torch.cat([problem.edges, problem.fixed], dim=1)
    wide = torch.nn.functional.pad(problem.inner, (2, 5))
    views = replace(
        problem, edges=both[:, :width], fixed=both[:, width:], inner=wide[:, 2 : 2 + width]
    )
    renewed, expected = reference.edge_update(*problem.arguments())
    sums = operators[1](*views.arguments())
    torch.testing.assert_close(sums, expected, **CLOSE[torch.float64])
    torch.testing.assert_close(both[:, :width], renewed, **CLOSE[torch.float64])
    assert torch.equal(both[:, width:], problem.fixed)


def test_in_place_and_functional_give_the_same_bits(native: Operator) -> None:
    problem = renewal(graph="hub", dtype=torch.float32)
    renewed, sums = torch.ops.glassml.edge_update(*problem.arguments())
    again = replace(problem, edges=problem.edges.clone())
    assert torch.equal(torch.ops.glassml.edge_update_(*again.arguments()), sums)
    assert torch.equal(again.edges, renewed)


@pytest.mark.parametrize("name", ["first_edge", "sender"])
def test_indices_in_the_memory_of_the_edges_do_not_change_with_them(
    native: Operator, name: str
) -> None:
    """The code of a hostile model file could view edges as integers, which were checked before."""
    problem = renewal()
    edges, indices = problem.edges.clone(), getattr(problem, name)
    view = edges.view(torch.int64).flatten()[: len(indices)]
    view.copy_(indices)
    hostile = replace(problem, edges=edges, **{name: view})
    renewed, sums = reference.edge_update(*replace(problem, edges=edges.clone()).arguments())
    torch.testing.assert_close(
        torch.ops.glassml.edge_update_(*hostile.arguments()), sums, **CLOSE[torch.float64]
    )
    torch.testing.assert_close(edges, renewed, **CLOSE[torch.float64])


@pytest.mark.parametrize("in_place", [False, True], ids=["functional", "in place"])
def test_any_strides_are_read_and_written(
    operators: tuple[Operator, Operator], in_place: bool
) -> None:
    problem = renewal(24, 16)
    transposed = {name: getattr(problem, name).T.contiguous().T for name in FLOATS[:-1]}
    every_other = {"sender": problem.sender.repeat_interleave(2)[::2]}
    strided = replace(problem, **transposed, **every_other, bias=problem.bias.repeat(2, 1).T[:, 0])
    renewed, sums = reference.edge_update(*problem.arguments())
    found = operators[in_place](*strided.arguments())
    found = (strided.edges, found) if in_place else found
    torch.testing.assert_close(found, (renewed, sums), **CLOSE[torch.float64])


def test_not_a_number_stays_one(operators: tuple[Operator, Operator]) -> None:
    problem = renewal()
    problem.edges[0, 0] = torch.nan
    renewed, sums = operators[0](*problem.arguments())
    assert renewed[0].isnan().all()
    assert sums[0].isnan().all()
    assert not renewed[1:].isnan().any()


@pytest.mark.parametrize(("width", "hidden"), [(8, 16), (3, 2)])
def test_gradients_are_those_of_finite_differences(
    operators: tuple[Operator, Operator], width: int, hidden: int
) -> None:
    problem = renewal(width, hidden)
    leaves = [getattr(problem, name).requires_grad_() for name in FLOATS]

    def function(*tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        changed = replace(problem, **dict(zip(FLOATS, tensors, strict=True)))
        return operators[0](*changed.arguments())

    assert torch.autograd.gradcheck(function, leaves)


@pytest.mark.parametrize("wanted", FLOATS)
def test_one_gradient_alone_is_the_same(native: Operator, wanted: str) -> None:
    problem = renewal(16, 24)
    together = dict(zip(FLOATS, results(torch.ops.glassml.edge_update, problem)[2:], strict=True))
    leaf = getattr(problem, wanted).detach().clone().requires_grad_()
    renewed, sums = torch.ops.glassml.edge_update(*replace(problem, **{wanted: leaf}).arguments())
    value = sum(
        (r * torch.linspace(-1, 1, r.numel(), dtype=r.dtype).view(r.shape)).sum()
        for r in (renewed, sums)
    )
    assert torch.equal(torch.autograd.grad(value, leaf)[0], together[wanted])


@pytest.mark.parametrize("used", [0, 1], ids=["renewed", "sums"])
def test_one_result_alone_has_gradients(native: Operator, used: int) -> None:
    problem = renewal(16, 24)
    found, expected = [], []
    for operator, gradients in (
        (torch.ops.glassml.edge_update, found),
        (reference.edge_update, expected),
    ):
        leaves = {name: getattr(problem, name).clone().requires_grad_() for name in FLOATS}
        result = operator(*replace(problem, **leaves).arguments())[used]
        gradients += torch.autograd.grad(result.square().sum(), list(leaves.values()))
    torch.testing.assert_close(found, expected, **CLOSE[torch.float64])


def test_every_vector_extension_gives_the_same_numbers(
    native: Operator, library: Path, tmp_path: Path
) -> None:
    """A process chooses its extension once."""
    file, cases = tmp_path / "problems.pt", []
    for width, hidden in WIDTHS:
        for dtype in (torch.float32, torch.float64):
            problem = renewal(width, hidden, dtype=dtype)
            expected = results(reference.edge_update, problem)
            cases.append([problem.arguments(), expected, CLOSE[dtype]])
    torch.save(cases, file)
    script = """
        import sys, torch
        torch.ops.load_library(sys.argv[1])
        for arguments, expected, close in torch.load(sys.argv[2], weights_only=True):
            leaves = [a.requires_grad_() for a in arguments if a.is_floating_point()]
            found = torch.ops.glassml.edge_update(*arguments)
            value = sum(
                (r * torch.linspace(-1, 1, r.numel(), dtype=r.dtype).view(r.shape)).sum()
                for r in found
            )
            gradients = torch.autograd.grad(value, leaves)
            torch.testing.assert_close((*found, *gradients), expected, **close)
        print(torch.ops.glassml.simd_level())
    """
    levels = torch.ops.glassml.simd_levels()
    assert levels[-1] == "baseline"
    for level in levels:
        assert run_python(script, library, file, GLASSML_SIMD=level).strip() == level


def test_other_devices_reach_the_fallback(native: Operator) -> None:
    problem = renewal(16, 8)
    on_meta = [tensor.to("meta") for tensor in problem.arguments()]
    found = torch.ops.glassml.edge_update(*on_meta)
    expected = torch.ops.glassml.edge_update(*problem.arguments())
    assert [t.device.type for t in found] == ["meta", "meta"]
    assert [t.shape for t in found] == [t.shape for t in expected]
    assert torch.ops.glassml.edge_update_(*on_meta).shape == expected[1].shape


@pytest.mark.cuda
def test_fallback_on_a_gpu_agrees_with_reference(native: Operator, cuda: torch.device) -> None:
    problem = renewal()
    found = torch.ops.glassml.edge_update(*(tensor.to(cuda) for tensor in problem.arguments()))
    expected = reference.edge_update(*problem.arguments())
    torch.testing.assert_close([t.cpu() for t in found], list(expected), **CLOSE[torch.float64])


WITH_REFERENCE = """
    import sys, torch
    from glassml.models import build
    from glassml.nn import ops
    assert ops.load() == "reference"
    state, hyperparameters, inputs, expected = torch.load(sys.argv[1], weights_only=True)
    for name in state:
        model = build(name, **hyperparameters).double()
        model.load_state_dict(state[name])
        with torch.no_grad():
            found = model(*inputs)
        torch.testing.assert_close(found, expected[name][0], rtol=1e-10, atol=1e-12)
        found = model(*inputs)
        gradients = torch.autograd.grad(found.square().sum(), list(model.parameters()))
        torch.testing.assert_close((found, *gradients), expected[name], rtol=1e-10, atol=1e-12)
    print("agree")
"""


def test_networks_give_the_same_with_both_backends(native: Operator, tmp_path: Path) -> None:
    """In place without gradients, else functional; the tolerance is that of some hundred sums."""
    generator = torch.Generator().manual_seed(3)
    problem = renewal(graph="ordinary")
    n_edges = len(problem.sender)
    sender = problem.sender % (len(problem.first_edge) - 1)
    inputs = (
        torch.tensor([0, 1, 0, 0, 1]),
        torch.zeros(5, 0, dtype=torch.float64),
        torch.randn(n_edges, 3, generator=generator, dtype=torch.float64),
        sender,
        problem.first_edge,
    )
    hyperparameters = {"width": 16, "n_layers": 3}
    states, expected = {}, {}
    for name in ("bapst", "botan"):
        torch.manual_seed(5)
        model = build(name, **hyperparameters).double()
        states[name] = model.state_dict()
        with torch.no_grad():
            in_place = model(*inputs)
        result = model(*inputs)
        torch.testing.assert_close(in_place, result.detach(), rtol=1e-12, atol=1e-12)
        gradients = torch.autograd.grad(result.square().sum(), list(model.parameters()))
        expected[name] = (result.detach(), *gradients)
        assert result.std() > 1e-4  # so that agreement means something
    file = tmp_path / "networks.pt"
    torch.save((states, hyperparameters, inputs, expected), file)
    assert run_python(WITH_REFERENCE, file, GLASSML_BACKEND="reference").strip() == "agree"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edges": torch.zeros(13)}, "edges: expected two dimensions; found shape .13."),
        ({"bias": torch.zeros(16, 1)}, "bias: expected one dimension; found shape .16, 1."),
        ({"sender": torch.zeros(13, 1)}, "sender: expected one dimension; found shape .13, 1."),
        (
            {"of_sender": torch.zeros(8, 24, dtype=torch.float16)},
            "of_sender: expected float32 or float64; found ",
        ),
        ({"inner": torch.zeros(24, 16)}, "inner: expected the dtype of edges, .*; found "),
        ({"sender": torch.zeros(13)}, "sender: expected int64; found "),
        ({"first_edge": torch.zeros(6, dtype=torch.int32)}, "first_edge: expected int64; found "),
        (
            {"sender": torch.zeros(13, dtype=torch.int64, device="meta")},
            "sender: expected the device of edges, cpu; found meta",
        ),
        (
            {"first_edge": torch.zeros(0, dtype=torch.int64)},
            "first_edge: expected n . 1 entries, the first of them 0; found none",
        ),
        (
            {"fixed": torch.zeros(12, 24, dtype=torch.float64)},
            r"fixed: expected shape \[13, 24\]; found \[12, 24\]",
        ),
        (
            {"of_receiver": torch.zeros(4, 24, dtype=torch.float64)},
            r"of_receiver: expected shape \[5, 24\]; found \[4, 24\]",
        ),
        (
            {"of_sender": torch.zeros(8, 16, dtype=torch.float64)},
            r"of_sender: expected shape \[8, 24\]; found \[8, 16\]",
        ),
        (
            {"sender": torch.zeros(12, dtype=torch.int64)},
            r"sender: expected shape \[13\]; found \[12\]",
        ),
        (
            {"inner": torch.zeros(16, 24, dtype=torch.float64)},
            r"inner: expected shape \[24, 16\]; found \[16, 24\]",
        ),
        (
            {"outer": torch.zeros(24, 16, dtype=torch.float64)},
            r"outer: expected shape \[16, 24\]; found \[24, 16\]",
        ),
        (
            {"bias": torch.zeros(24, dtype=torch.float64)},
            r"bias: expected shape \[16\]; found \[24\]",
        ),
    ],
)
@pytest.mark.parametrize("in_place", [False, True], ids=["functional", "in place"])
def test_arguments_that_do_not_fit_are_named(
    operators: tuple[Operator, Operator],
    change: dict[str, torch.Tensor],
    message: str,
    in_place: bool,
) -> None:
    problem = replace(renewal(16, 24), **change)
    with pytest.raises((RuntimeError, InputError), match=f"^edge_update: {message}"):
        operators[in_place](*problem.arguments())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"sender": torch.full((13,), 8)},
            r"sender\[0\]: expected a row of of_sender, 0 to 7; found 8",
        ),
        ({"sender": torch.full((13,), -1)}, r"sender\[0\]: expected .*; found -1"),
        (
            {"first_edge": torch.tensor([0, 3, 3, 8, 9, 12])},
            "first_edge: expected entries from 0 to 13, the number of edges; found 0 to 12",
        ),
        (
            {"first_edge": torch.tensor([0, 14, 3, 8, 9, 13])},
            "first_edge: .*; found entries that decrease",
        ),
    ],
)
@pytest.mark.parametrize("in_place", [False, True], ids=["functional", "in place"])
def test_native_refuses_indices_out_of_range(
    native: Operator, change: dict[str, torch.Tensor], message: str, in_place: bool
) -> None:
    problem = replace(renewal(16, 24), **change)
    library = torch.ops.glassml
    with pytest.raises(RuntimeError, match=f"^edge_update: {message}"):
        (library.edge_update, library.edge_update_)[in_place](*problem.arguments())


def test_in_place_refuses_to_lose_gradients(operators: tuple[Operator, Operator]) -> None:
    problem = renewal(16, 24)
    problem.inner.requires_grad_()
    with pytest.raises((RuntimeError, InputError), match="edge_update_: expected no arguments"):
        operators[1](*problem.arguments())
    with torch.no_grad():
        assert operators[1](*problem.arguments()).shape == (5, 16)


def test_autograd_notices_edges_that_were_renewed(operators: tuple[Operator, Operator]) -> None:
    problem = renewal(16, 24)
    weight = torch.ones(16, dtype=torch.float64, requires_grad=True)
    product = (problem.edges * weight).sum()
    operators[1](*problem.arguments())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()


def test_native_names_the_derivatives_that_it_lacks(native: Operator) -> None:
    problem = renewal(16, 24)
    problem.edges.requires_grad_()
    renewed, _ = torch.ops.glassml.edge_update(*problem.arguments())
    with pytest.raises(NotImplementedError, match="no second derivatives"):
        torch.autograd.grad(renewed.sum(), problem.edges, create_graph=True)

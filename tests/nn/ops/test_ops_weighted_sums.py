"""Weighted sums over neighbours: the native operator and its fallback against the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from ops_problems import CLOSE, GRAPHS, Operator, run_python

from glassml.errors import InputError
from glassml.nn.ops.weighted_sums import weighted_sums as reference

# Fewer columns than a vector of any extension has; whole vectors; what they leave.
COLUMNS = [1, 3, 7, 16, 17, 64, 107, 130]
DTYPES = [torch.float64, torch.float32]


@dataclass(frozen=True)
class Sums:
    """Arguments of one call; ``values`` has more rows than there are receivers."""

    values: torch.Tensor
    weights: torch.Tensor
    sender: torch.Tensor
    first_edge: torch.Tensor

    def arguments(self) -> tuple[torch.Tensor, ...]:
        return tuple(vars(self).values())


def sums(columns: int = 20, graph: str = "ordinary", dtype: torch.dtype = torch.float64) -> Sums:
    generator = torch.Generator().manual_seed(12)
    counts = torch.tensor(GRAPHS[graph], dtype=torch.int64)
    n_edges, n_all = int(counts.sum()), len(counts) + 3
    # Columns of a wider matrix, as the state of a model.
    wide = torch.randn(n_all, columns + 5, generator=generator, dtype=torch.float64).to(dtype)
    return Sums(
        values=wide[:, 2 : columns + 2],
        weights=torch.randn(n_edges, generator=generator, dtype=torch.float64).to(dtype),
        sender=torch.randint(0, n_all, (n_edges,), generator=generator),
        first_edge=torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]),
    )


def results(operator: Callable[..., torch.Tensor], problem: Sums) -> tuple[torch.Tensor, ...]:
    """The sums, and the gradients of a function of them."""
    leaves = [getattr(problem, n).detach().clone().requires_grad_() for n in ("values", "weights")]
    found = operator(*leaves, problem.sender, problem.first_edge)
    factors = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view(found.shape)
    return found.detach(), *torch.autograd.grad((found * factors).sum(), leaves)


@pytest.fixture(params=["native", "aten", "reference"])
def operator(request: pytest.FixtureRequest, native: Operator) -> Operator:
    library = torch.ops.glassml
    return {
        "native": library.weighted_sums,
        "aten": library.weighted_sums_aten,
        "reference": reference,
    }[request.param]


def test_sums_written_out(operator: Operator) -> None:
    found = operator(
        torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        torch.tensor([0.5, -1.0, 2.0]),
        torch.tensor([1, 2, 0]),
        torch.tensor([0, 2, 2, 3]),
    )
    assert found.tolist() == [[-3.5, -4.0], [0.0, 0.0], [2.0, 4.0]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", COLUMNS)
def test_native_agrees_with_reference(native: Operator, columns: int, dtype: torch.dtype) -> None:
    problem = sums(columns, dtype=dtype)
    assert torch.equal(
        torch.ops.glassml.weighted_sums(*problem.arguments()),
        results(torch.ops.glassml.weighted_sums, problem)[0],
    )
    found = results(torch.ops.glassml.weighted_sums, problem)
    torch.testing.assert_close(found, results(reference, problem), **CLOSE[dtype])


@pytest.mark.parametrize("graph", GRAPHS)
def test_any_graph_and_number_of_threads(operator: Operator, graph: str, threads: int) -> None:
    problem = sums(graph=graph)
    expected = results(reference, problem)
    torch.testing.assert_close(results(operator, problem), expected, **CLOSE[torch.float64])


def test_results_do_not_depend_on_threads_to_the_last_bit(native: Operator) -> None:
    problem, before = sums(graph="hub", dtype=torch.float32), torch.get_num_threads()
    bits = []
    for threads in (1, 2, 1, 2):
        torch.set_num_threads(threads)
        bits.append(results(torch.ops.glassml.weighted_sums, problem))
    torch.set_num_threads(before)
    # The gradient of values adds up receivers of different threads.
    for k in (0, 2):
        assert all(torch.equal(bits[0][k], other[k]) for other in bits[1:])
    for one, again in ((bits[0], bits[2]), (bits[1], bits[3])):
        assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))


def test_gradients_by_finite_differences(operator: Operator) -> None:
    problem = sums(5)
    leaves = [problem.values.clone().requires_grad_(), problem.weights.clone().requires_grad_()]
    torch.autograd.gradcheck(
        lambda values, weights: operator(values, weights, problem.sender, problem.first_edge),
        leaves,
    )


def test_every_vector_extension_gives_the_same_numbers(
    native: Operator, library: Path, tmp_path: Path
) -> None:
    """A process chooses its extension once."""
    file, cases = tmp_path / "problems.pt", []
    for columns in COLUMNS:
        for dtype in DTYPES:
            problem = sums(columns, dtype=dtype)
            cases.append([problem.arguments(), results(reference, problem), CLOSE[dtype]])
    torch.save(cases, file)
    script = """
        import sys, torch
        torch.ops.load_library(sys.argv[1])
        for (values, weights, *graph), expected, close in torch.load(sys.argv[2]):
            leaves = [values.detach().requires_grad_(), weights.requires_grad_()]
            found = torch.ops.glassml.weighted_sums(*leaves, *graph)
            factors = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view(found.shape)
            gradients = torch.autograd.grad((found * factors).sum(), leaves)
            torch.testing.assert_close((found, *gradients), expected, **close)
        print(torch.ops.glassml.simd_level())
    """
    for level in torch.ops.glassml.simd_levels():
        assert run_python(script, library, file, GLASSML_SIMD=level).strip() == level


def test_other_devices_reach_the_fallback(native: Operator) -> None:
    found = torch.ops.glassml.weighted_sums(*(t.to("meta") for t in sums().arguments()))
    assert (found.device.type, found.shape) == ("meta", (5, 20))


@pytest.mark.cuda
def test_fallback_on_a_gpu_agrees_with_reference(native: Operator, cuda: torch.device) -> None:
    found = torch.ops.glassml.weighted_sums(*(t.to(cuda) for t in sums().arguments()))
    torch.testing.assert_close(found.cpu(), reference(*sums().arguments()), **CLOSE[torch.float64])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": torch.ones(8)}, r"values: expected two dimensions; found shape \[8\]"),
        ({"weights": torch.ones(13, 1).double()}, r"weights: expected one dimension; found shape"),
        ({"values": torch.ones(8, 2).long()}, "values: expected float32 or float64; found"),
        ({"weights": torch.ones(13)}, "weights: expected the dtype of values, .*; found"),
        ({"sender": torch.zeros(13)}, "sender: expected int64; found"),
        ({"first_edge": torch.zeros(0).long()}, r"first_edge: expected n \+ 1 entries.*found none"),
        ({"weights": torch.ones(12).double()}, "weights: expected one for each of 13 edges; found"),
        ({"sender": torch.zeros(13).long().to("meta")}, "sender: expected the device of values"),
    ],
)
def test_wrong_arguments_are_refused(
    operator: Operator, change: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises((RuntimeError, InputError), match=f"^weighted_sums: {message}"):
        operator(*replace(sums(), **change).arguments())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sender": torch.full((13,), 8)}, r"sender\[0\]: expected a row of values, 0 to 7"),
        ({"first_edge": torch.tensor([0, 3, 3, 8, 9, 12])}, "first_edge: expected entries from 0"),
        ({"first_edge": torch.tensor([0, 14, 3, 8, 9, 13])}, "first_edge: .* that decrease"),
    ],
)
def test_native_refuses_indices_out_of_range(
    native: Operator, change: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(RuntimeError, match=f"^weighted_sums: {message}"):
        torch.ops.glassml.weighted_sums(*replace(sums(), **change).arguments())


def test_native_names_the_derivatives_that_it_lacks(native: Operator) -> None:
    problem = sums()
    values = problem.values.clone().requires_grad_()
    found = torch.ops.glassml.weighted_sums(values, *problem.arguments()[1:])
    with pytest.raises(NotImplementedError, match="no second derivatives"):
        torch.autograd.grad(found.sum(), values, create_graph=True)

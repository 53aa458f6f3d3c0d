"""The convolution by cuEquivariance, by the library's own method for any device.

What is handed to the library and what comes back is the same with its CUDA kernels, which run only
where there is a GPU.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from ops_problems import CLOSE, GRAPHS, Operator, gradients, make_problem, run_python
from test_ops_table import tabulated

from glassml.nn import ops
from glassml.nn.ops import cuequivariance, reference
from glassml.nn.ops.cuequivariance import MAX_DEGREE

SUMS = partial(cuequivariance.neighbour_sums, method="naive")
PORTABLE = partial(reference.equivariant_convolution, sums=SUMS)
PORTABLE_TABLE = partial(reference.tabulated_convolution, sums=SUMS)

DEGREES = [(-1, 3), (0, 0), (0, 2), (1, 2), (3, 0), (2, 3), (3, 3), (MAX_DEGREE, MAX_DEGREE)]
WIDTHS = [(1, 1), (8, 3)]
WITH_EDGES = [name for name, counts in GRAPHS.items() if sum(counts) > 0]
WITHOUT_EDGES = [name for name, counts in GRAPHS.items() if sum(counts) == 0]
ARGUMENTS = ("state", "edge_vector", "radial", "mixing")
ARGUMENTS_TABLE = ("state", "edge_vector", "knots", "table", "mixing")


def assert_agree(operator: Operator, expected: Operator, problem: Any, *names: str) -> None:
    """The same result, and the same gradients with respect to the named arguments."""
    close = CLOSE[problem.state.dtype]
    result = operator(*problem.arguments())
    torch.testing.assert_close(result, expected(*problem.arguments()), **close)
    found = gradients(operator, problem, *names)
    torch.testing.assert_close(found, gradients(expected, problem, *names), **close)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("channels", "n_in"), WIDTHS)
@pytest.mark.parametrize(("l_in", "l_max"), DEGREES)
def test_library_agrees_with_reference(
    l_in: int, l_max: int, channels: int, n_in: int, dtype: torch.dtype
) -> None:
    problem = make_problem(l_in, l_max, channels, n_in, dtype=dtype)
    assert_agree(PORTABLE, reference.equivariant_convolution, problem)


@pytest.mark.parametrize("graph", WITH_EDGES)
def test_library_agrees_on_any_graph_and_in_every_gradient(graph: str) -> None:
    problem = make_problem(2, 3, 4, 2, graph=graph, mixed_to=4)
    assert_agree(PORTABLE, reference.equivariant_convolution, problem, *ARGUMENTS)
    table = tabulated(2, 3, 4, 2, graph=graph, mixed_to=4)
    assert_agree(PORTABLE_TABLE, reference.tabulated_convolution, table, *ARGUMENTS_TABLE)


def test_library_needs_no_scalars() -> None:
    assert_agree(PORTABLE, reference.equivariant_convolution, make_problem(2, 3, 3, 0))


@pytest.mark.parametrize("n_in", [1, 3])
@pytest.mark.parametrize(("l_in", "l_max"), DEGREES)
def test_library_has_a_kernel_for_the_polynomial(l_in: int, l_max: int, n_in: int) -> None:
    # The conditions of its method "uniform_1d": one extent of all vectors, else plain numbers.
    for degree, channels in ((l_in, 8), (0, n_in)):
        flat = cuequivariance.polynomial(max(degree, 0), l_max, channels)
        flat = flat.flatten_coefficient_modes().squeeze_modes()
        assert flat.all_same_segment_shape()
        shapes = {operand.segment_shape for operand in flat.operands}
        assert shapes <= {(channels,), ()}
        ((_, product),) = flat.operations
        assert product.coefficient_subscripts == ""


@pytest.fixture
def unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where the library is installed but lacks something that it is linked to."""
    monkeypatch.setattr(cuequivariance, "problem", lambda: "cuEquivariance does not load: libnvrtc")


def test_library_that_does_not_load_is_warned_of_and_replaced(unusable: None) -> None:
    problem = make_problem(2, 2, 4, 1)
    with pytest.warns(RuntimeWarning, match=r"libnvrtc.*plain PyTorch .* glassml\[cuda12\]"):
        result = cuequivariance.equivariant_convolution(*problem.arguments())
    assert torch.equal(result, reference.equivariant_convolution(*problem.arguments()))


@pytest.mark.parametrize("graph", WITHOUT_EDGES)
def test_nothing_to_sum_is_no_call_of_the_library(graph: str) -> None:
    problem = make_problem(2, 2, 4, 1, graph=graph, mixed_to=4)
    result = cuequivariance.equivariant_convolution(*problem.arguments())
    assert torch.equal(result, reference.equivariant_convolution(*problem.arguments()))


@pytest.mark.parametrize(("l_in", "l_max"), [(MAX_DEGREE + 1, 2), (1, MAX_DEGREE + 1)])
def test_large_degrees_are_no_call_of_the_library(l_in: int, l_max: int) -> None:
    problem = make_problem(l_in, l_max, 1, 1)
    result = cuequivariance.equivariant_convolution(*problem.arguments())
    assert torch.equal(result, reference.equivariant_convolution(*problem.arguments()))


@pytest.mark.filterwarnings("ignore:cuEquivariance does not load:RuntimeWarning")
@pytest.mark.parametrize("most", [1, 3, 4, 1000])
@pytest.mark.parametrize("graph", GRAPHS)
def test_prediction_in_pieces_is_that_of_the_whole(
    unusable: None, monkeypatch: pytest.MonkeyPatch, graph: str, most: int
) -> None:
    monkeypatch.setattr(cuequivariance, "EDGES_AT_ONCE", most)
    problem = tabulated(1, 2, 4, 2, graph=graph, mixed_to=4)
    expected = reference.tabulated_convolution(*problem.arguments())
    with torch.no_grad():
        result = cuequivariance.tabulated_convolution(*problem.arguments())
    torch.testing.assert_close(result, expected, **CLOSE[torch.float64])


def test_pieces_hold_no_more_edges_than_wanted() -> None:
    problem = make_problem(1, 1, 1, 0, graph="ordinary")  # 3, 0, 5, 1 and 4 neighbours
    parts = cuequivariance.pieces(problem.edge_vector, problem.sender, problem.first_edge, 6)
    assert [rows.tolist() for _, _, rows in parts] == [[0, 3, 3, 8], [0, 1, 5]]


REGISTERED = """
    import sys, torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from glassml.nn import ops
    ops.load()
    name = "glassml::tabulated_convolution"
    for key in ("CUDA", "AutogradCUDA"):
        print(torch._C._dispatch_has_kernel_for_dispatch_key(name, key))
    print(ops.cuda_backend())
    with FakeTensorMode(), torch.no_grad():  # of a GPU, on any machine
        state = torch.ones(3, 4, device="cuda")
        index = torch.zeros(2, dtype=torch.int64, device="cuda")
        try:
            torch.ops.glassml.equivariant_convolution(state, state, state, index, index, 0, 0, 4)
        except Exception as error:
            print(type(error).__module__)
"""


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which the library is installed and does not load."""
    (tmp_path / "cuequivariance_ops_torch.py").write_text("raise ImportError('libcuda.so.1')")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}


def test_installed_library_gets_the_tensors_on_gpus(broken: dict[str, str]) -> None:
    # An error of Python shows who was called: the native code has others.
    expected = ["True", "True", "plain PyTorch", "glassml.errors"]
    assert run_python(REGISTERED, **broken).split("\n")[:4] == expected


def test_reference_is_the_reference_on_gpus_too(broken: dict[str, str]) -> None:
    printed = run_python(REGISTERED, GLASSML_BACKEND="reference", **broken)
    assert printed.split("\n")[:3] == ["False", "False", "plain PyTorch"]


@pytest.fixture
def gpu(cuda: torch.device, native: Operator) -> torch.device:
    """A GPU with the library's kernels."""
    if ops.cuda_backend() != "cuequivariance":
        pytest.skip(f"needs glassml[cuda] or glassml[cuda12]: {cuequivariance.problem()}")
    return cuda


def moved(problem: Any, device: torch.device) -> Any:
    tensors = {k: t.to(device) for k, t in vars(problem).items() if isinstance(t, torch.Tensor)}
    return replace(problem, **tensors)


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("channels", "n_in"), WIDTHS)
@pytest.mark.parametrize(("l_in", "l_max"), DEGREES)
def test_kernels_agree_with_reference(
    gpu: torch.device, l_in: int, l_max: int, channels: int, n_in: int, dtype: torch.dtype
) -> None:
    problem = make_problem(l_in, l_max, channels, n_in, dtype=dtype)
    operator = torch.ops.glassml.equivariant_convolution
    assert_agree(operator, reference.equivariant_convolution, moved(problem, gpu))


@pytest.mark.cuda
@pytest.mark.parametrize("graph", GRAPHS)
def test_kernels_agree_on_any_graph_and_in_every_gradient(gpu: torch.device, graph: str) -> None:
    problem = moved(make_problem(2, 3, 4, 2, graph=graph, mixed_to=4), gpu)
    operator = torch.ops.glassml.equivariant_convolution
    assert_agree(operator, reference.equivariant_convolution, problem, *ARGUMENTS)
    table = moved(tabulated(2, 3, 4, 2, graph=graph, mixed_to=4), gpu)
    operator = torch.ops.glassml.tabulated_convolution
    assert_agree(operator, reference.tabulated_convolution, table, *ARGUMENTS_TABLE)

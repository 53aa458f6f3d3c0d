"""Spherical harmonics in shells: the native operator and its fallback against the reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from ops_problems import CLOSE, GRAPHS, Operator, run_python

from glassml.errors import InputError
from glassml.nn.ops.reference import tabulated_convolution
from glassml.nn.ops.shell_sums import shell_sums as reference

DTYPES = [torch.float64, torch.float32]
DEGREES = [0, 1, 2, 4, 6]


@dataclass(frozen=True)
class Shells:
    """Arguments of one call; ``kind`` has more rows than there are receivers."""

    kind: torch.Tensor
    edge_vector: torch.Tensor
    sender: torch.Tensor
    first_edge: torch.Tensor
    start: float = 0.8
    cutoff: float = 2.6
    shells: int = 7
    kinds: int = 3
    l_max: int = 4

    def arguments(self) -> tuple:
        return tuple(vars(self).values())


def problem(graph: str = "ordinary", dtype: torch.dtype = torch.float64, **numbers: int) -> Shells:
    generator = torch.Generator().manual_seed(13)
    counts = torch.tensor(GRAPHS[graph], dtype=torch.int64)
    n_edges, n_all = int(counts.sum()), len(counts) + 3
    direction = torch.randn(n_edges, 3, generator=generator, dtype=torch.float64)
    # From before the first knot to beyond the last one.
    r = 0.3 + 2.6 * torch.rand(n_edges, 1, generator=generator, dtype=torch.float64)
    vector = r * torch.nn.functional.normalize(direction)
    # Columns of a wider matrix, as the edges of a model.
    wide = torch.cat([vector, r], dim=1).to(dtype)
    return Shells(
        kind=torch.randint(0, 3, (n_all,), generator=generator),
        edge_vector=wide[:, :3],
        sender=torch.randint(0, n_all, (n_edges,), generator=generator),
        first_edge=torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]),
        **numbers,
    )


@pytest.fixture(params=["native", "aten", "reference"])
def operator(request: pytest.FixtureRequest, native: Operator) -> Operator:
    library = torch.ops.glassml
    return {
        "native": library.shell_sums,
        "aten": library.shell_sums_aten,
        "reference": reference,
    }[request.param]


def test_densities_written_out(operator: Operator) -> None:
    """Knots at 1, 2 and 3: before, at and between knots; at the cutoff and beyond."""
    r = torch.tensor([0.5, 1.0, 1.25, 2.5, 3.0, 4.0], dtype=torch.float64)
    vector = r.unsqueeze(1) * torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    kind = torch.tensor([0, 1, 0, 0, 1, 1])
    graph = (torch.arange(6), torch.tensor([0, 6]))
    found = operator(kind, vector, *graph, 1.0, 3.0, 2, 2, 0)
    # Kind 0: 0.5 in the first shell, 1.25 between both, 2.5 half in the second.
    expected = torch.tensor([[1 + 0.75, 0.25 + 0.5, 1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("l_max", DEGREES)
def test_native_agrees_with_reference(native: Operator, l_max: int, dtype: torch.dtype) -> None:
    given = problem(dtype=dtype, l_max=l_max)
    found = torch.ops.glassml.shell_sums(*given.arguments())
    assert found.shape == (5, (l_max + 1) ** 2 * 21)
    torch.testing.assert_close(found, reference(*given.arguments()), **CLOSE[dtype])


@pytest.mark.parametrize("l_max", DEGREES)
def test_it_is_a_convolution_with_tabulated_shells(l_max: int) -> None:
    """The definition in other words: kinds as scalars, shells as tables."""
    given = problem(l_max=l_max)
    knots = torch.linspace(0.8, 2.6, 8, dtype=torch.float64)
    one = torch.cat([torch.eye(7), torch.zeros(1, 7)]).double()
    kinds = torch.nn.functional.one_hot(given.kind, 3).double().repeat_interleave(7, dim=1)
    expected = tabulated_convolution(
        kinds, given.edge_vector, knots, one.repeat(1, 3 * (l_max + 1)), given.sender,
        given.first_edge, -1, l_max, 1, False,
    )  # fmt: skip
    found = reference(*given.arguments())
    torch.testing.assert_close(found, expected, **CLOSE[torch.float64])


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("shells", [1, 25])
def test_any_graph_and_number_of_threads(
    operator: Operator, graph: str, shells: int, threads: int
) -> None:
    given = problem(graph, shells=shells)
    expected = reference(*given.arguments())
    torch.testing.assert_close(operator(*given.arguments()), expected, **CLOSE[torch.float64])


def test_results_do_not_depend_on_threads_to_the_last_bit(native: Operator) -> None:
    given, before = problem("hub", torch.float32), torch.get_num_threads()
    bits = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        bits.append(torch.ops.glassml.shell_sums(*given.arguments()))
    torch.set_num_threads(before)
    assert torch.equal(*bits)


def test_neighbours_at_the_place_of_the_receiver_have_no_direction(operator: Operator) -> None:
    given = problem()
    zero = replace(given, edge_vector=torch.zeros_like(given.edge_vector))
    found = operator(*zero.arguments()).reshape(5, 25, 21)
    assert found[:, 0].sum() == len(given.sender)
    assert not found[:, 1:].any()


def test_every_vector_extension_gives_the_same_numbers(
    native: Operator, library: Path, tmp_path: Path
) -> None:
    """A process chooses its extension once."""
    file, cases = tmp_path / "problems.pt", []
    for l_max in DEGREES:
        for dtype in DTYPES:
            given = problem(dtype=dtype, l_max=l_max).arguments()
            cases.append([given, reference(*given), CLOSE[dtype]])
    torch.save(cases, file)
    script = """
        import sys, torch
        torch.ops.load_library(sys.argv[1])
        for given, expected, close in torch.load(sys.argv[2]):
            torch.testing.assert_close(torch.ops.glassml.shell_sums(*given), expected, **close)
        print(torch.ops.glassml.simd_level())
    """
    for level in torch.ops.glassml.simd_levels():
        assert run_python(script, library, file, GLASSML_SIMD=level).strip() == level


def on(device: str | torch.device, given: Shells) -> tuple:
    return tuple(a.to(device) if isinstance(a, torch.Tensor) else a for a in given.arguments())


@pytest.mark.cuda
def test_fallback_on_a_gpu_agrees_with_reference(native: Operator, cuda: torch.device) -> None:
    found = torch.ops.glassml.shell_sums(*on(cuda, problem()))
    torch.testing.assert_close(
        found.cpu(), reference(*problem().arguments()), **CLOSE[torch.float64]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edge_vector": torch.ones(13, 2)}, r"edge_vector: expected shape \[E, 3\]; found"),
        ({"edge_vector": torch.ones(13, 3).long()}, "edge_vector: expected float32 or float64"),
        ({"kind": torch.ones(8, 1).long()}, "kind: expected one dimension; found shape"),
        ({"kind": torch.ones(8)}, "kind: expected int64; found"),
        ({"sender": torch.zeros(13).long().to("meta")}, "sender: expected the device of edge_vec"),
        ({"sender": torch.zeros(12).long()}, "sender: expected one for each of 13 edges; found 12"),
        ({"first_edge": torch.zeros(0).long()}, r"first_edge: expected n \+ 1 entries.*found none"),
        ({"start": 2.6}, "start: expected a distance below the cutoff, 2.6; found 2.6"),
        ({"shells": 0}, "shells, kinds: expected at least 1; found 0 and 3"),
        ({"l_max": 12}, "l_max: expected 0 to 11; found 12"),
    ],
)
def test_wrong_arguments_are_refused(operator: Operator, change: dict, message: str) -> None:
    with pytest.raises((RuntimeError, InputError), match=f"^shell_sums: {message}"):
        operator(*replace(problem(), **change).arguments())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": torch.full((8,), 3)}, r"kind\[0\]: expected 0 to 2; found 3"),
        ({"kind": torch.full((8,), -1)}, r"kind\[0\]: expected 0 to 2; found -1"),
        ({"sender": torch.full((13,), 8)}, r"sender\[0\]: expected a row of kind, 0 to 7"),
        ({"first_edge": torch.tensor([0, 3, 3, 8, 9, 12])}, "first_edge: expected entries from 0"),
        ({"first_edge": torch.tensor([0, 14, 3, 8, 9, 13])}, "first_edge: .* that decrease"),
    ],
)
def test_native_refuses_indices_out_of_range(
    native: Operator, change: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(RuntimeError, match=f"^shell_sums: {message}"):
        torch.ops.glassml.shell_sums(*replace(problem(), **change).arguments())


def test_vectors_that_are_no_numbers_stay_inside(native: Operator) -> None:
    given = problem()
    nothing = torch.full_like(given.edge_vector, torch.nan)
    found = torch.ops.glassml.shell_sums(*replace(given, edge_vector=nothing).arguments())
    assert found.reshape(5, 25, 21)[:, 0].sum() == 13  # all edges are in first shells


def test_native_names_the_derivative_that_it_lacks(native: Operator) -> None:
    given = problem()
    vector = given.edge_vector.clone().requires_grad_()
    with pytest.raises(NotImplementedError, match="no gradient with respect to edge_vector"):
        torch.ops.glassml.shell_sums(*replace(given, edge_vector=vector).arguments())
    found = reference(*replace(given, edge_vector=vector).arguments())
    assert torch.autograd.grad(found.sum(), vector)[0].abs().max() > 0

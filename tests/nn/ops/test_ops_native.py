"""The native operator, and its fallback for other devices, against the reference.

A process can register the operator only once, so the reference is called as a Python function.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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

DEGREES = [(l_in, l_max) for l_in in range(-1, 4) for l_max in range(4)] + [(4, 4)]
WIDTHS = [(1, 0), (3, 2), (4, 1), (8, 3), (29, 0)]  # 29 channels = 16 + 8 + 5 of 8 lanes


MIXED = pytest.mark.parametrize("mixed_to", [None, 8], ids=["unmixed", "mixed"])


@MIXED
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("channels", "n_in"), WIDTHS)
@pytest.mark.parametrize(("l_in", "l_max"), DEGREES)
def test_native_agrees_with_reference(
    native: Operator,
    l_in: int,
    l_max: int,
    channels: int,
    n_in: int,
    dtype: torch.dtype,
    mixed_to: int | None,
) -> None:
    problem = make_problem(l_in, l_max, channels, n_in, dtype=dtype, mixed_to=mixed_to)
    result = native(*problem.arguments())
    expected = reference.equivariant_convolution(*problem.arguments())
    torch.testing.assert_close(result, expected, **CLOSE[dtype])
    torch.testing.assert_close(
        gradients(native, problem),
        gradients(reference.equivariant_convolution, problem),
        **CLOSE[dtype],
    )


@pytest.mark.parametrize("mixed_to", [1, 3, 16, 29])
def test_native_mixes_to_any_number_of_columns(native: Operator, mixed_to: int) -> None:
    problem = make_problem(2, 3, 8, 2, mixed_to=mixed_to)
    expected = reference.equivariant_convolution(*problem.arguments())
    torch.testing.assert_close(native(*problem.arguments()), expected, **CLOSE[torch.float64])
    torch.testing.assert_close(
        gradients(native, problem),
        gradients(reference.equivariant_convolution, problem),
        **CLOSE[torch.float64],
    )


@MIXED
def test_edges_of_length_zero_have_no_direction(operator: Operator, mixed_to: int | None) -> None:
    problem = make_problem(2, 2, 4, 1, mixed_to=mixed_to)
    still = replace(problem, edge_vector=torch.zeros_like(problem.edge_vector))
    result = operator(*still.arguments())
    torch.testing.assert_close(
        result, reference.equivariant_convolution(*still.arguments()), **CLOSE[torch.float64]
    )
    # Without a direction a message of degree l is made of features of degree l alone.
    scalars = torch.zeros_like(problem.state)
    scalars[:, :4] = 1
    result = operator(*replace(still, state=scalars).arguments())
    n_scalar = result.shape[1] // 9 if mixed_to else 3 * 4 + 1
    assert result[:, :n_scalar].abs().max() > 0.1
    assert result[:, n_scalar:].abs().max() == 0


@MIXED
@pytest.mark.parametrize("graph", GRAPHS)
def test_native_agrees_on_any_graph_and_number_of_threads(
    native: Operator, graph: str, threads: int, mixed_to: int | None
) -> None:
    problem = make_problem(3, 3, 8, 2, graph=graph, mixed_to=mixed_to)
    expected = reference.equivariant_convolution(*problem.arguments())
    torch.testing.assert_close(native(*problem.arguments()), expected, **CLOSE[torch.float64])
    found = gradients(native, problem)
    torch.testing.assert_close(
        found, gradients(reference.equivariant_convolution, problem), **CLOSE[torch.float64]
    )
    again = gradients(native, problem)
    assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True))


@MIXED
@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize(("l_in", "l_max"), [(-1, 3), (3, 3)])
def test_fallback_for_other_devices_agrees_with_reference(
    native: Operator, l_in: int, l_max: int, graph: str, mixed_to: int | None
) -> None:
    problem = make_problem(l_in, l_max, 4, 2, graph=graph, mixed_to=mixed_to)
    aten = torch.ops.glassml.equivariant_convolution_aten
    expected = reference.equivariant_convolution(*problem.arguments())
    torch.testing.assert_close(aten(*problem.arguments()), expected, **CLOSE[torch.float64])
    names = ("state", "edge_vector", "radial", "mixing")
    torch.testing.assert_close(
        gradients(aten, problem, *names),
        gradients(reference.equivariant_convolution, problem, *names),
        **CLOSE[torch.float64],
    )


@MIXED
def test_other_devices_reach_the_fallback(native: Operator, mixed_to: int | None) -> None:
    problem = make_problem(2, 3, 4, 2, mixed_to=mixed_to)
    on_meta = [t.to("meta") if torch.is_tensor(t) else t for t in problem.arguments()]
    result = native(*on_meta)
    assert result.device.type == "meta"
    assert result.shape == native(*problem.arguments()).shape


@MIXED
def test_degrees_without_kernel_use_the_fallback(native: Operator, mixed_to: int | None) -> None:
    problem = make_problem(1, 5, 2, 1, mixed_to=mixed_to)
    expected = reference.equivariant_convolution(*problem.arguments())
    torch.testing.assert_close(native(*problem.arguments()), expected, **CLOSE[torch.float64])


def test_columns_of_wider_matrices_need_no_copy(operator: Operator) -> None:
    problem = make_problem(2, 2, 4, 1, mixed_to=4)
    wide = {
        name: torch.nn.functional.pad(getattr(problem, name), (3, 2))[:, 3:-2]
        for name in ("state", "edge_vector", "radial", "mixing")
    }
    transposed = {name: t.T.contiguous().T for name, t in wide.items()}
    expected = reference.equivariant_convolution(*problem.arguments())
    for layout in (wide, transposed):
        result = operator(*replace(problem, **layout).arguments())
        torch.testing.assert_close(result, expected, **CLOSE[torch.float64])


@pytest.mark.parametrize("wanted", ["state", "radial", "mixing"])
def test_one_gradient_alone_is_the_same(native: Operator, wanted: str) -> None:
    problem = make_problem(2, 2, 4, 2, mixed_to=4)
    together = dict(zip(("state", "radial", "mixing"), gradients(native, problem), strict=True))
    (alone,) = gradients(native, problem, wanted)
    assert torch.equal(alone, together[wanted])


@pytest.mark.parametrize("mixed_to", [None, 3], ids=["unmixed", "mixed"])
@pytest.mark.parametrize(("l_in", "l_max", "n_in"), [(-1, 2, 2), (1, 2, 1), (2, 1, 0)])
def test_gradients_are_those_of_finite_differences(
    operator: Operator, l_in: int, l_max: int, n_in: int, mixed_to: int | None
) -> None:
    problem = make_problem(l_in, l_max, 2, n_in, mixed_to=mixed_to)
    p, leaves = with_gradients(problem, "state", "radial", "mixing")
    names = ("state", "radial", "mixing")[: len(leaves)]

    def function(*tensors: torch.Tensor) -> torch.Tensor:
        return operator(*replace(p, **dict(zip(names, tensors, strict=True))).arguments())

    assert torch.autograd.gradcheck(function, leaves)


def test_every_vector_extension_gives_the_same_numbers(
    native: Operator, library: Path, tmp_path: Path
) -> None:
    """With and without mixing; a process chooses its extension once."""
    file, cases = tmp_path / "problems.pt", []
    for mixed_to in (None, 29):
        problem = make_problem(3, 3, 29, 1, dtype=torch.float32, mixed_to=mixed_to)
        expected = (native(*problem.arguments()), *gradients(native, problem))
        cases.append([problem.arguments(), expected])
    torch.save(cases, file)
    script = """
        import sys, torch
        torch.ops.load_library(sys.argv[1])
        for arguments, (result, *gradients) in torch.load(sys.argv[2], weights_only=True):
            leaves = [arguments[k].requires_grad_() for k in (0, 2, 8) if arguments[k] is not None]
            found = torch.ops.glassml.equivariant_convolution(*arguments)
            direction = torch.linspace(-1, 1, found.numel()).view(found.shape)
            found_gradients = torch.autograd.grad(found, leaves, direction)
            for a, b in ((found, result), *zip(found_gradients, gradients, strict=True)):
                torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-4)
        print(torch.ops.glassml.simd_level())
    """
    levels = torch.ops.glassml.simd_levels()
    assert levels[-1] == "baseline"
    for level in levels:
        assert run_python(script, library, file, GLASSML_SIMD=level).strip() == level


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"l_in": -2}, "l_in: expected -1 .* or more; found -2"),
        ({"l_max": -1}, "l_max: expected 0 or more; found -1"),
        ({"channels": 0}, "channels: expected 1 or more; found 0"),
        ({"channels": 9}, "state: expected at least 36 columns .*; found 17"),
        ({"state": torch.zeros(8)}, "state: expected two dimensions; found shape .8."),
        (
            {"edge_vector": torch.zeros(13, 3)},
            "edge_vector: expected the dtype of state, .*; found ",
        ),
        (
            {"edge_vector": torch.zeros(13, 4, dtype=torch.float64)},
            "edge_vector: expected shape .13, 3. = .*; found .13, 4.",
        ),
        ({"mixing": torch.zeros(39, 4)}, "mixing: expected the dtype of state, .*; found "),
        (
            {"mixing": torch.zeros(39, dtype=torch.float64)},
            "mixing: expected two dimensions; found shape .39.",
        ),
        (
            {"mixing": torch.zeros(38, 4, dtype=torch.float64)},
            "mixing: expected shape .39, .*; found .38, 4.",
        ),
        (
            {"radial": torch.zeros(13, 5, dtype=torch.float64)},
            r"radial: expected shape \[13, 39\] = .*; found \[13, 5\]",
        ),
        (
            {"radial": torch.zeros(13, 39, dtype=torch.float16)},
            "radial: expected float32 or float64; found ",
        ),
        ({"sender": torch.zeros(13)}, "sender: expected int64; found "),
        (
            {"first_edge": torch.zeros(0, dtype=torch.int64)},
            "first_edge: expected n_local . 1 entries, .*; found none",
        ),
        (
            {"sender": torch.zeros(13, dtype=torch.int64, device="meta")},
            "sender: expected the device of state, cpu; found meta",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    operator: Operator, change: dict[str, object], message: str
) -> None:
    problem = replace(make_problem(1, 2, 4, 1), **change)
    with pytest.raises((RuntimeError, InputError), match=message):
        operator(*problem.arguments())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"sender": torch.full((13,), 8)},
            r"sender\[0\]: expected a row of state, 0 to 7; found 8",
        ),
        ({"sender": torch.full((13,), -1)}, r"sender\[0\]: expected .*; found -1"),
        (
            {"first_edge": torch.tensor([0, 4, 12])},
            "first_edge: expected entries from 0 to 13, the number of edges; found 0 to 12",
        ),
        ({"first_edge": torch.tensor([0, 14, 13])}, "first_edge: .*; found entries that decrease"),
    ],
)
def test_native_refuses_indices_out_of_range(
    native: Operator, change: dict[str, object], message: str
) -> None:
    problem = replace(make_problem(1, 2, 4, 1), **change)
    with pytest.raises(RuntimeError, match=message):
        native(*problem.arguments())


def test_native_names_the_derivatives_that_it_lacks(native: Operator) -> None:
    problem = make_problem(1, 2, 4, 1, mixed_to=4)
    p, (state, *_) = with_gradients(problem, "state", "radial", "mixing")
    result = native(*p.arguments())
    with pytest.raises(NotImplementedError, match="no second derivatives"):
        torch.autograd.grad(result.sum(), state, create_graph=True)
    with pytest.raises(NotImplementedError, match="no gradient with respect to edge_vector"):
        native(*with_gradients(problem, "edge_vector")[0].arguments())

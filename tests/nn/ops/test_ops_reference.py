"""The paths, and the reference against its formula and against e3nn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from e3nn import o3
from ops_problems import CLOSE, Problem, make_problem

from glassml.nn import ops
from glassml.nn.ops import reference


def harmonics(problem: Problem) -> torch.Tensor:
    vector = problem.edge_vector
    degrees = range(problem.l_max + 1)
    parts = [o3.spherical_harmonics(l, vector, True, normalization="component") for l in degrees]
    return torch.cat(parts, dim=1)


def naive(problem: Problem) -> torch.Tensor:
    """The formula of the operator's contract, term by term."""
    p, c = problem, problem.channels
    paths = ops.convolution_paths(p.l_in, p.l_max)
    n_in = p.state.shape[1] - (p.l_in + 1) ** 2 * c
    sh = harmonics(p)
    columns = ops.output_columns(p.l_in, p.l_max, c, n_in)
    rows = []
    for begin, end in zip(p.first_edge[:-1].tolist(), p.first_edge[1:].tolist(), strict=True):
        blocks = [p.state.new_zeros(2 * l + 1, k) for l, k in enumerate(columns)]
        for e in range(begin, end):
            h = p.state[p.sender[e]]
            used = [0] * (p.l_max + 1)
            terms = [(path, h[path[1] ** 2 * c : (path[1] + 1) ** 2 * c], c) for path in paths]
            terms += [((l, 0, l), h[len(h) - n_in :], n_in) for l in range(p.l_max + 1)]
            weights = p.radial[e].split([width for _, _, width in terms])
            for ((l_out, l_i, l_f), part, width), weight in zip(terms, weights, strict=True):
                w3j = o3.wigner_3j(l_i, l_f, l_out, dtype=torch.float64).to(h.dtype)
                y, features = sh[e, l_f**2 : (l_f + 1) ** 2], part.view(2 * l_i + 1, width)
                value = torch.einsum("ifo,f,ic,c->oc", w3j, y, features, weight)
                first = used[l_out]
                blocks[l_out][:, first : first + width] += (2 * l_out + 1) ** 0.5 * value
                used[l_out] += width
        if p.mixing is not None:
            matrices = p.mixing.split(columns)
            blocks = [b @ matrix for b, matrix in zip(blocks, matrices, strict=True)]
        rows.append(torch.cat([block.flatten() for block in blocks]))
    return torch.stack(rows)


def test_number_of_paths_is_that_of_the_paper() -> None:
    counts = [len(ops.convolution_paths(l_max, l_max)) for l_max in range(4)]
    assert counts == [1, 5, 15, 34]
    assert ops.convolution_paths(-1, 3) == []
    assert ops.convolution_paths(1, 1) == [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1)]


def test_clebsch_gordan_is_a_copy_normalised_per_result() -> None:
    table = ops.clebsch_gordan(2, 1, 3)
    torch.testing.assert_close(table.square().sum((0, 1)), torch.ones(7, dtype=torch.float64))
    table.zero_()
    assert ops.clebsch_gordan(2, 1, 3).abs().max() > 0.1


def test_tables_first_made_in_inference_mode_serve_training() -> None:
    problem = make_problem(0, 2, 5, 0)
    reference._couplings.cache_clear()
    with torch.inference_mode():
        expected = reference.equivariant_convolution(*problem.arguments())
    problem.edge_vector.requires_grad_()
    result = reference.equivariant_convolution(*problem.arguments())
    result.sum().backward()
    assert torch.equal(result, expected)


@pytest.mark.parametrize("mixed_to", [None, 1, 4])
@pytest.mark.parametrize(("channels", "n_in"), [(1, 0), (3, 2)])
@pytest.mark.parametrize(("l_in", "l_max"), [(-1, 2), (0, 0), (1, 3), (3, 1), (2, 2), (4, 4)])
def test_reference_is_the_formula(
    l_in: int, l_max: int, channels: int, n_in: int, mixed_to: int | None
) -> None:
    problem = make_problem(l_in, l_max, channels, n_in, mixed_to=mixed_to)
    result = reference.equivariant_convolution(*problem.arguments())
    torch.testing.assert_close(result, naive(problem), **CLOSE[torch.float64])


def test_one_edge_and_no_features_give_the_harmonics_themselves() -> None:
    """Of degree 1 they are sqrt(3) times the direction; degree 2 has a component sqrt(15) x z."""
    vector = torch.tensor([[0.48, -0.6, 0.64]], dtype=torch.float64)
    (row,) = reference.equivariant_convolution(
        torch.ones(1, 1, dtype=torch.float64), 1.7 * vector, torch.ones(1, 3, dtype=torch.float64),
        torch.tensor([0]), torch.tensor([0, 1]), -1, 2, 1,
    )  # fmt: skip
    x, y, z = vector[0].tolist()
    found = row[:5].tolist()
    assert found == pytest.approx([1, *(3**0.5 * c for c in (x, y, z)), 15**0.5 * x * z])


def test_gradients_with_respect_to_vectors_and_knots_are_those_of_finite_differences() -> None:
    p = make_problem(1, 2, 2, 1, mixed_to=2)
    knots = torch.tensor([0.1, 0.9, 1.6, 4.0], dtype=torch.float64)

    def plain(edge_vector: torch.Tensor) -> torch.Tensor:
        return reference.equivariant_convolution(*replace(p, edge_vector=edge_vector).arguments())

    def tabulated(edge_vector: torch.Tensor, knots: torch.Tensor) -> torch.Tensor:
        return reference.tabulated_convolution(
            p.state, edge_vector, knots, p.radial[:4], p.sender, p.first_edge, 1, 2, 2, False,
            p.mixing,
        )  # fmt: skip

    vectors = p.edge_vector.requires_grad_()
    assert torch.autograd.gradcheck(plain, (vectors,))
    assert torch.autograd.gradcheck(tabulated, (vectors, knots.requires_grad_()))


def test_reference_is_the_tensor_product_of_e3nn() -> None:
    l_in, l_max, channels = 2, 3, 4
    problem = make_problem(l_in, l_max, channels, 0, graph="hub")
    paths = ops.convolution_paths(l_in, l_max)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # else e3nn keeps its coefficients in single precision
    product = o3.TensorProduct(
        o3.Irreps([(channels, (l, 1)) for l in range(l_in + 1)]),
        o3.Irreps([(1, (l, 1)) for l in range(l_max + 1)]),
        o3.Irreps([(channels, (l_out, 1)) for l_out, _, _ in paths]),
        [(l_i, l_f, k, "uvu", True) for k, (_, l_i, l_f) in enumerate(paths)],
        irrep_normalization="component",
        internal_weights=False,
        shared_weights=False,
    )
    torch.set_default_dtype(before)
    gathered = problem.state[problem.sender].view(-1, (l_in + 1) ** 2, channels)
    in_irreps_order = [
        gathered[:, l**2 : (l + 1) ** 2].transpose(1, 2).flatten(1) for l in range(l_in + 1)
    ]
    messages = product(torch.cat(in_irreps_order, 1), harmonics(problem), problem.radial)
    sums = torch.segment_reduce(messages, "sum", offsets=problem.first_edge, initial=0.0)
    columns: list[list[torch.Tensor]] = [[] for _ in range(l_max + 1)]
    widths = [(2 * l_out + 1) * channels for l_out, _, _ in paths]
    for (l_out, _, _), part in zip(paths, sums.split(widths, dim=1), strict=True):
        columns[l_out].append(part.view(-1, channels, 2 * l_out + 1).transpose(1, 2))
    expected = torch.cat([torch.cat(block, dim=2).flatten(1) for block in columns], dim=1)
    result = reference.equivariant_convolution(*problem.arguments())
    torch.testing.assert_close(result, expected, **CLOSE[torch.float64])

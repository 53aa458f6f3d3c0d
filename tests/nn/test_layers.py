"""Layouts, radial functions and batch normalisation, each against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from e3nn import o3
from e3nn.nn import BatchNorm
from systems import rotation, wigner_d

from glassml.errors import ConfigError
from glassml.nn import (
    EquivariantBatchNorm,
    EquivariantConvolution,
    RadialBasis,
    RadialNetwork,
    TableKnots,
    channel_irreps,
    invariants,
)
from glassml.nn.layout import to_irreps_order
from glassml.nn.radial import balanced, even_knots, polynomial_cutoff


def _features(n: int, l_max: int, channels: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, (l_max + 1) ** 2 * channels, generator=generator, dtype=torch.float64)


def test_irreps_order_puts_components_of_one_channel_together() -> None:
    rows = torch.arange(9).repeat_interleave(2)  # the (l, m) row of each entry, two channels
    ordered = rows[to_irreps_order(2, 2)]
    assert ordered.tolist() == [0, 0, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 4, 5, 6, 7, 8]


def test_invariants_do_not_change_under_rotation_but_features_do() -> None:
    features, order = _features(7, 3, 4), to_irreps_order(3, 4)
    wigner = torch.from_numpy(wigner_d(channel_irreps(3, 4), rotation(5)))
    turned = torch.empty_like(features)
    turned[:, order] = features[:, order] @ wigner.T
    torch.testing.assert_close(
        invariants(features, 3, 4), invariants(turned, 3, 4), rtol=1e-12, atol=1e-12
    )
    assert (features - turned).abs().max() > 0.1


def test_gradient_of_invariants_is_zero_where_features_vanish() -> None:
    features = torch.zeros(2, 4, 3, dtype=torch.float64)
    features[0, 1:, 0] = torch.tensor([0.0, 3.0, 4.0])
    features = features.reshape(2, 12).requires_grad_()
    values = invariants(features, 1, 3)
    assert values[0, 3] == 5
    values[:, 3:].sum().backward()
    expected = torch.zeros(2, 4, 3, dtype=torch.float64)
    expected[0, 1:, 0] = torch.tensor([0.0, 0.6, 0.8])
    torch.testing.assert_close(features.grad, expected.reshape(2, 12))


def test_channel_irreps_have_one_parity_so_that_every_product_counts() -> None:
    irreps = o3.Irreps(channel_irreps(3, 8))
    assert irreps.dim == 128
    assert {ir.p for _, ir in irreps} == {1}


def test_bessel_basis_is_the_published_one_and_orthonormal() -> None:
    r = torch.linspace(0, 2, 20001, dtype=torch.float64)
    values = RadialBasis("bessel", 10, 2.0)(r)
    expected = [math.sqrt(2 / 2.0) * math.sin(n * math.pi * 1.3 / 2) / 1.3 for n in range(1, 11)]
    np.testing.assert_allclose(values[13000].numpy(), expected, rtol=1e-12)
    # Orthonormal with weight r^2; the trapezoidal rule on 20001 points is exact to about 1e-8.
    overlap = torch.trapezoid(
        (values * r[:, None])[:, :, None] * (values * r[:, None])[:, None], r, dim=0
    )
    np.testing.assert_allclose(overlap.numpy(), np.eye(10), atol=1e-7)


def test_bessel_basis_is_finite_where_particles_coincide() -> None:
    values = RadialBasis("bessel", 4, 2.0)(torch.zeros(1, dtype=torch.float64))
    expected = [math.pi * n / 2.0 for n in range(1, 5)]
    np.testing.assert_allclose(values[0].numpy(), expected, rtol=1e-12)


def test_gaussian_basis_peaks_on_its_grid() -> None:
    r = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0])
    torch.testing.assert_close(RadialBasis("gaussian", 5, 2.0)(r).diagonal(), torch.ones(5))


def test_polynomial_cutoff_vanishes_with_two_derivatives() -> None:
    r = torch.tensor([0.0, 2.0, 2.5], dtype=torch.float64, requires_grad=True)
    value = polynomial_cutoff(r, 2.0)
    (slope,) = torch.autograd.grad(value.sum(), r, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), r)
    np.testing.assert_allclose(value.detach().numpy(), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(slope.detach().numpy(), [0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(curvature.numpy(), [0, 0, 0], atol=1e-11)


def test_polynomial_cutoff_keeps_its_digits_near_the_cutoff() -> None:
    """The published sum 1 - 28 x^6 + 48 x^7 - 21 x^8, which cancels there, in double precision."""
    r = torch.linspace(0, 2, 1001)
    x = r.double() / 2
    expected = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
    difference = (polynomial_cutoff(r, 2.0).double() - expected).abs().max()
    assert difference < 1e-6  # a few roundings of numbers up to one; the sum itself: 4e-6


def test_radial_network_has_the_published_size() -> None:
    assert sum(p.numel() for p in RadialNetwork(10, 16, 284, 0.3).parameters()) == 5036


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_that_of_e3nn_in_another_order(training: bool) -> None:
    ours, theirs = (
        EquivariantBatchNorm(2, 4).double(),
        BatchNorm(channel_irreps(2, 4), momentum=0.5),
    )
    theirs = theirs.double()
    order = to_irreps_order(2, 4)
    for seed in range(3):
        ours(_features(20, 2, 4, seed)), theirs(_features(20, 2, 4, seed)[:, order])
    features = _features(20, 2, 4, seed=9)
    found, expected = ours.train(training)(features), theirs.train(training)(features[:, order])
    torch.testing.assert_close(found[:, order], expected, rtol=1e-13, atol=1e-13)


def test_gradient_of_batch_norm_is_that_of_e3nn() -> None:
    torch.manual_seed(4)
    ours, theirs = EquivariantBatchNorm(2, 4), BatchNorm(channel_irreps(2, 4), momentum=0.5)
    ours, theirs = ours.double(), theirs.double()
    with torch.no_grad():
        ours.weight.uniform_(0.5, 2)
        ours.bias.normal_()
    theirs.load_state_dict(ours.state_dict())
    features = _features(20, 2, 4).requires_grad_()
    order = to_irreps_order(2, 4)
    incoming = _features(20, 2, 4, seed=1)
    found, expected = (
        torch.autograd.grad(output, [features, norm.weight, norm.bias], gradient)
        for norm, output, gradient in (
            (ours, ours(features), incoming),
            (theirs, theirs(features[:, order]), incoming[:, order]),
        )
    )
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_deployed_batch_norm_equals_evaluation_mode() -> None:
    norm = EquivariantBatchNorm(3, 4).double()
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.normal_()
    norm(_features(50, 3, 4))
    features = _features(11, 3, 4, seed=3)
    factor, offset = norm.deployed()
    rows = factor.repeat_interleave(torch.tensor([1, 3, 5, 7]), dim=0).flatten()
    expected = norm.eval()(features)
    torch.testing.assert_close(offset(features * rows), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("tabulated", [False, True])
def test_deployed_convolution_equals_evaluation_mode_times_a_factor(
    tabulated: bool, smooth: bool
) -> None:
    torch.manual_seed(0)
    basis = RadialBasis("bessel", 5, 2.0)
    table = TableKnots(basis, even_knots(2.0, 9), smooth, balanced=False) if tabulated else None
    layer = EquivariantConvolution(1, 2, 3, 2, 5, 7, 0.0, table).double()
    norm = layer.radial.layers[2]
    for tensor in (norm.running_mean, norm.bias.data):
        tensor.normal_()
    for tensor in (norm.running_var, norm.weight.data):
        tensor.uniform_(0.5, 2)
    state, vector = _features(4, 1, 3), torch.randn(6, 3, dtype=torch.float64)
    r = vector.norm(dim=1)
    parts = [vector, basis(r), polynomial_cutoff(r, 2.0)[:, None]]
    edges = torch.cat(parts[: 1 if tabulated else 3 if smooth else 2], dim=1)
    graph = torch.tensor([1, 2, 3, 0, 1, 2]), torch.tensor([0, 4, 6])
    inputs = torch.cat([state, _features(4, 0, 2)], dim=1), edges, *graph
    factor = torch.rand(3, 3, dtype=torch.float64)
    rows = factor.repeat_interleave(torch.tensor([1, 3, 5]), dim=0).flatten()
    expected = layer.eval()(*inputs) * rows
    torch.testing.assert_close(layer.deployed(factor)(*inputs), expected, rtol=1e-12, atol=1e-12)
    assert expected.abs().max() > 0.1


def test_balanced_table_has_the_integral_of_the_function() -> None:
    """For parabolas exactly, on any knots and even where several knots are one."""
    knots = torch.tensor([0.0, 0.1, 0.5, 0.5, 0.5, 0.6, 1.0], dtype=torch.float64).unsqueeze(1)
    curvature = torch.tensor([3.0, -1.0], dtype=torch.float64)

    def function(r: torch.Tensor) -> torch.Tensor:
        return curvature * r.square() - r + 2

    values = balanced(knots[:, 0], function(knots), function((knots[1:] + knots[:-1]) / 2))
    integral = ((values[1:] + values[:-1]) / 2 * knots.diff(dim=0)).sum(0)
    torch.testing.assert_close(integral, curvature / 3 - 0.5 + 2, rtol=1e-14, atol=0)
    assert (values != function(knots)).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("fourier", 10, 2.0), "radial_basis: expected one of"), (("bessel", 0, 2.0), "at least 1")],
)
def test_nonsense_basis_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RadialBasis(*arguments)

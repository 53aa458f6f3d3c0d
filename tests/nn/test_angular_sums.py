"""Sums over triplets by the addition theorem, against sums over triplets."""

from __future__ import annotations

import pytest
import torch
from scipy.special import eval_legendre
from torch import Tensor

from glassml.nn import AngularSums

# Sums of some ten terms of order one in float64. P_15 turns by 120 times the error of its argument.
CLOSE = {"rtol": 0, "atol": 1e-11}


def edges(seed: int = 1, n_edges: int = 40, groups: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors [E, 3], senders [E] and ``first_edge``; all senders are in other domains.

    The last two groups have no edges.
    """
    random = torch.Generator().manual_seed(seed)
    vector = torch.randn(n_edges, 3, generator=random, dtype=torch.float64)
    receiver = torch.randint(groups - 2, (n_edges,), generator=random).sort().values
    sender = groups + torch.randint(groups - 2, (n_edges,), generator=random)
    counts = torch.bincount(receiver, minlength=groups)
    return vector, sender, torch.nn.functional.pad(counts.cumsum(0), (1, 0))


def mutual() -> tuple[Tensor, Tensor, Tensor]:
    """Every edge in both directions, between any two of seven particles: 42 edges."""
    random = torch.Generator().manual_seed(4)
    positions = torch.randn(7, 3, generator=random, dtype=torch.float64)
    receiver, sender = torch.nonzero(1 - torch.eye(7)).T
    order = receiver * 7 + torch.randint(7, (42,), generator=random)  # any within a receiver
    sender = sender[order.argsort()]
    first = torch.arange(0, 43, 6)
    return positions[sender] - positions[receiver], sender, first


def random(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(shape[0])
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def direct(values: Tensor, legendre: Tensor, one: Tensor, others: Tensor) -> Tensor:
    """The sum over others of values times the function of the angle with one vector: [C]."""
    cosines = torch.nn.functional.cosine_similarity(one.unsqueeze(0), others, dim=1).numpy()
    powers = torch.stack(
        [torch.from_numpy(eval_legendre(l, cosines)) for l in range(len(legendre))]
    )
    return torch.einsum("kc,lk,lc->c", values, powers, legendre)


@pytest.mark.parametrize("n_degrees", [1, 2, 3, 16])
def test_equals_the_sum_over_triplets(n_degrees: int) -> None:
    vector, sender, first = mutual()
    values, legendre = random(len(vector), 3), random(n_degrees, 3)
    angular = AngularSums(n_degrees)
    collected, back = angular.collect(values, legendre, vector, first)
    assert collected.shape == (7, n_degrees**2 * 3)
    found = angular.spread(collected, back, vector, sender, first)
    for e in range(len(vector)):
        of_sender = slice(int(first[sender[e]]), int(first[sender[e] + 1]))
        expected = direct(values[of_sender], legendre, vector[e], vector[of_sender])
        torch.testing.assert_close(found[e], expected, **CLOSE)
        own = slice(e // 6 * 6, e // 6 * 6 + 6)
        expected = direct(values[own], legendre, -vector[e], vector[own])
        torch.testing.assert_close(back[e], expected, **CLOSE)


def test_values_that_are_known_and_those_that_are_not() -> None:
    """Four of seven particles live here; then none of the edges' reverses is used."""
    vector, sender, first = mutual()
    values, legendre = random(42, 3), random(5, 3)
    angular = AngularSums(5)
    collected, back = angular.collect(values, legendre, vector, first)
    expected = angular.spread(collected, back, vector, sender, first)
    here = angular.spread(collected, back[:24], vector[:24], sender[:24], first[:5])
    torch.testing.assert_close(here, expected[:24], **CLOSE)
    looked_up = angular.spread(0 * collected, back[:24], vector[:24], sender[:24], first[:5])
    torch.testing.assert_close(looked_up[sender[:24] < 4], expected[:24][sender[:24] < 4], **CLOSE)
    assert (looked_up[sender[:24] >= 4] == 0).all()
    # Two edges between the same particles, as in a small box: all values are computed.
    twice = torch.arange(24).repeat_interleave(2)
    again = angular.spread(collected, back[twice], vector[twice], sender[twice], 2 * first[:5])
    torch.testing.assert_close(again, expected[twice], **CLOSE)


def test_batches_of_edges_do_not_matter() -> None:
    """Groups of 3000 edges and of few: more than are computed at a time, and one for each."""
    vector, sender, _ = edges(n_edges=3100)
    first = torch.tensor([0, 3000, 3000, 3001, 3050, 3100])
    values, legendre = random(3100, 2), random(4, 2)
    angular = AngularSums(4)
    collected, back = angular.collect(values, legendre, vector, first)
    for group in (0, 2, 3, 4):
        own = slice(int(first[group]), int(first[group + 1]))
        size = torch.tensor([0, own.stop - own.start])
        alone, alone_back = angular.collect(values[own], legendre, vector[own], size)
        torch.testing.assert_close(collected[group], alone[0], rtol=1e-12, atol=1e-10)
        torch.testing.assert_close(back[own], alone_back, rtol=1e-12, atol=1e-10)
    assert (collected[1] == 0).all()
    others = collected.repeat(3, 1)
    found = angular.spread(others, back, vector, sender, first)
    for e in range(0, 3100, 97):
        one = slice(e, e + 1)
        alone = angular.spread(others, back[one], vector[one], sender[one], torch.tensor([0, 1]))
        torch.testing.assert_close(found[one], alone, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("n_here", [3, 7])
def test_gradients_of_training(n_here: int) -> None:
    vector, sender, first = mutual()
    values, legendre = random(42, 2).requires_grad_(), random(4, 2).requires_grad_()
    angular = AngularSums(4).train()

    def sums(values: Tensor, legendre: Tensor) -> tuple[Tensor, Tensor]:
        collected, back = angular.collect(values, legendre, vector, first)
        edges = slice(0, 6 * n_here)
        found = angular.spread(
            collected, back[edges], vector[edges], sender[edges], first[: n_here + 1]
        )
        return found, back

    assert torch.autograd.gradcheck(sums, (values, legendre))


def test_gradients_of_evaluation_include_the_vectors() -> None:
    vector, sender, first = edges(n_edges=12)
    arguments = [value.requires_grad_() for value in (random(12, 2), random(4, 2), vector)]
    angular = AngularSums(4).eval()

    def sums(values: Tensor, legendre: Tensor, vector: Tensor) -> tuple[Tensor, Tensor]:
        collected, back = angular.collect(values, legendre, vector, first)
        collected = torch.nn.functional.pad(collected, (0, 0, 7, 0))  # those of other domains
        return angular.spread(collected, back, vector, sender, first), back

    assert torch.autograd.gradcheck(sums, arguments)


def test_a_vector_of_length_zero_takes_no_part() -> None:
    vector, sender, first = edges(n_edges=12)
    vector[3] = 0
    values, legendre = random(12, 2), random(4, 2)
    angular = AngularSums(4).eval()
    collected, back = angular.collect(values, legendre, vector.requires_grad_(), first)
    others = collected.repeat(2, 1)
    found = angular.spread(others, back, vector, sender, first)
    assert (found[3] == 0).all()
    assert (back[3] == 0).all()
    changed = values.clone()
    changed[3] += 1
    again, _ = angular.collect(changed, legendre, vector, first)
    torch.testing.assert_close(again, collected, rtol=0, atol=0)
    (gradient,) = torch.autograd.grad(found.square().sum(), vector)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("training", [True, False])
def test_without_edges(training: bool) -> None:
    angular = AngularSums(4).train(training)
    vector, values = torch.zeros(0, 3), torch.zeros(0, 2)
    none = torch.zeros(0, dtype=torch.int64)
    for n in (0, 3):
        first = torch.zeros(n + 1, dtype=torch.int64)
        collected, back = angular.collect(values, torch.ones(4, 2), vector, first)
        assert collected.shape == (n, 32)
        assert (collected == 0).all()
        found = angular.spread(collected, back, vector, none, first)
        assert back.shape == found.shape == (0, 2)


def test_float32_is_as_exact_as_it_can_be() -> None:
    """Errors are those of the directions, of 6e-8, which P_15 makes 120 times as large."""
    vector, _, first = edges()
    values, legendre = random(len(vector), 3), random(16, 3)
    angular = AngularSums(16)
    results = []
    for dtype in (torch.float64, torch.float32):
        _, back = angular.collect(values.to(dtype), legendre.to(dtype), vector.to(dtype), first)
        results.append(back.double())
    assert (results[1] - results[0]).abs().max() < 1e-5 * results[0].abs().max()

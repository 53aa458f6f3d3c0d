"""Losses for correlations of mobility in space: against plain loops, and their gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from systems import liquid, moved
from tiny_dataset import labelled
from torch_geometric.data import Data

from glassml.data import Configuration
from glassml.graph import build_graph, collate
from glassml.training.loss_config import SpatialConfig
from glassml.training.losses import (
    SpatialLoss,
    add_places,
    propensity_loss,
    spatial_correlation,
)

DISTANCES, WIDTH = (0.9, 1.4, 2.0), 0.4
# The same sums in another order, of values of order one.
EXACT = {"rtol": 1e-10, "atol": 1e-10}


def plain_correlation(
    values: np.ndarray, configuration: Configuration, chosen: np.ndarray
) -> list[float]:
    """C at each distance, pair by pair, with the nearest image."""
    places = configuration.positions[chosen]
    found = []
    for r0 in DISTANCES:
        total = 0.0
        for i, x in enumerate(places):
            above = below = 0.0
            for j, y in enumerate(places):
                away = (y - x) @ np.linalg.inv(configuration.cell)
                away = (away - np.round(away) * configuration.pbc) @ configuration.cell
                g = math.exp(-((np.linalg.norm(away) - r0) ** 2) / (2 * WIDTH**2))
                above, below = above + g * values[j], below + g
            total += values[i] * above / below
        found.append(total / (values**2).sum())
    return found


def batch_of(*configurations: Configuration) -> Data:
    graphs = []
    for one in configurations:
        graph = build_graph(one, 1.5, (), torch.float64)
        graph.y = torch.from_numpy(one.propensity)
        add_places(graph, one)
        graphs.append(graph)
    return collate(graphs)


@pytest.mark.parametrize("triclinic", [False, True])
@pytest.mark.parametrize("rows", [7, 1024])
def test_correlation_against_a_loop(
    triclinic: bool, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassml.training.losses._ROWS", rows)
    system = liquid(40, seed=2, triclinic=triclinic)
    flat = moved(system, pbc=(True, False, True))
    values = np.random.default_rng(0).normal(size=(40, 2))
    for one in (system, flat):
        found = spatial_correlation(
            torch.from_numpy(values), torch.from_numpy(one.positions), torch.from_numpy(one.cell),
            torch.tensor(one.pbc, dtype=torch.float64), DISTANCES, WIDTH,
        )  # fmt: skip
        for t in range(2):
            expected = plain_correlation(values[:, t], one, np.full(40, True))
            np.testing.assert_allclose(found[:, t], expected, **EXACT)


def test_gradient_of_the_correlation() -> None:
    """By finite differences in float64."""
    system = liquid(12, seed=3)
    values = torch.randn(12, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    places = (
        torch.from_numpy(system.positions),
        torch.from_numpy(system.cell),
        torch.ones(3, dtype=torch.float64),
    )
    assert torch.autograd.gradcheck(
        lambda v: spatial_correlation(v, *places, DISTANCES, WIDTH),
        (values.requires_grad_(),),
    )


def spatial(**settings: Any) -> SpatialLoss:
    given = SpatialConfig(distances=DISTANCES, width=WIDTH, **settings)
    mean = torch.tensor([[1.05, 1.5], [1.1, 1.9]], dtype=torch.float64)
    scale = torch.tensor([[0.02, 0.2], [0.03, 0.25]], dtype=torch.float64)
    return SpatialLoss(given, mean, scale, torch.tensor([1.0, 0.5]))


def plain_terms(loss: dict[str, Any], one: Configuration, prediction: np.ndarray) -> float:
    """As published, for each species and time; species count by their weight and number."""
    mean, scale = np.array([[1.05, 1.5], [1.1, 1.9]]), np.array([[0.02, 0.2], [0.03, 0.25]])
    total = share = 0.0
    for s, weight in enumerate((1.0, 0.5)):
        chosen = one.species == s
        of_species = 0.0
        for t in range(2):
            threshold = loss.get("threshold", mean[s, t])
            sharpness = loss.get("sharpness", 4 / scale[s, t])
            curves, variances = [], []
            for m in (prediction[chosen, t], one.propensity[chosen, t]):
                c = (np.tanh(sharpness * (m - threshold)) + 1) / 2
                curves.append(np.array(plain_correlation(c - c.mean(), one, chosen)))
                variances.append(m.var())
            unit = max(abs(curves[1][0] - curves[1][-1]), 0.05)
            error = np.abs(curves[0] - curves[1]).sum() / unit
            of_species += loss.get("weight", 0.5) * error
            relative = abs(variances[0] - variances[1]) / variances[1]
            of_species += loss.get("variance_weight", 1.0) * relative
        total += weight * chosen.sum() * of_species
        share += weight * chosen.sum()
    return total / share


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weight": 2.0, "variance_weight": 0.0},
        {"weight": 0.0, "variance_weight": 3.0},
        {"threshold": 1.2, "sharpness": 7.0},
    ],
)
def test_terms_of_configurations(settings: dict[str, Any]) -> None:
    some = labelled(1, 40), labelled(2, 30)
    noise = [
        np.random.default_rng(k).normal(0, 0.1, c.propensity.shape) for k, c in enumerate(some)
    ]
    predictions = [c.propensity + x for c, x in zip(some, noise, strict=True)]
    together = torch.from_numpy(np.concatenate(predictions))
    found = spatial(**settings).of_configurations(together, batch_of(*some))
    expected = [plain_terms(settings, c, p) for c, p in zip(some, predictions, strict=True)]
    np.testing.assert_allclose(found, expected, **EXACT)


def test_gradient_of_the_terms() -> None:
    batch = batch_of(labelled(1, 20))
    noise = torch.randn(
        batch.y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    prediction = (batch.y + 0.1 * noise).requires_grad_()
    terms = spatial(sharpness=3.0)
    assert torch.autograd.gradcheck(lambda p: terms.of_configurations(p, batch), (prediction,))


def test_perfect_and_constant_predictions() -> None:
    batch = batch_of(labelled(1, 40))
    terms = spatial()
    # Both curves come from the same numbers; the rest is rounding.
    np.testing.assert_allclose(terms.of_configurations(batch.y, batch), 0.0, atol=1e-10)
    constant = torch.full_like(batch.y, 1.3).requires_grad_()
    value = terms.of_configurations(constant, batch).sum()
    assert value.isfinite()
    value.backward()
    assert constant.grad is not None
    assert constant.grad.isfinite().all()


def test_a_species_without_particles_or_weight_does_not_count() -> None:
    one = labelled(1, 30)
    only = moved(one, species=np.zeros(30, dtype=int))
    batch = batch_of(only)
    terms = spatial()
    found = terms.of_configurations(batch.y + 0.1 * batch.y.square(), batch)
    assert found.isfinite().all()
    terms.of_species = torch.tensor([0.0, 0.5])
    found = terms.of_configurations(batch.y + 0.1 * batch.y.square(), batch)
    np.testing.assert_array_equal(found, [0.0])


def test_absolute_errors() -> None:
    prediction = torch.tensor([[1.0, 4.0], [2.0, 8.0]])
    label = torch.tensor([[2.0, 2.0], [2.0, 5.0]])
    scale = torch.tensor([[0.5, 2.0], [0.5, 3.0]])
    weight = torch.tensor([1.0, 3.0])
    found = propensity_loss(prediction, label, scale, weight, None, "absolute")
    assert float(found) == pytest.approx((1 * (2 + 1) + 3 * (0 + 1)) / 4)

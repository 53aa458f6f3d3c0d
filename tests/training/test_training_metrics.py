"""Pearson coefficients accumulated batch by batch, against scipy on all data at once.

Tolerance: both work in float64 on numbers of order one; 1e-10 leaves room for the sums' order.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glassml.analysis import pearson_all, pearson_mean
from glassml.training.losses import propensity_loss
from glassml.training.pearson_metric import PropensityPearson, named_coefficients

_EXACT = 1e-10


def _data(seed: int = 0) -> list[tuple[torch.Tensor, ...]]:
    rng = np.random.default_rng(seed)
    result = []
    for n in (40, 25, 31):
        label = torch.from_numpy(0.5 + 0.1 * rng.normal(size=(n, 3)) + rng.normal())
        prediction = label + 0.1 * torch.from_numpy(rng.normal(size=(n, 3)))
        result.append((prediction, label, torch.from_numpy(rng.integers(0, 2, n))))
    return result


def _expected(data: list[tuple[torch.Tensor, ...]]) -> dict[str, np.ndarray]:
    columns = [[part.numpy() for part in parts] for parts in zip(*data, strict=True)]
    return {"all": pearson_all(*columns, 2), "mean": pearson_mean(*columns, 2)}


def _compare(metric: PropensityPearson, data: list[tuple[torch.Tensor, ...]]) -> None:
    for kind, expected in _expected(data).items():
        np.testing.assert_allclose(metric.compute()[kind].numpy(), expected, atol=_EXACT)


def test_agrees_with_scipy() -> None:
    data = _data()
    metric = PropensityPearson(2, 3)
    for prediction, label, species in data:
        metric.update(prediction, label, species, torch.zeros(len(species), dtype=torch.int64))
    _compare(metric, data)


def test_several_configurations_in_a_batch_count_as_several() -> None:
    data = _data()
    graph = torch.repeat_interleave(torch.arange(3), torch.tensor([len(s) for *_, s in data]))
    metric = PropensityPearson(2, 3)
    metric.update(*(torch.cat(parts) for parts in zip(*data, strict=True)), graph)
    _compare(metric, data)


def test_one_species_at_one_time_has_its_coefficients_by_name() -> None:
    (prediction, label, _), *_ = _data()
    alone = torch.zeros(len(label), dtype=torch.int64)
    metric = PropensityPearson(1, 1)
    metric.update(prediction[:, :1], label[:, :1], alone, alone)
    found = named_coefficients("validation", metric.tables(), ("P",), (0.1,))
    expected = float(np.corrcoef(prediction[:, 0], label[:, 0])[0, 1])
    assert found == pytest.approx(
        {f"validation/pearson_{kind}/P/t=0.1": expected for kind in ("all", "mean")}, abs=_EXACT
    )


def test_rounding_takes_no_coefficient_beyond_one() -> None:
    """The spread of these labels is small against their mean, so the sums lose digits."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        label = torch.from_numpy(1 + 1e-3 * rng.normal(size=(2, 1)))
        metric = PropensityPearson(1, 1)
        zeros = torch.zeros(2, dtype=torch.int64)
        metric.update(3 + 0.7 * label, label, zeros, zeros)
        found.append(metric.compute()["all"].item())
    assert max(found) == 1.0
    assert min(found) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_equal_predictions_have_no_coefficient(value: float) -> None:
    _, label, species = _data()[0]
    metric = PropensityPearson(2, 3)
    metric.update(torch.full_like(label, value), label, species, torch.zeros_like(species))
    assert all(table.isnan().all() for table in metric.compute().values())


def test_a_configuration_without_a_species_is_left_out_of_its_mean() -> None:
    data = _data()
    metric = PropensityPearson(2, 3)
    prediction, label, species = data[0]
    metric.update(prediction, label, species, torch.zeros_like(species))
    before = metric.compute()["mean"]
    only_first = torch.zeros_like(data[1][2])
    metric.update(*data[1][:2], only_first, torch.zeros_like(only_first))
    torch.testing.assert_close(metric.compute()["mean"][1], before[1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predictions_that_are_not_finite_are_no_coefficient_to_be_left_out(value: float) -> None:
    data = _data()
    prediction, label, species = data[1]
    broken = prediction.clone()
    broken[:, 1] = value
    data[1] = (broken, label, species)
    metric = PropensityPearson(2, 3)
    for prediction, label, species in data:
        metric.update(prediction, label, species, torch.zeros_like(species))
    for table in metric.compute().values():
        assert table[:, 1].isnan().all()
        assert table[:, [0, 2]].isfinite().all()
    _compare(metric, data)


def test_loss_is_the_sum_over_times_of_the_mean_squared_error() -> None:
    prediction, label, _ = _data()[0]
    scale = torch.tensor([1.0, 2.0, 4.0]).expand_as(label)
    weight = torch.ones(len(label), dtype=torch.float64)
    expected = sum(
        torch.nn.functional.mse_loss(prediction[:, t] / s, label[:, t] / s)
        for t, s in enumerate((1.0, 2.0, 4.0))
    )
    torch.testing.assert_close(propensity_loss(prediction, label, scale, weight), expected)


def test_particles_without_weight_do_not_count() -> None:
    prediction, label, species = _data()[0]
    weight = torch.tensor([1.0, 0.0], dtype=torch.float64)[species]
    scale = torch.ones_like(label)
    first = species == 0
    torch.testing.assert_close(
        propensity_loss(prediction, label, scale, weight),
        propensity_loss(prediction[first], label[first], scale[first], weight[first]),
    )

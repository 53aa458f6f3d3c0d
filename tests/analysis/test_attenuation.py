"""Pearson coefficients without the noise of the labels, where the truth is known."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from systems import liquid, moved

from glassml.analysis import StoredPredictions, compare, evaluation_table, write_report
from glassml.analysis.metrics import averaged_corrected, corrected_pearson
from glassml.data import Dataset, DatasetWriter
from glassml.physics import noise_ceiling

SPECIES = ("A", "B")


def measured(
    n_configurations: int, n: int, noise: float, seed: int, shift: float = 0.0
) -> dict[str, list[np.ndarray]]:
    """Predictions and labels of particles whose noiseless propensity is known.

    Noiseless propensities and errors of the model have variance 1, so that Pearson's coefficient is
    sqrt(1 / 2) within a configuration. The labels of a single run have ``noise`` as the standard
    deviation. Mean propensities of configurations, known to the model, vary by ``shift``.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[np.ndarray]] = {k: [] for k in ("predictions", "labels", "halves")}
    found |= {"species": [], "truth": []}
    for _ in range(n_configurations):
        truth = rng.normal(10.0, 1.0, (n, 1)) + shift * rng.normal()
        halves = truth[:, :, None] + noise * rng.normal(size=(n, 1, 2))
        found["truth"].append(truth)
        found["predictions"].append(truth + rng.normal(size=(n, 1)))
        found["halves"].append(halves)
        found["labels"].append(halves.mean(axis=2))
        found["species"].append(np.arange(n) % 2)
    return found


def corrected_of(found: dict[str, list[np.ndarray]], resamples: int = 200) -> list:
    arrays = (found[k] for k in ("predictions", "labels", "halves", "species"))
    return list(corrected_pearson(*arrays, SPECIES, [1.0], resamples=resamples))


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_the_truth_is_found_within_its_error(noise: float) -> None:
    found = measured(20, 400, noise, seed=1)
    raw = np.corrcoef(*(np.concatenate(found[k])[:, 0] for k in ("predictions", "labels")))[0, 1]
    # A label of two runs has the variance 1 + noise^2 / 2.
    np.testing.assert_allclose(raw, np.sqrt(0.5 / (1 + noise**2 / 2)), atol=0.03)
    for corrected in corrected_of(found):
        assert corrected.time == 1.0
        for value, error in (
            (corrected.all, corrected.all_error),
            (corrected.mean, corrected.mean_error),
        ):
            assert 0 < error < 0.05
            assert abs(value - math.sqrt(0.5)) < 3 * error


def test_error_bars_are_the_scatter_of_repetitions() -> None:
    repeated = [corrected_of(measured(20, 100, 1.5, seed=s))[0] for s in range(60)]
    for kind in ("all", "mean"):
        scatter = np.std([getattr(c, kind) for c in repeated])
        error = np.mean([getattr(c, f"{kind}_error") for c in repeated])
        # The scatter of 60 repetitions is known to 9 %, a bootstrap of 20 configurations to less.
        np.testing.assert_allclose(error, scatter, rtol=0.35)
        bias = np.mean([getattr(c, kind) for c in repeated]) - math.sqrt(0.5)
        assert abs(bias) < 4 * scatter / math.sqrt(60)


def test_all_and_mean_are_corrected_each_by_its_own_ceiling() -> None:
    """Differences between configurations raise the pooled coefficient and its ceiling."""
    found = measured(40, 200, 1.5, seed=3, shift=1.0)
    a = corrected_of(found)[0]
    # pooled: variance 2 of the truth, 3 of the predictions
    assert abs(a.all - math.sqrt(2 / 3)) < 3 * a.all_error
    assert abs(a.mean - math.sqrt(1 / 2)) < 3 * a.mean_error
    one, other = (np.concatenate([h[::2, 0, k] for h in found["halves"]]) for k in (0, 1))
    x, y = (np.concatenate([v[::2, 0] for v in found[k]]) for k in ("predictions", "labels"))
    ceiling = noise_ceiling(float(np.corrcoef(one, other)[0, 1]))
    assert ceiling is not None
    np.testing.assert_allclose(a.all, np.corrcoef(x, y)[0, 1] / ceiling, rtol=1e-12)


def test_without_noise_nothing_changes() -> None:
    found = measured(3, 100, 0.0, seed=4)
    b = corrected_of(found)[1]
    x, y = (np.concatenate([v[1::2, 0] for v in found[k]]) for k in ("predictions", "labels"))
    np.testing.assert_allclose(b.all, np.corrcoef(x, y)[0, 1], rtol=1e-12)


def test_what_is_not_known_is_nan() -> None:
    found = measured(4, 50, 1.0, seed=5)
    arrays = [found[k] for k in ("predictions", "labels", "halves", "species")]
    assert corrected_pearson(arrays[0], arrays[1], None, arrays[3], SPECIES, [1.0]) == ()
    nothing = corrected_pearson([None] * 4, *arrays[1:], SPECIES, [1.0], resamples=10)
    assert all(math.isnan(c.all) and math.isnan(c.mean_error) for c in nothing)
    single = {k: v[:1] for k, v in found.items()}
    assert math.isnan(corrected_of(single)[0].all_error)
    assert math.isfinite(corrected_of(single)[0].all)
    opposed = [np.stack([h[:, :, 0], -h[:, :, 0]], axis=2) for h in found["halves"]]
    (a, _) = corrected_of(found | {"halves": opposed})
    assert math.isnan(a.all)


def test_configurations_without_predictions_do_not_count() -> None:
    found = measured(6, 50, 1.0, seed=6)
    some = found | {"predictions": [None, *found["predictions"][1:]]}
    assert corrected_of(some) == corrected_of({k: v[1:] for k, v in found.items()})


def test_mean_over_seeds() -> None:
    one, other = (corrected_of(measured(5, 60, 1.0, seed=s)) for s in (7, 8))
    (a, _) = averaged_corrected([one, other])
    np.testing.assert_allclose(a.all, (one[0].all + other[0].all) / 2)
    np.testing.assert_allclose(a.mean_error, abs(one[0].mean - other[0].mean) / math.sqrt(2))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Noisy labels of two runs with the predictions of a model."""
    found = measured(6, 60, 1.0, seed=9)
    with DatasetWriter(tmp_path / "noisy.h5") as writer:
        for k in range(6):
            halves = np.abs(found["halves"][k])
            writer.add(
                moved(
                    liquid(60, seed=k),
                    name=f"c{k}",
                    species=found["species"][k],
                    times=[1.0],
                    propensity=halves.mean(axis=2),
                    n_runs=2,
                    statistics={"propensity_halves": halves},
                    predictions={"model": found["predictions"][k]},
                )
            )
    return Dataset(tmp_path / "noisy.h5")


def test_table_and_report_show_both(dataset: Dataset, tmp_path: Path) -> None:
    comparison = compare(dataset, [StoredPredictions("model")])
    (evaluation,) = comparison.evaluations
    a = evaluation.corrected[0]
    console = Console(width=200, record=True)
    console.print(evaluation_table(comparison, evaluation))
    text = " ".join(console.export_text().split())
    assert "corrected all" in text
    assert f"{a.all:.3f}({1000 * a.all_error:.0f})" in text
    assert "which average over 2 runs" in text
    raw = evaluation.scores[0].value
    assert f"{raw:.3f}(" in text
    assert a.all > raw
    page = write_report(comparison, dataset, tmp_path / "report").read_text()
    assert "corrected for noise" in page
    assert f"{a.mean:.3f} <span" in page
    numbers = json.loads((tmp_path / "report" / "scores.json").read_text())
    first = numbers["corrected"][0]
    assert (first["model"], first["species"], first["time"]) == ("model", "A", 1.0)
    np.testing.assert_allclose([first["all"], first["all_error"]], [a.all, a.all_error])
    rows = list(csv.DictReader((tmp_path / "report" / "corrected.csv").open()))
    np.testing.assert_allclose(float(rows[1]["mean"]), evaluation.corrected[1].mean)


def test_without_halves_there_are_no_more_columns(dataset: Dataset, tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "plain.h5") as writer:
        for configuration in dataset:
            writer.add(moved(configuration, statistics={}))
    plain = Dataset(tmp_path / "plain.h5")
    comparison = compare(plain, [StoredPredictions("model")], resamples=0)
    console = Console(width=200, record=True)
    console.print(evaluation_table(comparison, comparison.evaluations[0]))
    text = console.export_text()
    assert "corrected" not in text
    assert "single runs" not in text
    page = write_report(comparison, plain, tmp_path / "report").read_text()
    assert "corrected for noise" not in page


def test_labels_of_single_runs_are_named(dataset: Dataset, tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "single.h5") as writer:
        for configuration in dataset:
            writer.add(moved(configuration, statistics={}, n_runs=1))
    comparison = compare(Dataset(tmp_path / "single.h5"), [StoredPredictions("model")])
    console = Console(width=200, record=True)
    console.print(evaluation_table(comparison, comparison.evaluations[0]))
    text = " ".join(console.export_text().split())
    assert "Some labels are displacements in single runs, whose noise is unknown" in text

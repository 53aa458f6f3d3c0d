"""Ridge regression that includes reversed runs: their weights, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from systems import liquid, moved
from typer.testing import CliRunner

from glassml.cli import app
from glassml.data import Dataset, DatasetWriter, reverse_dataset
from glassml.errors import InputError
from glassml.export import read_manifest
from glassml.inference import Predictor
from glassml.provenance import ReversedRuns
from glassml.studies.descriptor_moments import read_descriptor_moments
from glassml.studies.refit import refit, untrained
from glassml.studies.ridge import RidgeMoments, fit

RUNS, NOISE = 3, 12.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four liquids with three runs each, the ends of these runs, and a model to be fitted."""
    folder = tmp_path_factory.mktemp("runs")
    with DatasetWriter(folder / "runs.h5") as writer:
        for seed in range(4):
            bare = liquid(60, seed=seed)
            random = np.random.default_rng(100 + seed)
            ends = bare.positions + 0.1 * random.normal(size=(RUNS, 1, 60, 3))
            distance = np.linalg.norm(ends - bare.positions, axis=-1)
            writer.add(
                moved(
                    bare,
                    name=f"liquid_{seed}",
                    times=[5.0],
                    propensity=distance.mean(axis=0).T,
                    n_runs=RUNS,
                    final_positions=ends,
                )
            )
    reverse_dataset(folder / "runs.h5", folder / "back.h5")
    with Dataset(folder / "runs.h5") as dataset:
        untrained("structural", dataset, folder / "structural.pt", "thermal", ())
    return folder


def weighted_ridge(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, penalty: float
) -> tuple[np.ndarray, float]:
    """The normal equations with a weight for each particle."""
    share = weight / weight.sum()
    mean, offset = share @ x, share @ y
    spread = np.sqrt(share @ (x - mean) ** 2)
    varies = spread > 1e-5 * np.abs(mean)
    z = np.where(varies, (x - mean) / np.where(varies, spread, 1.0), 0.0)
    solved = np.linalg.solve(
        z.T @ (share[:, None] * z) + penalty * np.eye(x.shape[1]), z.T @ (share * (y - offset))
    )
    coefficients = np.where(varies, solved / np.where(varies, spread, 1.0), 0.0)
    return coefficients, offset - coefficients @ mean


def test_fit_is_weighted_ridge_over_both_datasets(folder: Path):
    predictor = Predictor(folder / "structural.pt", device="cpu")
    dataset, back = Dataset(folder / "runs.h5"), Dataset(folder / "back.h5")
    moments = read_descriptor_moments(predictor, dataset, reversed_runs=back, label_noise=NOISE)
    chosen = [0, 2, 3]
    decoders = moments.decoders(chosen)
    starts = [dataset.names[i] for i in chosen]
    used = [dataset[name] for name in starts]
    used += [c for c in back if c.name.split("_reversed")[0] in starts]
    assert len(used) == 3 + 3 * RUNS
    for s in range(2):
        x, y, weight = [], [], []
        for c in used:
            mine = c.species == s
            columns = predictor.predict([c], ("descriptors",))[0]["descriptors"]
            x.append(columns[mine].astype(np.float64))
            y.append(c.propensity[mine, 0])
            weight.append(np.full(mine.sum(), c.n_runs / (c.n_runs + NOISE)))
        parts = (np.concatenate(part) for part in (x, y, weight))
        expected, bias = weighted_ridge(*parts, penalty=decoders.penalties[s, 0])
        fitted = decoders.fits[s]
        # Both solve systems of the condition (largest eigenvalue + penalty) / penalty.
        np.testing.assert_allclose(
            fitted.weight[0], expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max()
        )
        np.testing.assert_allclose(fitted.bias[0], bias, rtol=1e-6)


def test_a_configuration_is_left_out_with_its_runs(folder: Path):
    predictor = Predictor(folder / "structural.pt", device="cpu")
    dataset, back = Dataset(folder / "runs.h5"), Dataset(folder / "back.h5")
    everything = read_descriptor_moments(predictor, dataset, reversed_runs=back, label_noise=NOISE)
    of_all = everything.decoders([0, 1, 2, 3])
    # With the same penalty, the fit that leaves the last one out is the fit to the first three.
    for s in range(2):
        three = RidgeMoments.total([everything.fitted(i, s) for i in (0, 1, 2)])
        expected = fit(three, of_all.penalties[s][None, :])[0]
        np.testing.assert_allclose(of_all.held_out[s][3].weight, expected.weight, rtol=1e-12)


def test_runs_of_a_single_configuration_are_fitted_to(folder: Path):
    predictor = Predictor(folder / "structural.pt", device="cpu")
    dataset, back = Dataset(folder / "runs.h5"), Dataset(folder / "back.h5")
    moments = read_descriptor_moments(predictor, dataset, reversed_runs=back, label_noise=NOISE)
    plain = read_descriptor_moments(predictor, dataset)
    decoders, without = moments.decoders([1]), plain.decoders([1])
    # Runs hold all slabs of the configuration, so the penalty is chosen without them.
    np.testing.assert_array_equal(decoders.penalties, without.penalties)
    for s in range(2):
        expected = fit(moments.fitted(1, s), decoders.penalties[s][None, :])[0]
        np.testing.assert_allclose(decoders.fits[s].weight, expected.weight, rtol=1e-12)
        assert not np.allclose(decoders.fits[s].weight, without.fits[s].weight, rtol=0.1)


def test_command(folder: Path, tmp_path: Path):
    arguments = ["refit", "structural", str(folder / "runs.h5"), "-o", str(tmp_path / "new.pt")]
    arguments += ["--reversed", str(folder / "back.h5"), "--label-noise", "12"]
    arguments += ["--table", str(tmp_path / "new.json")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    manifest = read_manifest(tmp_path / "new.pt")
    assert manifest.model == "structural"
    assert manifest.times == (5.0,)
    record = manifest.training
    starts = tuple(c.positions_sha256 for c in Dataset(folder / "runs.h5"))
    assert record.reversed_runs == ReversedRuns(number=4 * RUNS, starts=starts)
    assert [file.role for file in record.data] == ["configurations", "reversed runs"]
    assert record.data[1].configurations == 4 * RUNS
    assert record.ridge is not None
    assert record.ridge.label_noise == 12
    assert record.seen(Dataset(folder / "back.h5")) == Dataset(folder / "back.h5").names
    # A model that predicted nothing before the refit has no coefficients before, nor their columns.
    assert "structural fitted to runs.h5" in " ".join(result.output.split())
    assert "mean over configurations" in " ".join(result.output.split())
    assert "before" not in result.output
    scores = json.loads((tmp_path / "new.json").read_text())["scores"]
    assert [row["value"] for row in scores if row["model"] == "before"] == [None] * 4
    refitted = [row["value"] for row in scores if row["model"] == "refitted"]
    assert len(refitted) == 4
    assert all(isinstance(value, float) for value in refitted)
    refit(
        Predictor(folder / "structural.pt", device="cpu"),
        Dataset(folder / "runs.h5"),
        tmp_path / "same.pt",
        reversed_runs=Dataset(folder / "back.h5"),
        label_noise=12,
    )
    configuration = Dataset(folder / "runs.h5")[0]
    values = [
        Predictor(tmp_path / name, device="cpu").predict([configuration])[0]["propensity"]
        for name in ("new.pt", "same.pt")
    ]
    np.testing.assert_array_equal(*values)


def test_runs_of_other_configurations_are_refused(folder: Path, tmp_path: Path):
    with Dataset(folder / "runs.h5") as dataset, DatasetWriter(tmp_path / "one.h5") as writer:
        writer.add(dataset.read("liquid_0", final_positions=True))
    reverse_dataset(tmp_path / "one.h5", tmp_path / "one_back.h5")
    with pytest.raises(InputError, match="found none of number 2"):
        read_descriptor_moments(
            Predictor(folder / "structural.pt", device="cpu"),
            Dataset(folder / "runs.h5"),
            reversed_runs=Dataset(tmp_path / "one_back.h5"),
        )


def test_settings_of_structural_are_for_structural(folder: Path, tmp_path: Path):
    arguments = ["refit", str(folder / "structural.pt"), str(folder / "runs.h5")]
    result = CliRunner().invoke(
        app, [*arguments, "-o", str(tmp_path / "new.pt"), "--positions", "inherent"]
    )
    assert result.exit_code == 1
    assert "expected one of boattini, cage, structural, as a model file" in str(result.exception)

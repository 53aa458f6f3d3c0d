"""Several windows of a configuration in ridge regressions, and predictions averaged over them."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from systems import liquid
from typer.testing import CliRunner

from glassml.analysis import ModelPredictions, open_sources
from glassml.cli import app
from glassml.data import (
    REVERSED_FROM,
    Configuration,
    Dataset,
    DatasetWriter,
    Window,
    with_windows,
    without_windows,
)
from glassml.errors import InputError
from glassml.export import read_manifest
from glassml.inference import Predictor
from glassml.physics import AveragedPositions
from glassml.studies.descriptor_moments import read_descriptor_moments
from glassml.studies.refit import refit, untrained
from glassml.studies.ridge import RidgeMoments

N, WINDOW = 60, Window(0.1, 20)
EXAMPLE = Path(__file__).parents[2] / "examples" / "many_times" / "mean.py"


def averaged(seed: int, windows: int, **fields: object) -> Configuration:
    rng = np.random.default_rng(seed)
    start = liquid(N, seed=seed)
    parts = [
        AveragedPositions(0.05 * rng.normal(size=(N, 3)), 0.1 * rng.random(N), rng.normal(size=N))
        for _ in range(windows)
    ]
    labelled = replace(
        start, name=f"liquid_{seed}", times=[5.0], propensity=rng.random((N, 1)), n_runs=4
    )
    return with_windows(replace(labelled, **fields), parts, WINDOW)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Liquids with two, three and two windows, a reversed run of each with as many, and models."""
    folder = tmp_path_factory.mktemp("windows")
    starts = [averaged(seed, number) for seed, number in enumerate((2, 3, 2))]
    with DatasetWriter(folder / "data.h5") as writer:
        for start in starts:
            writer.add(start)
    with DatasetWriter(folder / "back.h5") as writer:
        for seed, start in enumerate(starts):
            origin = {REVERSED_FROM: start.positions_sha256, "reversed_run": 0}
            writer.add(averaged(10 + seed, 2, n_runs=1, provenance=origin))
    with Dataset(folder / "data.h5") as dataset:
        untrained("structural", dataset, folder / "average.pt", "average", ("vibration",))
        untrained("structural", dataset, folder / "thermal.pt", "thermal", ("vibration",))
        refit(Predictor(folder / "average.pt", "cpu"), dataset, folder / "refitted.pt")
    return folder


def same(a: RidgeMoments, b: RidgeMoments) -> None:
    assert a.n == pytest.approx(b.n)
    for name in ("x", "y", "xx", "xy", "yy"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-9, atol=1e-9)


def test_all_windows_have_together_the_weight_of_one(folder: Path):
    predictor = Predictor(folder / "average.pt", device="cpu")
    with Dataset(folder / "data.h5") as dataset, Dataset(folder / "back.h5") as back:
        moments = read_descriptor_moments(predictor, dataset, reversed_runs=back, label_noise=3.0)
        for i, number in enumerate((2, 3, 2)):
            for s, name in enumerate(("A", "B")):
                start, run = dataset[i], back[i]
                of = start.of_species(name)
                parts = [
                    RidgeMoments.of(x[of], start.propensity[of])
                    for k in range(1, number + 1)
                    for x in (
                        predictor.predict([start], ("descriptors",), window=k)[0]["descriptors"],
                    )
                ]
                expected = RidgeMoments.total(parts).weighted(1 / number)
                assert expected.n == pytest.approx(of.sum())
                same(moments.of(i, s), expected)
                ran = run.of_species(name)
                both = [
                    predictor.predict([run], ("descriptors",), window=k)[0]["descriptors"][ran]
                    for k in (1, 2)
                ]
                backwards = RidgeMoments.of(
                    np.concatenate(both), np.concatenate([run.propensity[ran]] * 2)
                ).weighted(0.5)
                same(
                    moments.fitted(i, s),
                    expected.weighted(4 / (4 + 3.0)) + backwards.weighted(1 / (1 + 3.0)),
                )


def test_equal_windows_change_nothing(folder: Path, tmp_path: Path):
    """Three copies of a window give the decoders of one."""
    weights = []
    for copies in (1, 3):
        path = tmp_path / f"{copies}.h5"
        with Dataset(folder / "data.h5") as dataset, DatasetWriter(path) as writer:
            for c in dataset:
                part = AveragedPositions(
                    c.structures["average"] - c.positions, c.scalars["vibration"], None
                )
                writer.add(with_windows(c, [part] * copies, WINDOW))
        with Dataset(path) as dataset:
            refit(Predictor(folder / "average.pt", "cpu"), dataset, tmp_path / f"{copies}.pt")
            predictor = Predictor(tmp_path / f"{copies}.pt", device="cpu")
            weights.append(predictor.predict([dataset[0]])[0]["propensity"])
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-5, atol=1e-6)  # of float32 models
    assert read_manifest(tmp_path / "3.pt").window == WINDOW


def test_a_model_of_thermal_positions_reads_each_configuration_once(folder: Path):
    predictor = Predictor(folder / "thermal.pt", device="cpu")
    with Dataset(folder / "data.h5") as dataset:
        moments = read_descriptor_moments(predictor, dataset)
        start = dataset[1]
        x = predictor.predict([start], ("descriptors",))[0]["descriptors"]
        of = start.of_species("A")
        same(moments.of(1, 0), RidgeMoments.of(x[of], start.propensity[of]))


@pytest.mark.parametrize(("positions", "scalars"), [("average", ()), ("thermal", ("vibration",))])
def test_data_without_windows_are_refused(positions: str, scalars: tuple[str, ...], tmp_path: Path):
    """A scalar of this name alone does not say over what it was averaged."""
    with DatasetWriter(tmp_path / "plain.h5") as writer:
        plain = without_windows(averaged(0, 1))
        writer.add(replace(plain, scalars={"vibration": np.ones(N)}))
    message = (
        r"plain\.h5: liquid_0: structures: expected 'average', .* found none\. `glassml average`"
    )
    with Dataset(tmp_path / "plain.h5") as dataset, pytest.raises(InputError, match=message):
        untrained("structural", dataset, tmp_path / "model.pt", positions, scalars)
    assert not (tmp_path / "model.pt").exists()


def test_predictions_are_means_over_windows(folder: Path):
    predictor = Predictor(folder / "refitted.pt", device="cpu")
    with Dataset(folder / "data.h5") as dataset:
        one, two = open_sources(dataset, [folder / "refitted.pt"], {}, "cpu", windows=2)
        assert [(s.name, s.kind) for s in (one, two)] == [
            ("refitted.pt", "model"),
            ("refitted.pt, 2 windows", "windows"),
        ]
        for c in dataset:
            each = [predictor.predict([c], window=k)[0]["propensity"] for k in (1, 2)]
            np.testing.assert_array_equal(one.predict(c).propensity, each[0])
            np.testing.assert_allclose(two.predict(c).propensity, np.mean(each, axis=0), rtol=1e-6)
            assert np.abs(each[0] - each[1]).max() > 0


def test_both_are_shown_and_reported(folder: Path, tmp_path: Path):
    table = tmp_path / "scores.json"
    run = CliRunner().invoke(
        app,
        [
            *("evaluate", str(folder / "refitted.pt"), str(folder / "data.h5"), "--windows", "2"),
            *("--table", str(table), "-o", str(tmp_path / "report"), "--device", "cpu"),
        ],
    )
    assert run.exit_code == 0, run.output
    assert "refitted.pt, 2 windows on data.h5" in run.output
    rows = json.loads(table.read_text())["scores"]
    kinds = {row["model"]: row["source_kind"] for row in rows}
    assert kinds == {"refitted.pt": "model", "refitted.pt, 2 windows": "windows"}
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Mean over windows" in page


def test_mistakes_are_named(folder: Path):
    average, thermal = folder / "refitted.pt", folder / "thermal.pt"
    with Dataset(folder / "data.h5") as dataset:
        with pytest.raises(InputError, match=r"at most the 2 that liquid_0 .* has; found 3"):
            open_sources(dataset, [average], {}, "cpu", windows=3)
        with pytest.raises(InputError, match=r"found thermal.pt, which reads thermal positions"):
            open_sources(dataset, [thermal], {}, "cpu", windows=2)
        with pytest.raises(InputError, match="at least 1; found 0"):
            ModelPredictions(Predictor(average, "cpu"), dataset, windows=0)
        names = [s.name for s in open_sources(dataset, [average, thermal], {}, "cpu", windows=2)]
        assert names == ["refitted.pt", "refitted.pt, 2 windows", "thermal.pt"]
    run = CliRunner().invoke(
        app, ["evaluate", str(average), str(folder / "data.h5"), "--seeds", "--windows", "2"]
    )
    assert run.exit_code != 0
    assert "--seeds, --windows: expected one of them" in str(run.exception)


def test_the_mean_of_models_of_thermal_and_of_averaged_positions(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """examples/many_times/mean.py: coefficients of the mean, not the mean of coefficients."""
    script = runpy.run_path(str(EXAMPLE))
    models = [folder / "refitted.pt", tmp_path / "thermal.pt"]
    each = []
    with Dataset(folder / "data.h5") as dataset:
        refit(Predictor(folder / "thermal.pt", "cpu"), dataset, models[1])
        for c in dataset:
            of = c.of_species("B")
            both = [Predictor(m, "cpu").predict([c])[0]["propensity"][of, 0] for m in models]
            each.append(np.corrcoef(both[0] + both[1], c.propensity[of, 0])[0, 1])
    script["main"]([str(folder / "data.h5"), *map(str, models)])
    assert f"mean, B: {np.mean(each):.3f}" in capsys.readouterr().out.splitlines()

    with DatasetWriter(tmp_path / "later.h5") as writer:
        writer.add(averaged(0, 1, times=[7.0]))
    with pytest.raises(SystemExit, match=r"later\.h5: expected a time that all models predict"):
        script["main"]([str(tmp_path / "later.h5"), *map(str, models)])

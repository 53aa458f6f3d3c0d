"""Refitted models: the decoders are those of ridge regression, and the file names their origin."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from glassml_ase import GlassMLCalculator
from scoring import find, scores_of
from systems import liquid, moved
from typer.testing import CliRunner

from glassml.analysis import pearson_all, pearson_mean
from glassml.cli import app
from glassml.data import Dataset, DatasetWriter, atoms_from_configuration
from glassml.errors import InputError, ModelFileError
from glassml.export import read_manifest
from glassml.inference import Predictor
from glassml.provenance import DataFile, NetworkRecord
from glassml.studies.descriptor_moments import SLABS, _slab_of, read_descriptor_moments
from glassml.studies.refit import refit


def ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Ridge regression by the normal equations of the standardised descriptors."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / spread
    weight = np.linalg.solve(
        z.T @ z / len(x) + penalty * np.eye(x.shape[1]), z.T @ (y - y.mean()) / len(x)
    )
    return weight / spread, y.mean() - (weight / spread) @ mean


def columns_of(model: Path, dataset: Dataset) -> list[np.ndarray]:
    predictor = Predictor(model, device="cpu")
    return [predictor.predict([c], ("descriptors",))[0]["descriptors"] for c in dataset]


def test_the_new_file_is_ridge_regression_in_ase_and_offline(
    small_network: Path, make_dataset, linear_labels, tmp_path: Path
) -> None:
    dataset = Dataset(make_dataset("there.h5", linear_labels))
    result = refit(Predictor(small_network, device="cpu"), dataset, tmp_path / "new.pt")
    predictor = Predictor(tmp_path / "new.pt", device="cpu")
    assert predictor.manifest.times == (3.0, 30.0)
    calculator = GlassMLCalculator(tmp_path / "new.pt", species=["A", "B"], device="cpu")
    unseen = liquid(60, seed=77)
    offline = predictor.predict([unseen])[0]["propensity"]
    atoms = atoms_from_configuration(unseen)
    in_ase = calculator.get_property("propensity", atoms)
    species = np.concatenate([c.species for c in dataset])
    x = np.concatenate(columns_of(small_network, dataset))
    y = np.concatenate([c.propensity for c in dataset])
    here = Predictor(small_network, device="cpu").predict([unseen], ("descriptors",))[0]
    assert len(result.decoders) == 4
    for decoder in result.decoders:
        s, t = "AB".index(decoder.species), (3.0, 30.0).index(decoder.time)
        weight, bias = ridge(x[species == s], y[species == s, t], decoder.penalty)
        mine = unseen.species == s
        expected = here["descriptors"][mine] @ weight + bias
        np.testing.assert_allclose(offline[mine, t], expected, rtol=1e-10)
        np.testing.assert_allclose(in_ase[mine, t], expected, rtol=1e-10)


def test_scores_are_of_the_configurations_left_out(
    small_network: Path, make_dataset, linear_labels, tmp_path: Path
) -> None:
    dataset = Dataset(make_dataset("there.h5", linear_labels))
    result = refit(Predictor(small_network, device="cpu"), dataset, tmp_path / "new.pt")
    columns, configurations = columns_of(small_network, dataset), list(dataset)
    for decoder in result.decoders:
        s, t = "AB".index(decoder.species), (3.0, 30.0).index(decoder.time)
        predicted, labels = [], []
        for k, configuration in enumerate(configurations):
            others = [i for i in range(len(configurations)) if i != k]
            chosen = [configurations[i].species == s for i in others]
            x = np.concatenate([columns[i][m] for i, m in zip(others, chosen, strict=True)])
            y = np.concatenate(
                [configurations[i].propensity[m, t] for i, m in zip(others, chosen, strict=True)]
            )
            weight, bias = ridge(x, y, decoder.penalty)
            mine = configuration.species == s
            predicted.append((columns[k][mine] @ weight + bias)[:, None])
            labels.append(configuration.propensity[mine, t][:, None])
        species = [np.zeros(len(y), dtype=int) for y in labels]
        for score, statistic in zip(decoder.refitted, (pearson_all, pearson_mean), strict=True):
            expected = statistic(predicted, labels, species, 1)[0, 0]
            assert score.value == pytest.approx(expected, rel=1e-9)
            assert score.value > 0.95  # the labels are linear in the descriptors, plus some noise
        each = [np.corrcoef(p[:, 0], y[:, 0])[0, 1] for p, y in zip(predicted, labels, strict=True)]
        pooled, mean = decoder.refitted
        assert pooled.error is None
        assert mean.error == pytest.approx(np.std(each, ddof=1) / np.sqrt(len(each)), rel=1e-6)
        assert mean.error_kind == "standard error over configurations"


def test_without_slabs_the_moments_are_the_same(
    small_network: Path, make_dataset, linear_labels
) -> None:
    """Of many descriptors the slabs of every configuration would take five times the memory."""
    dataset = Dataset(make_dataset("there.h5", linear_labels))
    predictor = Predictor(small_network, device="cpu")
    whole = read_descriptor_moments(predictor, dataset, single=False)
    divided = read_descriptor_moments(predictor, dataset)
    assert {len(slabs) for slabs in whole.slabs} == {1}
    assert {len(slabs) for slabs in divided.slabs} == {SLABS}
    for i in range(len(dataset)):
        for s in range(2):
            one, other = whole.of(i, s), divided.of(i, s)
            np.testing.assert_allclose(one.xx, other.xx, rtol=1e-9, atol=1e-9 * other.xx.max())
            np.testing.assert_allclose(one.xy, other.xy, rtol=1e-9, atol=1e-9)


def test_before_is_the_model_as_it_was(
    small_network: Path, make_dataset, linear_labels, tmp_path: Path
) -> None:
    path = make_dataset("there.h5", linear_labels, times=(1.0, 7.0))
    predictor = Predictor(small_network, device="cpu")
    result = refit(predictor, Dataset(path), tmp_path / "new.pt")
    first = {d.species: d for d in result.decoders if d.time == 1.0}
    second = [score for d in result.decoders if d.time == 7.0 for score in d.before]
    assert len(second) == 2 * 2
    assert np.isnan([score.value for score in second]).all()
    with DatasetWriter(tmp_path / "one_time.h5") as writer:
        for c in Dataset(path):
            writer.add(moved(c, times=c.times[:1], propensity=c.propensity[:, :1]))
    direct = scores_of(predictor, Dataset(tmp_path / "one_time.h5"))
    for species in "AB":
        assert [score.kind for score in first[species].before] == ["all", "mean"]
        for score in first[species].before:
            expected = find(direct, score.kind, species).value
            assert score.value == pytest.approx(expected, rel=1e-9)


def test_one_configuration_is_checked_on_its_slabs(
    small_network: Path, make_dataset, linear_labels, tmp_path: Path
) -> None:
    dataset = Dataset(make_dataset("one.h5", linear_labels, seeds=range(1)))
    result = refit(Predictor(small_network, device="cpu"), dataset, tmp_path / "new.pt")
    for decoder in (d for d in result.decoders if d.species == "A"):
        pooled, mean = decoder.refitted
        assert pooled.value == mean.value > 0.9
    ridge = read_manifest(tmp_path / "new.pt").training.ridge
    assert ridge is not None
    assert ridge.chosen_by == "slabs of the configuration left out in turn"


def test_slabs_are_equal_parts_of_the_box_whatever_the_image() -> None:
    configuration = liquid(64, seed=3, triclinic=True)
    along = (configuration.positions @ np.linalg.inv(configuration.cell))[:, 0] % 1.0
    slabs = _slab_of(configuration)
    assert np.ptp(np.bincount(slabs, minlength=SLABS)) <= 1
    ends = [(along[slabs == k].min(), along[slabs == k].max()) for k in range(SLABS)]
    assert all(high < low for (_, high), (low, _) in itertools.pairwise(ends))
    shifts = np.random.default_rng(0).integers(-2, 3, (64, 3)) @ configuration.cell
    elsewhere = moved(configuration, positions=configuration.positions + shifts)
    np.testing.assert_array_equal(_slab_of(elsewhere), slabs)


def test_the_manifest_tells_of_both_trainings(
    small_network: Path, make_dataset, linear_labels, tmp_path: Path
) -> None:
    dataset = Dataset(make_dataset("there.h5", linear_labels, temperature=0.64))
    result = refit(Predictor(small_network, device="cpu"), dataset, tmp_path / "new.pt")
    record = read_manifest(tmp_path / "new.pt").training
    assert record.data == (
        DataFile(file="there.h5", sha256=dataset.sha256, configurations=6, role="configurations"),
    )
    assert record.train.names == tuple(f"c{k}" for k in range(6))
    assert record.validation.number == 0
    assert record.origin == {"n_runs": (8,), "temperature": (0.64,)}
    before = read_manifest(small_network)
    assert record.network == NetworkRecord(
        file="small.pt",
        n_parameters=before.n_parameters,
        times=(1.0, 10.0),
        training=before.training,
    )
    assert record.seen(dataset) == dataset.names
    assert record.ridge is not None
    of_species = {
        d.species: [p.penalty for p in result.decoders if p.species == d.species]
        for d in result.decoders
    }
    assert record.ridge.penalties == tuple(map(tuple, of_species.values()))
    assert record.accuracy is not None
    assert "each configuration left out in turn" in record.accuracy.protocol
    measured = [score for decoder in result.decoders for score in decoder.refitted]
    assert len(measured) == 2 * len(result.decoders)
    assert record.accuracy.scores == tuple(measured)


def test_what_the_network_has_seen_is_remembered_after_two_refits(
    small_network: Path, make_dataset, linear_labels, tmp_path: Path
) -> None:
    first, second = (
        Dataset(make_dataset(name, linear_labels, seeds=seeds))
        for name, seeds in (("a.h5", range(3)), ("b.h5", range(3, 6)))
    )
    refit(Predictor(small_network, device="cpu"), first, tmp_path / "one.pt")
    refit(Predictor(tmp_path / "one.pt", device="cpu"), second, tmp_path / "two.pt")
    record = read_manifest(tmp_path / "two.pt").training
    assert record.network is not None
    assert record.network.training == read_manifest(tmp_path / "one.pt").training
    assert record.seen(first) == ("c0", "c1", "c2")
    assert record.seen(second) == ("c3", "c4", "c5")
    assert read_manifest(tmp_path / "one.pt").training.seen(second) == ()


def test_command(small_network: Path, make_dataset, linear_labels, tmp_path: Path) -> None:
    dataset = make_dataset("there.h5", linear_labels)
    outputs = {k: tmp_path / f"refit.{k}" for k in ("json", "csv")}
    options = [word for path in outputs.values() for word in ("--table", str(path))]
    new = tmp_path / "new.pt"
    result = CliRunner().invoke(
        app, ["refit", str(small_network), str(dataset), "-o", str(new), *options]
    )
    assert result.exit_code == 0, result.output
    assert f"written: {new}" in result.stdout
    content = json.loads(outputs["json"].read_text())
    assert [row["model"] for row in content["scores"]] == 4 * (["before"] * 2 + ["refitted"] * 2)
    assert content["scores"][0]["value"] is None
    assert content["scores"][2]["value"] > 0.9
    with outputs["csv"].open() as stream:
        rows = list(csv.DictReader(stream))
    for row, expected in zip(rows, content["scores"], strict=True):
        assert row["penalty"] == ("" if row["model"] == "before" else str(expected["penalty"]))
    assert read_manifest(new).times == (3.0, 30.0)


def test_the_shipped_model_is_refitted(make_dataset, linear_labels, tmp_path: Path) -> None:
    """A file that was exported before there were refits."""
    dataset = Dataset(make_dataset("there.h5", linear_labels))
    refit(Predictor("kob_andersen_T0.44", device="cpu"), dataset, tmp_path / "new.pt")
    predicted = Predictor(tmp_path / "new.pt", device="cpu").predict([dataset[0]])[0]["propensity"]
    assert predicted.shape == (60, 2)


def test_mistakes_are_explained(make_dataset, linear_labels, analytic, tmp_path: Path) -> None:
    dataset = make_dataset("there.h5", linear_labels)
    arguments = ["refit", str(analytic()), str(dataset), "-o", str(tmp_path / "new.pt")]
    with pytest.raises(ModelFileError, match="linear decoder over its descriptors"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert not (tmp_path / "new.pt").exists()


def test_a_missing_species_is_explained(
    small_network: Path, make_dataset, linear_labels, tmp_path: Path
) -> None:
    with DatasetWriter(tmp_path / "only_a.h5") as writer:
        for c in Dataset(make_dataset("there.h5", linear_labels)):
            writer.add(moved(c, species=np.zeros(60, dtype=int)))
    with pytest.raises(InputError, match=r"only_a.h5: c0: expected particles.*found 0 of 'B'"):
        read_descriptor_moments(
            Predictor(small_network, device="cpu"), Dataset(tmp_path / "only_a.h5")
        )

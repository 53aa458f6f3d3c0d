"""Transfer matrices: the right columns of the right models are compared with the right labels."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scoring import find, scores_of
from typer.testing import CliRunner

from glassml.analysis.relaxation_times import relaxation_time_of, trained_relaxation_time
from glassml.cli import app
from glassml.data import Dataset, DatasetWriter
from glassml.errors import InputError
from glassml.export import Manifest, read_manifest, save_model
from glassml.inference import Predictor
from glassml.models import build
from glassml.provenance import DataFile, KnownConfiguration, Side, TrainingRecord
from glassml.studies.transfer import read_published_transfer, transfer
from glassml.studies.transfer_pictures import transfer_figure


@pytest.fixture
def two_models(tmp_path: Path) -> dict[str, Path]:
    """Models that differ in their cutoff and times, trained, they say, at two temperatures."""
    paths = {}
    for name, cutoff, times, tau in (
        ("cold", 2.0, (1.0, 40.0), 50.0),
        ("hot", 1.5, (0.5, 4.0), 4.0),
    ):
        paths[name] = tmp_path / f"{name}.pt"
        save_model(
            build("analytic", cutoff=cutoff, times=times),
            paths[name],
            dtype="float64",
            training=TrainingRecord(origin={"tau_alpha": (tau,)}),
        )
    return paths


@pytest.fixture
def two_datasets(two_models: dict[str, Path], make_dataset) -> dict[str, Path]:
    """Labels that one model each predicts exactly, with tau_alpha near the second time."""
    found = {}
    for name, times, tau in (("cold", (1.0, 40.0), 50.0), ("hot", (0.5, 4.0), 4.0)):
        predictor = Predictor(two_models[name], device="cpu")

        def labels(configuration, rng, predictor=predictor) -> np.ndarray:
            return predictor.predict([configuration])[0]["propensity"]

        found[name] = make_dataset(
            f"{name}.h5", labels, times, range(3), {"equilibration": {"tau_alpha": tau}}
        )
    return found


def opened(paths: dict[str, Path], kind: type) -> list:
    return [kind(path, "cpu") if kind is Predictor else kind(path) for path in paths.values()]


def test_each_model_is_perfect_on_its_own_labels(two_models, two_datasets) -> None:
    result = transfer(opened(two_models, Predictor), opened(two_datasets, Dataset))
    assert (result.models, result.datasets) == (("cold", "hot"), ("cold", "hot"))
    for species in "AB":
        for kind in ("all", "mean"):
            matrix = result.matrix(kind, species)
            np.testing.assert_allclose(np.diag(matrix), 1.0, atol=1e-12)
            assert (matrix[[0, 1], [1, 0]] < 0.999).all()
    assert {(c.model, c.model_time) for c in result.cells} == {("cold", 40.0), ("hot", 4.0)}
    assert {(c.dataset, c.dataset_time) for c in result.cells} == {("cold", 40.0), ("hot", 4.0)}


def test_a_cell_is_what_evaluate_finds(two_models, two_datasets) -> None:
    """Where model and labels have the same times."""
    models, datasets = opened(two_models, Predictor)[:1], opened(two_datasets, Dataset)
    result = transfer(models, datasets[:1], time=1.0)
    direct = scores_of(models[0], datasets[0])
    (cell,) = result.cells
    assert [(s.species, s.kind) for s in cell.scores] == [
        (species, kind) for species in "AB" for kind in ("all", "mean")
    ]
    for score in cell.scores:
        expected = find(direct, score.kind, score.species, 1.0)
        assert score.value == pytest.approx(expected.value, abs=1e-12)
        assert score.configurations == 3


def test_error_is_that_of_the_mean_over_configurations(two_models, two_datasets) -> None:
    models, datasets = opened(two_models, Predictor), opened(two_datasets, Dataset)
    cell = transfer(models[:1], datasets[1:]).cells[0]
    each = []
    for configuration in datasets[1]:
        chosen = configuration.species == 0
        predicted = models[0].predict([configuration])[0]["propensity"][chosen, 1]
        each.append(np.corrcoef(predicted, configuration.propensity[chosen, 1])[0, 1])
    pooled, mean = (cell.find("A", kind) for kind in ("all", "mean"))
    assert mean.value == pytest.approx(np.mean(each), rel=1e-9)
    assert mean.error == pytest.approx(np.std(each, ddof=1) / np.sqrt(3), rel=1e-9)
    assert mean.error_kind == "standard error over configurations"
    assert pooled.error is None


def test_one_configuration_has_no_error(two_models, two_datasets, tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "one.h5") as writer:
        writer.copy(Dataset(two_datasets["cold"]), "c0")
    (cell,) = transfer(
        opened(two_models, Predictor)[:1], [Dataset(tmp_path / "one.h5")], time=1.0
    ).cells
    assert len(cell.scores) == 4
    assert {score.error for score in cell.scores} == {None}


def manifest_at(path: Path, times: tuple[float, ...], training: TrainingRecord) -> Manifest:
    save_model(build("analytic", times=times), path, training=training)
    return read_manifest(path)


def at(*taus: float, trained_on: str | None = None) -> TrainingRecord:
    """The record of a training at these relaxation times, on a dataset of this checksum."""
    file = DataFile(file="d.h5", sha256=str(trained_on), configurations=1)
    return TrainingRecord(
        origin={"tau_alpha": taus} if taus else {}, data=(file,) if trained_on else ()
    )


def test_the_time_of_a_model(tmp_path: Path) -> None:
    times = (1.0, 10.0, 100.0)
    known = at(9.0, trained_on="abc")

    def chosen(
        given: tuple[float, ...], training: TrainingRecord, asked: float | None = None
    ) -> float:
        manifest = manifest_at(tmp_path / "m.pt", given, training)
        return trained_relaxation_time("m.pt", manifest, {"abc": 100.0, "d": 1.0}, asked)

    assert chosen((7.0,), at()) == 7.0  # there is no other
    assert chosen(times, known, 1.0) == 1.0  # asked for
    assert chosen(times, known) == 100.0  # that of the labels it was trained on
    assert chosen(times, at(9.0)) == 10.0  # the nearest
    for training in (at(), at(9.0, 8.0), at(30.0)):
        with pytest.raises(InputError, match=r"time: m.pt: .*1, 10, 100; .*--time m.pt=100"):
            chosen(times, training)


def test_the_time_of_a_dataset(make_dataset) -> None:
    def labels(configuration, rng) -> np.ndarray:
        return rng.random((60, 3))

    times = (1.0, 10.0, 100.0)
    described = {"equilibration": {"tau_alpha": 12.0}}
    plain = Dataset(make_dataset("plain.h5", labels, times))
    assert (
        relaxation_time_of(Dataset(make_dataset("d.h5", labels, times, range(2), described))) == 10
    )
    assert relaxation_time_of(Dataset(make_dataset("p.h5", labels, times, tau_alpha=90.0))) == 100
    assert relaxation_time_of(plain, 1.0) == 1.0
    with pytest.raises(InputError, match="nothing that says which is tau_alpha"):
        relaxation_time_of(plain)
    with pytest.raises(InputError, match="tau_alpha = 30, which is not near any of these"):
        relaxation_time_of(Dataset(make_dataset("far.h5", labels, times, tau_alpha=30.0)))


def test_what_a_model_has_seen_is_marked(two_datasets, tmp_path: Path) -> None:
    dataset = Dataset(two_datasets["hot"])
    # By their names alone: both datasets have the same positions.
    file = DataFile(file="hot.h5", sha256=dataset.sha256, configurations=3)
    sides = {
        side: Side.of([KnownConfiguration(name=name)])
        for side, name in (("train", "c0"), ("validation", "c2"))
    }
    training = TrainingRecord(data=(file,), **sides)
    save_model(build("analytic", times=(0.5, 4.0)), tmp_path / "m.pt", training=training)
    result = transfer([Predictor(tmp_path / "m.pt", "cpu")], opened(two_datasets, Dataset))
    assert {(c.dataset, c.seen_in_training) for c in result.cells} == {("cold", 0), ("hot", 2)}


def test_the_time_of_a_committee(tmp_path: Path) -> None:
    times = (1.0, 10.0, 100.0)

    def chosen(*members: TrainingRecord) -> float:
        manifest = manifest_at(tmp_path / "m.pt", times, TrainingRecord(members=members))
        return trained_relaxation_time("m.pt", manifest, {"abc": 100.0})

    assert chosen(at(9.0), at(9.0)) == 10.0
    assert chosen(at(9.0), at(trained_on="abc")) == 100.0
    with pytest.raises(InputError, match="nothing that says which is tau_alpha"):
        chosen(at(9.0), at(90.0))


def texts_of(figure) -> list[list[str]]:
    return [[text.get_text() for text in axes.texts] for axes in figure.axes if axes.images]


def test_the_figure_holds_the_numbers(two_models, two_datasets, tmp_path: Path) -> None:
    result = transfer(opened(two_models, Predictor), opened(two_datasets, Dataset))
    published = tmp_path / "published.csv"
    published.write_text("model,T_train,T_test,pearson\nX,0.44,0.44,0.75\nX,0.44,0.64,0.25\n")
    figure = transfer_figure(result, "A", read_published_transfer(published))
    own, mean, theirs = texts_of(figure)[:3]
    assert own == [f"{v:.3f}" for v in result.matrix("all", "A").ravel()]
    assert mean == [f"{v:.3f}" for v in result.matrix("mean", "A").ravel()]
    assert theirs == ["0.750", "0.250"]
    with pytest.raises(InputError, match="species: expected one of A, B; found 'C'"):
        transfer_figure(result, "C")


def test_command(two_models, two_datasets, tmp_path: Path) -> None:
    outputs = {k: tmp_path / f"t.{v}" for k, v in
               (("json", "json"), ("csv", "csv"), ("picture", "png"))}  # fmt: skip
    names = {"json": "--table", "csv": "--table", "picture": "--picture"}
    options = [word for k, path in outputs.items() for word in (names[k], str(path))]
    files = [str(p) for p in (*two_models.values(), *two_datasets.values())]
    result = CliRunner().invoke(app, ["transfer", *files, "--time", "cold.pt=1", *options])
    assert result.exit_code == 0, result.output
    content = json.loads(outputs["json"].read_text())
    with outputs["csv"].open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(content["scores"]) == 2 * 2 * 2 * 2
    kinds = {(row["kind"], row["error_kind"]) for row in rows}
    assert kinds == {("all", ""), ("mean", "standard error over configurations")}
    times = {
        (row["model"], row["dataset"]): (row["model_time"], row["dataset_time"]) for row in rows
    }
    assert times["cold", "hot"] == ("1.0", "4.0")
    assert times["hot", "cold"] == ("4.0", "40.0")
    assert outputs["picture"].read_bytes().startswith(b"\x89PNG")


def test_a_shipped_dataset_by_its_name() -> None:
    arguments = ["transfer", "kob_andersen_T0.64_multitime", "kob_andersen_T0.64", "--time", "5.2"]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    assert "kob_andersen_T0.64 (5.2)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cold.pt"], "expected one or more models and datasets; found no dataset"),
        (["cold.h5"], "expected one or more models and datasets; found no model"),
        (["cold.pt", "cold.h5", "--time", "x"], "--time: expected TIME or NAME=TIME; found 'x'"),
        (["cold.pt", "cold.h5", "--time", "a.pt=1"], "time: expected the name of one of cold.pt, "),
        (["cold.pt", "cold.h5", "--time", "2"], "cold.h5: expected one of 1, 40; found 2"),
        (["cold.pt", "cold.h5", "--species", "C"], "--species: expected one of A, B; found 'C'"),
        (["cold.pt", "cold.h5", "--picture", "p.foo"], "p.foo: picture: .*found ending '.foo'"),
        (["cold.pt", "cold.pt", "cold.h5"], "models: expected files of different names"),
        (["cold.pt", "cold.h5", "--published", "none.csv"], "none.csv: expected a CSV"),
        (["cold.pt", "cold.h5", "--published", "bad.csv"], "bad.csv: line 2: pearson: .*'high'"),
        (["cold.pt", "cold.h5", "--published", "no.csv"], "no.csv: expected the columns model, "),
    ],
)
def test_mistakes_are_explained(
    two_models, two_datasets, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    folder = two_models["cold"].parent
    (folder / "bad.csv").write_text("model,T_train,T_test,pearson\nX,1,1,high\n")
    (folder / "no.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=message):
        CliRunner().invoke(app, ["transfer", *arguments], catch_exceptions=False)

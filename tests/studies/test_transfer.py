"""Transfer matrices: the right columns of the right models on the right labels."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from glassml.analysis import evaluate
from glassml.analysis.seen import seen_configurations
from glassml.analysis.times import relaxation_time_of, trained_relaxation_time
from glassml.cli import app
from glassml.data import Dataset
from glassml.errors import InputError
from glassml.export import read_manifest, save_model
from glassml.inference import Predictor
from glassml.models import build
from glassml.studies.transfer import read_published_transfer, transfer
from glassml.studies.transfer_pictures import transfer_picture


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
            training={"origin": {"tau_alpha": [tau]}},
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
    expected = {s.species: s for s in evaluate(models[0], datasets[0]).scores if s.time == 1.0}
    for cell in result.cells:
        assert cell.pearson_all == pytest.approx(expected[cell.species].pearson_all, abs=1e-12)
        assert cell.pearson_mean == pytest.approx(expected[cell.species].pearson_mean, abs=1e-12)
        assert cell.configurations == 3


def test_error_is_that_of_the_mean_over_configurations(two_models, two_datasets) -> None:
    models, datasets = opened(two_models, Predictor), opened(two_datasets, Dataset)
    cell = transfer(models[:1], datasets[1:]).cells[0]
    each = []
    for configuration in datasets[1]:
        chosen = configuration.species == 0
        predicted = models[0].predict([configuration])[0]["propensity"][chosen, 1]
        each.append(np.corrcoef(predicted, configuration.propensity[chosen, 1])[0, 1])
    assert cell.pearson_mean == pytest.approx(np.mean(each), rel=1e-9)
    assert cell.pearson_mean_error == pytest.approx(np.std(each, ddof=1) / np.sqrt(3), rel=1e-9)


def manifest_at(path: Path, times: tuple[float, ...], **training: object):
    save_model(build("analytic", times=times), path, training=training)
    return read_manifest(path)


def test_the_time_of_a_model(tmp_path: Path) -> None:
    times = (1.0, 10.0, 100.0)
    known = {"data": [{"sha256": "abc"}], "origin": {"tau_alpha": [9.0]}}

    def chosen(given: tuple[float, ...], asked: float | None = None, **training: object) -> float:
        manifest = manifest_at(tmp_path / "m.pt", given, **training)
        return trained_relaxation_time("m.pt", manifest, {"abc": 100.0, "d": 1.0}, asked)

    assert chosen((7.0,)) == 7.0  # there is no other
    assert chosen(times, 1.0, **known) == 1.0  # asked for
    assert chosen(times, **known) == 100.0  # that of the labels it was trained on
    assert chosen(times, origin={"tau_alpha": [9.0]}) == 10.0  # the nearest
    for training in ({}, {"origin": {"tau_alpha": [9.0, 8.0]}}, {"origin": {"tau_alpha": [30.0]}}):
        with pytest.raises(InputError, match=r"time: m.pt: .*1, 10, 100 .*--time m.pt=100"):
            chosen(times, **training)


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
    training = {"data": [{"sha256": dataset.sha256}], "train": ["c0"], "validation": ["c2"]}
    save_model(build("analytic", times=(0.5, 4.0)), tmp_path / "m.pt", training=training)
    result = transfer([Predictor(tmp_path / "m.pt", "cpu")], opened(two_datasets, Dataset))
    assert {(c.dataset, c.seen) for c in result.cells} == {("cold", 0), ("hot", 2)}


def test_what_a_member_has_seen_its_committee_has_seen(two_datasets, tmp_path: Path) -> None:
    cold, hot = (Dataset(two_datasets[name]) for name in ("cold", "hot"))
    model = build("analytic", times=(0.5, 4.0))

    def seen(**training: object) -> tuple[tuple[str, ...], ...]:
        save_model(model, tmp_path / "m.pt", training=training)
        manifest = read_manifest(tmp_path / "m.pt")
        return seen_configurations(manifest, cold), seen_configurations(manifest, hot)

    # What all members share stands beside them, such as the data of folds.
    folds = [{"train": ["c0"], "validation": []}, {"train": ["c2"], "validation": ["c0"]}]
    assert seen(data=[{"sha256": hot.sha256}], members=folds) == ((), ("c0", "c2"))
    apart = [
        {"data": [{"sha256": cold.sha256}], "train": ["c1"]},
        {"data": [{"sha256": hot.sha256}], "train": ["c2"]},
    ]
    assert seen(members=apart) == (("c1",), ("c2",))
    inner = {"training": {"members": apart}}
    assert seen(data=[{"sha256": "other"}], network=inner) == (("c1",), ("c2",))


def test_the_time_of_a_committee(tmp_path: Path) -> None:
    times = (1.0, 10.0, 100.0)

    def chosen(*members: dict) -> float:
        manifest = manifest_at(tmp_path / "m.pt", times, members=list(members))
        return trained_relaxation_time("m.pt", manifest, {"abc": 100.0})

    at_nine = {"origin": {"tau_alpha": [9.0]}}
    assert chosen(at_nine, at_nine) == 10.0
    assert chosen(at_nine, {"data": [{"sha256": "abc"}]}) == 100.0
    with pytest.raises(InputError, match="nothing that says which is tau_alpha"):
        chosen(at_nine, {"origin": {"tau_alpha": [90.0]}})


def texts_of(figure) -> list[list[str]]:
    return [[text.get_text() for text in axes.texts] for axes in figure.axes if axes.images]


def test_the_picture_holds_the_numbers(
    two_models, two_datasets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    result = transfer(opened(two_models, Predictor), opened(two_datasets, Dataset))
    published = tmp_path / "published.csv"
    published.write_text("model,T_train,T_test,pearson\nX,0.44,0.44,0.75\nX,0.44,0.64,0.25\n")
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **k: drawn.append(figure))
    transfer_picture(result, tmp_path / "t.png", "A", read_published_transfer(published))
    own, mean, theirs = texts_of(drawn[0])[:3]
    assert own == [f"{v:.3f}" for v in result.matrix("all", "A").ravel()]
    assert mean == [f"{v:.3f}" for v in result.matrix("mean", "A").ravel()]
    assert theirs == ["0.750", "0.250"]
    with pytest.raises(InputError, match="species: expected one of A, B; found 'C'"):
        transfer_picture(result, tmp_path / "t.png", "C")


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
    assert len(rows) == len(content["cells"]) == 8
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

"""`glassml evaluate -o`: everything in one folder, and a page that needs no other file."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from file_formats import documented
from matplotlib.image import imread
from pages import executed
from systems import liquid, moved
from typer.testing import CliRunner, Result

from glassml.analysis import ModelPredictions, ReportOptions, compare, write_report
from glassml.cli import app
from glassml.data import Configuration, Dataset, DatasetWriter
from glassml.errors import InputError
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models.analytic import Analytic
from glassml.models.contract import Output

TIMES = (1.0, 10.0)
N = 120
_PAGE = Path(__file__).parents[2] / "docs" / "howto" / "evaluate.md"
DOCUMENTATION = _PAGE.read_text(encoding="utf-8")


class WithSpread(Analytic):
    """Stands in for a committee: the analytic model, with spreads that differ a lot."""

    def __init__(self) -> None:
        super().__init__(times=TIMES)
        columns = tuple(f"propensity_std_t={t:g}" for t in self.times)
        spread = Output("propensity_std", columns, "[length]")
        self._declare(self.state_widths, (*self.outputs, spread))

    @torch.jit.export
    def propensity_std(self, state: torch.Tensor) -> torch.Tensor:
        """The spread at all times: [n, T]."""
        spread = (state[:, 1:2] / 10.0) ** 6  # densities differ by a tenth
        return spread * torch.ones_like(self.time_values).to(state.dtype)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model with a spread, and the analytic model with another cutoff."""
    folder = tmp_path_factory.mktemp("models")
    paths = (folder / "spread.pt", folder / "other.pt")
    save_model(WithSpread(), paths[0], dtype="float64")
    save_model(Analytic(times=TIMES, cutoff=1.6), paths[1], dtype="float64")
    return paths


@pytest.fixture(scope="module")
def dataset(models: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Labels that scatter around the first model's predictions, as its spread says."""
    rng = np.random.default_rng(0)
    predictor = Predictor(models[0], "cpu")
    path = tmp_path_factory.mktemp("data") / "labelled.h5"
    with DatasetWriter(path, {"warnings": ["made for a test"]}) as writer:
        for k in range(4):
            # The composition of the Kob-Andersen mixture, whose published curves are drawn.
            bare = moved(liquid(N, seed=k, triclinic=True), species=np.arange(N) % 5 // 4)
            found = predictor.predict([bare], ["propensity", "propensity_std"])[0]
            labels = np.abs(rng.normal(found["propensity"], found["propensity_std"]))
            halves = np.stack([labels * 0.95, labels * 1.05], axis=-1)
            fields = {"times": np.array(TIMES), "propensity": labels, "name": f"c{k}"}
            fields |= {"statistics": {"propensity_halves": halves}, "n_runs": 8}
            stored = np.where((bare.species == 0)[:, None], labels, np.nan)
            writer.add(moved(bare, **fields, predictions={"stored": stored}))
    return Dataset(path)


def _run(*arguments: object) -> Result:
    command = ["evaluate", *map(str, arguments), "--device", "cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["glassml", *command])  # what the report shows
        return CliRunner().invoke(app, command)


@pytest.fixture(scope="module")
def report(
    models: tuple[Path, Path], dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("report")
    file = folder / "given.npz"
    labels = [np.asarray(c.propensity) for c in dataset]
    np.savez(
        file,
        configuration=np.repeat(dataset.names, N),
        particle=np.tile(np.arange(N), len(dataset)),
        times=np.array(TIMES),
        propensity=np.concatenate(labels) + 1.0,
    )
    options = ["--seeds", "--published", "0.64", "--resamples", "20", "--threshold", "40"]
    options += ["--predictions", f"given={file}", "-o", str(folder / "out")]
    options += ["--species", "B", "--time", "10"]
    result = _run(*models, dataset.path, *options)
    assert result.exit_code == 0, result.output
    assert f"written: {folder / 'out' / 'report.html'}" in result.output
    return folder / "out"


class _Page(HTMLParser):
    """Collects what a browser would load, and the text of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else(report: Path, dataset: Dataset) -> None:
    page = _Page()
    source = (report / "report.html").read_text(encoding="utf-8")
    page.feed(source)
    pictures = sorted(path.stem for path in (report / "figures").glob("*.svg"))
    assert len(page.loaded) == len(pictures)
    heads = {address.partition(",")[0] for address in page.loaded}
    assert heads == {"data:image/svg+xml;base64"}
    assert re.findall(r"@import|url\(|<script|<link", source) == []
    drawings = {base64.b64decode(address.partition(",")[2]) for address in page.loaded}
    assert drawings == {path.read_bytes() for path in (report / "figures").glob("*.svg")}
    for expected in (
        "labelled.h5",
        dataset.sha256,
        "glassml evaluate ",
        "--published 0.64",
        "made for a test",
        "10.5281/zenodo.10118191",
        "noise ceiling",
        "mean of 2 seeds",
        "Does the spread predict the error?",
    ):
        assert expected in page.text + source


def test_every_figure_is_there_as_png_and_svg(report: Path) -> None:
    names = {path.stem for path in (report / "figures").iterdir()}
    kinds = {"calibration", "distribution", "four_point", "spread"}
    maps = {f"map_{name}" for name in ("spread.pt", "given", "stored")}  # one of the seeds
    assert names == {"pearson"} | {f"{kind}_t10" for kind in kinds | maps}
    for name in names:
        assert (report / "figures" / f"{name}.svg").read_text("utf-8").startswith("<?xml")
        image = imread(report / "figures" / f"{name}.png")
        assert image.shape[1] > 600
        assert np.ptp(image[..., :3]) > 0.5  # something is drawn


def test_the_numbers(report: Path, dataset: Dataset) -> None:
    content = json.loads((report / "scores.json").read_text(encoding="utf-8"))
    assert content["sha256"] == dataset.sha256
    assert [source["kind"] for source in content["models"]] == ["model", "model", "file", "stored"]
    assert content["seeds"] == ["spread.pt", "other.pt"]
    names = ("model", "species", "time", "statistic", "kind")
    rows = {tuple(row[name] for name in names): row for row in content["scores"]}
    assert rows["given", "A", 10.0, "pearson", "all"]["value"] == pytest.approx(1.0)
    assert rows["given", "A", 10.0, "r2", "all"]["value"] < 1.0  # it is off by one everywhere
    assert rows["stored", "B", 10.0, "pearson", "all"]["value"] is None
    one, other, average = (
        rows[name, "A", 1.0, "pearson", "mean"]
        for name in ("spread.pt", "other.pt", "mean of 2 seeds")
    )
    assert average["value"] == pytest.approx((one["value"] + other["value"]) / 2)
    assert average["error_kind"] == "standard deviation over seeds"
    assert one["error"] > 0
    assert one["error_kind"] == "bootstrap over configurations"
    assert len(content["noise_ceilings"]) == 2 * 2
    for ceiling in content["noise_ceilings"]:
        assert ceiling["all"] == pytest.approx(1.0)  # the halves are proportional
    with (report / "scores.csv").open(encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert len(table) == len(content["scores"]) == 5 * 2 * 2 * 6
    assert float(table[0]["value"]) == content["scores"][0]["value"]
    assert table[0]["error_kind"] == content["scores"][0]["error_kind"]
    overlaps = {(s["model"], s["species"], s["time"]): s for s in content["samples"]}
    assert overlaps["stored", "A", 1.0]["overlap"] == pytest.approx(1.0)  # they are the labels
    assert overlaps["stored", "B", 1.0]["particles"] == 0
    assert {row["source"] for row in content["four_point"]["chi4"]} >= {"labels", "given"}
    assert {p.name for p in report.glob("*.csv")} == {
        "scores.csv", "overlaps.csv", "chi4.csv", "g4.csv", "calibration.csv", "corrected.csv",
    }  # fmt: skip
    corrected = {(c["model"], c["species"], c["time"]): c for c in content["corrected"]}
    given = corrected["given", "A", 10.0]
    assert given["all"] == pytest.approx(1.0)  # there is no noise to correct for
    assert corrected["stored", "B", 10.0]["mean"] is None


def test_a_spread_that_tells_the_error_is_seen(report: Path) -> None:
    content = json.loads((report / "scores.json").read_text(encoding="utf-8"))
    (entry,) = (s for s in content["spread"] if (s["species"], s["time"]) == ("A", 1.0))
    assert entry["model"] == "spread.pt"
    # With about 40 particles per bin a root mean square is known to 11 %; four times that.
    np.testing.assert_allclose(entry["error"], entry["spread"], rtol=0.45)
    assert entry["spread"][-1] > 2 * entry["spread"][0]
    # The spread varies by half of its mean; for 380 unrelated pairs it would be 0 within 0.05.
    assert entry["spearman"] > 0.15


def _flat(n: int = 80) -> Configuration:
    rng = np.random.default_rng(0)
    sites = np.stack(np.meshgrid(*[np.arange(9)] * 2, indexing="ij"), -1).reshape(-1, 2)[:n]
    positions = np.zeros((n, 3))
    positions[:, :2] = sites + rng.uniform(-0.2, 0.2, (n, 2))
    return Configuration(
        positions=positions,
        cell=np.diag([9.0, 9.0, 1.0]),
        species=(rng.random(n) < 0.3).astype(int),
        species_names=("A", "B"),
        pbc=(True, True, False),
        times=np.array(TIMES),
        propensity=rng.uniform(0.3, 0.6, (n, 2)),
        name="flat",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--time", "3"), r"--time: expected one of 1, 10; found 3"),
        (("--species", "C"), r"--species: expected one of A, B; found 'C'"),
        (("--published", "0.47"), r"--published: expected one of"),
        (("--predictions", "nameless.csv"), r"--predictions: expected NAME=FILE"),
        (("--seeds",), r"--seeds: expected two or more models; found 1"),
        (("--resamples", "-1"), r"--resamples: expected 0 or more"),
        (("--threshold", "0"), r"--threshold: expected a positive length"),
    ],
)
def test_mistakes_are_named_and_leave_nothing(
    models: tuple[Path, Path],
    dataset: Dataset,
    tmp_path: Path,
    options: tuple[str, ...],
    message: str,
) -> None:
    result = _run(models[0], dataset.path, "-o", tmp_path / "out", *options)
    assert result.exit_code == 1
    assert isinstance(result.exception, InputError)
    assert re.search(message, str(result.exception))
    assert not (tmp_path / "out").exists()


def test_a_dataset_without_predictions_needs_a_model(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "flat.h5") as writer:
        writer.add(_flat())
    result = _run(tmp_path / "flat.h5")
    assert "expected a model or predictions to evaluate" in str(result.exception)


def test_options_of_the_report_need_one(dataset: Dataset) -> None:
    result = _run(dataset.path, "--time", "10", "--published", "0.64")
    assert isinstance(result.exception, InputError)
    assert "--published, --time: expected a folder for the report (-o FOLDER)" in str(
        result.exception
    )


def test_stored_predictions_need_no_model(dataset: Dataset) -> None:
    result = _run(dataset.path, "--resamples", "0")
    assert result.exit_code == 0, result.output
    assert "stored on labelled.h5 (4 configurations)" in result.output


@pytest.mark.parametrize("name", ["stored", "labels"])
def test_names_are_different(
    dataset: Dataset, models: tuple[Path, Path], name: str, make_source: Callable[[str], object]
) -> None:
    with pytest.raises(InputError, match=r"different names|a name other than"):
        compare(dataset, [make_source(name), make_source("stored")])


@pytest.fixture
def make_source(dataset: Dataset, models: tuple[Path, Path]) -> Callable[[str], ModelPredictions]:
    predictor = Predictor(models[1], "cpu")
    return lambda name: ModelPredictions(predictor, dataset, name)


def test_the_page_of_the_documentation(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Python code, on a minimal dataset: one configuration, in two dimensions."""
    monkeypatch.chdir(tmp_path)
    with DatasetWriter("test.h5") as writer:
        writer.add(_flat())
    Path("model.pt").symlink_to(models[1])
    (snippet,) = executed("docs/howto/evaluate.md", "python")
    names: dict = {}
    exec(compile(snippet, "docs/howto/evaluate.md", "exec"), names)
    scores = names["result"].evaluations[0].scores
    assert len(scores) == 2 * 2 * 6
    assert {score.error for score in scores} == {None}
    assert names["result"].four_point.r is not None
    page = Path("report/report.html").read_text(encoding="utf-8")
    assert "no error bars" in page
    assert "Published" not in page
    # One configuration has no chi4, and the page says so; there is one map, at one time.
    assert "χ₄ is missing: it is a variance over configurations" in page
    assert len(list(Path("report/figures").glob("map_model.pt_t*.png"))) == 1


def test_the_documentation_names_every_option() -> None:
    cells = re.findall(r"^\| (`-.*?) \|", DOCUMENTATION, flags=re.MULTILINE)
    listed = {name for cell in cells for name in re.findall(r"(--?[a-z-]+)", cell)}
    command = typer.main.get_command(app).commands["evaluate"]
    known = {name for parameter in command.params for name in parameter.opts}
    assert listed == {name for name in known if name.startswith("-")} - {"--output", "--help"}


def test_a_file_in_the_place_of_the_folder_is_refused(
    dataset: Dataset, models: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")
    comparison = compare(dataset, [ModelPredictions(Predictor(models[1], "cpu"), dataset)])
    with pytest.raises(InputError, match="expected a folder for the report; found a file"):
        write_report(comparison, dataset, tmp_path / "out", ReportOptions())
    assert (tmp_path / "out").read_text() == "mine"


def test_the_reference_names_every_file_and_column(report: Path) -> None:
    known = documented("The folder of a report")
    files = {path.name for path in report.iterdir() if path.is_file()}
    assert files <= known
    for table in report.glob("*.csv"):
        with table.open(encoding="utf-8") as stream:
            assert set(next(csv.reader(stream))) <= known, table.name

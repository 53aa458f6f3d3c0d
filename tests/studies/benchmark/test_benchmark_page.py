"""Tables and the page, and the command from the entries to these."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from studies.benchmark.tiny_recipe import TRAINING

from glassml.errors import InputError
from glassml.scores import Score
from glassml.studies.benchmark import (
    BenchmarkTask,
    FoldResult,
    Reads,
    entries_of,
    read_results,
    write_result,
)
from glassml.studies.benchmark.page import write_page
from glassml.studies.benchmark.results import Cost, Fit, Machine
from glassml.studies.benchmark.tables import benchmark_rows, markdown_table, ranked

REPOSITORY = Path(__file__).resolve().parents[3]


def made_up(entry: str, fold: int, value: float, **fields: Any) -> FoldResult:
    """A result with one coefficient for both kinds."""
    scores = tuple(
        Score(species="A", time=100.0, kind=kind, value=value, configurations=2)
        for kind in ("all", "mean")
    )
    about = {
        "task": "tiny", "entry": entry, "way": "train", "fold": fold, "folds": 2, "key": "k",
        "test": ("x",), "scores": scores, "reads": Reads(positions="cage", scalars=("energy",)),
        "machine": Machine(processor="P", threads=2, glassml="1", torch="2", date="2026-01-01"),
    }  # fmt: skip
    return FoldResult.model_validate({**about, **fields})


@pytest.fixture
def task(settings: dict[str, Any]) -> BenchmarkTask:
    return BenchmarkTask.model_validate(settings | {"published": 0.64})


@pytest.fixture
def results() -> list[FoldResult]:
    fit = Fit(
        ended_by="the time limit", seconds=90.0, processor_seconds=70.0, budget=80.0, epochs=9,
        best_epoch=8, configurations=3,
    )  # fmt: skip
    cost = Cost(particles=50, seconds=0.25, peak_bytes=3e6)
    return [
        made_up("worse", 1, 0.2),
        made_up("worse", 2, 0.4),
        made_up("better", 1, 0.6, fit=fit, cost=cost, parameters=321, published_as="CAGE"),
        made_up("better", 2, 0.8, fit=fit, cost=cost, parameters=321, published_as="CAGE"),
        made_up("<half>", 1, 0.9, citations=("A & B, 2026",), note="not done"),
    ]


def test_the_best_entry_comes_first_and_unfinished_ones_last(task, results) -> None:
    assert [entry.name for entry in ranked(task, results)] == ["better", "worse", "<half>"]


def test_the_table_has_means_and_costs(task, results) -> None:
    lines = markdown_table(task, results).splitlines()
    assert lines[0].startswith("| entry | reads | folds | mean | all | parameters | training |")
    assert lines[2] == (
        "| better | cage + energy | 2/2 | 0.70(14) | 0.70(14) | 321 | 1.2 min* | 0.25 s | 3.0 MB |"
    )
    assert lines[3].startswith("| worse | cage + energy | 2/2 | 0.30(14) | 0.30(14) | - | - |")
    assert "standard deviation over folds" in lines[-1]
    assert "at most 1.3 min per thread; * stopped by this" in lines[-1]
    assert "Entries with fewer folds" in lines[-1]
    assert "Entries with fewer folds" not in markdown_table(task, results[:4])


def test_rows_hold_every_coefficient(task, results) -> None:
    rows = benchmark_rows(task, results)
    (better,) = [r for r in rows if r["entry"] == "better" and r["kind"] == "mean"]
    assert better["value"] == pytest.approx(0.7)
    assert (better["error_kind"], better["configurations"]) == ("standard deviation over folds", 4)
    assert (better["training_processor_seconds"], better["ended_by"]) == (70.0, "the time limit")
    assert better["dataset"] == ""


def test_the_page_holds_every_entry_on_light_and_dark_ground(task, results, tmp_path) -> None:
    page, table, text = write_page([task], results, tmp_path)
    html = page.read_text(encoding="utf-8")
    for name in ("better", "worse", "&lt;half&gt;"):
        assert f"<b>{name}</b>" in html
        assert f'<td class="left">{name}</td>' in html
    assert "A &amp; B, 2026" in html
    assert "as CAGE" in html
    assert "Not of this benchmark: published numbers" in html
    # Self-contained, with an image for each ground.
    assert set(re.findall(r'(?:src|srcset)="(.{26})', html)) == {"data:image/svg+xml;base64,"}
    assert html.count("<source ") == html.count("<img ") == 4
    with table.open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 6
    assert text.read_text().startswith("## tiny\n\n| entry |")


def test_a_page_of_entries_without_any_coefficient(task, tmp_path) -> None:
    """Constant predictions have none."""
    nothing = [made_up("constant", fold, 0.0, scores=()) for fold in (1, 2)]
    two_times = task.model_copy(update={"times": (1.0, 100.0), "published": None})
    write_page([two_times], nothing, tmp_path)
    html = (tmp_path / "benchmark.html").read_text()
    assert "<b>constant</b>" in html
    assert "<img" not in html


def test_results_of_several_machines_are_merged(results, tmp_path: Path) -> None:
    for result in results[:3]:
        write_result(result, tmp_path / "here")
    write_result(results[3], tmp_path / "there")
    write_result(made_up("worse", 2, 0.5), tmp_path / "there")
    entries = entries_of(read_results([tmp_path / "here", tmp_path / "there"]), "tiny")
    assert {entry.name: len(entry.folds) for entry in entries} == {"better": 2, "worse": 2}
    worse = next(entry for entry in entries if entry.name == "worse")
    score = worse.score("A", 100.0, "mean")
    assert score is not None
    assert score.value == pytest.approx(0.35)  # the later folder counts


def test_results_are_read_as_they_were_written(results, tmp_path: Path) -> None:
    for result in results:
        write_result(result, tmp_path)
    assert sorted(read_results([tmp_path]), key=repr) == sorted(results, key=repr)


def test_what_is_no_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"expected results of `glassml benchmark run`; found none"
    ):
        read_results([tmp_path])
    path = tmp_path / "tiny" / "net" / "fold-1.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"task": "tiny"}')
    with pytest.raises(InputError, match=r"fold-1.json: entry: .*Remove it and run"):
        read_results([tmp_path])


@pytest.mark.usefixtures("no_cost", "one_thread")
def test_the_command_makes_the_table_and_the_page(
    glassml: Callable[..., Any],
    task_file: Path,
    data: Path,
    colder: Path,
    write_predictions: Callable[..., Path],
    tmp_path: Path,
) -> None:
    net = tmp_path / "net.yaml"
    net.write_text(yaml.safe_dump({"train": TRAINING, "note": "small"}))
    tested = dict.fromkeys(("sample_4", "sample_5", "sample_0", "sample_1"), 0.5)
    theirs = write_predictions("theirs.npz", tested)
    words = ["benchmark", "run", task_file, net, theirs, "--reads", "inherent", "--budget", "1min"]
    files = ["--data", data, "--data", f"colder={colder}", "-o", tmp_path / "out"]
    run = glassml(*words, *files)
    assert run.code == 0, run.err
    assert "4 results, 0 of them done" in run.out
    assert re.search(r"theirs +inher\S* +2/2 +0.500\(0\)", run.out)
    assert re.search(r"net +thermal +2/2", run.out)
    html = (tmp_path / "out" / "benchmark.html").read_text()
    assert all(f"<b>{name}</b>" in html for name in ("net", "theirs"))
    again = glassml(*words, *files)
    assert "4 results, 4 of them done" in again.out
    # The table alone, for a task that is not glassml's.
    table = ["benchmark", "table", tmp_path / "out", "--table", tmp_path / "all.json"]
    lost = glassml(*table)
    assert lost.code == 1
    assert "expected results of known tasks; found none" in lost.err
    found = glassml(*table, "--task", task_file, "-o", tmp_path / "page")
    assert found.code == 0, found.err
    assert (tmp_path / "page" / "benchmark.html").is_file()
    rows = yaml.safe_load((tmp_path / "all.json").read_text())
    moved = [r for r in rows if r["entry"] == "net" and r["dataset"] == "colder"]
    assert {r["species"] for r in moved} == {"A", "B"}


@pytest.mark.usefixtures("no_cost")
def test_the_command_reports_failures_and_wrong_words(
    glassml: Callable[..., Any], task_file: Path, data: Path, tmp_path: Path, write_predictions
) -> None:
    theirs = write_predictions("theirs.npz", {"sample_4": 0.5, "sample_5": 0.5})
    words = ["benchmark", "run", task_file, theirs, "--reads", "cage", "-o", tmp_path / "out"]
    run = glassml(*words, "--data", data)
    assert run.code == 1
    assert "failed: theirs, fold 2: theirs: expected predictions for the test" in run.err
    assert re.search(r"theirs +cage +1/2", run.out)
    budget = glassml(*words, "--data", data, "--budget", "soon")
    assert "--budget: expected a time such as 90s, 10min or 1h; found 'soon'" in budget.err
    two = glassml(*words, "--data", data, "--data", data)
    assert "--data: expected NAME=PATH for several datasets" in two.err


def test_the_tasks_are_listed_and_described(glassml: Callable[..., Any]) -> None:
    assert "shipped_T0.64" in glassml("benchmark", "list").out
    text = glassml("benchmark", "list", "botan_T0.44").out
    assert "dataset kob_andersen_T0.64: ten configurations of 1000 particles at T = 0.64" in text
    assert "test        isoconfig_N4096T0.44_5_tc07, isoconfig_N4096T0.44_6_tc07" in text


def test_the_results_in_the_repository_belong_to_shipped_tasks() -> None:
    results = read_results([REPOSITORY / "examples" / "benchmark" / "results"])
    assert {result.task for result in results} <= {"botan_T0.44", "shipped_T0.64"}
    known = {path.stem for path in (REPOSITORY / "examples" / "benchmark").glob("*.yaml")}
    assert {result.entry for result in results} <= known

"""The benchmarks in their tiny size: that they run, check what they compute, and report it.

Nothing here looks at a speed. This folder must stay without ``__init__.py``: as a package it would
hide the benchmarks themselves.
"""

from __future__ import annotations

import dataclasses
import json
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from benchmarks import lammps_overhead, machine
from benchmarks.lammps import network_segment, prepare_liquid, run_session
from benchmarks.outcome import CheckError, Comparison, Figure, Outcome, Series
from benchmarks.report import Entry, append_history, verdicts, write_json, write_markdown
from benchmarks.run import NAMES, app
from benchmarks.systems import network
from benchmarks.timing import in_turn
from glassml.export import save_model
from glassml.native import build_status

each_benchmark = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module", autouse=True)
def native_build() -> None:
    for component in ("operators", "plugin"):
        status = build_status(component)
        if not status.is_fresh:
            pytest.fail(f"the benchmarks cannot be run: {status.reason}", pytrace=False)


@pytest.fixture(scope="module")
def outcome_of(tmp_path_factory: pytest.TempPathFactory):
    """Measures a benchmark at the first call with its name; all share a folder, as in a run."""
    folder = tmp_path_factory.mktemp("benchmarks")

    def measure(name: str) -> Outcome:
        benchmark = import_module(f"benchmarks.{name}")
        if name == "cuda":  # the same code on the CPU, wherever the tests run
            return benchmark.measure_on(torch.device("cpu"), "tiny", folder)
        return benchmark.measure("tiny", folder)

    return cache(measure)


def perturbed(comparison: Comparison) -> Comparison:
    """The comparison with one value wrong by twice what is allowed."""
    found = np.array(comparison.found, dtype=np.float64)
    found.flat[found.size // 2] += 2 * comparison.tolerance * np.abs(comparison.expected).max()
    return dataclasses.replace(comparison, found=found)


@each_benchmark
def test_measures_and_computes_the_right_thing(name: str, outcome_of):
    outcome = outcome_of(name)
    outcome.verify()
    assert outcome.figures
    assert all(np.isfinite(s.values).all() for s in outcome.series)


@each_benchmark
def test_every_check_fails_on_a_wrong_value(name: str, outcome_of):
    outcome = outcome_of(name)
    for k, comparison in enumerate(outcome.comparisons):
        wrong = [*outcome.comparisons]
        wrong[k] = perturbed(comparison)
        with pytest.raises(CheckError, match="expected agreement"):
            dataclasses.replace(outcome, comparisons=wrong).verify()


@pytest.mark.parametrize("found", [[1.0, np.nan], [1.0], [[1.0, 2.0]]])
def test_check_refuses_what_is_no_number_or_has_another_shape(found: list):
    with pytest.raises(CheckError):
        Comparison("values", np.array(found), np.array([1.0, 2.0]), 0.5).verify()


def test_check_refuses_a_reference_that_shows_nothing():
    with pytest.raises(CheckError, match="do not differ"):
        Comparison("values", np.ones(3), np.ones(3), 0.1).verify()


def test_an_outcome_without_checks_is_refused():
    with pytest.raises(CheckError, match="nothing was checked"):
        Outcome("a title", (), ()).verify()


def test_report_holds_what_was_measured(tmp_path: Path, outcome_of):
    entries = [Entry(name, 1.0, outcome_of(name)) for name in NAMES]
    about = {"size": "tiny", **machine.describe()}
    write_json(tmp_path / "results.json", about, entries)
    write_markdown(tmp_path / "results.md", about, entries)
    content = json.loads((tmp_path / "results.json").read_text())
    text = (tmp_path / "results.md").read_text()
    assert list(content["benchmarks"]) == list(NAMES)
    assert {"cpu", "cores", "vector_level"} <= set(content["machine"])
    assert {"torch", "e3nn", "LAMMPS", "glassml"} <= set(content["versions"])
    for name in NAMES:
        record, outcome = content["benchmarks"][name], outcome_of(name)
        assert record["status"] == "measured"
        for series in (*outcome.series, *(f.series for f in outcome.figures)):
            (written,) = (
                s for s in record["series"] + record["figures"] if s["name"] == series.name
            )
            assert written["min"] <= written["median"] <= written["max"]
            assert written["values"] == list(series.values)
            assert series.name in text
        assert all(check["error"] <= check["tolerance"] for check in record["checks"])


def test_peak_of_memory_is_that_of_lammps_and_not_of_its_parent(tmp_path: Path):
    """Linux counts the memory of the process that started LAMMPS into the usual peak (maxrss)."""
    save_model(network("tiny"), tmp_path / "model.pt")
    data = prepare_liquid(tmp_path, 6, 50)
    held = np.ones(10**8)  # 800 MB, resident while LAMMPS runs; LAMMPS with torch takes 200
    session = run_session(
        tmp_path / "run", data, tmp_path / "model.pt", [network_segment(tmp_path / "model.pt", 2)]
    )
    assert held.nbytes == 8e8
    assert 10 < session.peak < 600


def test_command_line_writes_both_files_and_ends_well(tmp_path: Path):
    result = CliRunner().invoke(
        app, ["--size", "tiny", "--only", "lammps_overhead", "--output", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["benchmarks"]["lammps_overhead"]["status"] == "measured"
    assert "additional time" in (tmp_path / "results.md").read_text()


def test_command_line_reports_no_speed_of_a_wrong_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    check = lammps_overhead.check_values
    monkeypatch.setattr(lammps_overhead, "check_values", lambda *a: perturbed(check(*a)))
    result = CliRunner().invoke(
        app, ["--size", "tiny", "--only", "lammps_overhead", "--output", str(tmp_path)]
    )
    assert result.exit_code == 1
    record = json.loads((tmp_path / "results.json").read_text())["benchmarks"]["lammps_overhead"]
    assert set(record) == {"status", "seconds", "failure"}
    assert "additional time" not in (tmp_path / "results.md").read_text()


def test_command_line_says_what_was_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = CliRunner().invoke(
        app, ["--size", "tiny", "--only", "cuda", "--output", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "results.json").read_text())["benchmarks"]["cuda"]
    assert record["status"] == "skipped"
    assert "needs an NVIDIA GPU" in record["reason"]
    assert "cuda: skipped" in (tmp_path / "results.md").read_text()


@pytest.mark.cuda
def test_measures_on_a_gpu(cuda: torch.device, tmp_path: Path):
    outcome = import_module("benchmarks.cuda").measure("tiny", tmp_path)
    outcome.verify()
    assert torch.cuda.get_device_name(cuda) in outcome.title


def test_command_line_refuses_an_unknown_benchmark(tmp_path: Path):
    result = CliRunner().invoke(app, ["--only", "predictoin", "--output", str(tmp_path)])
    assert result.exit_code == 2
    assert "prediction" in result.output


def entries_with(name: str, *values: float) -> list[Entry]:
    figure = Figure(Series(name, "x", values), reach=50, better="higher")
    measured = Entry("a benchmark", 1.0, Outcome("a title", (), (), figures=(figure,)))
    return [measured, Entry("another", 1.0, failure="wrong"), Entry("a third", 0, skipped="no GPU")]


def test_history_is_only_appended_to_in_the_table_of_the_processor(tmp_path: Path):
    history = tmp_path / "RESULTS.md"
    history.write_text("# History\n\n## An older processor\n\n| earlier | row |\n")
    here = machine.describe()
    other = {**here, "machine": {**here["machine"], "cpu_version": "family 6, model 143"}}
    for about, name in ((here, "first"), (other, "second"), (here, "third")):
        append_history(history, about, entries_with(name, 40.0, 60.0, 50.0))
    text = history.read_text()
    before, first, second = text.split(f"\n## {here['machine']['cpu']}, ")
    assert before == "# History\n\n## An older processor\n\n| earlier | row |\n"
    assert first.startswith(here["machine"]["cpu_version"])
    assert second.startswith("family 6, model 143")
    rows = [line for line in first.splitlines() if " x | " in line]
    assert ["first" in rows[0], "third" in rows[1], len(rows)] == [True, True, 2]
    assert here["commit"] in rows[0]
    assert "first | 50 x | 40 .. 60 | 50 x |  | yes |" in rows[0]
    assert "second" in second
    assert text.count("| date |") == 2


def test_a_run_without_figures_leaves_the_history_alone(tmp_path: Path):
    history = tmp_path / "RESULTS.md"
    history.write_text("# History\n")
    append_history(history, machine.describe(), entries_with("ratio", 1.0)[1:])
    assert history.read_text() == "# History\n"


def test_the_end_of_a_run_is_one_line_for_each_verdict():
    assert verdicts(entries_with("a ratio", 60.0) + entries_with("another one", 40.0)[:1]) == [
        "reached     a ratio: 60 x (at least 50 x)",
        "FAILED      another: wrong",
        "skipped     a third: no GPU",
        "NOT REACHED another one: 40 x (at least 50 x)",
    ]


def test_the_processor_is_named_precisely():
    about = machine.describe()["machine"]
    assert re.search(r"\d", about["cpu_version"])
    assert re.fullmatch(r"unknown|(L\d \d+K \(\d+ CPUs?\)(, )?)+", about["caches"])
    assert about["vector_units"]


@pytest.mark.parametrize(
    ("better", "value", "reached"),
    [("higher", 2.0, True), ("higher", 0.5, False), ("lower", 0.5, True), ("lower", 2.0, False)],
)
def test_a_figure_knows_whether_it_is_reached(better: str, value: float, reached: bool):
    assert Figure(Series("s", "x", (value,)), reach=1.0, better=better).reached is reached


def test_contenders_take_turns():
    calls: list[str] = []
    times = in_turn(
        2,
        fast=("fast", 2, lambda: calls.append("f")),
        slow=("slow", 1, lambda: calls.append("s")),
    )
    assert "".join(calls) == "ffff" + "s" + "ffs" * 2
    assert len(times["fast"].values) == len(times["slow"].values) == 2


@pytest.mark.parametrize(
    "out", [["--output", "/elsewhere/x"], ["--output=/elsewhere/x"], ["-o", "/elsewhere/x"], []]
)
def test_the_recorded_command_names_no_folder(monkeypatch, out):
    monkeypatch.setattr("sys.argv", ["run", "--size", "full", *out, "--record"])
    assert machine.describe()["command"] == "python -m benchmarks.run --size full --record"

"""docs/howto/benchmark.md and docs/results/benchmark.md do what they show, on less data."""

from __future__ import annotations

import csv
import re
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pages import command_lines, executed

from glassml.data import Dataset
from glassml.export import save_model
from glassml.models import build
from glassml.studies.benchmark import load_entry, load_task, read_results, shipped_tasks

REPOSITORY = Path(__file__).resolve().parents[3]
TASKS = REPOSITORY / "glassml" / "studies" / "benchmark" / "tasks"
PAGE = (REPOSITORY / "docs" / "howto" / "benchmark.md").read_text(encoding="utf-8")
ONE_FOLD = ["--fold", "1", "--budget", "1s"]

pytestmark = pytest.mark.usefixtures("no_cost", "one_thread")


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the page names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    dataset = Dataset("kob_andersen_T0.64")
    times = dataset.common_times().tolist()
    model = build("se3gnn-v2", times=times, l_max=0, channels=2, n_layers=1)
    (tmp_path / "folds").mkdir()
    for path in ("model.pt", "folds/net_1.pt"):
        save_model(model, tmp_path / path)
    with (tmp_path / "theirs.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["configuration", "particle", *times])
        for name in load_task("shipped_T0.64").folds[0].test:
            energy = dataset[name].scalars["inherent_energy"]
            writer.writerows([name, k, *[e] * len(times)] for k, e in enumerate(energy))
    return tmp_path


def test_the_commands_run(workplace: Path, glassml: Callable[..., Any]) -> None:
    entries = {
        text.splitlines()[0].removeprefix("# "): text
        for text in executed("docs/howto/benchmark.md", "yaml")
    }
    assert list(entries) == ["small.yaml", "theirs.yaml"]
    for name, text in entries.items():
        (workplace / name).write_text(text)
    assert load_entry("theirs.yaml").parameters == 12345
    lines = command_lines("".join(executed("docs/howto/benchmark.md", "sh")))
    assert [line[2] for line in lines] == ["list", "run", "table", "run", "run", "run", "run"]
    for program, *words in lines:
        assert program == "glassml"
        run = glassml(*words, *(ONE_FOLD if words[1] == "run" else []))
        assert run.code == 0, (words, run.err)
    html = (workplace / "benchmark" / "benchmark.html").read_text()
    for name in ("structural", "small", "model", "net", "theirs"):
        assert f"<b>{name}</b>" in html


def test_the_table_of_the_results_is_made(workplace: Path, glassml: Callable[..., Any]) -> None:
    (block,) = executed("docs/results/benchmark.md", "sh", "Models on the same splits", 1)
    ((_, *words),) = command_lines(block)
    assert glassml(*words).code == 0
    assert (workplace / "page" / "benchmark.html").is_file()


def test_the_python_example_runs(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = executed("docs/howto/benchmark.md", "python")
    exec(compile(code, "docs/howto/benchmark.md", "exec"), {})
    assert re.match(r"structural 0\.\d{3}", capsys.readouterr().out)


def test_the_page_lists_the_tasks() -> None:
    named = re.findall(r"^\| `(\S+)` \|", PAGE, re.MULTILINE)
    assert sorted(named) == list(shipped_tasks())


def test_tasks_and_recipes_have_the_sizes_that_the_page_states() -> None:
    for name in shipped_tasks():
        task = load_task(name)
        (row,) = re.findall(rf"^\| `{re.escape(name)}` \|(.*)$", PAGE, re.MULTILINE)
        if name != "glassbench_T0.44":
            assert {len(fold.train) for fold in task.folds} == {int(re.findall(r"\d+", row)[0])}
            assert {len(fold.test) for fold in task.folds} == {int(row.split("|")[1].split()[0][0])}


@pytest.fixture
def small_task(workplace: Path) -> Path:
    """shipped_T0.64 with one fold of two training configurations."""
    task = yaml.safe_load((TASKS / "shipped_T0.64.yaml").read_text())
    data, fold = task["data"], task["folds"][0]
    parts = {"train": fold["train"][:2], "validation": fold["validation"], "test": fold["test"]}
    changes = {"name": "small", "datasets": {data: task["datasets"][data]}, "folds": [parts]}
    path = workplace / "small.yaml"
    path.write_text(yaml.safe_dump({**task, **changes, "transfer": []}))
    return path


def run_script(name: str, *words: str) -> None:
    """A script of the examples, as its own program."""
    script = f"examples/benchmark/{name}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [script, *words])
        runpy.run_path(script, run_name="__main__")


def test_the_entry_cage_reads_what_its_script_makes(
    small_task: Path, glassml: Callable[..., Any]
) -> None:
    """Twenty steps in place of 20 000, and one small fold."""
    run_script(
        "cages.py", "kob_andersen_T0.64", "caged.h5", "--temperature", "0.64", "--steps", "20"
    )
    with Dataset("caged.h5") as caged:
        assert len(caged) == 10
        moved = caged[0].structures["cage"] - caged[0].positions
        assert 0 < np.linalg.norm(moved, axis=1).max() < 0.5  # within the cage of radius 0.4
    data = ["--data", "kob_andersen_T0.64=caged.h5"]
    run = glassml(
        "benchmark", "run", str(small_task), "examples/benchmark/cage.yaml", *data, *ONE_FOLD
    )
    assert run.code == 0, run.err


def test_the_entry_softness_reads_what_its_script_makes(
    small_task: Path, glassml: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """A trajectory of 80 in place of 1000."""
    words = ["--temperature", "0.64", "--time", "80", "--quiet", "5", "-o", "soft"]
    run_script("softness.py", str(small_task), *words, "--training-threshold", "0.25")
    (accuracy,) = re.findall(r"^fold 1, B: accuracy (0\.\d{3})$", capfd.readouterr().out, re.M)
    assert 0.5 < float(accuracy) < 0.8
    shutil.copy("examples/benchmark/softness.yaml", "soft")
    run = glassml(
        "benchmark", "run", str(small_task), "soft/softness.yaml", "-o", "results", *ONE_FOLD
    )
    assert run.code == 0, run.err
    (result,) = read_results([Path("results")])
    of_b = [score.value for score in result.scores if score.species == "B" and score.time == 16.5]
    assert max(of_b) > 0.1


def test_every_entry_that_ships_is_valid() -> None:
    folder = REPOSITORY / "examples" / "benchmark"
    found = {path.stem for path in folder.glob("*.yaml")} - {"own_temperatures"}
    for name in found:
        load_entry(folder / f"{name}.yaml")
    assert {"bapst", "boattini", "botan", "cage", "eignn", "geo_gnn", "glassmlp"} <= found

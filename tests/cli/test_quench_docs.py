"""docs/howto/quench.md and the example beside it do as they are written."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import executed
from systems import liquid, moved
from typer.main import get_command

from glassml.cli import app
from glassml.data import Dataset, DatasetWriter
from glassml.simulation import SYSTEMS, TRUNCATIONS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "howto" / "quench.md").read_text()


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three small labelled liquids, whose propensity is made up, in the working folder."""
    with DatasetWriter(tmp_path / "train.h5") as writer:
        for seed in range(3):
            start = liquid(100, seed=seed, name=f"liquid-{seed}")
            labels = np.random.default_rng(seed).random((100, 1))
            writer.add(moved(start, times=np.array([1.0]), propensity=labels))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "train.h5"


def test_the_command_runs(train: Path, glassml: Callable[..., Any]):
    line = TEXT.split("```sh\n", 1)[1].split("\n", 1)[0]
    run = glassml(*shlex.split(line)[1:])
    assert run.code == 0, run.err
    assert set(Dataset("train_inherent.h5")[0].scalars) == {"potential_energy", "inherent_energy"}


def test_the_python_example_runs(train: Path, capsys: pytest.CaptureFixture[str]):
    (snippet,) = executed("docs/howto/quench.md", "python")
    exec(compile(snippet, "docs/howto/quench.md", "exec"), {})
    first, second = capsys.readouterr().out.splitlines()
    energy, force = map(float, first.split())
    assert energy < 0 < force <= 1e-6
    assert second.startswith("(100, 3) 0.")


def test_systems_truncations_and_options_are_those_of_the_command():
    for name in (*SYSTEMS, *TRUNCATIONS):
        assert f"`{name}`" in TEXT
    command = get_command(app).commands["quench"]  # type: ignore[attr-defined]
    options = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"(?<=[ `])--[a-z][a-z-]+", TEXT)) <= options


def test_the_example_script_prints_its_tables(
    train: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    script = str(ROOT / "examples" / "quench" / "inherent_energy.py")
    monkeypatch.setattr(sys, "argv", [script, "train.h5", "-o", "inherent.h5"])
    runpy.run_path(script, run_name="__main__")
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row.split()[1] for row in rows[2:5]] == ["liquid-0", "liquid-1", "liquid-2"]
    coefficients = re.findall(r"-?\d\.\d{3} ± \d\.\d{3}", "\n".join(rows))
    assert len(coefficients) == 2 * len(rows[7:])
    assert all(abs(float(text.split()[0])) <= 1 for text in coefficients)
    # A second time, from the dataset that is there.
    monkeypatch.setattr(sys, "argv", [script, "no/such/input", "-o", "inherent.h5"])
    runpy.run_path(script, run_name="__main__")
    again = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert again == rows

"""docs/howto/average.md does as it is written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import executed
from systems import liquid, moved
from typer.main import get_command

from glassml.cli import app
from glassml.data import Dataset, DatasetWriter, number_of_windows
from glassml.simulation import kob_andersen, quench

TEXT = (Path(__file__).parents[2] / "docs" / "howto" / "average.md").read_text()


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small labelled liquid, whose propensity is made up, in the working folder."""
    start = liquid(180, name="liquid")
    cold = quench(start, kob_andersen(), force_tolerance=1.0).structures["inherent"]
    labels = np.random.default_rng(0).random((180, 1))
    with DatasetWriter(tmp_path / "train.h5") as writer:
        writer.add(
            moved(
                start,
                positions=cold,
                times=[1.0],
                propensity=labels,
                provenance={"temperature": 0.44},
            )
        )
    monkeypatch.chdir(tmp_path)


def test_the_command_and_the_python_example_run(
    train: None, glassml: Callable[..., Any], capfd: pytest.CaptureFixture[str]
):
    ((_, *line),) = map(shlex.split, executed("docs/howto/average.md", "sh"))
    run = glassml(*line)
    assert run.code == 0, run.err
    with Dataset("train_average.h5") as dataset:
        assert number_of_windows(dataset[0]) == 4
        named = set(re.findall(r'`scalars\["(\w+)"\]`', TEXT))
        assert {name for name in dataset[0].scalars if not name[-1].isdigit()} == named
    (snippet,) = executed("docs/howto/average.md", "python")
    exec(compile(snippet, "docs/howto/average.md", "exec"), {})
    assert capfd.readouterr().out.startswith("2 (180, 3) 0.")


def test_options_are_those_of_the_commands():
    commands = get_command(app).commands  # type: ignore[attr-defined]
    options = {
        option
        for name in ("average", "evaluate")
        for parameter in commands[name].params
        for option in parameter.opts
    }
    assert set(re.findall(r"(?<=[ `])--[a-z][a-z-]+", TEXT)) <= options

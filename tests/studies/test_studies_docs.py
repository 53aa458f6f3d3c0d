"""docs/howto/studies.md says what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pages import command_lines, executed
from typer.main import get_command

from glassml.cli import app
from glassml.settings import read_yaml
from glassml.studies.ridge import PENALTIES
from glassml.studies.sweep import parse_sweep_config, plan
from glassml.training import TrainConfig

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "howto" / "studies.md").read_text()


def test_commands_have_the_options_that_are_shown() -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    lines = command_lines(block)
    assert [line[1] for line in lines] == ["transfer", "refit", "few-shot", "sweep"]
    for _, name, *words in lines:
        command = get_command(app).commands[name]
        known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= known


def test_the_sweep_file_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (text,) = executed("docs/howto/studies.md", "yaml")
    values = yaml.safe_load(text)
    values["base"] = read_yaml(values["base"], TrainConfig)
    found = plan(parse_sweep_config(values))
    assert len(found.variants) == 8
    assert len(found.points) == 8 * 2 * 5 * 3


def test_the_python_example_runs(
    small_network, make_dataset, linear_labels, tmp_path, monkeypatch, capsys
) -> None:
    (snippet,) = executed("docs/howto/studies.md", "python")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "T0.44.pt").write_bytes(small_network.read_bytes())
    make_dataset("T0.50.h5", linear_labels)
    exec(compile(snippet, "docs/howto/studies.md", "exec"), {})
    pearson, penalty = map(float, capsys.readouterr().out.split())
    assert pearson > 0.9
    assert penalty in PENALTIES


def test_the_penalties_are_those_stated() -> None:
    assert "17 values from 1e-6 to 100" in " ".join(TEXT.split())
    assert (len(PENALTIES), PENALTIES[0], PENALTIES[-1]) == (17, 1e-6, 100)

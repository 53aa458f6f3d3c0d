"""The documentation page: its example runs, its names are right."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pages import executed
from simulation.simulations import write_config

from glassml.settings import validated
from glassml.simulation import pipeline

TEXT = (Path(__file__).parents[2] / "docs" / "howto" / "simulate.md").read_text()


def test_python_example_runs(tmp_path, monkeypatch, capsys):
    write_config(
        tmp_path / "config.yaml",
        "temperatures=[3.0]",
        "replicas=1",
        "cage=null",
        "quench=null",
        "ensemble={runs: 2, times: [0.01, 0.1]}",
        "separation=0.1",
    )
    monkeypatch.chdir(tmp_path)
    (snippet,) = executed("docs/howto/simulate.md", "python")
    exec(compile(snippet, "docs/howto/simulate.md", "exec"), {})
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"0\.\d+ \(160, 2\)", last)


def test_yaml_examples_are_valid():
    first, *parts = map(yaml.safe_load, executed("docs/howto/simulate.md", "yaml"))
    parts += map(yaml.safe_load, executed("docs/howto/slurm.md", "yaml"))
    assert len(parts) == 5
    for part in ({}, *parts):
        validated(pipeline.SimulateConfig, {**first, **part})


def test_stages_are_those_of_the_program():
    assert re.findall(r"^\| `(\w+)` \| ", TEXT, re.MULTILINE)[:5] == list(pipeline.STAGES)


def test_nothing_is_printed_unless_progress_is_asked_for(tmp_path, capsys):
    config = pipeline.load_simulate_config(write_config(tmp_path / "c.yaml", "particles=152"))
    config = config.model_copy(update={"output": tmp_path / "run"})
    pipeline.simulate(config, until="melt")
    assert capsys.readouterr().out == ""

"""`glassml models`: the list, the cards and the files of the shipped models."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from pages import REPOSITORY, command_lines, executed

from glassml.inference import card_facts, shipped_models
from glassml.pretrained import pretrained_names, pretrained_path
from glassml.provenance import read_accuracy
from glassml.scores import ErrorKind

Run = Callable[..., Any]
MakeModel = Callable[..., Path]


def test_list(glassml: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = glassml("models", "list")
    assert (done.code, done.err) == (0, "")
    lines = [re.split(r" {2,}", line.strip()) for line in done.out.splitlines()]
    for model in shipped_models():
        start = next(line for line in lines if line[0] == model.name)
        assert start[-2:] == [f"{model.times[0]:g}", model.pearson[0]]
        about = f"{model.system} T = {model.temperature} {model.input} {model.kilobytes:.0f} kB"
        assert set(about.split()) <= set(done.out.split())


def test_list_as_json(glassml: Run) -> None:
    listed = json.loads(glassml("models", "list", "--json").out)
    assert [model["name"] for model in listed] == list(pretrained_names())
    assert listed[0]["pearson"] == list(shipped_models()[0].pearson)


def test_info_is_the_card_and_what_info_says(glassml: Run) -> None:
    name = pretrained_names()[0]
    done, plain = glassml("models", "info", name), glassml("info", name)
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(plain.out)
    card = done.out.removesuffix(plain.out)
    assert "Where not to trust it" in card
    assert "<!--" not in card


def test_info_of_a_file_without_a_card(glassml: Run, analytic: MakeModel) -> None:
    assert glassml("models", "info", analytic()).out == glassml("info", analytic()).out
    as_json = glassml("models", "info", pretrained_names()[0], "--json")
    assert json.loads(as_json.out)["format"] == "glassml-model"


@pytest.mark.parametrize("name", pretrained_names())
def test_fetch_path_prints_the_path_alone_and_needs_no_torch(name: str) -> None:
    code = (
        "import sys; from glassml.cli import main\n"
        f"sys.argv = ['glassml', 'models', 'fetch-path', {name!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "assert not {'torch', 'lightning', 'matplotlib'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{pretrained_path(name)}\n"


def test_card(glassml: Run, tmp_path: Path) -> None:
    model = tmp_path / "copy.pt"
    model.write_bytes(pretrained_path(pretrained_names()[0]).read_bytes())
    done = glassml("models", "card", model)
    assert (done.code, done.out) == (0, f"written: {tmp_path / 'copy.md'}\n")
    assert card_facts(model) in (tmp_path / "copy.md").read_text()


@pytest.mark.parametrize("command", ["fetch-path", "info", "card"])
def test_an_unknown_name_is_explained(glassml: Run, command: str) -> None:
    done = glassml("models", command, "kob_anderson_T0.44")
    assert (done.code, done.out) == (1, "")
    assert "kob_andersen_T0.44" in done.err
    assert done.err.startswith("error: ")


def test_the_accuracy_in_the_documentation_is_one(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs" / "developers" / "shipped_models.md").read_text(encoding="utf-8")
    (block,) = executed("docs/developers/shipped_models.md", "json")
    (tmp_path / "accuracy.json").write_text(block)
    (score,) = read_accuracy(tmp_path / "accuracy.json").scores
    assert (score.kind, score.time, score.error) == ("mean", 4120.0, 0.01)
    assert score.error_kind == "bootstrap over configurations"
    assert [kind for kind in get_args(ErrorKind) if f"`{kind}`" not in text] == []


def test_the_commands_in_the_documentation_work(glassml: Run) -> None:
    (first,) = executed("docs/howto/models.md", "sh", "Models that ship with glassml", 0)
    assert len(command_lines(first)) == 3
    for line in command_lines(first):
        done = glassml(*line[1:])
        assert (done.code, done.err) == (0, ""), line
    (snippet,) = executed("docs/howto/models.md", "python")
    names: dict[str, Any] = {}
    exec(compile(snippet, "docs/howto/models.md", "exec"), names)
    assert names["calculator"].manifest.species == ("A", "B")

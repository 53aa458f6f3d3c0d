"""The help of every command has an example, and the examples run as they are printed."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import REPOSITORY
from small_commands import SMALLER
from typer.main import get_command

from glassml.cli import app

# Files that the examples write, for those that write some.
WRITTEN = {
    "simulate": ["runs/liquid/T2.5.h5", "runs/liquid/T2.h5", "runs/liquid/summary.png"],
    "quench": ["inherent.h5", "inherent_run.h5"],
    "average": ["averaged.h5"],
    "data convert": ["run.h5"],
    "data label": ["labelled.h5"],
    "data split": ["kob_andersen_T0.64_train.h5", "kob_andersen_T0.64_test.h5"],
    "data merge": ["both.h5"],
    "data reverse": ["reversed.h5"],
    "train": ["runs/first/checkpoints/best.ckpt"],
    "export": ["model.pt", "committee.pt"],
    "import": ["bapst.pt", "start.ckpt", "eignn.pt"],
    "softness": ["softness.pt"],
    "predict": ["run.extxyz", "predicted.extxyz", "mean.extxyz"],
    "plot": ["map.png", "labels.png", "dump.png", "movie.gif", "movie.mp4"],
    "models card": ["model.md"],
    "evaluate": ["report/report.html"],
    "refit": ["T0.64.pt"],
    "few-shot": ["few_shot.png"],
    "sweep": ["runs/l_max/results.csv"],
    "benchmark run": ["benchmark/benchmark.html"],
    "benchmark table": ["page/benchmark.html"],
}


def commands() -> dict[str, Any]:
    """All commands by name, such as "data convert"."""
    found = {}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        parts = getattr(command, "commands", None)
        found |= {f"{name} {k}": v for k, v in parts.items()} if parts else {name: command}
    return found


def blocks(text: str) -> Iterator[str]:
    """The indented blocks of a help text."""
    for block in re.findall(r"(?:^    .*\n?)+", inspect.cleandoc(text) + "\n", re.MULTILINE):
        yield inspect.cleandoc(block)


def examples(text: str) -> list[list[str]]:
    """The words of every command line in a help text."""
    lines = [line for block in blocks(text) for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("glassml ")]


def write_files(text: str, folder: Path) -> None:
    """Write the files that a help text shows; the first line of each is its name."""
    for block in blocks(text):
        if name := re.match(r"# (\S+\.yaml)\n", block):
            (folder / name[1]).write_text(block)


@pytest.mark.parametrize("name", sorted(commands()))
def test_examples_run(
    name: str,
    workplace: Path,
    prepared: Path,
    glassml: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = commands()[name].help
    lines = examples(text)
    assert lines
    assert all(line[: len(name.split())] == name.split() for line in lines)
    write_files(text, workplace)
    if name.startswith("benchmark"):  # its task knows the shipped data, of which this is a part
        monkeypatch.undo()
        monkeypatch.chdir(workplace)
        monkeypatch.setenv("XDG_CACHE_HOME", str(workplace / "cache"))
        (workplace / "examples").symlink_to(REPOSITORY / "examples")
    if name == "export":
        (workplace / "runs").symlink_to(prepared / "runs")
        (workplace / "model.pt").unlink()
    for line in lines:
        run = glassml(*line, *SMALLER.get(name, []))
        assert run.code == 0, run.err
    assert [path for path in WRITTEN.get(name, []) if not Path(path).is_file()] == []


def test_commands_are_grouped_by_what_people_do(glassml: Callable[..., Any]) -> None:
    text = glassml("--help").out
    panels = re.findall(r"^╭─ (.*?) ─", text, re.MULTILINE)
    assert panels == ["Options", "Make data", "Train", "Use", "Study", "Install"]
    shown = re.findall(r"^│ ([a-z][a-z-]*) ", text, re.MULTILINE)
    assert shown == [
        *("simulate", "quench", "average", "data", "train", "export", "import", "softness"),
        *("predict", "plot", "info", "models"),
        *("evaluate", "transfer", "refit", "few-shot", "sweep", "benchmark", "build", "doctor"),
    ]


def options() -> dict[str, dict[str, Any]]:
    """Option -> command -> its parameter."""
    found: dict[str, dict[str, Any]] = {}
    for name, command in commands().items():
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("-") and option != "--help":
                    found.setdefault(option, {})[name] = parameter
    return found


def test_output_is_a_path_in_every_command() -> None:
    long, short = options()["--output"], options()["-o"]
    assert set(long) == set(short)
    assert len(long) == 17
    for parameter in long.values():
        assert parameter.metavar in {"DATASET.h5", "MODEL.pt", "FILE.extxyz", "FOLDER", "PICTURE"}
    assert "--out" not in options()


@pytest.mark.parametrize(
    "option",
    ["--json", "--table", "--picture", "--device", "--seed", "--overwrite", "--quantity"],
)
def test_an_option_is_explained_the_same_everywhere(option: str) -> None:
    assert len({parameter.help for parameter in options()[option].values()}) == 1


def test_jobs_have_the_same_letter_everywhere() -> None:
    assert (
        set(options()["--jobs"])
        == set(options()["-j"])
        == {"average", "benchmark run", "build", "quench", "sweep"}
    )

"""The help of every command has an example, and the examples run as they are printed."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from systems import liquid, moved, write_dump
from trajectories import random_walk, write_trajectory
from typer.main import get_command

import glassml.data.shipped
from glassml.cli import app
from glassml.data import Dataset, DatasetWriter, atoms_from_configuration
from glassml.export import save_model
from glassml.training import load_trained_model, parse_config, train

# What makes the examples small. Only sizes: what the commands do stays what is printed.
SMALLER: dict[str, list[str]] = {
    "simulate": [
        *("particles=160", "temperatures=[2.5, 2.0]", "replicas=1", "configurations=1"),
        *("separation=2 tau_alpha", "cooling={melt_time: 1.0, time: 1.0}", "cage.steps=500"),
        *("equilibration.budget=200.0", "ensemble.runs=2", "ensemble.times=[0.01, 1 tau_alpha]"),
        *("segment=1500", "workers=1"),
    ],
    "train": [
        *("training.epochs=1", "model.l_max=1", "model.channels=2", "model.n_layers=1"),
    ],
    "sweep": [
        *("axes={model.l_max: [0]}", "folds=2", "base.training.epochs=1"),
        *("base.model={channels: 2, n_layers: 1}", "--jobs", "1"),
    ],
    "average": ["--samples", "3"],
    "evaluate": ["--resamples", "10"],
    "few-shot": ["--draws", "2"],
    # A build takes minutes; `make test` does it before the tests, and tests/native tests its parts.
    # Here the options alone are read.
    "build": ["--help"],
}
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
    "predict": ["run.extxyz", "predicted.extxyz", "mean.extxyz"],
    "plot": ["map.png", "labels.png", "dump.png", "movie.gif", "movie.mp4"],
    "models card": ["model.md"],
    "evaluate": ["report/report.html"],
    "refit": ["T0.64.pt"],
    "few-shot": ["few_shot.png"],
    "sweep": ["runs/l_max/results.csv"],
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


def settings(folder: Path, seed: int) -> dict[str, Any]:
    """A run of the smallest network on a small liquid."""
    return {
        "data": {"train": str(folder / "one.h5"), "validation": 0.5, "graph_cache": None},
        "model": {"name": "se3gnn-v2", "l_max": 0, "channels": 2, "n_layers": 1},
        "training": {"epochs": 1, "seed": seed, "accelerator": "cpu"},
        "output": str(folder / "runs" / ("first" if seed == 0 else "second")),
    }


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the examples name, and a small copy of the shipped dataset."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "shipped").mkdir()
    full = Dataset("kob_andersen_T0.64")
    copy = folder / "shipped" / "kob_andersen_T0.64.h5"
    with DatasetWriter(copy, full.description) as writer:
        for index in range(3):
            writer.add(full[index])
    first = liquid(100)
    second = moved(first, positions=first.positions + 0.02 * np.sin(first.positions))
    write_dump(folder / "run.lammpstrj", [first, second])
    predicted = [atoms_from_configuration(c) for c in (first, second)]
    for atoms in predicted:
        atoms.arrays["propensity"] = np.linspace(0.1, 0.5, 100)
        atoms.info |= {"propensity_model": "model", "propensity_times": np.array([1.0])}
    ase.io.write(folder / "run.extxyz", predicted)
    dump = (folder / "run.lammpstrj").read_text()
    (folder / "dump.lammpstrj").write_text(dump.replace("c_pe", "f_ml[1]"))
    write_trajectory(folder / "long.lammpstrj", random_walk(np.full(64, 0.1), 9))
    for name, seeds in (("one", (1, 2)), ("two", (3, 4)), ("runs", (5, 6))):
        with DatasetWriter(folder / f"{name}.h5") as writer:
            for seed in seeds:
                writer.add(labelled(seed))
    for seed in (0, 1):
        train(parse_config(settings(folder, seed)))
    save_model(load_trained_model(folder / "runs" / "first").model, folder / "model.pt")
    return folder


def labelled(seed: int) -> Any:
    """A liquid with the final positions of three runs, and the labels that follow from them."""
    start = liquid(100, seed=seed, name=f"liquid-{seed}")
    ways = 0.3 * np.random.default_rng(seed).normal(size=(3, 1, 100, 3))
    distances = np.linalg.norm(ways, axis=-1)
    return moved(
        start,
        species=(np.arange(100) % 5 == 0).astype(int),  # one composition, to be merged
        times=np.array([1.0]),
        propensity=distances.mean(axis=0).T,
        n_runs=3,
        final_positions=start.positions + ways,
    )


@pytest.fixture
def workplace(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with links to the prepared files."""
    for path in prepared.iterdir():
        if path.is_file():
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.setattr(glassml.data.shipped, "_FOLDER", prepared / "shipped")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", sorted(commands()))
def test_examples_run(
    name: str, workplace: Path, prepared: Path, glassml: Callable[..., Any]
) -> None:
    text = commands()[name].help
    lines = examples(text)
    assert lines
    assert all(line[: len(name.split())] == name.split() for line in lines)
    write_files(text, workplace)
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
        *("simulate", "quench", "average", "data", "train", "export", "predict", "plot", "info"),
        "models",
        *("evaluate", "transfer", "refit", "few-shot", "sweep", "build", "doctor"),
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
    assert len(long) == 13
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
        set(options()["--jobs"]) == set(options()["-j"]) == {"average", "build", "quench", "sweep"}
    )

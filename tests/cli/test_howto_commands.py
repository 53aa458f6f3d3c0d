"""The commands in docs/howto run as they stand, with small files and sizes."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pages import executed
from small_commands import SMALLER
from systems import liquid, moved, write_dump
from weight_files import eignn_network, eignn_tensors, write_eignn

from glassml.data import Dataset, DatasetWriter
from glassml.export import read_manifest, save_model
from glassml.models import build
from glassml.pretrained import pretrained_names
from glassml.training import load_trained_model

Run = Callable[..., list[str]]
PUBLISHED = (Path(__file__).parents[2] / "docs" / "howto" / "published_weights.md").read_text()
SETTINGS = {
    "data": {"train": "train.h5", "validation": 0.5, "graph_cache": None},
    "model": {"name": "se3gnn-v2", "l_max": 0, "channels": 2, "n_layers": 1},
    "training": {"epochs": 1, "accelerator": "cpu", "schedule": {"name": "steps"}},
}


def write_botan(path: Path, seed: int) -> None:
    """A file like those of BOTAN, with three runs of 100 particles."""
    start = liquid(100, seed=seed)
    ways = 0.2 * np.random.default_rng(seed).normal(size=(3, 100, 3))
    inside = start.positions % np.diag(start.cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        types=start.species.astype(np.int8),
        initial_positions=inside,
        positions=inside + ways,
    )


def labelled(path: str, seeds: range, temperature: float = 0.44, **fields: Any) -> None:
    """A dataset of small liquids with made-up labels."""
    with DatasetWriter(path) as writer:
        for seed in seeds:
            labels = np.random.default_rng(seed).uniform(0.1, 0.5, (100, 1))
            bare = liquid(100, seed=seed, name=f"liquid-{seed}", **fields)
            about = {"temperature": temperature}
            fixed = (np.arange(100) % 5 == 0).astype(int)  # one composition
            writer.add(moved(bare, species=fixed, times=[1.0], propensity=labels, provenance=about))


def small_model(path: str) -> None:
    """A network with random weights."""
    save_model(build("se3gnn-v2", l_max=0, channels=2, n_layers=1, times=(1.0,)), path)


def test_simulate(commands_run: Run) -> None:
    again, write = executed("docs/howto/simulate.md", "sh")
    commands_run(again.replace("T0.64.h5", "T2.h5"))
    assert Dataset("runs/kob_andersen_T0.64/T2.h5")[0].times is not None
    Path("config.yaml").write_text(Path("examples/simulate/kob_andersen_T0.64.yaml").read_text())
    commands_run(write)
    assert sorted(path.suffix for path in Path("scripts").iterdir())


def test_which_model(commands_run: Run) -> None:
    choose = executed("docs/howto/which_model.md", "sh", "Choose")
    measure = executed("docs/howto/which_model.md", "sh", "Measure")
    commands_run(*choose)
    commands_run(*measure)
    page = Path(__file__).parents[2] / "docs" / "howto" / "which_model.md"
    assert [name for name in pretrained_names() if f"`{name}`" not in page.read_text()] == []
    assert Path("report/report.html").is_file()


def test_published_weights(commands_run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    """With files of the published names and forms, and random numbers in them."""
    (text,) = re.findall(r"--time ([0-9.,]{20,})", PUBLISHED)
    times = tuple(map(float, text.split(",")))
    assert len(times) == 10
    Path("t044_EIGNN_cage.pt").unlink(missing_ok=True)  # a link to a shared file
    write_eignn(Path("t044_EIGNN_cage.pt"), eignn_tensors(eignn_network(times)))
    Path("liquid.h5").unlink(missing_ok=True)
    with DatasetWriter("liquid.h5") as writer:
        for seed in (1, 2):
            start, rng = liquid(100, seed=seed, name=f"c{seed}"), np.random.default_rng(seed)
            writer.add(
                moved(
                    start,
                    times=times,
                    propensity=rng.uniform(0.1, 0.5, (100, 10)),
                    structures={"cage": start.positions + 0.05 * rng.normal(size=(100, 3))},
                    scalars={"inherent_energy": rng.normal(size=100)},
                )
            )
    commands_run(*executed("docs/howto/published_weights.md", "sh"))
    assert read_manifest("eignn.pt").sums_over_system
    assert read_manifest("bapst.pt").domain.configurations == 2
    assert load_trained_model("start.ckpt").model.name == "botan"
    (code,) = executed("docs/howto/published_weights.md", "python")
    exec(compile(code, "docs/howto/published_weights.md", "exec"), {})
    assert capfd.readouterr().out.startswith("4 ")


def test_committees(commands_run: Run) -> None:
    labelled("train.h5", range(4))
    Path("config.yaml").write_text(yaml.safe_dump(SETTINGS))
    commands_run(*executed("docs/howto/committees.md", "sh"), smaller={"train": []})
    assert "propensity_std" in {output.name for output in read_manifest("committee.pt").outputs}
    first, second = (load_trained_model(Path(f"runs/seed{k}")).model for k in (1, 2))
    (code,) = executed("docs/howto/committees.md", "python")
    Path("committee.pt").unlink()
    exec(compile(code, "docs/howto/committees.md", "exec"), {"first": first, "second": second})
    assert Path("committee.pt").is_file()


def test_evaluate(commands_run: Run) -> None:
    labelled("test.h5", range(20, 24))
    for seed in range(3):
        save_model(
            build("se3gnn-v2", l_max=0, channels=2, n_layers=1, times=(1.0,)), f"seed{seed}.pt"
        )
    rows = [
        {"configuration": name, "particle": k, "1": 0.1 + 0.001 * k}
        for name in Dataset("test.h5").names
        for k in range(100)
    ]
    with Path("theirs.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["configuration", "particle", "1"])
        writer.writeheader()
        writer.writerows(rows)
    with DatasetWriter("glassbench_test.h5") as writer:
        for configuration in Dataset("test.h5"):
            stored = {"theirs": configuration.propensity + 0.1}
            writer.add(moved(configuration, predictions=stored))
    (block,) = executed("docs/howto/evaluate.md", "sh")
    table, *_ = commands_run(block)
    assert "Pearson" in table
    assert "theirs" in Path("report/scores.csv").read_text()


def test_plot(commands_run: Run) -> None:
    commands_run(*executed("docs/howto/plot.md", "sh"))
    written = ["map.png", "map.pdf", "movie.mp4", "dump.png"]
    assert [path for path in written if not Path(path).is_file()] == []


def test_quench(commands_run: Run) -> None:
    labelled("train.h5", range(2))
    blocks = executed("docs/howto/quench.md", "sh")
    (include,) = executed("docs/howto/quench.md", "lammps")
    assert len(blocks) == 4
    commands_run(*blocks[:2])
    for name in ("train_inherent.h5", "inherent.h5"):
        assert "inherent_energy" in Dataset(name)[0].scalars
    Path("train_inherent.h5").unlink()
    commands_run(blocks[3])
    assert "inherent_voronoi_surface" in Dataset("train_inherent.h5")[0].scalars
    Path("inherent.h5").unlink()
    Path("run.lammpstrj").unlink()
    Path("cuzr.in").write_text(include)
    write_dump(Path("run.lammpstrj"), [liquid(216, density=0.0597)])  # per cubic angstrom
    commands_run(blocks[2])
    assert Dataset("inherent.h5").species_names == ("Cu", "Zr")


def test_studies(commands_run: Run) -> None:
    for name, seeds, temperature in (
        *(("T0.44.h5", range(4), 0.44), ("T0.50.h5", range(4, 10), 0.5)),
        ("T0.50_test.h5", range(10, 12), 0.5),
    ):
        labelled(name, seeds, temperature)
    for name in ("T0.44", "T0.50"):
        small_model(f"{name}.pt")
    Path("examples").unlink()
    shutil.copytree(Path(__file__).parents[2] / "examples", "examples")
    (block,) = executed("docs/howto/studies.md", "sh")
    small = [*SMALLER["sweep"], "variants={}"]
    commands_run(block, smaller={"sweep": small})
    for name in ("transfer.png", "refitted.pt", "few.png", "runs/ablation/results.csv"):
        assert Path(name).is_file()


def test_training(commands_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks in their order: the first run is continued at the end."""
    for seed in (1, 2):
        write_botan(Path(f"isoconfig_N100T0.44_{seed}_tc07.npz"), seed)
        write_botan(Path(f"botan_T0.44/train/isoconfig_N100T0.44_{seed}_tc07.npz"), seed)
    shown, staged = executed("docs/howto/training.md", "yaml")
    assert yaml.safe_load(shown) == {"data": {"train": SETTINGS["data"]["train"]}}
    Path("config.yaml").write_text(yaml.safe_dump(SETTINGS))
    labelled("test.h5", range(20, 24))
    for name in ("model.pt", "runs.h5"):  # of the prepared files
        Path(name).unlink()
    four, override = executed("docs/howto/training.md", "sh", "Training a model")
    (resume,) = executed("docs/howto/training.md", "sh", "Interruption and resuming")
    (backwards,) = executed(
        "docs/howto/training.md", "sh", "Time reversal: more labels from the same runs"
    )
    small = {"train": ["training.epochs=1"]}
    four = four.replace("evaluate model.pt test.h5", "evaluate model.pt train.h5")
    commands_run(four, smaller=small)
    assert Path("runs/config/checkpoints/best.ckpt").is_file()
    resumed = commands_run(resume, smaller={"train": ["training.epochs=2"]})
    assert len(resumed) == 2
    commands_run(backwards, smaller={"train": ["training.epochs=1", "output=runs/reversed"]})
    energies = {"potential_energy": np.linspace(-7.0, -5.0, 100)}
    Path("train.h5").unlink()
    labelled("train.h5", range(4), scalars=energies)
    commands_run(override, smaller={"train": ["training.epochs=1", "output=runs/other"]})
    plain = yaml.safe_load(staged)
    for stage in plain["training"]["stages"]:
        stage["epochs"] = 1
    Path("staged.yaml").write_text(yaml.safe_dump(plain | {"model": SETTINGS["model"]}))
    commands_run("glassml train staged.yaml", smaller={"train": []})
    assert Path("runs/staged/checkpoints/stage_1.ckpt").is_file()


def test_adding_a_model(commands_run: Run, prepared: Path) -> None:
    for name in "abc":
        shutil.copytree(prepared / "runs" / "first", f"runs/{name}")
    Path("glassml/pretrained").mkdir(parents=True)
    (accuracy,) = executed("docs/developers/shipped_models.md", "json")
    Path("accuracy.json").write_text(accuracy)
    (block,) = executed("docs/developers/shipped_models.md", "sh")
    commands_run(block)
    assert "0.500 ± 0.010" in Path("glassml/pretrained/NAME.md").read_text()


def test_own_liquid(commands_run: Run, glassml: Callable[..., Any]) -> None:
    """From the potential to the model; `tests/lammps/test_own_liquid.py` runs it in LAMMPS."""
    (simulate,) = executed("docs/howto/own_liquid.md", "sh", "2. The data")
    ridge, train = executed("docs/howto/own_liquid.md", "sh", "3. The model")
    small = {
        "simulate": [
            *("particles=216", "configurations=4", "replicas=1", "separation=0.05"),
            *("cooling={melt_time: 0.1, time: 0.1}", "equilibration={length: 0.1, budget: 0.1}"),
            *("ensemble={runs: 2, times: [0.1]}", "quench=null"),
        ],
        "train": ["training.epochs=1", "model={l_max: 0, channels: 2, n_layers: 1}"],
    }
    parts = simulate.replace("test=3", "test=1").replace("train=12", "train=3")
    commands_run(parts, ridge, train, smaller=small)
    assert read_manifest("cu_zr.pt").species == ("Cu", "Zr")
    assert all(Path(name).is_file() for name in ("cu_zr.png", "report/report.html"))

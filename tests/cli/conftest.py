"""Small files by the names that examples and pages use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from pages import REPOSITORY, command_lines
from small_commands import SMALLER
from systems import liquid, moved, write_dump
from trajectories import hopping, random_walk, write_trajectory
from weight_files import eignn_network, eignn_tensors, write_bapst, write_botan, write_eignn

import glassml.data.shipped
from glassml.data import Dataset, DatasetWriter, atoms_from_configuration
from glassml.export import save_model
from glassml.training import load_trained_model, parse_config, train


def settings(folder: Path, seed: int) -> dict[str, Any]:
    """A run of the smallest network on a small liquid."""
    return {
        "data": {"train": str(folder / "one.h5"), "validation": 0.5, "graph_cache": None},
        "model": {"name": "se3gnn-v2", "l_max": 0, "channels": 2, "n_layers": 1},
        "training": {"epochs": 1, "seed": seed, "accelerator": "cpu"},
        "output": str(folder / "runs" / ("first" if seed == 0 else "second")),
    }


@pytest.fixture(scope="session")
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
    write_trajectory(folder / "run.dump.gz", hopping(200, 30), images=True)
    for name, seeds in (("one", (1, 2)), ("two", (3, 4)), ("runs", (5, 6))):
        with DatasetWriter(folder / f"{name}.h5") as writer:
            for seed in seeds:
                writer.add(labelled(seed))
    for seed in (0, 1):
        train(parse_config(settings(folder, seed)))
    save_model(load_trained_model(folder / "runs" / "first").model, folder / "model.pt")
    write_bapst(folder / "t044_s09.ckpt.index")
    write_botan(folder / "model1.pth")
    write_eignn(folder / "t044_EIGNN_cage.pt", eignn_tensors(eignn_network((0.13, 1.3))))
    with DatasetWriter(folder / "liquid.h5") as writer:
        writer.add(caged())
    return folder


def caged() -> Any:
    """A liquid with cage centres and labels at two times."""
    start, rng = liquid(100, seed=7, name="caged"), np.random.default_rng(7)
    return moved(
        start,
        species=(np.arange(100) % 5 == 0).astype(int),
        times=np.array([0.13, 1.3]),
        propensity=rng.uniform(0.1, 0.5, (100, 2)),
        structures={"cage": start.positions + 0.05 * rng.normal(size=(100, 3))},
        scalars={"inherent_energy": rng.normal(size=100)},
    )


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


@pytest.fixture
def commands_run(workplace: Path, glassml: Callable[..., Any]) -> Callable[..., list[str]]:
    """Runs all commands of blocks beside the prepared files; returns what each has printed.

    Each gets what makes it small. The last argument has more of that for some commands.
    """
    (workplace / "examples").symlink_to(REPOSITORY / "examples")

    def run(*blocks: str, smaller: dict[str, list[str]] | None = None) -> list[str]:
        printed = []
        for program, *words in command_lines("".join(blocks)):
            assert program == "glassml"
            name = " ".join(words[:2]) if words[0] in {"data", "models"} else words[0]
            files = [sorted(map(str, Path().glob(w))) if "*" in w else [w] for w in words]
            sizes = {**SMALLER, **(smaller or {})}.get(name, [])
            done = glassml(*(word for found in files for word in found), *sizes)
            assert done.code == 0, (words, done.err)
            printed.append(done.out)
        return printed

    return run

"""Labelled configurations that a small model learns within a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matscipy.neighbours import neighbour_list
from systems import liquid, moved

from glassml.data import Configuration, DatasetWriter, reverse_dataset

__all__ = ["RUNS", "TIMES", "labelled", "sweep_settings", "write_dataset", "write_runs"]

TIMES = np.array([0.5, 100.0])
RUNS = 3  # of each configuration of `write_runs`


def labelled(seed: int, n: int = 50) -> Configuration:
    """A configuration whose labels follow from its structure: particles with space move more."""
    configuration = liquid(n, seed=seed)
    rng = np.random.default_rng(1000 + seed)
    receiver = neighbour_list(
        "i",
        cutoff=1.3,
        positions=configuration.positions,
        cell=configuration.cell,
        pbc=np.ones(3, dtype=bool),
    )
    free = 1.0 - 0.05 * np.bincount(receiver, minlength=n) + 0.4 * configuration.species
    labels = np.stack([0.1 * free, free + 0.1 * rng.random(n)], axis=1)
    return moved(
        configuration,
        name=f"sample_{seed}",
        times=TIMES,
        propensity=labels + 1.0,
        scalars={"potential_energy": rng.normal(-6.0, 2.0, n)},
        n_runs=32,
        provenance={"temperature": 0.44},
    )


def write_dataset(path: Path, configurations: list[Configuration]) -> Path:
    """Write configurations to an HDF5 file and return its path."""
    with DatasetWriter(path) as writer:
        for configuration in configurations:
            writer.add(configuration)
    return path


def write_runs(folder: Path) -> Path:
    """Six configurations with one time and three runs each (runs.h5), and these runs backwards.

    Returns:
        The folder; the file of the runs backwards is back.h5.
    """
    starts = []
    for seed in range(6):
        start = labelled(seed)
        ways = 0.5 * np.random.default_rng(seed).normal(size=(RUNS, 1, 50, 3))
        starts.append(
            moved(
                start,
                times=start.times[:1],
                propensity=np.linalg.norm(ways, axis=3).mean(axis=0).T,
                n_runs=RUNS,
                final_positions=start.positions + ways,
            )
        )
    write_dataset(folder / "runs.h5", starts)
    reverse_dataset(folder / "runs.h5", folder / "back.h5")
    return folder


def sweep_settings(dataset: Path, output: Path) -> dict[str, Any]:
    """A sweep over two settings and two folds, whose runs take less than a second."""
    return {
        "base": {
            "data": {"train": str(dataset), "graph_cache": None},
            "model": {"name": "se3gnn-v2", "l_max": 1, "channels": 2, "n_layers": 1},
            "training": {
                "epochs": 3,
                "optimiser": {"lr": 1e-2},
                "schedule": {"milestones": []},
                "accelerator": "cpu",
            },
        },
        "axes": {"model.channels": [2, 3]},
        "folds": 2,
        "output": str(output),
    }

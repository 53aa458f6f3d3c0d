"""Memory that a prediction takes for every particle, and that of a training step."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.memory_process import Job
from benchmarks.outcome import Comparison, Figure, Outcome, Series, Size
from benchmarks.reference import python_process, reference_values
from benchmarks.systems import graph_inputs, liquid, network
from benchmarks.tolerances import FLOAT32, fast_path
from glassml.export import save_model

__all__ = ["measure", "peak_of"]

CELLS = {"tiny": 6, "full": 16}
COPIES = {"tiny": (1, 8), "full": (1, 8)}
ROUNDS = {"tiny": 1, "full": 3}
TRAINING_LIMIT = 1.5  # [GB]


def measure(size: Size, folder: Path) -> Outcome:
    """Peak resident memory of processes that do one thing, for two system sizes."""
    model, file, base = network(size), folder / "model.pt", liquid(CELLS[size])
    manifest = save_model(model, file)
    peaks: dict[int, list[float]] = {k: [] for k in COPIES[size]}
    training: list[float] = []
    values: dict[int, np.ndarray] = {}
    job: Job = {
        "task": "predict",
        "size": size,
        "cells": CELLS[size],
        "copies": 1,
        "model": str(file),
    }
    for _ in range(ROUNDS[size]):
        for k in COPIES[size]:
            peaks[k].append(peak_of(job | {"copies": k}, folder))
            values[k] = np.load(folder / "values.npy", allow_pickle=False)
        training.append(peak_of(job | {"task": "train"}, folder) / 1e9)
    few, many = COPIES[size]
    n = base.n_particles
    a_particle = tuple(
        (b - a) / (n * (many - few)) / 1e3 for a, b in zip(peaks[few], peaks[many], strict=True)
    )
    expected = reference_values(model, graph_inputs(base, model.cutoff), folder)
    train = Series(f"peak resident, a training step N = {n}", "GB", tuple(training))
    return Outcome(
        title="memory",
        series=tuple(
            Series(f"peak resident, prediction N = {n * k}", "GB", tuple(v / 1e9 for v in peaks[k]))
            for k in COPIES[size]
        ),
        comparisons=(
            Comparison("prediction", values[few], expected, fast_path(manifest)),
            Comparison(
                "prediction of copies", values[many], np.tile(values[few], (many, 1)), FLOAT32
            ),
        ),
        figures=(
            Figure(
                Series("a particle, prediction", "kB", a_particle), 15, go_for=6, better="lower"
            ),
            Figure(train, TRAINING_LIMIT, better="lower"),
        ),
        notes=(
            "peaks of the one prediction or step, with the libraries, without loading the model",
            "a particle: difference of the peaks of two processes, divided by the difference of N",
        ),
    )


def peak_of(job: Job, folder: Path) -> float:
    """Peak resident memory [bytes] of a process that does this job."""
    question, answer = folder / "job.json", folder / "peak.json"
    question.write_text(json.dumps(job), encoding="utf-8")
    python_process("benchmarks.memory_process", question, answer, folder / "values.npy")
    return float(json.loads(answer.read_text(encoding="utf-8"))["peak"])

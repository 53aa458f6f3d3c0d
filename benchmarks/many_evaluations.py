"""Memory of LAMMPS with fix glassml, and of a Python process, over thousands of evaluations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure

from benchmarks.lammps import (
    check_values,
    evaluations_with_memory,
    prepare_liquid,
    run_session,
)
from benchmarks.many_evaluations_process import Job, evaluated
from benchmarks.outcome import Comparison, Figure, Outcome, Series, Size
from benchmarks.reference import python_process, reference_values
from benchmarks.systems import graph_inputs, network
from benchmarks.tolerances import fast_path
from glassml.export import read_manifest, save_model
from glassml.models import SE3GNN
from glassml.plotting import styled

__all__ = ["measure", "memory_figure"]

CELLS = 6  # to the third power: particles
MELT = {"tiny": 20, "full": 2000}
EVALUATIONS = {"tiny": 40, "full": 10_000}
SAMPLES = 20
_LIMIT = 20  # [bytes] per evaluation; one lost tensor of this system has a hundred


def measure(size: Size, folder: Path) -> Outcome:
    """The same model at every step of a simulation, and on moving configurations in Python."""
    model, file = network("tiny"), folder / "small.pt"
    save_model(model, file)
    data, total = prepare_liquid(folder, CELLS, MELT[size]), EVALUATIONS[size]
    once = run_session(folder / "once", data, file, [])
    lammps = evaluations_with_memory(folder / "many", data, file, total, SAMPLES)
    python, predicted = _in_python(model, file, total, folder)
    at = np.linspace(0, total, SAMPLES + 1)
    peaks = {"LAMMPS with fix glassml": lammps, "Predictor in Python": python}
    return Outcome(
        title=f"{total} evaluations, N = {CELLS**3}",
        series=tuple(
            Series(f"peak resident after {when}, {name}", "MB", (float(values[k]) / 1e6,))
            for name, values in peaks.items()
            for when, k in (("the first tenth", SAMPLES // 10), ("all", SAMPLES))
        ),
        comparisons=(check_values("fix glassml, first step", once, model, file), predicted),
        figures=tuple(
            Figure(
                Series(f"growth per evaluation, {name}", "B", (_growth(at, values),)),
                _LIMIT,
                better="lower",
            )
            for name, values in peaks.items()
        ),
        notes=(
            "peak of the resident memory of the process; growth: over the second half",
            "three layers, l_max 2, 4 channels; float32; one thread; malloc as it is by default",
        ),
        picture=memory_figure(at, peaks),
    )


@styled
def memory_figure(at: np.ndarray, peaks: dict[str, np.ndarray]) -> MatplotlibFigure:
    """The peak of the memory against the number of evaluations.

    Args:
        at: numbers of evaluations [K].
        peaks: for each program, the most memory [bytes] that was resident until then [K].
    """
    figure = MatplotlibFigure(figsize=(5.5, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for marker, (name, values) in zip("os", peaks.items(), strict=True):
        growth = _growth(at, values)
        label = f"{name}: {growth:.2g} bytes per evaluation in the second half"
        axes.plot(at, values / 1e6, marker=marker, label=label)
    axes.set_xlabel("evaluations")
    axes.set_ylabel("peak resident memory (MB)")
    axes.set_ylim(0, 1.45 * max(values.max() for values in peaks.values()) / 1e6)
    axes.legend(loc="upper left")
    return figure


def _growth(at: np.ndarray, values: np.ndarray) -> float:
    """Bytes per evaluation in the second half."""
    half = len(at) // 2
    return float((values[-1] - values[half]) / (at[-1] - at[half]))


def _in_python(
    model: SE3GNN, file: Path, total: int, folder: Path
) -> tuple[np.ndarray, Comparison]:
    """Peaks [bytes] of a process after each part of its evaluations, and the check of the last."""
    job: Job = {"model": str(file), "cells": CELLS, "evaluations": total, "samples": SAMPLES}
    question, answer = folder / "many.json", folder / "many-peaks.json"
    question.write_text(json.dumps(job), encoding="utf-8")
    values = folder / "many.npy"
    python_process("benchmarks.many_evaluations_process", question, answer, values)
    inputs = graph_inputs(evaluated(CELLS, total - 1), model.cutoff)
    expected = reference_values(model, inputs, folder)
    found = np.load(values, allow_pickle=False)
    check = Comparison("last prediction", found, expected, fast_path(read_manifest(file)))
    return np.array(json.loads(answer.read_text(encoding="utf-8"))), check

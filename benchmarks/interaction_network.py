"""Networks on edges with a memory: glassml against the same weights in PyTorch Geometric."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch

from benchmarks.floor import product_multiply_adds, product_of_matrices
from benchmarks.memory import peak_of
from benchmarks.memory_process import Job
from benchmarks.outcome import Comparison, Figure, Outcome, Series, Size, ratios
from benchmarks.plain_pyg import PlainPyG, plain_prediction
from benchmarks.reference import gradient_of, reference_gradient, reference_values
from benchmarks.systems import Inputs, graph_inputs, liquid
from benchmarks.timing import in_turn
from benchmarks.tolerances import FLOAT32, PYG_FLOAT64
from benchmarks.training import flat, step_of
from glassml.data import Configuration
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import Bapst, build
from glassml.training.allocator import keep_freed_memory

__all__ = ["measure"]

THREADS = {"tiny": 1, "full": 2}
CELLS = {"tiny": 5, "full": 16}
ROUNDS = {"tiny": 2, "full": 5}
CALLS = {"tiny": 2, "full": 3}
COPIES = (1, 4)  # of the system, for the memory of a particle
TINY = {"width": 16, "n_layers": 2}


def measure(size: Size, folder: Path) -> Outcome:
    """Predictions, training steps, and memory of a prediction."""
    torch.set_num_threads(THREADS[size])
    keep_freed_memory()  # as in `glassml train`; both networks benefit
    model, configuration = _network(size), liquid(CELLS[size])
    inputs, labels = _inputs(configuration), torch.tensor(configuration.propensity).float()
    plain, file = PlainPyG(model), folder / "bapst.pt"
    save_model(model, file)
    predictor = Predictor(file, device="cpu", threads=THREADS[size])

    def network_alone() -> torch.Tensor:
        with torch.inference_mode():
            return predictor.module(*inputs)

    n, calls = configuration.n_particles, CALLS[size]
    times = in_turn(
        ROUNDS[size],
        whole=(
            f"glassml, prediction N = {n}",
            calls,
            lambda: predictor.predict([configuration]),
        ),
        alone=(f"glassml, the network alone N = {n}", calls, network_alone),
        matrix=(
            f"{product_multiply_adds() / 1e9:.2g}e9 multiply-adds of a product of matrices",
            calls,
            product_of_matrices,
        ),
        pyg=(
            f"PyTorch Geometric, the network alone N = {n}",
            1,
            lambda: plain_prediction(plain, inputs),
        ),
        step=(f"glassml, training step N = {n}", 1, step_of(_network(size), inputs, labels)),
        pyg_step=(
            f"PyTorch Geometric, training step N = {n}",
            1,
            step_of(PlainPyG(model), inputs, labels),
        ),
    )
    work = _multiply_adds(model, inputs)
    least = Series(
        "floor: the renewal of edges at the speed of that product",
        "s",
        tuple(t * work / product_multiply_adds() for t in times["matrix"].values),
    )
    memory = _memory(size, file, n, folder)
    alone = ratios("prediction, PyTorch Geometric / glassml", times["pyg"], times["alone"])
    step = ratios("training step, PyTorch Geometric / glassml", times["pyg_step"], times["step"])
    return Outcome(
        title=f"bapst, {THREADS[size]} thread(s), against plain PyTorch Geometric",
        series=(
            *times.values(),
            ratios(
                "PyTorch Geometric's network / glassml with its neighbour list",
                times["pyg"],
                times["whole"],
            ),
            least,
            ratios("glassml, the network alone / floor", times["alone"], least),
        ),
        comparisons=_comparisons(model, predictor, configuration, folder),
        # Without concatenations an edge takes 2 of 7 multiply-adds.
        figures=(
            Figure(alone, reach=3.5, go_for=5, better="higher"),
            Figure(step, reach=3.5, go_for=5, better="higher"),
            Figure(memory, reach=30, go_for=25, better="lower"),
        ),
        notes=(
            f"{len(inputs[3]) / n:.1f} neighbours; width {model.width}, {model.n_steps} steps",
            "both networks get the graph; Adam; the same weights",
            f"what edges remember takes {8 * model.width * len(inputs[3]) / n / 1e3:.1f} kB for a "
            "particle",
        ),
    )


def _network(size: Size, seed: int = 0) -> Bapst:
    torch.manual_seed(seed)
    times = tuple(np.geomspace(0.1, 1000, 10).tolist())
    return cast(Bapst, build("bapst", times=times, **(TINY if size == "tiny" else {}))).eval()


def _inputs(configuration: Configuration, dtype: torch.dtype = torch.float32) -> Inputs:
    """The network reads no scalars."""
    species, scalars, edge_vector, sender, rows = graph_inputs(configuration, 2.0, dtype)
    return species, scalars[:, :0], edge_vector, sender, rows


def _multiply_adds(model: Bapst, inputs: Inputs) -> float:
    """Those of the two layers on every edge. What applies once a particle is left out."""
    return float(model.n_steps * len(inputs[3]) * 2 * model.width**2)


def _memory(size: Size, file: Path, n: int, folder: Path) -> Series:
    """Peak of a process that predicts for copies of the system, a particle [kB]."""
    values = []
    for _ in range(1 if size == "tiny" else 3):
        peaks = []
        for copies in COPIES:
            job: Job = {
                "task": "predict",
                "size": size,
                "cells": CELLS[size],
                "copies": copies,
                "model": str(file),
            }
            peaks.append(peak_of(job, folder))
        values.append((peaks[1] - peaks[0]) / (n * (COPIES[1] - COPIES[0])) / 1e3)
    return Series("a particle, prediction of bapst", "kB", tuple(values))


def _comparisons(
    model: Bapst, predictor: Predictor, configuration: Configuration, folder: Path
) -> tuple[Comparison, ...]:
    """Values and gradients of PyTorch Geometric in float64, and of the native operator."""
    exact = build("bapst", **model.hyperparameters).double()
    exact.load_state_dict(model.state_dict())
    small = liquid(4, seed=7)
    inputs, labels = _inputs(small, torch.float64), torch.tensor(small.propensity)
    plain = PlainPyG(cast(Bapst, exact))
    single, single_labels = _inputs(small), labels.float()
    return (
        Comparison(
            "PyTorch Geometric against the float64 reference, N = 64",
            plain_prediction(plain, inputs).numpy(),
            reference_values(exact, inputs, folder),
            PYG_FLOAT64,
        ),
        Comparison(
            "gradient of PyTorch Geometric against the float64 reference, N = 64",
            flat(gradient_of(plain, inputs, labels)),
            reference_gradient(exact, inputs, labels, folder),
            PYG_FLOAT64,
        ),
        Comparison(
            "gradient of glassml against the float32 reference, N = 64",
            flat(gradient_of(model, single, single_labels)),
            reference_gradient(model, single, single_labels, folder),
            FLOAT32,
        ),
        Comparison(
            "glassml against the float32 reference",
            predictor.predict([configuration])[0]["propensity"],
            reference_values(model, _inputs(configuration), folder),
            FLOAT32,
        ),
    )

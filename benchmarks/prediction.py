"""Prediction for one configuration: glassml against the same weights in plain e3nn."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.floor import multiply_adds, product_multiply_adds, product_of_matrices
from benchmarks.outcome import Comparison, Figure, Outcome, Series, Size, ratios
from benchmarks.plain_e3nn import PlainE3NN, plain_prediction
from benchmarks.reference import reference_values
from benchmarks.systems import graph_inputs, liquid, network
from benchmarks.timing import in_turn
from benchmarks.tolerances import E3NN_FLOAT64, fast_path
from glassml.export import save_model
from glassml.inference import Predictor

__all__ = ["measure"]

THREADS = {"tiny": 1, "full": 2}
CELLS = {"tiny": 5, "full": 16}
ROUNDS = {"tiny": 2, "full": 3}
CALLS = {"tiny": 2, "full": 5}  # of glassml's, for each pass of e3nn
CHUNK = 256  # receivers, so that their edges fit into the processor's cache in e3nn


def measure(size: Size, folder: Path) -> Outcome:
    """Whole predictions (neighbour list to propensity) and the networks alone."""
    torch.set_num_threads(THREADS[size])
    model, configuration = network(size), liquid(CELLS[size])
    inputs = graph_inputs(configuration, model.cutoff)
    plain = PlainE3NN(model)
    save_model(model, folder / "model.pt")
    predictor = Predictor(folder / "model.pt", device="cpu", threads=THREADS[size])

    def network_alone() -> torch.Tensor:
        with torch.inference_mode():
            return predictor.module(*inputs)

    n = configuration.n_particles
    times = in_turn(
        ROUNDS[size],
        whole=(
            f"glassml, prediction N = {n}",
            CALLS[size],
            lambda: predictor.predict([configuration]),
        ),
        alone=(f"glassml, the network alone N = {n}", CALLS[size], network_alone),
        graph=(
            f"neighbour list and graph N = {n}",
            CALLS[size],
            lambda: graph_inputs(configuration, model.cutoff),
        ),
        matrix=(
            f"{product_multiply_adds() / 1e9:.2g}e9 multiply-adds of a product of matrices",
            CALLS[size],
            product_of_matrices,
        ),
        e3nn=(
            f"plain e3nn, the network alone N = {n}",
            1,
            lambda: plain_prediction(plain, inputs, CHUNK),
        ),
        at_once=(
            f"plain e3nn, the network alone N = {n}, all edges at once",
            1,
            lambda: plain_prediction(plain, inputs, n),
        ),
    )
    found = predictor.predict([configuration])[0]["propensity"]
    expected = reference_values(model, inputs, folder)
    work = multiply_adds(model, inputs)
    floor = tuple(t * work / product_multiply_adds() for t in times["matrix"].values)
    least = Series("floor: the sums over neighbours at the speed of that product", "s", floor)
    whole = ratios("prediction, plain e3nn's network / glassml", times["e3nn"], times["whole"])
    return Outcome(
        title=f"prediction, {THREADS[size]} thread(s), against plain e3nn",
        series=(
            *times.values(),
            ratios("the networks alone, plain e3nn / glassml", times["e3nn"], times["alone"]),
            ratios(
                "prediction, plain e3nn's network with all edges at once / glassml",
                times["at_once"],
                times["whole"],
            ),
            least,
            ratios("glassml, the network alone / floor", times["alone"], least),
        ),
        comparisons=(
            _same_network(size, folder),
            Comparison(
                "glassml against the float32 reference",
                found,
                expected,
                fast_path(predictor.manifest),
            ),
        ),
        figures=(Figure(whole, reach=50, go_for=100, better="higher"),),
        notes=(
            f"{inputs[2].shape[0] / n:.1f} neighbours; {model.n_layers} layers, "
            f"l_max {model.l_max}, {model.channels} channels, {model.n_inputs} inputs",
            f"plain e3nn treats {CHUNK} receivers at a time, which is faster than all at once",
            f"{work / inputs[2].shape[0]:.0f} multiply-adds an edge and prediction, see floor.py",
            "the time of glassml includes the neighbour list, that of e3nn does not",
        ),
    )


def _same_network(size: Size, folder: Path) -> Comparison:
    """The e3nn network is the one that glassml defines: in float64, to rounding."""
    model = network(size, seed=7).double()
    inputs = graph_inputs(liquid(4, seed=7), model.cutoff, torch.float64)
    return Comparison(
        "plain e3nn against the float64 reference, N = 64",
        plain_prediction(PlainE3NN(model), inputs, chunk=20).numpy(),
        reference_values(model, inputs, folder),
        E3NN_FLOAT64,
    )

"""The network and a training step on an NVIDIA GPU, against plain e3nn on the same GPU."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.outcome import Comparison, Figure, Outcome, Size, SkippedError, ratios
from benchmarks.plain_e3nn import PlainE3NN
from benchmarks.reference import gradient_of, reference_gradient, reference_values
from benchmarks.systems import Inputs, graph_inputs, liquid, network
from benchmarks.timing import in_turn
from benchmarks.tolerances import FLOAT32, fast_path
from benchmarks.training import flat, labelled, training_step
from glassml.data import Configuration
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import SE3GNN
from glassml.nn import ops

__all__ = ["measure", "measure_on"]

CELLS = {"tiny": 5, "full": 16}
ROUNDS = {"tiny": 2, "full": 5}
CALLS = {"tiny": 2, "full": 5}


def measure(size: Size, folder: Path) -> Outcome:
    """The network alone and a whole training step, on the first GPU.

    Raises:
        SkippedError: there is no GPU that torch can use.
    """
    if not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "a CPU build"
        raise SkippedError(f"needs an NVIDIA GPU, and torch {torch.__version__} ({built}) has none")
    return measure_on(torch.device("cuda", 0), size, folder)


def measure_on(device: torch.device, size: Size, folder: Path) -> Outcome:
    """The same on any device: graphs are built and moved to it beforehand."""
    model, configuration = network(size), liquid(CELLS[size])
    inputs = graph_inputs(configuration, model.cutoff)
    save_model(model, folder / "cuda.pt")
    predictor = Predictor(folder / "cuda.pt", device=str(device))
    plain = PlainE3NN(model).to(device).eval()
    n, calls = configuration.n_particles, CALLS[size]
    times = in_turn(
        ROUNDS[size],
        alone=(f"glassml, the network alone N = {n}", calls, _call(predictor.module, inputs)),
        e3nn=(f"plain e3nn, the network alone N = {n}", calls, _call(plain, inputs)),
        step=(
            f"glassml, training step N = {n}",
            calls,
            training_step(copy.deepcopy(model).to(device), configuration),
        ),
        e3nn_step=(
            f"plain e3nn, training step N = {n}",
            calls,
            training_step(PlainE3NN(model).to(device), configuration),
        ),
    )
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    alone = ratios(
        f"the network alone, plain e3nn / glassml, {name}", times["e3nn"], times["alone"]
    )
    step = ratios(f"training step, plain e3nn / glassml, {name}", times["e3nn_step"], times["step"])
    return Outcome(
        title=f"network and training step on {name}, against plain e3nn",
        series=tuple(times.values()),
        comparisons=_comparisons(model, predictor, plain, configuration, folder),
        figures=tuple(Figure(series, reach=1, better="higher") for series in (alone, step)),
        notes=(
            f"glassml's convolution is that of {ops.cuda_backend()}",
            "without dropout; Adam; float32, matrix products without TF32",
            f"plain e3nn treats all edges at once: {0.004 * n:.0f} GB or so in a training step",
        ),
    )


def _call(module: torch.nn.Module, inputs: Inputs) -> Callable[[], torch.Tensor]:
    """A function that runs the network once, to its end."""
    device = next(module.buffers()).device
    here = [tensor.to(device) for tensor in inputs]

    def call() -> torch.Tensor:
        with torch.inference_mode():
            result = module(*here)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return result

    return call


def _comparisons(
    model: SE3GNN,
    predictor: Predictor,
    plain: PlainE3NN,
    configuration: Configuration,
    folder: Path,
) -> tuple[Comparison, ...]:
    """With the reference operator on the CPU; ``training`` checks the gradients of plain e3nn."""
    inputs, labels = labelled(configuration, model.cutoff)
    expected = reference_values(model, inputs, folder)
    moved = copy.deepcopy(model).to(predictor.device)
    here, labels_here = labelled(configuration, model.cutoff, device=predictor.device)
    return (
        Comparison(
            "glassml against the float32 reference",
            _call(predictor.module, inputs)().cpu().numpy(),
            expected,
            fast_path(predictor.manifest),
        ),
        Comparison(
            "plain e3nn against the float32 reference",
            _call(plain, inputs)().cpu().numpy(),
            expected,
            FLOAT32,
        ),
        Comparison(
            "gradient of glassml against the float32 reference",
            flat(gradient_of(moved, here, labels_here)),
            reference_gradient(model, inputs, labels, folder),
            FLOAT32,
        ),
    )

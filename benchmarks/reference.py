"""Values of the reference operator, computed in a process of its own.

A process can register the operator ``glassml::equivariant_convolution`` only once, so what is
measured with the native code is compared with what a second process computes without it.
`reference_values` starts that process, once; run as a program, this module is it.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.systems import Inputs
from glassml.errors import SimulationError
from glassml.files import atomic_write
from glassml.models import GlassModel, build

__all__ = [
    "gradient_of",
    "loss_of",
    "python_process",
    "reference_gradient",
    "reference_values",
]

_REPOSITORY = Path(__file__).resolve().parent.parent


def reference_values(model: GlassModel, inputs: Inputs, folder: Path) -> np.ndarray:
    """The propensity [n, T] of the network itself (nothing baked) with the reference operator.

    Args:
        model: computed in the dtype of its parameters.
        inputs: see `graph_inputs`.
        folder: for temporary files.
    """
    return _ask(model, {"inputs": inputs}, folder)


def reference_gradient(
    model: GlassModel, inputs: Inputs, labels: torch.Tensor, folder: Path
) -> np.ndarray:
    """What `gradient_of` gives with the reference operator."""
    return _ask(model, {"inputs": inputs, "labels": labels}, folder)


def gradient_of(
    network: torch.nn.Module, inputs: Inputs, labels: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The gradient of the loss in training mode, by parameter; leaves no gradients behind.

    The running statistics of batch norms are put back, so that a second call gives the same.
    """
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    loss = loss_of(network.train(), inputs, labels)
    names, parameters = zip(*network.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, parameters)
    network.load_state_dict(before)
    return dict(zip(names, gradients, strict=True))


def loss_of(network: torch.nn.Module, inputs: Inputs, labels: torch.Tensor) -> torch.Tensor:
    """The mean squared error, summed over times."""
    return (network(*inputs) - labels).square().sum(dim=1).mean()


def python_process(module: str, *arguments: str | Path) -> None:
    """Run a module of this package as a program, with the packages of this process.

    Raises:
        SimulationError: it fails; holds the last lines that it printed.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    result = subprocess.run(
        command, env=_environment(), capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        last = "\n".join(result.stderr.strip().splitlines()[-5:])
        raise SimulationError(f"{module}: exit status {result.returncode}:\n{last}")


def _environment() -> dict[str, str]:
    path = os.pathsep.join([str(_REPOSITORY), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path}


def _ask(model: GlassModel, job: dict[str, object], folder: Path) -> np.ndarray:
    question, answer = folder / "reference.in.pt", folder / "reference.out.npy"
    job |= {
        "name": model.name,
        "hyperparameters": dict(model.hyperparameters),
        "state": model.state_dict(),
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }
    with atomic_write(question) as partial:
        torch.save(job, partial)
    process = _process()
    assert process.stdin is not None  # pipes, see `_process`
    assert process.stdout is not None
    process.stdin.write(f"{question.absolute()}\n{answer.absolute()}\n")
    process.stdin.flush()
    if process.stdout.readline() != "done\n":
        _process.cache_clear()
        raise SimulationError(
            f"the process with the reference operator ended (exit status {process.wait()})"
        )
    return np.load(answer, allow_pickle=False)


@functools.cache
def _process() -> subprocess.Popen[str]:
    """The process with the reference operator; it ends when its input does, with this process."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.reference"],
        env=_environment() | {"GLASSML_BACKEND": "reference"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _main() -> None:
    for line in sys.stdin:
        question, answer = Path(line.rstrip("\n")), Path(sys.stdin.readline().rstrip("\n"))
        with atomic_write(answer) as partial:
            np.save(partial, _values(question), allow_pickle=False)
        print("done", flush=True)


def _values(question: Path) -> np.ndarray:
    job = torch.load(question, weights_only=True)
    torch.set_num_threads(job["threads"])
    model = build(job["name"], **job["hyperparameters"]).to(getattr(torch, job["dtype"]))
    model.load_state_dict(job["state"])
    if "labels" in job:
        gradients = gradient_of(model, job["inputs"], job["labels"]).values()
        return torch.cat([g.reshape(-1) for g in gradients]).numpy()
    with torch.inference_mode():
        return model.eval()(*job["inputs"]).numpy()


if __name__ == "__main__":
    _main()

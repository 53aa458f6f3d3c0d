"""A process that predicts or trains once and reports the most memory that it ever held."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch

from benchmarks.outcome import Size
from benchmarks.reference import loss_of
from benchmarks.systems import graph_inputs, liquid, network, tiled
from benchmarks.tolerances import TABLE_TRAINED
from glassml.data import Configuration
from glassml.errors import SimulationError
from glassml.inference import Predictor

__all__ = ["Job"]


class Job(TypedDict):
    """What to do: "predict" or "train", the system, the exported model."""

    task: str
    size: Size
    cells: int
    copies: int
    model: str


def _main(question: Path, answer: Path, values: Path) -> None:
    job: Job = json.loads(question.read_text(encoding="utf-8"))
    torch.set_num_threads(1 if job["size"] == "tiny" else 2)
    configuration = tiled(liquid(job["cells"]), job["copies"])
    if job["task"] == "predict":
        predictor = Predictor(job["model"], device="cpu")
        for _ in range(4):  # so that loading and compiling do not count
            predictor.predict([liquid(4)])
        forget_peak()
        np.save(values, predictor.predict([configuration])[0]["propensity"], allow_pickle=False)
    else:
        _train(configuration, job["size"])
    answer.write_text(json.dumps({"peak": peak_resident()}), encoding="utf-8")


def forget_peak() -> None:
    """Make the memory that is resident now the peak so far (Linux, proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_resident() -> float:
    """The most memory [bytes] that was resident in this process since `forget_peak`.

    Not from `getrusage`, which starts at the memory of the process that started this one.
    """
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return 1024.0 * int(line.split()[1])
    raise SimulationError("/proc/self/status has no VmHWM: memory is measured on Linux only")


def _train(configuration: Configuration, size: Size) -> None:
    """Two steps: the optimiser's own memory is there from the second on."""
    model = network(size, radial_table=TABLE_TRAINED).train()
    inputs = graph_inputs(configuration, model.cutoff)
    labels = torch.tensor(configuration.propensity, dtype=torch.float32)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    forget_peak()
    for _ in range(2):
        optimiser.zero_grad()
        loss_of(model, inputs, labels).backward()
        optimiser.step()


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:4]))

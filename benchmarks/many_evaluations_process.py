"""A process that predicts many times and reports how its memory grows."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch

from benchmarks.memory_process import forget_peak, peak_resident
from benchmarks.systems import liquid
from glassml.data import Configuration
from glassml.inference import Predictor

__all__ = ["Job", "evaluated"]

_DIFFERENT = 200


class Job(TypedDict):
    """The exported model, the system, and how often it is evaluated and the memory read."""

    model: str
    cells: int
    evaluations: int
    samples: int


def evaluated(cells: int, number: int) -> Configuration:
    """The configuration of this evaluation; `_DIFFERENT` have other positions and neighbours each.

    Among ever new ones there would always be one with more neighbours than any before, and with it
    a new peak of the memory.
    """
    start = liquid(cells)
    moves = np.random.default_rng(number % _DIFFERENT).normal(
        scale=0.03, size=start.positions.shape
    )
    return dataclasses.replace(start, positions=start.positions + moves)


def _main(question: Path, answer: Path, values: Path) -> None:
    job: Job = json.loads(question.read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    predictor = Predictor(job["model"], device="cpu", check_domain=False)
    prediction = predictor.predict([evaluated(job["cells"], 0)])[0]
    forget_peak()
    peaks = [peak_resident()]
    for part in range(job["samples"]):
        first, last = (job["evaluations"] * k // job["samples"] for k in (part, part + 1))
        for number in range(first, last):
            prediction = predictor.predict([evaluated(job["cells"], number)])[0]
        peaks.append(peak_resident())
    np.save(values, prediction["propensity"], allow_pickle=False)
    answer.write_text(json.dumps(peaks), encoding="utf-8")


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:4]))

"""What makes the commands of help texts and pages small."""

from __future__ import annotations

__all__ = ["SMALLER"]

# Only sizes: what the commands do stays what is printed.
SMALLER: dict[str, list[str]] = {
    "simulate": [
        *("particles=160", "temperatures=[2.5, 2.0]", "replicas=1", "configurations=1"),
        *("separation=2 tau_alpha", "cooling={melt_time: 1.0, time: 1.0}", "cage.steps=500"),
        *("equilibration.budget=200.0", "ensemble.runs=2", "ensemble.times=[0.01, 1 tau_alpha]"),
        *("segment=1500", "workers=1"),
    ],
    "train": [
        *("training.epochs=1", "model.l_max=1", "model.channels=2", "model.n_layers=1"),
    ],
    "sweep": [
        *("axes={model.l_max: [0]}", "folds=2", "base.training.epochs=1"),
        *("base.model={channels: 2, n_layers: 1}", "--jobs", "1"),
    ],
    "average": ["--samples", "3"],
    "softness": [
        *("--tau", "2", "--training-threshold", "0.3", "--quiet", "3", "--particles", "50"),
    ],
    "evaluate": ["--resamples", "10"],
    "few-shot": ["--draws", "2"],
    # A build takes minutes; `make test` does it before the tests, and tests/native tests its parts.
    # Here the options alone are read.
    "build": ["--help"],
}

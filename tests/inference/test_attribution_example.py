"""The example examples/attribution/gradient.py, on a small system."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
from systems import liquid

from glassml.data import DatasetWriter
from glassml.inference import Predictor

SCRIPT = Path(__file__).parents[2] / "examples" / "attribution" / "gradient.py"
MODEL, TIME, COLUMN = "kob_andersen_T0.64_multitime", 5.2, 5


def test_the_gradient_is_the_change_of_the_prediction(tmp_path: Path) -> None:
    configuration = liquid(60)
    with DatasetWriter(tmp_path / "small.h5") as writer:
        writer.add(configuration)
    command = [sys.executable, SCRIPT, MODEL, "small.h5", f"--time={TIME}", "--particle=7"]
    subprocess.run(command, cwd=tmp_path, check=True)
    atoms = ase.io.read(tmp_path / "gradient.extxyz")
    gradient = atoms.arrays["gradient"]
    assert atoms.info["particle"] == 7
    # Moving all particles alike changes nothing. The sum of 60 float32 numbers is rounded.
    largest = np.abs(gradient).max()
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-5 * largest)

    # The network that LAMMPS and the Predictor run, with its compiled kernels, agrees.
    predictor = Predictor(MODEL, device="cpu", check_domain=False)
    assert predictor.manifest.times[COLUMN] == TIME
    other = int(np.argsort(atoms.arrays["influence"])[-2])  # most of all counts the particle itself
    step = np.zeros_like(configuration.positions)
    step[other] = 1e-4 * gradient[other] / np.linalg.norm(gradient[other])
    ahead, behind = (
        predictor.predict([replace(configuration, positions=configuration.positions + s)])[0]
        for s in (step, -step)
    )
    slope = (ahead["propensity"] - behind["propensity"])[7, COLUMN] / 2e-4
    # Predictions are float32: 1e-7 over a distance of 2e-4. The filters are piecewise linear; few
    # of them have a kink on such a short way.
    np.testing.assert_allclose(slope, np.linalg.norm(gradient[other]), rtol=0.02)

"""The demo (`make demo`), at a small size: the real LAMMPS, model and pictures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
from matplotlib.image import imread

DEMO = Path(__file__).parents[2] / "examples" / "demo" / "run.py"


def test_the_demo_predicts_measures_and_draws(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, DEMO, tmp_path, "--size", "tiny"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())  # lines are wrapped
    # On labelled data: the coefficients of the model's card, and the ceilings of `data info`; both
    # are printed with two digits.
    number = r"(\d\.\d\d)"
    labelled = re.search(rf"A {number} of at most {number}, B {number} of at most {number}", words)
    assert labelled, words
    expected = [0.527, 0.945, 0.562, 0.945]
    np.testing.assert_allclose([float(value) for value in labelled.groups()], expected, atol=0.006)
    found = re.search(r"lowers it\): A (-?\d\.\d\d), B (-?\d\.\d\d)", words)
    assert found, words
    # 410 A particles, two runs: the noise of a coefficient is about 0.05, and the noise of the
    # labels leaves about half of the model's 0.48.
    assert float(found[1]) > 0.1
    frames = ase.io.read(tmp_path / "propensity.lammpstrj", index=":")
    assert len(frames) == 2
    predicted = frames[-1].arrays["f_ml[4]"].ravel()
    assert (predicted > 0).all()
    assert np.ptp(predicted) > 0.05
    for name in ("labelled.png", "pearson.png", "simulated.png", "demo.png", "thermo.png"):
        image = imread(tmp_path / name)
        assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 100  # many colours

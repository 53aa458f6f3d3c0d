"""examples/few_configurations/in.inherent: a model of inherent structures in LAMMPS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from glassml.data import Dataset, dataset_path
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import build
from glassml.simulation import kob_andersen, quench

SCRIPT = Path(__file__).parents[2] / "examples" / "few_configurations" / "in.inherent"
SCALARS = ("inherent_energy", "potential_energy", "inherent_displacement")


@pytest.mark.parametrize("ranks", [1, 2])
def test_lammps_minimises_and_predicts_what_python_does(bench, ranks: int) -> None:
    torch.manual_seed(3)
    model = build("structural", scalar_inputs=SCALARS, cutoff=1.6, shells=6, averages=2)
    model.positions = "inherent"
    file = bench.folder / "model.pt"
    save_model(model, file, dtype="float64")
    start = Dataset(dataset_path("kob_andersen_T0.64"))[0]
    quenched = quench(start, kob_andersen(), force_tolerance=1e-5)
    expected = Predictor(file, device="cpu").predict([quenched])[0]["propensity"][:, 0]
    bench.write_data(start, "thermal.data")
    variables = ["-var", "data", "thermal.data", "-var", "model", str(file)]
    bench.run(SCRIPT.read_text(encoding="utf-8"), ranks=ranks, extra_args=variables)
    rows = np.loadtxt(bench.folder / "inherent.dump", skiprows=9)
    # Both minimisers stop below the same force, on paths whose sums are in different order.
    np.testing.assert_allclose(rows[:, 2], expected, atol=1e-4 * np.abs(expected).max())

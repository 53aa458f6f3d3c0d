"""Averaged descriptors in LAMMPS: the same as in Python, on one and more ranks."""

from __future__ import annotations

import pytest
import torch
from systems import liquid

from glassml.export import save_model
from glassml.models import build


@pytest.mark.parametrize("ranks", [1, 2])
def test_structural_model_in_lammps(bench, dump, agrees, ranks: int) -> None:
    torch.manual_seed(1)
    model = build("structural", times=(1.0, 4.0), cutoff=1.6, shells=6, averages=3)
    file = bench.folder / "structural.pt"
    save_model(model, file, dtype="float64")
    configuration = liquid(200, seed=4)
    script = bench.start(configuration) + f"fix p all glassml 1 {file} A B\n{dump('p')}run 0\n"
    bench.run(script, ranks=ranks)
    agrees(bench.frames()[0].values("p"), configuration, file)

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


def test_a_model_of_inherent_structures_warns_of_atoms_that_move(bench) -> None:
    model = build("structural", cutoff=1.6, shells=4, angular_shells=2, averages=1)
    model.positions = "inherent"
    file = bench.folder / "inherent.pt"
    save_model(model, file)
    fix = f"fix p all glassml 1 {file} A B\n"
    start = bench.start(liquid(200, seed=4))
    still = bench.run(start + fix + "fix move all nve\nrun 0\nminimize 0 1e-2 2 10\n").stdout
    assert "positions: inherent; the positions of the atoms are used unchanged" in still
    assert "while the atoms move" not in still
    moving = bench.run(start + fix + "fix move all nve\nrun 1\nrun 1\n").stdout
    assert moving.count("reads inherent positions, but is evaluated while the atoms move") == 1
    # The same model, said to read the positions of the atoms.
    model.positions = "thermal"
    save_model(model, file)
    thermal = bench.run(start + fix + "fix move all nve\nrun 1\n").stdout
    assert "while the atoms move" not in thermal
    assert "positions:" not in thermal

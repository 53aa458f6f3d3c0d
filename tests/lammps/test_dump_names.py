"""The lines for LAMMPS that `glassml info` shows: their dump keeps the names of the predictions."""

from __future__ import annotations

import ase.io
import numpy as np
from systems import liquid

from glassml.data import open_frames
from glassml.inference import Predictor


def test_predictions_keep_their_names_in_ase(bench, models, glassml):
    """ASE leaves out columns without a prefix of LAMMPS, so the names begin with f_."""
    model = models(times=(1.65, 16.5))
    shown = [line for line in glassml("info", model).out.splitlines() if line.strip()]
    commands = [line for line in shown if line.split()[0] in ("fix", "dump", "dump_modify")]
    assert [line.split()[0] for line in commands] == ["fix", "dump", "dump_modify"]
    configuration = liquid(80, seed=4)
    commands.append("dump_modify propensity sort id format float %20.17g")
    bench.run(bench.start(configuration) + "\n".join(commands) + "\nrun 0\n")
    dump = bench.folder / "propensity.dump"
    expected = Predictor(model, device="cpu").predict([configuration])[0]["propensity"]
    (_, of_glassml), *_ = open_frames(dump).frames
    for atoms in (ase.io.read(dump), of_glassml):
        assert {name for name in atoms.arrays if name.startswith("f_")} == {
            "f_propensity_t=1.65",
            "f_propensity_t=16.5",
        }
        for k, time in enumerate(("1.65", "16.5")):
            # 1e-10: double precision, as in tests/lammps/conftest.py
            np.testing.assert_allclose(
                atoms.arrays[f"f_propensity_t={time}"], expected[:, k], rtol=1e-10
            )


def test_without_them_the_columns_have_numbers(bench, models):
    """The present behaviour of LAMMPS and ASE, which docs/reference/fix_glassml.md describes."""
    script = bench.start(liquid(80, seed=4)) + f"fix ml all glassml 1 {models()} A B\n"
    script += "dump 1 all custom 1 plain.dump id type x y z f_ml[*]\n"
    script += "dump 2 all custom 1 named.dump id type x y z f_ml[*]\n"
    script += "dump_modify 2 colname f_ml[1] propensity\nrun 0\n"
    bench.run(script)
    plain, named = (ase.io.read(bench.folder / f"{name}.dump") for name in ("plain", "named"))
    assert {"f_ml[1]", "f_ml[2]"} <= set(plain.arrays)
    assert "propensity" not in named.arrays  # no prefix: ASE leaves it out
    assert "f_ml[2]" in named.arrays

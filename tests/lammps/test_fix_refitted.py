"""A file whose decoders were replaced runs in LAMMPS as in Python."""

from __future__ import annotations

import numpy as np
from systems import liquid

from glassml.export import replace_decoder
from glassml.provenance import TrainingRecord


def test_refitted_model_in_lammps(bench, models, dump, agrees) -> None:
    old, new = models.network(), bench.folder / "refitted.pt"
    rng = np.random.default_rng(1)
    n_columns = 12  # (l_max + 1) channels
    replace_decoder(
        old,
        new,
        times=(0.5, 5.0, 50.0),
        weight=rng.normal(size=(2, 3, n_columns)),
        bias=rng.normal(size=(2, 3)),
        training=TrainingRecord(),
    )
    configuration = liquid(200, seed=4)
    script = bench.start(configuration) + (f"fix p all glassml 1 {new} A B\n{dump('p')}run 0\n")
    bench.run(script)
    agrees(bench.frames()[0].values("p"), configuration, new)

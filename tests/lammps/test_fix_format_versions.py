"""Model files of format 1 and the same models in the present format run alike in LAMMPS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from systems import liquid

from glassml.export import read_manifest
from glassml.pretrained import pretrained_path

FORMAT_1 = Path(__file__).parents[1] / "export" / "format_1"


@pytest.mark.parametrize("name", ["kob_andersen_T0.44", "kob_andersen_T0.64_multitime"])
def test_both_formats_give_the_same_numbers(bench, dump, agrees, name: str) -> None:
    old, new = FORMAT_1 / f"{name}.pt", pretrained_path(name)
    assert [read_manifest(path).format_version for path in (old, new)] == [1, 3]
    configuration = liquid(200, seed=4)
    script = bench.start(configuration)
    script += f"fix old all glassml 1 {old} A B\nfix new all glassml 1 {new} A B\n"
    bench.run(script + f"{dump('old', 'new')}run 0\n")
    frame = bench.frames()[0]
    np.testing.assert_array_equal(frame.values("old"), frame.values("new"))
    agrees(frame.values("new"), configuration, new)

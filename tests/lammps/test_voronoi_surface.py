"""Radical Voronoi cells: LAMMPS' compute voronoi/atom gives the numbers of `glassml quench`."""

from __future__ import annotations

import numpy as np
import pytest
from pages import executed
from systems import liquid, moved

from glassml.inference import Predictor
from glassml.physics import voronoi_surface

LIQUID = liquid(300, seed=4)
RADII = np.where(LIQUID.species == 0, 0.5, 0.44)
SURFACE = voronoi_surface(LIQUID.positions, LIQUID.cell, LIQUID.pbc, RADII)


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_model_reads_the_surfaces_of_lammps(bench, models, dump, ranks: int) -> None:
    """The lines of the page, at the present positions, which stand for an inherent structure."""
    file = models("glassmlp", times=(1.0,), cutoff=2.0, averaging_lengths=(0.0, 0.5, 1.0))
    (lines,) = executed("docs/reference/fix_glassml.md", "lammps", "Surfaces of Voronoi cells")
    (bench.folder / "glassmlp.pt").write_bytes(file.read_bytes())
    script = bench.start(LIQUID) + (
        f"{lines}\ndump s all custom 1 s.out id c_cells[1] c_cells[3] c_energy\n"
        f"dump_modify s sort id format float %20.17g\n{dump('1')}run 0\n"
    )
    bench.run(script, ranks=ranks)
    columns = bench.frames("s.out")[0]
    # voro++ and qhull cut polyhedra of size 5 in double precision, in other ways: measured, 1e-13.
    np.testing.assert_allclose(columns["c_cells[3]"], SURFACE, rtol=0, atol=1e-9)
    volume = np.linalg.det(LIQUID.cell)
    np.testing.assert_allclose(columns["c_cells[1]"].sum(), volume, rtol=1e-9)
    scalars = {"inherent_energy": columns["c_energy"], "inherent_voronoi_surface": SURFACE}
    predictor = Predictor(file, device="cpu")
    expected = predictor.predict([moved(LIQUID, scalars=scalars)])[0]["propensity"]
    assert np.std(expected) > 1e-3
    found = bench.frames()[0].values("1")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(expected).max())
